"""``sift match A B``: two images."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import FormatError, PlanError
from ..features import Features
from ..io.exif import read_camera
from ..io.files import STDIN, STDOUT
from ..io.formats import feature_files
from ..io.matches import MATCH_FORMATS, encode_matches, write_matches
from ..io.output import atomic_write, make_folder
from ..io.recorded import check_comparable
from ..io.registry import collection_reader, format_of_suffix
from ..matches import Matches, Model
from ..matching.exact import match_features
from ..matching.verify import require_estimator
from ..params import MatchParams
from .guard import guard
from .match_output import MatchOutput
from .match_words import parallax_hint, verdict
from .messages import Messages
from .one_image import Reading, features_of, open_image
from .streams import one_line, say, write_json, write_stdout

__all__ = ["load", "run_pair"]

_WORDS = {
    "homography": "maps (x, y, 1) of a to b, up to a factor",
    "similarity": "maps (x, y, 1) of a to b",
    "fundamental": "F of b^T F a = 0",
    "essential": "E of b^T E a = 0, for points (x - centre) / focal",
}


@dataclass(frozen=True)
class Loaded:
    """One input.

    Attributes
    ----------
    name : str
        Name of the image.
    features : Features
        With descriptors.
    """

    name: str
    features: Features


def run_pair(
    path_a: str,
    path_b: str,
    params: MatchParams,
    reading: Reading,
    output: MatchOutput,
    messages: Messages,
    *,
    names: tuple[str | None, str | None] = (None, None),
    save_model: str | None = None,
    threads: int = 1,
) -> int:
    """Match two images; return the exit status.

    Parameters
    ----------
    path_a, path_b : str
        Images or feature files.
    params : MatchParams
        The tests.
    reading : Reading
        How features are extracted from images.
    output : MatchOutput
    messages : Messages
    names : (str or None, str or None)
        Names of the images, where the files do not tell them.
    save_model : str, optional
        Where the matrix of the model goes.
    threads : int
    """
    if save_model is not None and params.verify is None:
        raise PlanError("--save-model: there is a model only with --verify; give that too")
    if params.verify is not None:
        needed_by = "guided" if params.guided else "save_model" if save_model else "verify"
        require_estimator(params.verify, needed_by=needed_by)
    _check(path_a, path_b, output, messages, save_model)
    start = time.perf_counter()
    cameras = output.is_database
    a, b = (load(path, name, reading, camera=cameras) for path, name in zip((path_a, path_b), names, strict=True))
    for path, loaded in ((path_a, a), (path_b, b)):
        if loaded.features.descriptors is None:
            raise FormatError(
                path,
                "has no descriptors; sift describe IMAGE --keypoints FILE adds them, or name the image",
            )
    check_comparable(a.features.parameters, b.features.parameters, path_a, path_b, params.metric)
    matches = match_features(a.features, b.features, params, threads)
    seconds = time.perf_counter() - start
    _write(a, b, matches, output, messages)
    if messages.as_json:
        write_json(_record(a, b, matches, output.path, seconds))
    if not messages.quiet:
        written = "" if output.on_stdout else f"; written to {one_line(str(output.path))}"
        found = verdict(matches, params.verify, params.min_inliers)
        say(f"{_described(a)} and {_described(b)}: {found}{written} in {seconds:.2f} s")
        if (hint := parallax_hint(matches, params)) is not None:
            say(hint)
        if matches.model is not None:
            for line in _table(matches.model):
                say(line)
    if save_model is not None:
        if matches.model is None:
            kind = "model" if params.verify == "auto" else params.verify
            say(f"error: {save_model}: not written, no {kind} was found")
            return 1
        make_folder(Path(save_model).parent)
        atomic_write(save_model, _model_text(matches.model), overwrite=output.overwrite)
    return 0


def _check(path_a: str, path_b: str, output: MatchOutput, messages: Messages, save_model: str | None) -> None:
    """Refuse what can be refused before there is work."""
    if path_a == path_b == STDIN:
        raise PlanError("'-' (standard input) can be one of the two inputs only")
    extended = [path_a, path_b] if output.is_database else []
    guard([output.path, save_model], _parts(path_a, path_b), extended=extended)
    if output.on_stdout:
        if messages.as_json and output.path == STDOUT:
            raise PlanError("--json: stdout cannot take both the matches and the JSON; give -o a file")
        if output.given_format is not None and output.given_format not in _streams():
            raise PlanError(
                f"--format: {output.given_format} needs a file; on stdout there are {', '.join(_streams())}"
            )
    new = [] if output.on_stdout or output.format().database else [output.path]
    for path in filter(None, [*new, save_model]):
        if not output.overwrite and Path(path).is_file():
            raise PlanError(f"{path}: exists already; use --overwrite to replace it, or another name")


def _parts(*paths: str) -> list[Path]:
    return [part for path in paths if path != STDIN for part in feature_files(path)]


def _streams() -> list[str]:
    return [f.name for f in MATCH_FORMATS.values() if not f.many]


def load(path: str, name: str | None, reading: Reading, *, camera: bool = False) -> Loaded:
    """Read the features of a feature file, or extract those of an image.

    Parameters
    ----------
    path : str
        A suffix of a feature format makes it a feature file; anything else is an image, `STDIN` one from there.
    name : str or None
        Name of the image, if not that of the file.
    reading : Reading
        How features are extracted from images.
    camera : bool
        Read what the metadata of an image tell about its camera.
    """
    if path != STDIN and format_of_suffix(path) is not None:
        with collection_reader(path) as collection:
            if len(collection.names) == 1 or name in collection.names:
                image = name if name in collection.names else collection.names[0]
                return Loaded(name or image, collection.read(image))
            if name is not None:
                raise FormatError(path, f"holds no image {name!r}; sift info lists what it holds")
            raise FormatError(
                path,
                f"holds {len(collection.names)} images; name one with --names, or match them with --exhaustive, "
                "--sequential, --pairs or --retrieve alone, or with --rank",
            )
    opened = open_image(path, reading)
    features = features_of(opened.image, reading)
    if camera:
        features = replace(features, camera=read_camera(opened.source))
    return Loaded(name or opened.name, features)


def _write(a: Loaded, b: Loaded, matches: Matches, output: MatchOutput, messages: Messages) -> None:
    if output.path is None and messages.as_json:
        return
    if output.on_stdout:
        write_stdout(encode_matches(matches.named(a.name, b.name), output.given_format or "csv"))
        return
    path, chosen = str(output.path), output.format()
    make_folder(Path(path).parent)
    if chosen.many and a.name == b.name:
        raise PlanError(f"{path}: both images are named {a.name!r}; tell them apart with --names A B")
    write_matches(
        path,
        [(a.name, b.name, matches)],
        chosen.name,
        features={a.name: a.features, b.name: b.features}.__getitem__,
        overwrite=output.overwrite or chosen.database,
        database=output.database,
    )


# --- messages


def _record(a: Loaded, b: Loaded, matches: Matches, output: str | None, seconds: float) -> dict[str, object]:
    model = matches.model
    return {
        "a": a.name,
        "b": b.name,
        "output": output,
        "keypoints": [len(a.features), len(b.features)],
        "matches": len(matches),
        "inliers": None if matches.inliers is None else int(np.count_nonzero(matches.inliers)),
        "model": None
        if model is None
        else {
            "kind": model.kind,
            "matrix": model.matrix.tolist(),
            "threshold": model.threshold,
            "focal": model.focal,
            "pose": None if model.pose is None else model.pose.tolist(),
        },
        "seconds": round(seconds, 4),
        "status": "done",
    }


def _described(loaded: Loaded) -> str:
    return f"{one_line(loaded.name)} ({len(loaded.features):,})"


def _table(model: Model) -> list[str]:
    rows = [" ".join(f"{value: .8e}" for value in row) for row in model.matrix.tolist()]
    return [f"{model.kind}, {_WORDS[model.kind]}:", *rows]


def _model_text(model: Model) -> bytes:
    """Write a matrix as NumPy's loadtxt reads it."""
    focal = "" if model.focal is None else f"; focal length {model.focal:.17g} px"
    head = [
        f"# {model.kind}: {_WORDS[model.kind]}{focal}",
        "# x is the column, y the row; the centre of the first pixel is (0, 0)",
    ]
    return "\n".join([*head, *(" ".join(f"{v:.17g}" for v in row) for row in model.matrix.tolist()), ""]).encode()
