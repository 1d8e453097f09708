"""Work memory that is allocated once and used again.

A fresh array of more than a few pages costs as much as a pass over it, in page faults.  The engine's large temporaries
therefore lie in named buffers that each thread keeps from one call to the next.
"""

from __future__ import annotations

import math
import mmap
import os
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from ..features import Float32

__all__ = [
    "adopt_shared",
    "release_shared",
    "scratch",
    "shared_buffers",
    "shared_copy",
    "shared_scratch",
    "shared_view",
]

_HUGE_PAGE = 1 << 21
"""Bytes."""
_KEPT = 1 << 26
"""Bytes of the largest private buffer that is kept: beside the work on larger ones, page faults do not count."""


class _Buffers(threading.local):
    """The buffers of a thread, by their names; `adopted` if its shared buffers belong to another worker."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.own: dict[str, Float32] = {}
        self.shared: dict[str, Float32] = {}
        self.adopted = False


_buffers = _Buffers()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _buffers.clear())


def scratch(name: str, *shape: int, dtype: npt.DTypeLike = np.float32) -> npt.NDArray[Any]:
    """Return this thread's buffer of a name, contiguous, valid until the next call with the name.

    Its contents are undefined; they are finite if the name is only used as float32.  Forked processes do not get the
    buffer: otherwise every page that is written while they run would be copied.
    """
    size = -(-math.prod(shape) * np.dtype(dtype).itemsize // 4)
    buffer = _buffers.own.get(name)
    if buffer is None or buffer.size < size:
        buffer = _private(size)
        if 4 * size <= _KEPT:
            _buffers.own[name] = buffer
    return np.ndarray(shape, dtype, buffer)


def _private(size: int) -> Float32:
    """Return a new buffer of zeros that forked processes do not get."""
    if not hasattr(mmap, "MADV_DONTFORK"):
        return np.zeros(size, np.float32)
    memory = mmap.mmap(-1, max(1, 4 * size), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_DONTFORK)
    if 4 * size >= _HUGE_PAGE:
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.float32, size)


# --- shared between workers


def shared_scratch(name: str, *shape: int) -> Float32:
    """Return a buffer as `scratch` does, which workers share that are started later; see `adopt_shared`."""
    size = math.prod(shape)
    buffer = _buffers.shared.get(name)
    if buffer is None or buffer.size < size:
        if _buffers.adopted:
            raise RuntimeError(f"the shared buffer {name} is larger than when this worker was started")
        buffer = _buffers.shared[name] = np.frombuffer(mmap.mmap(-1, max(4, 4 * size)), np.float32)
    return buffer[:size].reshape(shape)


def shared_view(name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return a shared buffer as an array of any dtype."""
    size = -(-math.prod(shape) * np.dtype(dtype).itemsize // 4)
    return np.ndarray(shape, dtype, shared_scratch(name, size))


def shared_copy(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a copy of an array in a shared buffer, or the array if it lies there already."""
    out = shared_view(name, array.shape, array.dtype)
    if not np.may_share_memory(out, array):
        out[...] = array
    return out


def shared_buffers() -> dict[str, Float32]:
    """Return this thread's shared buffers; arrays that replaced others are other objects."""
    return dict(_buffers.shared)


def adopt_shared(buffers: dict[str, Float32]) -> None:
    """Use the shared buffers of the thread that started this worker, in a forked process or another thread."""
    _buffers.shared, _buffers.adopted = buffers, True


def release_shared(limit: int) -> bool:
    """Release this thread's shared buffers if they have more bytes than the limit, and return whether they had."""
    exceeds = sum(buffer.nbytes for buffer in _buffers.shared.values()) > limit
    if exceeds:
        _buffers.shared.clear()
    return exceeds
