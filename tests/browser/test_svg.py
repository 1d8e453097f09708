"""SVG pictures in a real browser.

Oracle: the browser's own drawing, beside the one on pixels.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from draw_tools import scattered
from PIL import Image

from siftcli.draw.keypoints import keypoint_scene
from siftcli.draw.style import KeypointStyle
from siftcli.draw.svg import to_svg


@pytest.mark.parametrize("style", ["circles", "arrows", "frames", "points", "descriptors"])
def test_the_browser_draws_what_is_drawn_on_pixels(page: Any, tmp_path: Path, style: str) -> None:
    y, x = np.mgrid[:300, :400]
    ground = Image.fromarray(np.stack([x // 2, y // 2, 0 * x + 90], axis=-1).astype(np.uint8))
    found = scattered(120, 400, 300, seed=9)
    options = KeypointStyle(style=style, zoom=1, legend=False, halo=False, opacity=1, line_width=2.0, radius="support")
    scene = keypoint_scene(ground, found, options)
    (tmp_path / "picture.svg").write_text(to_svg(scene), encoding="utf-8")
    page.driver.get((tmp_path / "picture.svg").as_uri())
    with Image.open(io.BytesIO(page.driver.get_screenshot_as_png())) as shot:
        seen = np.asarray(shot.convert("RGB").crop((0, 0, 400, 300))).astype(int)
    drawn, bare = np.asarray(scene.render()).astype(int), np.asarray(ground).astype(int)
    marked = np.abs(drawn - bare).max(axis=2) > 60
    assert marked.mean() > 0.01
    difference = np.abs(seen - drawn).max(axis=2)
    assert difference[~marked].mean() < 4  # the ground may be a JPEG; edges of strokes
    # Strokes lie over each other in another way where they end in the middle of a pixel.
    assert (difference[marked] < 60).mean() > 0.9
