"""Where the engine's time goes: its stages, timed where `siftcli.engine.pipeline` calls them."""

from __future__ import annotations

import functools
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from siftcli.engine import octaves, pipeline, scale_space, sheets, stack

from . import images
from .contenders import contenders
from .images import UInt8
from .options import Options
from .report import Section, Table

__all__ = ["STAGES", "Profile", "measure", "profiled", "replaced", "stages"]

STAGES = ("sheets", "blur", "borders", "extrema", "refine", "orientation", "descriptors", "collect", "rest")
"""In the order of the pipeline. sheets: moving bands, bases of octaves; blur: all levels, from the image on; borders:
their continuation; extrema: DoG and its extrema; collect: quantising and ordering; rest: all between these."""

_CALLS: tuple[tuple[Any, str, str], ...] = (
    (scale_space.ScaleSpace, "sheets_of", "sheets"),
    (octaves.Octave, "blur", "blur"),
    (octaves.Octave, "blur_whole", "blur"),
    (sheets.Sheet, "extrapolate", "borders"),
    (stack.Stack, "extrapolate", "borders"),
    (pipeline, "find_extrema", "extrema"),
    (pipeline, "refine", "refine"),
    (pipeline, "assign_orientations", "orientation"),
    (pipeline, "compute_descriptors", "descriptors"),
    (pipeline, "stored", "collect"),
    (pipeline, "_features", "collect"),
)
"""Where a function is looked up, its name there, and the stage that its time counts for."""


class Profile:
    """Seconds by stage; a stage that runs inside another counts for itself only.

    Attributes
    ----------
    seconds : dict of float
        By stage.
    items : dict of int
        How many things the calls of a stage returned together, where these have a length.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.items: dict[str, int] = defaultdict(int)
        self._stack: list[str] = []
        self._since = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what runs inside for a stage."""
        self._switch(name)
        try:
            yield
        finally:
            self._switch(None)

    def _switch(self, name: str | None) -> None:
        now = time.perf_counter()
        if self._stack:
            self.seconds[self._stack[-1]] += now - self._since
        if name is None:
            self._stack.pop()
        else:
            self._stack.append(name)
        self._since = time.perf_counter()

    def wrap(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        """Return the function, its time counted for a stage."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.stage(name):
                result = function(*args, **kwargs)
            if hasattr(result, "__len__"):
                self.items[name] += len(result)
            return result

        return timed

    def wrap_generator(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        """Return the generator function, the steps of its generators counted for a stage."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Iterator[Any]:
            with closing(function(*args, **kwargs)) as iterator:
                while True:
                    with self.stage(name):
                        item = next(iterator, None)
                    if item is None:
                        return
                    yield item

        return timed


@contextmanager
def replaced(place: Any, name: str, value: Any) -> Iterator[None]:
    """Give an attribute of a module or class another value inside."""
    kept = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, kept)


@contextmanager
def profiled() -> Iterator[Profile]:
    """Time the stages of everything that the engine does inside, in one thread."""
    profile = Profile()
    with ExitStack() as stack:
        for place, name, stage in _CALLS:
            wrap = profile.wrap_generator if stage == "sheets" else profile.wrap
            stack.enter_context(replaced(place, name, wrap(getattr(place, name), stage)))
        stack.enter_context(profile.stage("rest"))
        yield profile


def measure(pixels: UInt8, repeat: int) -> tuple[dict[str, float], dict[str, int], int]:
    """Return median seconds by stage, numbers of items by stage, and the number of keypoints of a picture."""
    run = contenders(())[0].run
    run(pixels)
    seconds: dict[str, list[float]] = {name: [] for name in STAGES}
    for _ in range(repeat):
        with profiled() as profile:
            keypoints = run(pixels)
        for name in STAGES:
            seconds[name].append(profile.seconds[name])
    return {name: statistics.median(values) for name, values in seconds.items()}, dict(profile.items), keypoints


def stages(options: Options) -> Section:
    """Time the stages on every picture."""
    table = Table("stages", "Stages of the engine, 1 thread: median ms", ["picture", *STAGES, "sum"])
    data = []
    for source in options.chosen_sources():
        for size in options.sizes:
            picture = images.picture(source, size)
            options.progress(picture.name)
            seconds, _, keypoints = measure(picture.pixels, options.rounds(3 if picture.megapixels > 5 else 7))
            data.append(
                {
                    "picture": picture.name,
                    "megapixels": picture.megapixels,
                    "keypoints": keypoints,
                    "seconds": seconds,
                }
            )
            cells = [f"{seconds[name] * 1000:.1f}" for name in STAGES]
            table.rows.append([picture.name, *cells, f"{sum(seconds.values()) * 1000:.0f}"])
    return Section([table], data)
