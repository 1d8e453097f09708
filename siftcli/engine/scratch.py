"""Work memory that is allocated once and used again.

A fresh array of more than a few pages costs as much as a pass over it, in page faults.  The engine's large
temporaries therefore live in buffers that each thread keeps from one call to the next.
"""

from __future__ import annotations

import math
import threading

import numpy as np

from ..features import Float32

__all__ = ["scratch"]

_local = threading.local()


def scratch(name: str, *shape: int) -> Float32:
    """Return this thread's buffer of a name, float32 and contiguous; what it holds is left over, but finite.

    It is good until the next call with the same name.
    """
    size = math.prod(shape)
    buffer: Float32 | None = getattr(_local, name, None)
    if buffer is None or buffer.size < size:
        buffer = np.zeros(size, np.float32)
        setattr(_local, name, buffer)
    return buffer[:size].reshape(shape)
