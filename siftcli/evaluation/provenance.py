"""Provenance of an evaluation: sequences, settings, methods and versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from .methods import Method
from .pairs import Settings
from .sequences import ImagePair
from .truth import Homography

__all__ = ["provenance", "versions"]


def provenance(methods: Sequence[Method], pairs: Sequence[ImagePair], settings: Settings) -> dict[str, Any]:
    """Return everything that the measures depend on, as an object for JSON."""
    images = {image.path: image for pair in pairs for image in (pair.a, pair.b)}
    truth = sha256()
    for pair in pairs:
        truth.update(repr((pair.a, pair.b)).encode("utf-8", "surrogatepass"))
        truth.update(_truth_bytes(pair))
    stamps = [(str(path), status.st_size, status.st_mtime_ns) for path in images if (status := _status(path))]
    truth.update(repr(stamps).encode("utf-8", "surrogatepass"))
    return {
        "version": __version__,
        "sequences": truth.hexdigest(),
        "settings": asdict(settings),
        "methods": {method.name: method.about(images.values()) for method in methods},
    }


def _truth_bytes(pair: ImagePair) -> bytes:
    if isinstance(pair.truth, Homography):
        return pair.truth.matrix.tobytes()
    cameras = (pair.truth.a, pair.truth.b)
    return b"".join(np.concatenate([np.ravel(v) for v in vars(camera).values()]).tobytes() for camera in cameras)


def _status(path: Path) -> Any:
    try:
        return path.stat()
    except OSError:  # reported when the pair is measured
        return None


def versions() -> dict[str, str]:
    """Return the versions of the packages that compute the measures."""
    found = {}
    for name in ("numpy", "scipy", "poselib"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
