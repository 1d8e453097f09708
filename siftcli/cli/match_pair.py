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
from ..io.matches import MATCH_FORMATS, encode_matches, match_format_for, write_matches
from ..io.output import atomic_write, make_folder
from ..io.pairs import parts
from ..io.recorded import check_comparable
from ..io.registry import collection_reader, format_of_suffix
from ..matches import Matches, Model
from ..matching.evidence import hidden_by, verify_by_evidence
from ..matching.exact import match_features
from ..matching.verify import require_estimator
from ..words import counted
from .guard import guard
from .match import Request
from .match_words import verdict
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
        Of the image.
    features : Features
        With descriptors.
    """

    name: str
    features: Features


def run_pair(path_a: str, path_b: str, request: Request) -> int:
    """Match two images; return the exit status."""
    _check(request, path_a, path_b)
    start = time.perf_counter()
    names = request.names or (None, None)
    a, b = load(path_a, names[0], request), load(path_b, names[1], request)
    for path, loaded in ((path_a, a), (path_b, b)):
        if loaded.features.descriptors is None:
            raise FormatError(
                path,
                "has no descriptors; sift describe IMAGE --keypoints FILE adds them, or name the image",
            )
    check_comparable(a.features.parameters, b.features.parameters, path_a, path_b, request.params.metric)
    matches = match_features(a.features, b.features, request.params, request.jobs)
    if request.evidence:
        matches = verify_by_evidence(matches, request.params)
    seconds = time.perf_counter() - start
    _write(a, b, matches, request)
    if request.as_json:
        write_json(_record(a, b, matches, request, seconds))
    if not request.quiet:
        say(_summary(a, b, matches, request, seconds))
        more = hidden_by(matches, request.params)
        if more is not None:
            say(
                f"hint: a fundamental matrix keeps {more:,} of the {counted(len(matches), 'match')}, so there is "
                "parallax; see --verify fundamental"
            )
        if matches.model is not None:
            for line in _table(matches.model):
                say(line)
    if request.save_model is not None:
        if matches.model is None:
            say(f"error: {request.save_model}: not written, no {request.params.verify or 'model'} was found")
            return 1
        make_folder(Path(request.save_model).parent)
        atomic_write(request.save_model, _model_text(matches.model), overwrite=request.overwrite)
    return 0


def _check(request: Request, path_a: str, path_b: str) -> None:
    """Refuse what can be refused before there is work."""
    if request.save_model is not None and request.params.verify is None and not request.evidence:
        raise PlanError("--save-model: there is a model only with --verify; give that too")
    if path_a == path_b == STDIN:
        raise PlanError("'-' (standard input) can be one of the two inputs only")
    if request.params.verify is not None:
        require_estimator(request.params.verify)
    database = request.output is not None and _is_database(request)
    guard([request.output, request.save_model], _parts(path_a, path_b), extended=[path_a, path_b] if database else [])
    if request.output in (None, STDOUT):
        if request.as_json and request.output == STDOUT:
            raise PlanError("--json: stdout cannot take both the matches and the JSON; give -o a file")
        if request.format is not None and request.format not in _streams():
            raise PlanError(f"--format: {request.format} needs a file; on stdout there are {', '.join(_streams())}")
    else:
        found = match_format_for(str(request.output), request.format)
        if not request.overwrite and found.name != "colmap-db" and Path(str(request.output)).is_file():
            raise PlanError(f"{request.output}: exists already; use --overwrite to replace it, or another name")
    if request.save_model is not None and not request.overwrite and Path(request.save_model).is_file():
        raise PlanError(f"{request.save_model}: exists already; use --overwrite to replace it, or another name")


def _is_database(request: Request) -> bool:
    return request.output != STDOUT and match_format_for(str(request.output), request.format).name == "colmap-db"


def _parts(*paths: str) -> list[Path]:
    return [part for path in paths if path != STDIN for part in parts(path)]


def _streams() -> list[str]:
    return [f.name for f in MATCH_FORMATS.values() if not f.many]


def load(path: str, name: str | None, request: Request) -> Loaded:
    """Read the features of a feature file, or extract those of an image.

    Parameters
    ----------
    path : str
        A suffix of a feature format makes it a feature file; anything else is an image, `STDIN` one from there.
    name : str or None
        Of the image, if not that of the file.
    request : Request
        How images are read, and what of them.
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
    reading = Reading(request.preset, request.reading, quiet=request.quiet)
    opened = open_image(path, reading)
    features = features_of(opened.image, reading)
    if request.output is not None and match_format_for(request.output, request.format).name == "colmap-db":
        features = replace(features, camera=read_camera(opened.source))
    return Loaded(name or opened.name, features)


def _write(a: Loaded, b: Loaded, matches: Matches, request: Request) -> None:
    if request.output is None and request.as_json:
        return
    if request.output in (None, STDOUT):
        write_stdout(encode_matches(matches.named(a.name, b.name), request.format or "csv"))
        return
    chosen = match_format_for(str(request.output), request.format)
    make_folder(Path(str(request.output)).parent)
    if chosen.many and a.name == b.name:
        raise PlanError(f"{request.output}: both images are named {a.name!r}; tell them apart with --names A B")
    write_matches(
        str(request.output),
        [(a.name, b.name, matches)],
        request.format,
        features={a.name: a.features, b.name: b.features}.__getitem__,
        overwrite=request.overwrite or chosen.name == "colmap-db",
        database=request.database,
    )


# --- what is told


def _record(a: Loaded, b: Loaded, matches: Matches, request: Request, seconds: float) -> dict[str, object]:
    model = matches.model
    return {
        "a": a.name,
        "b": b.name,
        "output": request.output,
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


def _summary(a: Loaded, b: Loaded, matches: Matches, request: Request, seconds: float) -> str:
    sides = " and ".join(f"{one_line(x.name)} ({len(x.features):,})" for x in (a, b))
    asked = "auto" if request.evidence else request.params.verify
    written = "" if request.output in (None, STDOUT) else f"; written to {one_line(str(request.output))}"
    return f"{sides}: {verdict(matches, asked, request.params.min_inliers)}{written} in {seconds:.2f} s"


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
