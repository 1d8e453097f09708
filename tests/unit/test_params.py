"""Parameters: ranges, presets, and that the only home of defaults is one that can be read."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siftcli import params
from siftcli.errors import ParameterError, SiftError
from siftcli.params import DescriptorParams, DetectorParams, SelectionParams, plain_values
from siftcli.presets import PRESETS, all_parameters, parameters

CLASSES: list[Any] = [cls for name in params.__all__ if is_dataclass(cls := getattr(params, name))]
FIELDS = [(cls, f) for cls in CLASSES for f in fields(cls)]
NUMBERS = [
    (cls, f)
    for cls, f in FIELDS
    if not (f.metadata["choices"] or isinstance(f.default, bool) or "..." in f.metadata["parts"])
]


def by_name(pairs: list[tuple[Any, Any]]) -> pytest.MarkDecorator:
    """Parametrise by field, with the field's name."""
    return pytest.mark.parametrize(("cls", "field"), pairs, ids=[f.name for _, f in pairs])


def test_defaults_are_lowes() -> None:
    """Source: the numbers of [Lowe04 §3-6]."""
    detector, descriptor = parameters()
    assert (detector.scales_per_octave, detector.sigma_base, detector.sigma_input) == (3, 1.6, 0.5)
    assert (detector.first_octave, detector.edge_threshold, detector.peak_ratio) == (-1, 10.0, 0.8)
    assert detector.dog_threshold == 0.04 / 3
    assert detector.orientation_window == 1.5
    assert (descriptor.magnification, descriptor.window_size, descriptor.clamp) == (3.0, 2.0, 0.2)


@by_name(FIELDS)
def test_every_parameter_is_described_and_its_default_allowed(cls: Any, field: Any) -> None:
    """Invariance: a default is a legal value; the help is a sentence."""
    assert getattr(cls(**{field.name: field.default}), field.name) == field.default
    assert field.metadata["help"].rstrip(".")[0].isprintable()
    assert len(field.metadata["help"]) > 20


@by_name([(cls, f) for cls, f in NUMBERS if f.metadata["low"] is not None])
def test_lowest_value(cls: Any, field: Any) -> None:
    """Closed form: the range's own end is allowed, below is not."""
    low = field.metadata["low"]
    assert getattr(cls(**{field.name: low}), field.name) == low
    refused(cls, field.name, low - 1, f"at least {low}")


@by_name([(cls, f) for cls, f in NUMBERS if f.metadata["above"] is not None])
def test_exclusive_lower_end(cls: Any, field: Any) -> None:
    """Closed form: the range's own end is refused."""
    refused(cls, field.name, field.metadata["above"], f"greater than {field.metadata['above']}")


@by_name([(cls, f) for cls, f in NUMBERS if f.metadata["high"] is not None])
def test_highest_value(cls: Any, field: Any) -> None:
    """Closed form: above the range's own end is refused."""
    refused(cls, field.name, field.metadata["high"] + 1, f"at most {field.metadata['high']}")


@by_name(NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, "3", True, [1]], ids=str)
def test_no_number(cls: Any, field: Any, value: Any) -> None:
    """Closed form: what is not a finite number is refused by the parameter's name."""
    refused(cls, field.name, value, "must be")


@pytest.mark.parametrize("value", [(), 1.0, "1,2", (1.0, math.nan), (0.05,), (1, 17), (1, True), ["1"]], ids=str)
def test_domain_sizes_that_are_refused(value: Any) -> None:
    """Closed form: one number or more, each within the range."""
    refused(DescriptorParams, "domain_sizes", value, "must be")


def test_domain_sizes_are_a_tuple_for_the_grid_alone() -> None:
    assert DescriptorParams(domain_sizes=[1, 2]).domain_sizes == (1.0, 2.0)  # type: ignore[arg-type]
    assert plain_values(DescriptorParams(domain_sizes=(1, 1.4)))["domain_sizes"] == "1,1.4"
    with pytest.raises(ParameterError, match="needs sampling grid"):
        DescriptorParams(domain_sizes=(1, 2), sampling="pixels")


@by_name([(cls, f) for cls, f in NUMBERS if f.metadata["kind"] is int])
def test_whole_numbers(cls: Any, field: Any) -> None:
    """Closed form: 2.5 octaves are none."""
    refused(cls, field.name, 2.5, "whole number")


@by_name([(cls, f) for cls, f in FIELDS if f.metadata["choices"]])
def test_choices(cls: Any, field: Any) -> None:
    """Closed form: the message lists what there is."""
    refused(cls, field.name, "nonsense", ", ".join(field.metadata["choices"]))


@by_name([(cls, f) for cls, f in FIELDS if isinstance(f.default, bool)])
def test_flags(cls: Any, field: Any) -> None:
    """Closed form: 1 is not true."""
    refused(cls, field.name, 1, "true or false")


def refused(cls: Any, name: str, value: Any, reason: str) -> None:
    """Check that a value is refused with a message that begins with the parameter's name."""
    with pytest.raises(ParameterError) as caught:
        cls(**{name: value})
    assert caught.value.name == name
    assert str(caught.value).startswith(f"{name}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_input_cannot_be_blurrier_than_the_first_level() -> None:
    """Closed form: sigma_base times 2^first_octave, in input pixels; two octaves before the image, as for one."""
    for octave, blur in ((-2, 0.8), (-1, 0.8), (0, 1.6), (2, 6.4)):
        refused_together({"first_octave": octave, "sigma_input": blur + 0.01}, "sigma_input")
        assert DetectorParams(first_octave=octave, sigma_input=blur).sigma_input == blur


def refused_together(values: dict[str, Any], name: str) -> None:
    """Check that values that do not go together are refused by the name of one."""
    with pytest.raises(ParameterError) as caught:
        all_parameters(**values)
    assert caught.value.name == name


def test_regions() -> None:
    """Closed form: four finite numbers, the last two above zero."""
    for value in ((1, 2, 3), (1, 2, 3, math.nan), (1, 2, 3, "4"), 7, "1,2,3,4", (0, 0, 0, 5), (0, 0, 5, -1)):
        refused(SelectionParams, "region", value, "must")
    assert SelectionParams(region=(-1, 0.5, 3, 4)).region == (-1, 0.5, 3, 4)


def test_scales_from_small_to_large() -> None:
    """Closed form: a range from 3 to 2 is none."""
    refused_together({"min_scale": 3.0, "max_scale": 2.0}, "min_scale")
    assert SelectionParams(min_scale=2.0, max_scale=2.0).min_scale == 2


def test_values_for_files() -> None:
    """Closed form: every parameter by name, as a number, text, a truth value or None."""
    chosen = all_parameters("colmap", region=(1, 2.5, 3, 4), upright=True)
    values = plain_values(*chosen)
    assert values.keys() == {f.name for group in chosen for f in fields(group)}
    assert all(value is None or isinstance(value, (bool, int, float, str)) for value in values.values())
    assert values["region"] == "1,2.5,3,4"
    assert (values["upright"], values["octaves"], values["keep"]) == (True, 4, "levels")


def test_parameters_cannot_be_changed() -> None:
    """Invariance: an instance that was checked stays as it was."""
    with pytest.raises(FrozenInstanceError):
        DetectorParams().octaves = 2  # type: ignore[misc]


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_overrides_replace_single_values(preset: str) -> None:
    """Invariance: everything else is the preset's."""
    detector, descriptor = parameters(preset, clamp=0.3, octaves=2)
    plain = PRESETS[preset]
    changed = [f.name for f in fields(detector) if getattr(detector, f.name) != getattr(plain[0], f.name)]
    changed += [f.name for f in fields(descriptor) if getattr(descriptor, f.name) != getattr(plain[1], f.name)]
    assert changed == ["octaves", "clamp"]
    assert (detector.octaves, descriptor.clamp) == (2, 0.3)


def test_no_two_parameters_share_a_name() -> None:
    """Invariance: an override by name means one parameter."""
    names = [f.name for cls in (DetectorParams, DescriptorParams, SelectionParams) for f in fields(cls)]
    assert len(set(names)) == len(names)


def test_selection_is_no_matter_of_detector_and_descriptor() -> None:
    """Closed form: where keypoints are given, nothing is selected, and to ask for it is refused."""
    with pytest.raises(ParameterError, match="max_keypoints: is not a parameter"):
        parameters(max_keypoints=5)
    assert all_parameters(max_keypoints=5).selection.max_keypoints == 5


@given(st.text(max_size=12))
def test_unknown_names(name: str) -> None:
    """Closed form: refused by name, whatever the name."""
    if name not in {f.name for f in (*fields(DetectorParams), *fields(DescriptorParams))} | {"preset"}:
        with pytest.raises(SiftError, match="is not a parameter"):
            parameters("default", **{name: 1})
    if name not in PRESETS:
        with pytest.raises(ParameterError, match="must be one of default, "):
            parameters(name)


@given(st.integers(1, 16), st.floats(0, 1))
def test_contrast_threshold_is_shared_among_the_scales(scales: int, threshold: float) -> None:
    """Closed form: [Lowe04 §4] has 0.03 for the sum; the threshold per scale is the S-th part."""
    detector = DetectorParams(scales_per_octave=scales, contrast_threshold=threshold)
    assert detector.dog_threshold * scales == pytest.approx(threshold)
