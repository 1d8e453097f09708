"""The options of the parameters: presets, detector, descriptor, selection of keypoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from ..params import DescriptorParams, DetectorParams, Parameters, SelectionParams
from ..presets import PRESETS, all_parameters
from .guard import READ
from .options import all_of, field_options, option

__all__ = ["chosen_parameters", "parameter_options", "preset_option", "selection_options", "start_option"]

_F = TypeVar("_F", bound=Callable[..., Any])


def preset_option(group: str, help: str) -> Callable[[_F], _F]:
    """Declare ``--preset``."""
    return option(
        "--preset",
        group=group,
        type=click.Choice(list(PRESETS)),
        default="default",
        help=help,
        note="default: default",
    )


start_option = preset_option("Detector", "Start from a preset; the options below override single parameters.")
"""``--preset``, for commands with options of single parameters."""

parameter_options = all_of(
    [
        start_option,
        field_options(DetectorParams, "Detector"),
        field_options(DescriptorParams, "Descriptor"),
    ]
)
"""``--preset``, and an option for every parameter of the detector and the descriptor."""

selection_options = all_of(
    [
        option(
            "--mask",
            group="Selection",
            type=READ,
            metavar="MASK",
            setting=False,
            help="Keep keypoints where this image is not zero. In a folder of masks, 'photo.jpg.png' or 'photo.png' is "
            "the mask of 'photo.jpg'.",
        ),
        option(
            "--alpha",
            group="Selection",
            type=click.Choice(["mask", "ignore"]),
            default="mask",
            help="mask: remove keypoints on fully transparent pixels; ignore: keep them.",
            note="default: mask",
        ),
        field_options(SelectionParams, "Selection"),
    ]
)
"""``--mask``, ``--alpha``, and an option for every parameter that selects keypoints."""


def chosen_parameters(preset: str, given: Mapping[str, Any]) -> Parameters:
    """Return the parameters of a command line.

    Parameters
    ----------
    preset : str
        Value of ``--preset``.
    given : mapping
        Values of the options by name of the parameter; None if an option was not given.

    Raises
    ------
    ParameterError
        For a value outside its range.
    """
    return all_parameters(preset, **{name: value for name, value in given.items() if value is not None})
