"""Values that decide how fast the engine is and how much memory it takes.

Tests change them to reach, with small images, the code that serves large ones.  Only `small_octave` has an influence on
features, at their limits: larger octaves have decimated levels.
"""

from __future__ import annotations

import sys

__all__ = ["TUNING", "Tuning"]


class Tuning:
    """Sizes of the pieces of work, and how workers are kept.  Pixels are octave pixels."""

    small_octave: int = 130_000
    """Octaves of fewer pixels share one buffer, the atlas; larger ones are cut into row tiles."""
    after_large: int = 4
    """Factor of that limit for octaves that follow a larger one: halos would be a larger part of their work."""
    tile_pixels: int = 3 << 19
    """Pixels of a row tile, about."""
    tile_rows: int = 208
    """Fewest rows of a row tile: its halo is computed twice, by both neighbours."""
    strip_pixels: int = 220_000
    """Pixels that are blurred and searched at a time.  Fewer cost more calls; more do not stay in the cache."""
    stack_pixels: int = 1 << 17
    """Pixels of images that are detected together: the Gaussian levels of more do not stay in the cache."""
    batch_size: int = 1536
    """Most keypoints that are described together: fewer cost more calls; more balance worse between workers."""
    forks: bool = sys.platform == "linux"
    """Use forked processes as workers.  Elsewhere, forking is missing or breaks system libraries."""
    idle_seconds: float = 10.0
    """Time without work after which a worker process ends."""
    kept_bytes: int = 1 << 29
    """Most shared memory that is kept for the next image, and the worker processes with it."""


TUNING = Tuning()
