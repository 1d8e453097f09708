"""SIFT features (Lowe 2004) from images, from a pure NumPy engine.

>>> import siftcli
>>> features = siftcli.detect(siftcli.read_image("photo.jpg").pixels)  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .api import describe as describe
    from .api import detect as detect
    from .api import match as match
    from .draw.keypoints import draw_keypoints as draw_keypoints
    from .draw.matches import draw_matches as draw_matches
    from .errors import FormatError as FormatError
    from .errors import FrameError as FrameError
    from .errors import ImageError as ImageError
    from .errors import OutputError as OutputError
    from .errors import ParameterError as ParameterError
    from .errors import SiftError as SiftError
    from .errors import WorkerError as WorkerError
    from .evaluation.agreement import Agreement as Agreement
    from .evaluation.agreement import agreement as agreement
    from .evaluation.run import Evaluation as Evaluation
    from .evaluation.run import evaluate as evaluate
    from .features import Features as Features
    from .io.image import read_image as read_image
    from .io.lowe_key import encode_key as encode_key
    from .io.lowe_key import read_key as read_key
    from .io.matches import read_matches as read_matches
    from .io.matches import write_matches as write_matches
    from .io.registry import collection_reader as collection_reader
    from .io.registry import collection_writer as collection_writer
    from .io.registry import read_features as read_features
    from .io.registry import write_features as write_features
    from .matches import Matches as Matches
    from .params import DescriptorParams as DescriptorParams
    from .params import DetectorParams as DetectorParams
    from .params import MatchParams as MatchParams
    from .params import SelectionParams as SelectionParams

# Names are imported when they are first used, which keeps start-up short.
_HOME = {
    "Agreement": "evaluation.agreement",
    "DescriptorParams": "params",
    "DetectorParams": "params",
    "Evaluation": "evaluation.run",
    "Features": "features",
    "FormatError": "errors",
    "FrameError": "errors",
    "ImageError": "errors",
    "MatchParams": "params",
    "Matches": "matches",
    "OutputError": "errors",
    "ParameterError": "errors",
    "SelectionParams": "params",
    "SiftError": "errors",
    "WorkerError": "errors",
    "agreement": "evaluation.agreement",
    "collection_reader": "io.registry",
    "collection_writer": "io.registry",
    "describe": "api",
    "detect": "api",
    "draw_keypoints": "draw.keypoints",
    "draw_matches": "draw.matches",
    "encode_key": "io.lowe_key",
    "evaluate": "evaluation.run",
    "match": "api",
    "read_features": "io.registry",
    "read_image": "io.image",
    "read_key": "io.lowe_key",
    "read_matches": "io.matches",
    "write_features": "io.registry",
    "write_matches": "io.matches",
}

__all__ = [
    "Agreement",
    "DescriptorParams",
    "DetectorParams",
    "Evaluation",
    "Features",
    "FormatError",
    "FrameError",
    "ImageError",
    "MatchParams",
    "Matches",
    "OutputError",
    "ParameterError",
    "SelectionParams",
    "SiftError",
    "WorkerError",
    "agreement",
    "collection_reader",
    "collection_writer",
    "describe",
    "detect",
    "draw_keypoints",
    "draw_matches",
    "encode_key",
    "evaluate",
    "match",
    "read_features",
    "read_image",
    "read_key",
    "read_matches",
    "write_features",
    "write_matches",
]


_RENAMED = {
    "open_collection": "collection_writer",
    "read_collection": "collection_reader",
    "write_key": "encode_key",
}


def __getattr__(name: str) -> object:
    if name in _RENAMED:  # `from siftcli import name` hides the text of an AttributeError
        raise ImportError(f"{__name__}.{name} is now called {_RENAMED[name]}", name=__name__)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
