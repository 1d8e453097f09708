"""The BLAS library of NumPy and its threads."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..machine import BLAS_VARIABLES

__all__ = ["Blas", "blas"]

_COUNTERS = (
    "scipy_openblas_get_num_threads64_",
    "scipy_openblas_get_num_threads",
    "openblas_get_num_threads64_",
    "openblas_get_num_threads",
    "MKL_Get_Max_Threads",
)
"""Functions of BLAS libraries that return their number of threads."""


@dataclass(frozen=True)
class Blas:
    """A BLAS library.

    Attributes
    ----------
    name, version : str or None
        Name and version as NumPy was built; None if unknown.
    threads : int or None
        Number of threads in this process; None if unknown.
    variables : dict of str to str
        Members of `BLAS_VARIABLES` that are set.
    simd : tuple of str
        Instruction sets beyond the baseline that NumPy found in this processor.
    """

    name: str | None
    version: str | None
    threads: int | None
    variables: dict[str, str]
    simd: tuple[str, ...]


def blas() -> Blas:
    """Return the library of this process."""
    config = _configuration()
    library = config.get("Build Dependencies", {}).get("blas", {})
    found: Iterable[str] = config.get("SIMD Extensions", {}).get("found", [])
    variables = {name: os.environ[name] for name in BLAS_VARIABLES if name in os.environ}
    return Blas(library.get("name"), library.get("version"), _threads(), variables, tuple(found))


def _configuration() -> dict[str, Any]:
    try:
        config: Any = np.show_config(mode="dicts")
    except TypeError:  # NumPy before 1.25 prints only
        return {}
    return config or {}


def _threads() -> int | None:
    """Return the number of threads, from the library that NumPy's linear algebra module is linked to."""
    try:
        library = ctypes.CDLL(np.linalg._umath_linalg.__file__)
    except (AttributeError, OSError):
        return None
    for name in _COUNTERS:
        try:
            return int(getattr(library, name)())
        except AttributeError:  # another library
            continue
    return None
