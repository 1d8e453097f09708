"""The tolerances of the tests, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass

# --- arithmetic

FLOAT32 = 2e-6
"""Sums of up to 50 products of numbers below 1, twice, in float32: about 16 units in the last place of 1."""

DOUBLE = 1e-13
"""The same in double precision."""

KERNEL_VARIANCE = 2e-3
"""A Gaussian cut at 4 sigma lacks 0.1 % of its variance; sampling at 0.8 sigma adds less."""

CHUNKING = 5e-7
"""Other shapes of matrix products add in another order: a few units in the last place of 1."""

# --- scale space

DOUBLED_INSIDE = 1e-4
"""Kernels cut at 4 sigma: one wide blur and a chain of narrow ones differ in the tails, and so does the border."""

DOUBLED_BORDER = 0.06
"""A few per cent of the contrast, where neighbouring pixels of the photograph differ by up to a half."""

DECIMATED = 5e-6
"""Error of least squares in a level that is computed from every second sample; see `gaussian.decimated_filter`."""

DECIMATED_INSIDE = 2e-5
"""The same for the upper levels after one another; 1.2e-5 with one scale per octave."""

DECIMATED_BORDER = 1e-2
"""Every second sample of a replicated border: a twelfth of the slope there, times 4 - 1, times the kernel's height."""

BLOB_LEVEL = 2e-4
"""Kernels cut at 4 sigma lack 1e-4 of their area and 1e-3 of their variance."""

BLOB_LEVEL_INTERPOLATED = 5e-3
"""Linear interpolation adds a variance of 0 to 1/4 px^2 to the 64 px^2 of the blob."""

# --- angles

POLYNOMIAL_ANGLE = 2e-4
"""Radians: twice what a polynomial of four odd terms lacks of an arc tangent on [0, 1]."""

POLYNOMIAL_DEGREES = 0.02
"""The same in degrees, and more where it moves a sample from one bin to the next."""

# --- localisation

QUADRATIC = 1e-3
"""DoG values of up to 1 in float32, of curvature 4e-3: 6e-8 / 4e-3 = 1.5e-5 a difference, summed over levels."""

FIT = 1e-5
"""The same with curvatures near 1, and coordinates of some ten pixels in float32."""

# --- orientation

RAMP_DEGREES = 0.5
"""36 bins, a parabola through three: its own bias is 0.2 degrees."""

# --- descriptor

RAMP_CELL = {"grid": 0.006, "pixels": 0.02}
"""Values up to 0.31.  A grid of 20 samples sums the integral to 1e-4, and the parallelogram moves 1 % to another bin at
most; of whole pixels, a cell holds about 7 by 7, and the sub-pixel shift is not turned."""

RAMP_CELL_WIDE = 0.02
"""The same under a wide window, which does not hide the corners."""

# --- the slow reference: float32 beside double precision

LOWE_REFERENCE_FRAME = 5e-4
"""DoG values of 0.01 with errors of 1e-7 and curvatures of 1e-3: 1e-4 px at worst; angles are better."""

LOWE_REFERENCE_BYTES = 0.999
"""floor(512 d) turns an error of 1e-6 into a difference once in some thousand values."""

REFERENCE_SHARE = 0.98
"""Keypoints at the 0.8 peak rule or the threshold, and those near the last rows and columns."""

REFERENCE_POSITION = (1e-3, 0.02)
"""Median and 95th percentile, px: rounding, and the border of the doubled image."""

REFERENCE_ANGLE = (3e-3, 0.015)
"""Median and 95th percentile, radians: gradients are summed over a square, not over a disc that reaches further."""

REFERENCE_COSINE = (0.9975, 0.9985)
"""10th percentile and median: 400 samples a descriptor beside 3,600, or beside whole pixels."""

# --- Lowe's program

LOWE_LINES = 0.99
"""What is left is the last printed digit, where his sums, in another order, round the other way."""

LOWE_VALUES = 0.999
LOWE_LARGEST = 2
"""The same in descriptors: 0.02 % of the values differ, by 1."""

DEFAULT_RECALL = 0.975
DEFAULT_COUNT = 0.02
"""The default leaves out what is an accident of his program (docs/accuracy.md); it is not expected to reach 1."""

DEFAULT_POSITION = 0.006
"""Rounding to 0.01 px makes 0.004 by itself."""

DEFAULT_COSINE = (0.988, 0.9965)
"""10th percentile and median: VLFeat's are 0.988 and 0.9972 on such images; his program does not turn the sub-pixel
shift, the default does."""

LOWE_BOAT = 1230
"""Correct matches with his program's own method; 1236 measured, so that neither side of the comparison can sink."""

# --- independent programs

COLMAP_SHARE = (0.90, 0.945)
"""Of theirs among ours, and of ours among theirs: 0.909 to 0.957 and 0.954 to 0.969 measured.  Extrema are refined by
other rules there (section "What Lowe's program does" of docs/accuracy.md)."""

COLMAP_COUNT = 0.06
"""0.948 to 0.981 measured."""

COLMAP_PIXELS = 0.9999
"""Median cosine of descriptors of every pixel: 0.99997 measured; 0.9976 with Lowe's shift."""

COLMAP_COSINE = (0.998, 0.9992)
"""10th percentile and median: 0.9987 and 0.9995 measured."""

OPENCV_LOCATIONS = 0.93
"""0.940 to 0.976 measured, orientation aside."""

OPENCV_SHARE = 0.74
"""0.753 to 0.826 measured: its histograms of orientations are made and smoothed otherwise, which decides on second
peaks and moves the others."""

OPENCV_OCTAVES = 0.98
"""A keypoint half way between two octaves may be found in either."""

OPENCV_COSINE = (0.984, 0.995)
"""10th percentile and median: 0.986 and 0.996 measured; it samples around the nearest pixel."""

PEER_POSITION = 0.001
"""Median, px: 0.0004 measured."""

PEER_BIAS = 1e-4
"""Median shift in x and y, px, and of the logarithm of scale: a wrong pixel origin would be 0.25 or 0.5."""

# --- blobs

BLOB_POSITION = (0.05, 0.04)
"""Octave pixels; the second in the doubled octave, where it is 0.02 px.  A parabola through three samples of a bell
misses its top by up to 0.03 of their distance, a little more if the fit reaches half a scale far."""

BLOB_BIAS = 0.01
"""Octave pixels: the mean of 60 errors of up to 0.03; a shift by a quarter of an input pixel would be 0.1 or more."""

BLOB_SIGMA = 0.02
"""A parabola through three scales; the closed form without interpolation is another 1.6 % off at s0 = 2 px."""

BLOB_SCORE = 0.015
"""A parabola's height, and the interpolation's ripple."""

# --- invariances of a photograph


@dataclass(frozen=True)
class Same:
    """How far the features of a changed picture may be from those of the picture.

    Attributes
    ----------
    share : float
        Least share of keypoints that are found again, both ways.
    position, angle : float
        90th percentile of the differences: px (and log scale), radians.
    cosine : float
        10th percentile of the cosine between descriptors.
    """

    share: float
    position: float
    angle: float
    cosine: float


TURNED = Same(share=0.985, position=1e-3, angle=1e-3, cosine=0.999)
"""Rounding at the thresholds and the 0.8 peak rule; seven samples of a gradient are not mirror symmetric."""

REGAINED = Same(share=0.985, position=0.01, angle=2e-3, cosine=0.999)
"""Grey levels are rounded to float32 anew: 1e-7 of a DoG of 0.01 and less of its curvature."""

SAMPLED_ALIKE = Same(share=0.985, position=1e-3, angle=1e-3, cosine=0.999)
"""The same samples up to rounding, computed another way."""

SHIFT_SHARE = 0.98
"""What lies beyond 16 sigma and yet matters: borders that are replicated at every level."""

HALF_SIZE_SHARE = 0.8
HALF_SIZE_BIAS = 0.02
"""0.85 measured: pixels of the copy are samples of another blur.  Half a pixel of wrong origin would be 0.25 px or
more."""

# --- other ways through the engine

CHUNKED_PIXELS = 0.01
CHUNKED_VALUES = 3
"""Rounding moves a keypoint of weak curvature by some thousandths of a pixel, and its descriptor by a step or two."""

PLACED_VALUES = 1e-4
"""Values of descriptors that are rounded the other way where a product rounds a row by its place: 1e-5 of them."""

CHUNKED_SHARE = 2e-3
"""Keypoints at the threshold, the 0.8 peak rule or the end of a move that rounding decides: a few in ten thousand."""

STACKED_SHARE = 3e-3
"""The same, one in some 400 keypoints."""

# --- presets beside their programs; docs/presets.md has what was measured

PRESET_COUNT = {"colmap": 0.02, "vlfeat": 0.02, "opencv": 0.04}
"""Within 0.8 %, 1.0 % and 2.4 % measured."""

PRESET_LEVELS = 0.04
"""3 % of the number, and 3 % fewer common places than without a limit, measured; one level more adds a fifth."""

PRESET_SHARE = {"colmap": 0.945, "vlfeat": 0.89, "opencv": 0.90}
"""0.952 to 0.975, 0.899 to 0.958 (without a threshold, rounding decides on the faintest), and 0.908 to 0.957 (OpenCV's
orientations come from another window, smoothed otherwise)."""

PRESET_PLACES = {"colmap": 0.955, "vlfeat": 0.90, "opencv": 0.965}
"""0.961 to 0.981, 0.908 to 0.966, and 0.973 to 0.998 measured: the doubled image ends otherwise, among others."""

PRESET_COSINE = {"colmap": (0.998, 0.9992), "vlfeat": (0.998, 0.9994), "opencv": (0.992, 0.9972)}
"""10th percentile and median: 0.9981 and 0.9994, 0.9987 and 0.9995, 0.9930 and 0.9974 measured."""

# --- given frames

WARPED_COSINE = 0.998
"""0.9995 and more measured, where sampling and the cubic spline are all that differs; smoothing that ignores the
frame's shape gives 0.96 for a ratio of 2 and 0.86 for 4."""

NEAREST_LEVEL_COSINE = 0.995
"""The nearest level is a sixth of an octave away at most: 0.9989 measured."""

AFFINE_RAMP = 0.01
"""Shares of two bins: a cubic spline through a plane is exact but for the continuation beyond the image."""

REFINED_OFFSET = 2e-3
"""Sums of up to six levels of values of 0.1 in float32, 6e-8, over curvatures down to 1e-4 along tilted ridges."""
