"""Given frames: finding the file of each image, and describing its frames."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from ..engine.describe_frames import describe, find_faults_in
from ..errors import FormatError, FrameError, PlanError, SiftWarning
from ..features import Features, Image
from ..io.files import STDIN
from ..io.formats import FORMATS, format_for
from ..io.frame_lines import line_of_frame
from ..io.names import stem
from ..io.recorded import check_size, parameters_of, recorded_orientation
from ..io.registry import collection_reader, read_features
from ..params import DescriptorParams, DetectorParams
from .inputs import Inputs
from .plan import FramesFile, Job

__all__ = ["Describing", "described", "upright", "with_frames"]


@dataclass(frozen=True)
class Describing:
    """The treatment of given frames.

    Attributes
    ----------
    assign : bool
        Estimate orientations.
    skip : bool
        Give frames that cannot be described a descriptor of zeros, instead of failing the image.
    """

    assign: bool = False
    skip: bool = False


def with_frames(jobs: Sequence[Job], inputs: Inputs, frames: str, format: str | None = None) -> list[Job]:
    """Assign to each job the file with the frames of its image.

    Parameters
    ----------
    jobs : sequence of Job
        One for each input, in their order.
    inputs : Inputs
    frames : str
        A feature file, which may be of one image if there is one input; or a folder with the tree of the inputs that
        has a feature file for each.
    format : str, optional
        Format of the files; by default, their suffixes and contents determine it.

    Returns
    -------
    list of Job
        A job without frames will fail when it is carried out.

    Raises
    ------
    PlanError
        If the file or folder does not exist, several files are of one image, or the file is of one image and there are
        several inputs.
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
            with collection_reader(place, chosen.name) as collection:
                names = list(collection.names)
            found = [FramesFile(frames, chosen.name, _in_collection(names, i.relative)) for i in inputs.images]
            if len(names) == len(inputs.images) == 1:
                if found[0].image is None:
                    warnings.warn(
                        f"{frames}: the keypoints are of {names[0]!r} and are taken for {inputs.images[0].path}",
                        SiftWarning,
                        stacklevel=2,
                    )
                found = [FramesFile(frames, chosen.name, names[0])]
        elif len(inputs.images) == 1:
            found = [FramesFile(frames, chosen.name)]
        else:
            raise PlanError(
                f"--keypoints {frames}: is of one image, and there are {len(inputs.images)}; give a folder of such "
                "files, or a file of many images"
            )
    return [job._replace(frames=file) for job, file in zip(jobs, found, strict=True)]


def upright(jobs: Sequence[Job], asked: bool) -> bool:
    """Tell whether to rotate images by their EXIF orientation, as was done when their frames were detected.

    Parameters
    ----------
    jobs : sequence of Job
        With frames.
    asked : bool
        The user asked for it.

    Raises
    ------
    PlanError
        If the user asked for it and some frames are of images that were not rotated, or if the files differ.
    """
    told: dict[bool, str] = {}
    for file in dict.fromkeys(FramesFile(j.frames.path, j.frames.format) for j in jobs if j.frames is not None):
        try:
            parameters = None if file.format is None else parameters_of(file.path, file.format)
        except FormatError:  # reported when the job is carried out
            continue
        try:
            told.setdefault(recorded_orientation(parameters, file.path, asked), file.path)
        except FormatError as error:
            raise PlanError(str(error)) from error
    if len(told) > 1:
        raise PlanError(
            f"{told[True]} has keypoints of images turned by EXIF orientation, and {told[False]} has not; describe "
            "them in two runs"
        )
    return next(iter(told), asked)


def _in_folder(folder: Path, image: PurePath, format: str | None) -> FramesFile:
    """Find the feature file of an image by its name, in any format."""
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
    """Find the name of an image: exactly, without its suffix, or by its last part if only one name has it."""
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
    """Describe the given frames of an image.

    Parameters
    ----------
    job : Job
        With frames.
    pixels : (H, W) array
        The image.
    detector, descriptor : DetectorParams, DescriptorParams
    describing : Describing

    Returns
    -------
    features : Features
    notes : tuple of str
        Messages for the user.

    Raises
    ------
    FormatError
        If the frames cannot be read, or one of them cannot be described; with its line number.
    """
    file = job.frames
    assert file is not None
    if file.format is None or (FORMATS[file.format].many and file.image is None):
        raise FormatError(file.path, f"has no keypoints of {job.name}; name them as the image")
    frames = read_features(file.path, file.format, image=file.image).without_descriptors()
    height, width = pixels.shape
    check_size(frames, file.path if file.image is None else f"{file.path}: {file.image}", job.path, (width, height))
    notes: tuple[str, ...] = ()
    faults = find_faults_in(pixels[None], frames, detector)
    if faults:
        first = _located(faults[0], file, len(frames))
        if not describing.skip:
            more = f" (and {len(faults) - 1} more like it)" if len(faults) > 1 else ""
            hint = "--bad-frames zero gives such frames a descriptor of zeros"
            raise FormatError(first.path, f"{first.reason}{more}; {hint}", first.line)
        notes = (f"{first}; {len(faults)} of {len(frames)} frames got a descriptor of zeros",)
    out = describe(pixels[None], frames, detector, descriptor, assign=describing.assign, skip=describing.skip)
    return out, notes


def _located(fault: FrameError, file: FramesFile, count: int) -> FormatError:
    """Convert the error of a frame to one of its file, with the line number."""
    path = file.path if file.image is None else f"{file.path}: {file.image}"
    line = None if file.format is None else line_of_frame(file.path, file.format, fault.index, count)
    return FormatError(path, f"keypoint {fault.index + 1} {fault.reason}", line)
