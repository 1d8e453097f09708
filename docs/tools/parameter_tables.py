"""The tables of the parameters, docs/parameters.md: made of the fields of `siftcli.params`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import Field, fields
from typing import Any

from siftcli.params import DescriptorParams, DetectorParams, MatchParams, SelectionParams
from siftcli.presets import PRESETS

__all__ = ["ELSEWHERE", "page"]

_PROGRAMS = ("Lowe 2004", "IPOL 2014", "VLFeat", "OpenCV", "COLMAP", "scikit-image")

ELSEWHERE: dict[str, tuple[str, str, str, str, str, str]] = {
    "first_octave": ("doubling, §3.3", "δ_min = 2^o", "`o_min`", "fixed: −1", "`first_octave`", "`upsampling` = 2^−o"),
    "octaves": ("–", "n_oct", "`noctaves`, O", "–", "`num_octaves`", "`n_octaves`"),
    "scales_per_octave": ("s, §3", "n_spo", "`nlevels`, S", "`nOctaveLayers`", "`octave_resolution`", "`n_scales`"),
    "sigma_base": ("σ, §3.3", "σ_min / δ_min", "σ_0", "`sigma`", "–", "`sigma_min`"),
    "sigma_input": ("0.5, §3.3", "σ_in", "σ_n, fixed: 0.5", "fixed: 0.5", "–", "`sigma_in`"),
    "contrast_threshold": (
        "\\|D(x̂)\\| of 0.03, §4",
        "S · C_DoG",
        "S · `peak_thresh`",
        "`contrastThreshold`",
        "S · `peak_threshold`",
        "S · `c_dog`",
    ),
    "edge_threshold": ("r, §4.1", "C_edge", "`edge_thresh`, t_e", "`edgeThreshold`", "`edge_threshold`", "`c_edge`"),
    "border": ("–", "fixed: 1, and σ", "fixed: 1", "fixed: 5", "fixed: 1", "fixed: 1, and σ"),
    "refinement": ("`converged`, §4", "`converged`", "`vlfeat`", "`converged`", "`vlfeat`", "`converged`"),
    "max_offset": ("0.5, §4", "fixed: 0.6", "fixed: 0.6", "fixed: 0.5", "fixed: 0.6", "fixed: 0.6"),
    "max_orientations": ("–", "–", "fixed: 4", "–", "`max_num_orientations`", "–"),
    "orientation_window": ("1.5 σ, §5", "λ_ori", "fixed: 1.5", "fixed: 1.5", "–", "`lambda_ori`"),
    "orientation_smoothings": ("–", "fixed: 6", "fixed: 6", "[1 4 6 4 1] / 16 once", "fixed: 6", "fixed: 6"),
    "peak_ratio": ("80 %, §5", "t", "fixed: 0.8", "fixed: 0.8", "fixed: 0.8", "`c_max`"),
    "upright": ("–", "–", "an angle of 0", "–", "`upright`", "–"),
    "variant": ("–", "–", "–", "–", "–", "–"),
    "max_image_size": ("–", "–", "–", "–", "`max_image_size`", "–"),
    "magnification": ("–", "λ_descr / 2", "`magnif`, m", "fixed: 3", "fixed: 3", "`lambda_descr` / 2"),
    "window_size": ("half the width, §6.1", "fixed: 2", "`window_size`, σ_win", "fixed: 2", "fixed: 2", "fixed: 2"),
    "clamp": ("0.2, §6.1", "fixed: 0.2", "fixed: 0.2", "fixed: 0.2", "fixed: 0.2", "fixed: 0.2"),
    "norm_threshold": ("–", "–", "`norm_thresh`", "–", "–", "–"),
    "root_sift": ("–", "–", "–", "–", "`normalization`: L1_ROOT", "–"),
    "float_descriptors": ("–", "–", "float output of `vl_sift`", "`descriptorType`", "–", "–"),
    "sampling": ("`pixels`, §6.1", "`pixels`", "`pixels`", "`pixels`", "`pixels`", "`pixels`"),
    "min_scale": ("–", "–", "–", "–", "–", "–"),
    "max_scale": ("–", "–", "–", "–", "–", "–"),
    "region": ("–", "–", "–", "–", "–", "–"),
    "max_keypoints": ("–", "–", "–", "`nfeatures`", "`max_num_features`", "–"),
    "keep": ("–", "–", "–", "`strongest`", "`levels`", "–"),
}
"""What parameters are called, or to what they are fixed, in the papers and the other programs; – where they are not."""

_HEAD = """\
# Parameters

<!-- Generated from siftcli/params.py by `python -m docs.tools.generate`; a test compares the two. -->

All that decides on the features of an image. In Python a parameter is an argument of
[`siftcli.detect`](api.md), `siftcli.describe` or `siftcli.match`, by the name of the first column; on the command line
it is an option. A value outside its range is refused by the name that it was given under.

## Where values come from

The first of these that has a value counts:

1. the **command line**: `--edge-threshold 8`;
2. the **environment**: `SIFT_EDGE_THRESHOLD=8`, the option's name in capitals; truth values are 1, 0, true, false, yes,
   no;
3. the **configuration file** of `--config FILE` (or `SIFT_CONFIG`), in TOML;
4. the **preset** of `--preset NAME`, which may itself come from any of the three; without one, the default.

```toml
# sift.toml
preset = "colmap"
edge_threshold = 8          # a key at the top is for every command that has the option
region = [100, 50, 640, 480]

[detect]                    # and these are for one alone
max_keypoints = 2000
keep = "spread"

[match]
ratio = 0.75
```

<!-- setup: printf 'preset = "colmap"\\n[detect]\\nmax_keypoints = 2000\\n' > sift.toml -->
```sh
sift detect sample_images/coffee.jpg --config sift.toml -o coffee.h5 --max-keypoints 500
```

Besides the parameters, `--preset`, `--jobs`, `--workers`, `--memory`, `--exif-orientation`, `--max-pixels`, `--depth`
and `--alpha` may be set in these ways; what is read and written may not. A key that no command knows is an error.
"""

_SELECTION = """\
Keypoints are selected in this order: the mask (`--mask`, and transparent pixels), the region, the
scales; and of what is left, at most `max_keypoints`, the first ones of a total order:

- `strongest`: by descending score, the refined |DoG|;
- `largest`: by descending sigma, then score;
- `spread`: by descending suppression radius, then score. The radius is the distance to the nearest keypoint that is
  stronger by more than a tenth: adaptive non-maximal suppression ([Brown05](bibliography.md)), which spreads
  keypoints over the image. Orientations of one location share a radius.

`levels` keeps whole levels of the scale space, as COLMAP does: from the coarsest on, up to and including the one with
which the locations become more than `max_keypoints`. So more are kept than that, and the orientations of a location
count as one.

Ties keep the order of the keypoints, which is total, so the selection is deterministic; the selected keypoints keep
their order. Except for `levels`, the maximum is hard: of a location with several orientations some
may be cut off.
"""

_ELSEWHERE_TEXT = """\
S is the number of scales per octave. "fixed" is a number that cannot be changed there; – is what is not there at all.
Thresholds are for images in [0, 1]: VLFeat's, for images in [0, 255], is 255 times as large. IPOL's C_DoG holds for
three scales per octave and is converted for others by (2^(1/S) − 1) / (2^(1/3) − 1), not by 3 / S.
"""

_PRESET_TEXT = """\
Parameters that the presets change; others have their defaults. [Presets](presets.md) compares each with its program.
"""


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _range(parameter: Field[Any]) -> str:
    meta = parameter.metadata
    if meta["choices"]:
        return ", ".join(f"`{choice}`" for choice in meta["choices"])
    if meta["parts"]:
        return ",".join(meta["parts"])
    if isinstance(parameter.default, bool):
        return "on, off"
    low = (
        f"≥ {meta['low']:g}" if meta["low"] is not None else f"> {meta['above']:g}" if meta["above"] is not None else ""
    )
    high = f"≤ {meta['high']:g}" if meta["high"] is not None else ""
    return ", ".join(part for part in (low, high) if part)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _meanings(kind: type) -> str:
    """Table of what parameters are."""
    rows = [
        (
            f"`{f.name}`",
            f"`{_flag(f.name)}`",
            f"`{_shown(f.default)}`" if f.metadata["choices"] and f.default is not None else _shown(f.default),
            f.metadata["unit"] or "–",
            _range(f),
            f.metadata["help"].replace("|", "\\|").replace("<", "\\<"),
        )
        for f in fields(kind)
    ]
    return _table(("name", "option", "default", "unit", "range", "meaning"), rows)


def _elsewhere() -> str:
    rows = [(f"`{name}`", *names) for name, names in ELSEWHERE.items()]
    return _table(("name", *_PROGRAMS), rows)


def _presets() -> str:
    """Table of the values in which presets differ from the default."""
    names = [name for name in PRESETS if name != "default"]
    rows = []
    defaults: tuple[Any, ...] = PRESETS["default"]
    for group, default in enumerate(defaults):
        for f in fields(default):
            values = [getattr(PRESETS[name][group], f.name) for name in names]
            if any(value != f.default for value in values):
                shown = ["" if value == f.default else f"**{_shown(value)}**" for value in values]
                rows.append((f"`{f.name}`", _shown(f.default), *shown))
    return _table(("name", "default", *(f"`{name}`" for name in names)), rows)


def page() -> str:
    """Return the page."""
    parts = [
        _HEAD,
        f"## Detector\n\n{_meanings(DetectorParams)}",
        f"## Descriptor\n\n{_meanings(DescriptorParams)}",
        f"## Selection\n\n{_meanings(SelectionParams)}\n{_SELECTION}",
        f"## Presets\n\n{_PRESET_TEXT}\n{_presets()}",
        f"## Names elsewhere\n\n{_ELSEWHERE_TEXT}\n{_elsewhere()}",
        f"## Matching\n\n{_meanings(MatchParams)}",
    ]
    return "\n".join(parts)
