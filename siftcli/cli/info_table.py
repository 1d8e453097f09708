"""The tables of ``sift info``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .table import can_draw, cells, print_table, table_of

if TYPE_CHECKING:
    from ..features import Camera
    from ..io.summary import Distribution, Summary
    from ..matches import Matches

__all__ = ["show_features", "show_matches", "sparkline"]

_BLOCKS, _ASCII = "▁▂▃▄▅▆▇█", "_.-~=+*#"


def show_features(
    path: str, title: str, rows: Sequence[tuple[str, Summary]], parameters: Mapping[str, Any] | None
) -> None:
    """Print what is in a feature file.

    Parameters
    ----------
    path, title : str
        The file, and what it is.
    rows : sequence of (name, Summary)
        Its images.
    parameters : mapping or None
        With which the features were computed.
    """
    total = sum(summary.keypoints for _, summary in rows)
    head = f"{path}: {title}; {len(rows):,} image{'s' * (len(rows) != 1)}, {total:,} keypoints"
    tail = ", ".join(f"{key}={value}" for key, value in (parameters or {}).items())
    blocks = _BLOCKS if can_draw() else _ASCII
    numbers = ["size", "keypoints"]
    spreads = ["sigma (px)", "response", "octaves", "orientations", "descriptors"]
    table = table_of(["image"], numbers, spreads)
    cameras = any(s.camera is not None for _, s in rows)
    if cameras:
        table.add_column("camera", overflow="fold")
    for name, s in rows:
        table.add_row(
            *cells(
                name,
                "" if s.image_size is None else f"{s.image_size[0]} x {s.image_size[1]}",
                f"{s.keypoints:,}",
                _spread(s.scales, blocks),
                _spread(s.scores, blocks),
                " ".join(f"{octave}:{count}" for octave, count in s.octaves.items()),
                " ".join(f"{count}x{orientations}" for orientations, count in s.orientations.items()),
            ),
            *cells(_descriptors(s), style="red" if s.problems else ""),
            *(cells(_camera(s.camera)) if cameras else ()),
        )
    print_table(head, table if rows else None, f"parameters: {tail}" if tail else "")


def show_matches(path: str, title: str, pairs: Sequence[tuple[str | None, str | None, Matches]]) -> None:
    """Print what is in a match file.

    Parameters
    ----------
    path, title : str
        The file, and what it is.
    pairs : sequence of (name or None, name or None, Matches)
        Its pairs.
    """
    total = sum(len(matches) for _, _, matches in pairs)
    head = f"{path}: matches, {title}; {len(pairs):,} pair{'s' * (len(pairs) != 1)}, {total:,} matches"
    table = table_of(["image a", "image b"], ["matches", "inliers"], ["model", "distance"])
    for a, b, matches in pairs:
        distances = matches.distances
        table.add_row(
            *cells(
                a or "",
                b or "",
                f"{len(matches):,}",
                "" if matches.inliers is None else f"{int(matches.inliers.sum()):,}",
                "" if matches.model is None else matches.model.kind,
                f"{distances.min():.3g} to {distances.max():.3g}" if distances is not None and len(distances) else "",
            )
        )
    print_table(head, table if pairs else None, "")


def sparkline(counts: tuple[int, ...], blocks: str = _BLOCKS) -> str:
    """Draw counts as a line of bars; the highest is full, and what is not zero is never empty."""
    top = max(counts, default=0)
    return "".join(" " if not n else blocks[-(-n * len(blocks) // top) - 1] for n in counts) if top else ""


def _spread(values: Distribution | None, blocks: str) -> str:
    if values is None:
        return ""
    return f"{values.smallest:.3g} {sparkline(values.counts, blocks)} {values.largest:.3g}, median {values.median:.3g}"


def _camera(camera: Camera | None) -> str:
    """Name a camera, its focal length and its position."""
    if camera is None:
        return ""
    parts = [camera.name, "" if camera.focal is None else f"f {camera.focal:.1f} px"]
    if camera.position is not None:
        latitude, longitude, altitude = camera.position
        high = "" if math.isnan(altitude) else f", {altitude:.1f} m"
        parts.append(f"at {latitude:.6f}, {longitude:.6f}{high}")
    return "; ".join(filter(None, parts))


def _descriptors(s: Summary) -> str:
    kind = s.descriptors or "none"
    norms = "" if s.norms is None else f", norm {s.norms.smallest:.3f} to {s.norms.largest:.3f}"
    return "; ".join([kind + norms, *s.problems])
