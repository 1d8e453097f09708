"""Work memory that is allocated once and used again.

A fresh array of more than a few pages costs as much as a pass over it, in page faults.  The engine's large
temporaries therefore live in buffers that each thread keeps from one call to the next.
"""

from __future__ import annotations

import math
import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..features import Float32

__all__ = [
    "Handed",
    "hand_over",
    "handed_on",
    "release_shared",
    "scratch",
    "shared_count",
    "shared_scratch",
]

_HUGE = 1 << 21
"""Bytes of a huge page."""
_KEPT = 1 << 26
"""Bytes of the largest buffer that is kept; with what larger ones are for, their page faults do not count."""
_VIEWS = 64
"""Shapes in which a buffer is remembered: to make one takes longer than some passes over a small image."""


class _Buffers(threading.local):
    """The buffers of a thread, by their names."""

    def __init__(self) -> None:
        self.own: dict[str, tuple[Float32, dict[tuple[tuple[int, ...], npt.DTypeLike], npt.NDArray[Any]]]] = {}
        self.shared: dict[str, tuple[mmap.mmap, Float32]] = {}
        self.count = 0
        self.handed_on = self.is_copy = False

    def forked(self) -> None:
        """Begin anew in a forked process."""
        self.own.clear()
        self.is_copy = self.handed_on
        if not self.is_copy:
            self.shared.clear()


_buffers = _Buffers()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _buffers.forked())


def scratch(name: str, *shape: int, dtype: npt.DTypeLike = np.float32) -> npt.NDArray[Any]:
    """Return this thread's buffer of a name, contiguous; what it holds is left over, and finite if always float32.

    It is good until the next call with the same name.  Forked processes do not get it: while they run, every page
    that is written would be copied first.  A very large one is not kept: it lives as long as it is referred to.
    """
    buffer, views = _buffers.own.get(name, (None, {}))
    view = views.get((shape, dtype))
    if view is None:
        count, itemsize = math.prod(shape), np.dtype(dtype).itemsize
        size = -(-count * itemsize // 4)
        if buffer is None or buffer.size < size:
            buffer, views = _fresh(size), {}
            if 4 * size <= _KEPT:
                _buffers.own[name] = buffer, views
        if len(views) == _VIEWS:
            views.clear()
        view = views[shape, dtype] = buffer[:size].view(dtype)[:count].reshape(shape)
    return view


def _fresh(size: int) -> Float32:
    """Return a new buffer that forked processes do not get."""
    if not hasattr(mmap, "MADV_DONTFORK"):
        return np.zeros(size, np.float32)
    memory = mmap.mmap(-1, max(1, 4 * size), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_DONTFORK)
    if 4 * size >= _HUGE:
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.float32, size)


def shared_scratch(name: str, *shape: int) -> Float32:
    """Return a buffer as `scratch` does, but one that processes which are forked in a block of `handed_on` share."""
    size = math.prod(shape)
    memory, buffer = _buffers.shared.get(name, (None, None))
    if memory is None or buffer is None or buffer.size < size:
        if _buffers.is_copy:
            raise RuntimeError(f"the shared buffer {name} is larger than what this process was forked with")
        memory = mmap.mmap(-1, max(1, 4 * size))
        buffer = np.frombuffer(memory, np.float32, size)
        _buffers.shared[name] = memory, buffer
        _buffers.count += 1
    return buffer[:size].reshape(shape)


def release_shared(limit: int) -> bool:
    """Let go of this thread's shared buffers if they have more bytes than that, and tell whether they had."""
    over = sum(len(memory) for memory, _ in _buffers.shared.values()) > limit
    if over:
        _buffers.shared.clear()
    return over


def shared_count() -> int:
    """Return how many shared buffers this thread has made, replaced ones too."""
    return _buffers.count


@contextmanager
def handed_on() -> Iterator[None]:
    """Let processes that are forked in this block keep the shared buffers; others would write to ours."""
    _buffers.handed_on = True
    try:
        yield
    finally:
        _buffers.handed_on = False


class Handed(NamedTuple):
    """An array in shared memory, to be sent to those that share it."""

    shape: tuple[int, ...]
    dtype: str

    def taken(self) -> npt.NDArray[Any]:
        """Return the array."""
        size = math.prod(self.shape) * np.dtype(self.dtype).itemsize
        return shared_scratch("handed", -(-size // 4)).view(np.uint8)[:size].view(self.dtype).reshape(self.shape)


def hand_over(array: npt.NDArray[Any]) -> Handed:
    """Copy an array to shared memory; it is there until the next one."""
    handed = Handed(array.shape, array.dtype.str)
    handed.taken()[...] = array
    return handed
