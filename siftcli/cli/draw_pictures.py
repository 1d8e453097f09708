"""Pictures of one image and its keypoints, as files."""

from __future__ import annotations

from ..draw.keypoints import keypoint_scene, strongest
from ..draw.output import encode
from ..draw.page import Exhibit, page
from ..draw.style import KeypointStyle
from .draw_inputs import Picture, extracted
from .one_image import Reading

__all__ = ["keypoint_file", "with_drawn_features"]


def with_drawn_features(picture: Picture, style: KeypointStyle, format: str, reading: Reading) -> Picture:
    """Return a picture with the features that its drawing needs."""
    page_wanted = format == "html"
    descriptors = style.style == "descriptors" or (page_wanted and picture.features is None)
    return extracted(picture, reading, descriptors=descriptors)


def keypoint_file(picture: Picture, style: KeypointStyle, format: str, *, name: str) -> bytes:
    """Return the file of a picture that has features, a page included; `name` is for messages."""
    assert picture.features is not None
    if format != "html":
        return encode(keypoint_scene(picture.rgb, picture.features, style), format, name=name)
    look = {"style": style.style, "radius": "support" if style.supported else "sigma", "color": style.color}
    return page([Exhibit(picture.name, picture.rgb, strongest(picture.features, style.top))], look=look).encode()
