"""Options of commands that write COLMAP databases."""

from __future__ import annotations

from typing import Any

import click

from ..errors import PlanError
from ..io.colmap.camera import MODELS, SHARING, DatabaseOptions
from ..io.colmap.schema import VERSIONS
from .options import all_of, numbers, option

__all__ = ["database_options", "require_database", "taken_database_options"]

_GROUP = "COLMAP database"
_NEWEST = list(VERSIONS)[-1]

database_options = all_of(
    [
        option(
            "--camera",
            group=_GROUP,
            type=click.Choice(SHARING),
            help="Which images share a camera. auto: those whose EXIF metadata tell the same camera and focal length, "
            "and that have the same size; single: all; folder: those of a folder; image: none.",
            note="default: auto",
        ),
        option(
            "--camera-model",
            group=_GROUP,
            type=click.Choice(list(MODELS)),
            metavar="MODEL",
            help=f"Model of new cameras: {', '.join(MODELS)}.",
            note="default: SIMPLE_RADIAL",
        ),
        option(
            "--camera-params",
            group=_GROUP,
            type=numbers,
            metavar="NUMBERS",
            help="Parameters of new cameras, with commas between: focal lengths, principal point, distortion, as many "
            "as the model has, in pixels; the centre of the first pixel is (0.5, 0.5).",
            note="default: the focal length by EXIF, else 1.2 times the longer side; the centre; zeros",
        ),
        option(
            "--colmap-version",
            group=_GROUP,
            type=click.Choice(list(VERSIONS)),
            help="Version of COLMAP whose tables a new database gets. One that exists keeps its own.",
            note=f"default: {_NEWEST}",
        ),
    ]
)
"""``--camera``, ``--camera-model``, ``--camera-params``, ``--colmap-version``."""


def taken_database_options(given: dict[str, Any]) -> DatabaseOptions | None:
    """Remove the values of `database_options` from the options of a command, and return them; None if none is given.

    Raises
    ------
    ParameterError
        If they do not fit each other.
    """
    names = {"camera": "sharing", "camera_model": "model", "camera_params": "params", "colmap_version": "version"}
    values = {field: value for name, field in names.items() if (value := given.pop(name)) is not None}
    return DatabaseOptions(**values) if values else None


def require_database(options: DatabaseOptions | None, database: bool) -> None:
    """Raise PlanError if database options are given but no database is written."""
    if options is not None and not database:
        raise PlanError("--camera, --camera-model, --camera-params and --colmap-version need an output that is a .db")
