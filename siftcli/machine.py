"""Resources that this process may use: cores, memory, and the threads of BLAS."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["BLAS_VARIABLES", "MOST_WORKERS", "available_memory", "cores", "single_blas_thread"]

BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Environment variables by which BLAS libraries limit their threads; read when NumPy is imported."""

MOST_WORKERS = 4
"""Most workers that share one image; more gain little."""

_CGROUP = Path("/sys/fs/cgroup")


def single_blas_thread() -> None:
    """Limit BLAS to one thread, unless the environment says otherwise; call this before NumPy is imported.

    The matrix products of the engine are small, so more threads only slow each other down.
    """
    for name in BLAS_VARIABLES:
        os.environ.setdefault(name, "1")


def cores(cgroup: Path = _CGROUP) -> int:
    """Return the number of cores that the affinity and the container's quota allow."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # no quota, or "max"
        quota, period = (cgroup / "cpu.max").read_text().split()
        count = min(count, max(1, int(quota) // int(period)))
    return count


def available_memory(cgroup: Path = _CGROUP, meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Return the bytes that are free on this machine, in its container and within the limit of this process.

    None where the system does not tell.
    """
    limits = []
    with suppress(OSError, ValueError, StopIteration):
        line = next(line for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable:"))
        limits.append(int(line.split()[1]) * 1024)
    with suppress(OSError, ValueError):
        limit, used = (int((cgroup / name).read_text()) for name in ("memory.max", "memory.current"))
        limits.append(max(0, limit - used))
    with suppress(ImportError, OSError, ValueError):
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            limits.append(max(0, limit - size))
    return min(limits, default=None)
