"""Frames that are given for images: in which file each image's are, and descriptors at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from ..engine.describe_frames import describe, find_faults_in
from ..errors import FormatError, FrameError
from ..features import Features, Image
from ..io.formats import FORMATS, format_for
from ..io.frame_lines import line_of_frame
from ..io.names import stem
from ..io.registry import read_collection, read_features
from ..params import DescriptorParams, DetectorParams
from .inputs import STDIN, Inputs, PlanError
from .plan import FramesFile, Job

__all__ = ["Describing", "described", "with_frames"]


@dataclass(frozen=True)
class Describing:
    """What is done with frames that are given.

    Attributes
    ----------
    assign : bool
        Estimate their orientations.
    skip : bool
        Those that cannot be described get zeros, instead of failing the image.
    """

    assign: bool = False
    skip: bool = False


def with_frames(jobs: Sequence[Job], inputs: Inputs, frames: str, format: str | None = None) -> list[Job]:
    """Give jobs the frames of their images.

    Parameters
    ----------
    jobs : sequence of Job
        One for each input, in their order.
    inputs : Inputs
    frames : str
        A feature file, of one image if there is one; or a folder with the tree of the inputs, and in it a feature file
        for each.
    format : str, optional
        Of the files; by default their suffix, and where that is not enough their content, says it.

    Returns
    -------
    list of Job
        An image without frames fails when it is its turn.

    Raises
    ------
    PlanError
        If there is no such file or folder, or several files in it are of one image, or the file is of one image and
        there are several.
    FormatError
        If the file cannot be read.
    """
    place = Path(frames)
    if not place.exists():
        raise PlanError(f"--keypoints {frames}: no such file or folder; check the path")
    if format is not None:
        format_for(frames, format)
    if place.is_dir():
        if inputs.images[0].path == STDIN:
            raise PlanError(f"--keypoints {frames}: is a folder, and standard input has no name; give the file")
        found = [_in_folder(place, PurePath(image.relative), format) for image in inputs.images]
    else:
        chosen = format_for(place, format, reading=True)
        if chosen.many:
            with read_collection(place, chosen.name) as collection:
                names = list(collection.names)
            found = [FramesFile(frames, chosen.name, _in_collection(names, i.relative)) for i in inputs.images]
            if len(names) == len(inputs.images) == 1:
                found = [FramesFile(frames, chosen.name, names[0])]
        elif len(inputs.images) == 1:
            found = [FramesFile(frames, chosen.name)]
        else:
            raise PlanError(
                f"--keypoints {frames}: is of one image, and there are {len(inputs.images)}; give a folder of such "
                "files, or a file of many images"
            )
    return [job._replace(frames=file) for job, file in zip(jobs, found, strict=True)]


def _in_folder(folder: Path, image: PurePath, format: str | None) -> FramesFile:
    """Find the feature file of an image by its name, in whatever format."""
    formats = [FORMATS[format]] if format is not None else FORMATS.values()
    names = {
        folder / image.with_name(name + f.suffix) for f in formats if not f.many for name in (image.name, image.stem)
    }
    there = sorted(str(path) for path in names if path.is_file())
    if len(there) > 1:
        raise PlanError(f"{image}: {' and '.join(there)} may both be its keypoints; name one with --keypoints-format")
    if not there:
        return FramesFile(str(folder), None)
    return FramesFile(there[0], format_for(there[0], format, reading=True).name)


def _in_collection(names: Sequence[str], image: str) -> str | None:
    """Find an image's name: as it is, without its suffix, or by the last part alone if that is of one only."""
    own = PurePath(image)
    for matches in (
        [name for name in names if name == own.as_posix()],
        [name for name in names if stem(name) == stem(own.as_posix())],
        [name for name in names if name.rpartition("/")[2] == own.name],
    ):
        if len(matches) == 1:
            return matches[0]
    return None


def described(
    job: Job,
    pixels: Image,
    detector: DetectorParams,
    descriptor: DescriptorParams,
    describing: Describing,
) -> tuple[Features, tuple[str, ...]]:
    """Describe the frames that are given for an image.

    Parameters
    ----------
    job : Job
        With frames.
    pixels : (H, W) array
        Of its image.
    detector, descriptor : DetectorParams, DescriptorParams
    describing : Describing

    Returns
    -------
    features : Features
    warnings : tuple of str

    Raises
    ------
    FormatError
        If the frames cannot be read, or one of them cannot be described; with its line.
    """
    file = job.frames
    assert file is not None
    if file.format is None or (FORMATS[file.format].many and file.image is None):
        raise FormatError(file.path, f"has no keypoints of {job.name}; name them as the image")
    frames = read_features(file.path, file.format, image=file.image).without_descriptors()
    warnings: tuple[str, ...] = ()
    faults = find_faults_in(pixels[None], frames, detector)
    if faults:
        first = _located(faults[0], file, len(frames))
        if not describing.skip:
            more = f" (and {len(faults) - 1} more like it)" if len(faults) > 1 else ""
            hint = "--bad-frames zero gives such frames a descriptor of zeros"
            raise FormatError(first.path, f"{first.reason}{more}; {hint}", first.line)
        warnings = (f"{first}; {len(faults)} of {len(frames)} frames got a descriptor of zeros",)
    out = describe(pixels[None], frames, detector, descriptor, assign=describing.assign, skip=describing.skip)
    return out, warnings


def _located(fault: FrameError, file: FramesFile, count: int) -> FormatError:
    """Say where in a file a frame is."""
    path = file.path if file.image is None else f"{file.path}: {file.image}"
    line = line_of_frame(file.path, file.format or "", fault.index, count)
    return FormatError(path, f"keypoint {fault.index + 1} {fault.reason}", line)
