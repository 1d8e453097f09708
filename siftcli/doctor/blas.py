"""The library that multiplies NumPy's matrices, and its threads."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["VARIABLES", "Blas", "blas"]

VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""What limits the threads of the usual libraries, before NumPy is imported."""

_COUNTERS = (
    "scipy_openblas_get_num_threads64_",
    "scipy_openblas_get_num_threads",
    "openblas_get_num_threads64_",
    "openblas_get_num_threads",
    "MKL_Get_Max_Threads",
)
"""Functions without arguments that return the number of threads."""


@dataclass(frozen=True)
class Blas:
    """The library.

    Attributes
    ----------
    name, version : str or None
        As NumPy was built; None where it does not tell.
    threads : int or None
        That it uses in this process; None where it does not tell.
    variables : dict of str to str
        Those of `VARIABLES` that are set.
    simd : tuple of str
        Instruction sets beyond the baseline that NumPy found in this processor.
    """

    name: str | None
    version: str | None
    threads: int | None
    variables: dict[str, str]
    simd: tuple[str, ...]


def blas() -> Blas:
    """Ask NumPy, the library and the environment."""
    config = _configuration()
    library = config.get("Build Dependencies", {}).get("blas", {})
    found: Iterable[str] = config.get("SIMD Extensions", {}).get("found", [])
    variables = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    return Blas(library.get("name"), library.get("version"), _threads(), variables, tuple(found))


def _configuration() -> dict[str, Any]:
    try:
        config: Any = np.show_config(mode="dicts")
    except TypeError:  # NumPy before 1.25 prints only
        return {}
    return config or {}


def _threads() -> int | None:
    """Ask the library that NumPy's linear algebra is linked to: its symbols are found through the one that links it."""
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
