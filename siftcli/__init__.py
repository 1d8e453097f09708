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
    from .io.lowe_key import read_key as read_key
    from .io.lowe_key import write_key as write_key
    from .io.matches import read_matches as read_matches
    from .io.matches import write_matches as write_matches
    from .io.registry import open_collection as open_collection
    from .io.registry import read_collection as read_collection
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
    "describe": "api",
    "detect": "api",
    "draw_keypoints": "draw.keypoints",
    "draw_matches": "draw.matches",
    "evaluate": "evaluation.run",
    "match": "api",
    "open_collection": "io.registry",
    "read_collection": "io.registry",
    "read_features": "io.registry",
    "read_image": "io.image",
    "read_key": "io.lowe_key",
    "read_matches": "io.matches",
    "write_features": "io.registry",
    "write_key": "io.lowe_key",
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
    "describe",
    "detect",
    "draw_keypoints",
    "draw_matches",
    "evaluate",
    "match",
    "open_collection",
    "read_collection",
    "read_features",
    "read_image",
    "read_key",
    "read_matches",
    "write_features",
    "write_key",
    "write_matches",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
