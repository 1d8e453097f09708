"""Names of options in other programs, and their counterparts here."""

from __future__ import annotations

import re

from ..errors import RENAMED

__all__ = ["elsewhere"]

_ELSEWHERE = {
    # OpenCV's SIFT_create
    "nfeatures": "--max-keypoints",
    "noctavelayers": "--scales-per-octave",
    "contrastthreshold": "--contrast-threshold",
    "edgethreshold": "--edge-threshold",
    "sigma": "--sigma-base",
    # COLMAP's feature_extractor and matchers, without the part before the dot
    "maxnumfeatures": "--max-keypoints",
    "maximagesize": "--max-image-size",
    "firstoctave": "--first-octave",
    "numoctaves": "--octaves",
    "octaveresolution": "--scales-per-octave",
    "peakthreshold": "--contrast-threshold (times the scales per octave)",
    "maxnumorientations": "--max-orientations",
    "upright": "--upright",
    "maxratio": "--ratio",
    "crosscheck": "--mutual",
    "maxdistance": "--max-distance",
    "maxerror": "--threshold",
    "minnuminliers": "--min-inliers",
    "numthreads": "--jobs",
    "databasepath": "-o",
    "imagepath": "arguments for the images",
    # VLFeat's sift
    "peakthresh": "--contrast-threshold (times the scales per octave)",
    "edgethresh": "--edge-threshold",
    "levels": "--scales-per-octave",
    "magnif": "--magnification",
    "readframes": "--keypoints of sift describe",
    # former names of this program's options
    **{old: f"--{new}" for old, new in RENAMED.items()},
    # other names that users try
    "maxfeatures": "--max-keypoints",
    "numfeatures": "--max-keypoints",
    "ratiotest": "--ratio",
    "outputdir": "-o",
    "outdir": "-o",
    "out": "-o",
    "workers": "--jobs",
    "force": "--overwrite",
}
"""Option here by the name elsewhere, in lower case and letters only."""


def elsewhere(option: str) -> str | None:
    """Return the counterpart of an option of OpenCV, COLMAP, VLFeat or a former version, or None."""
    return _ELSEWHERE.get(re.sub(r"[^a-z]", "", option.lstrip("-").rsplit(".", 1)[-1].partition("=")[0].lower()))
