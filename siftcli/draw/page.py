"""An interactive page: one HTML file with the images, the keypoints and the viewer."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..conventions import quantise
from ..features import Features
from ..matches import MODELS, Matches
from ..words import counted
from .color import Colors, cyclic, sequential
from .keypoints import magnification
from .palette import COLORINGS, INLIER, OUTLIER, PLAIN, parse_color
from .svg import data_url

__all__ = ["Exhibit", "page"]

_SCRIPTS = ("data.js", "view.js", "panel.js", "input.js", "main.js")
_SHADES = 64
_SIDE = 8192
"""Longer images are embedded at this size, which every browser shows; coordinates stay those of the image."""


@dataclass(frozen=True, eq=False)
class Exhibit:
    """An image and its keypoints.

    Attributes
    ----------
    name : str
    image : PIL.Image.Image
        RGB.
    features : Features
    """

    name: str
    image: Image.Image
    features: Features


def page(exhibits: Sequence[Exhibit], matches: Matches | None = None, *, look: Mapping[str, str] | None = None) -> str:
    """Return an HTML document that needs no other file and no network.

    Parameters
    ----------
    exhibits : sequence of Exhibit
        One, or two that were matched.
    matches : Matches, optional
        Matches of the two.
    look : mapping, optional
        Values that `style`, `radius` and `color` begin with, as of `siftcli.draw.style.KeypointStyle`; what the page
        does not offer is ignored.
    """
    look = dict(look or {})
    plain = PLAIN
    if look.get("color", COLORINGS[0]) not in COLORINGS:
        plain, look["color"] = parse_color(look["color"]), "none"
    around = np.linspace(-np.pi, np.pi, _SHADES)
    data = {
        "images": [_image(exhibit) for exhibit in exhibits],
        "matches": None if matches is None else _matches(matches),
        "look": look,
        "colors": {
            "sequential": _hexes(sequential(np.linspace(0, 1, _SHADES))),
            "cyclic": _hexes(cyclic(around)),
            "plain": _hexes(np.array([plain], np.uint8))[0],
            "inlier": _hexes(np.array([INLIER], np.uint8))[0],
            "outlier": _hexes(np.array([OUTLIER], np.uint8))[0],
        },
    }
    parts = {
        "title": escape(_utf8(" and ".join(exhibit.name for exhibit in exhibits))),
        "style": _asset("style.css"),
        "script": '"use strict";\n' + "\n".join(map(_asset, _SCRIPTS)),
        # In a script element only its end tag is special.
        "data": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _asset("page.html"))


def _utf8(name: str) -> str:
    """Escape what UTF-8 cannot hold: the bytes of a file's name that are not UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()


@cache
def _asset(name: str) -> str:
    return (files(__package__) / "viewer" / name).read_text("utf-8")


def _image(exhibit: Exhibit) -> dict[str, Any]:
    image, features = exhibit.image, exhibit.features
    shown = image
    if max(image.size) > _SIDE:
        shown = image.copy()
        shown.thumbnail((_SIDE, _SIDE))
    descriptors = features.descriptors
    if descriptors is not None and descriptors.dtype != np.uint8:
        descriptors = quantise(descriptors.astype(np.float32))
    return {
        "name": exhibit.name,
        "width": image.width,
        "height": image.height,
        "url": data_url(shown),
        "features": {
            "count": len(features),
            "magnification": magnification(features),
            "xy": _packed(features.xy, "<f4"),
            "sigma": _packed(features.scales, "<f4"),
            "angle": _packed(features.orientations, "<f4"),
            "response": _packed(features.scores, "<f4"),
            "octave": _packed(features.octaves, "<i2"),
            "level": _packed(features.levels, "<i2"),
            "affine": _packed(features.affine, "<f4"),
            "descriptors": _packed(descriptors, "u1"),
        },
    }


def _matches(matches: Matches) -> dict[str, Any]:
    return {
        "count": len(matches),
        "indices": _packed(matches.indices, "<i4"),
        "distances": _packed(matches.distances, "<f4"),
        "ratios": _packed(matches.ratios, "<f4"),
        "inliers": _packed(matches.inliers, "u1"),
        "verdicts": _verdicts(matches),
    }


def _verdicts(matches: Matches) -> dict[str, str]:
    """Return the words for inliers and outliers, by the ids of their controls."""
    if matches.inliers is None:
        return {}
    inliers = int(np.count_nonzero(matches.inliers))
    model = "" if matches.kind is None else f" of {MODELS[matches.kind]}"
    return {
        "inliers": f"{counted(inliers, 'inlier')}{model}",
        "outliers": counted(len(matches) - inliers, "outlier"),
    }


def _packed(values: npt.NDArray[Any] | None, dtype: str) -> str | None:
    if values is None:
        return None
    numbers = np.nan_to_num(values, posinf=0, neginf=0)  # the page sorts and adds them
    return base64.b64encode(np.ascontiguousarray(numbers, dtype).tobytes()).decode("ascii")


def _hexes(colors: Colors) -> list[str]:
    return ["#{:02x}{:02x}{:02x}".format(*color) for color in colors.tolist()]
