"""What the figures were measured on: processor, memory, versions, settings."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import siftcli

__all__ = ["avx512_features", "describe", "load"]

PACKAGES = {
    "NumPy": "numpy",
    "SciPy": "scipy",
    "Pillow": "pillow",
    "OpenCV": "opencv-python-headless",
    "pycolmap": "pycolmap",
    "scikit-image": "scikit-image",
}
SETTINGS = ("OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES", "OPENCV_CPU_DISABLE")


def describe() -> dict[str, str]:
    """Return what tells one machine and its software from another, as text."""
    facts = {
        "Processor": _processor(),
        "Cores": str(os.cpu_count()),
        "Memory": f"{_memory() / 1e9:.0f} GB" if _memory() else "unknown",
        "System": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "siftcli": siftcli.__version__,
    }
    facts |= {label: found for label, package in PACKAGES.items() if (found := _version(package))}
    facts["BLAS"] = _blas()
    facts["SIMD that NumPy uses"] = ", ".join(_simd()) or "its baseline"
    facts |= {name: value for name in SETTINGS if (value := os.environ.get(name))}
    return facts


def load() -> float | None:
    """Return how many processes were running or waiting on average in the last minute; None where unknown."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def avx512_features() -> list[str]:
    """Return NumPy's names of the AVX-512 features that it would use here, as NPY_DISABLE_CPU_FEATURES wants them."""
    return [name for name in _simd() if "AVX512" in name or name == "X86_V4"]


def _simd() -> list[str]:
    return list(_config().get("SIMD Extensions", {}).get("found", []))


def _config() -> dict[str, Any]:
    """Return what NumPy knows of its build; nothing from a version that only prints it."""
    try:
        return np.show_config(mode="dicts") or {}  # type: ignore[return-value]
    except TypeError:
        return {}


def _blas() -> str:
    try:
        from threadpoolctl import threadpool_info  # type: ignore[import-untyped]
    except ImportError:
        blas = _config().get("Build Dependencies", {}).get("blas", {})
        return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas" and "numpy" in pool["filepath"]]
    return "; ".join(f"{p['internal_api']} {p['version']}, {p.get('architecture', '')}" for p in pools) or "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(part for line in lines if len(part := [p.strip() for p in line.split(":", 1)]) == 2)
    name = facts.get("model name", platform.machine())
    wide = "with" if "avx512f" in facts.get("flags", "").split() else "without"
    return f"{name}, family {facts.get('cpu family', '?')} model {facts.get('model', '?')}, {wide} AVX-512"


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
