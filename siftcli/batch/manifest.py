"""The record of a batch: which outputs are finished and what they were made from, so that a later run skips them.

Every folder of outputs has a hidden file of one JSON object a line, which is only ever appended to, so that a kill
loses no more than the line being written; of several about one image the last counts.  A new output is announced
before it gets its name: a record without an output means nothing, while an output without a record would have to be
made again.  Where an old output is replaced, its record is withdrawn first and the new one follows the output.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import Literal, NamedTuple, TypeAlias

from ..errors import OutputError
from ..io.limits import MAX_LINE, is_stream, parse_json
from ..io.output import output_error
from ..io.run_lock import RunLock
from .plan import Job

__all__ = [
    "MANIFEST",
    "Fingerprint",
    "Manifests",
    "State",
    "claimed",
    "fingerprint",
    "forget",
    "inherited",
    "record",
    "recorded",
]

MANIFEST = ".sift-manifest.jsonl"
"""Name of the file, in each folder of outputs."""

State: TypeAlias = Literal["new", "done", "stale", "unknown"]
"""State of a job: no output; up to date; made from another input or other parameters; of unknown origin."""

_CHUNK = 1 << 20
_VALUES = ("input", "parameters", "bytes")
"""The contents of a record."""
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe is opened, and not waited for


class Fingerprint(NamedTuple):
    """Size, time and digest that identify an input.

    Attributes
    ----------
    size : int
        Bytes.
    modified : int
        Nanoseconds since 1970.
    digest : str
        Of the contents.
    """

    size: int
    modified: int
    digest: str


def fingerprint(path: str, data: bytes | None = None) -> Fingerprint | None:
    """Take the fingerprint of a file, whose contents may have been read already; None if it cannot be taken."""
    from hashlib import blake2b  # most runs on a single image record nothing

    hashed = blake2b(digest_size=16)
    try:
        status = Path(path).stat()
        if not S_ISREG(status.st_mode):  # a pipe can be read once only
            return None
        if data is not None:
            hashed.update(data)
        else:
            with Path(path).open("rb") as file:
                while chunk := file.read(_CHUNK):
                    hashed.update(chunk)
    except (OSError, ValueError):  # a name with NUL
        return None
    return Fingerprint(status.st_size, status.st_mtime_ns, hashed.hexdigest())


def record(job: Job, source: Fingerprint, signature: str, size: int | None = None) -> None:
    """Record what an output is made of.

    Parameters
    ----------
    job : Job
    source : Fingerprint
        Of its image.
    signature : str
        Of the parameters.
    size : int, optional
        Bytes of the output.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    values = {"input": [source.size, source.modified, source.digest], "parameters": _signature(job, signature)}
    _append(Path(job.output), _image(job), {**values, "bytes": size})


def _signature(job: Job, signature: str) -> str:
    """Add to the parameters' the contents of what else the job reads: its mask, and the frames that are given."""
    for path in (job.mask, None if job.frames is None else job.frames.path):
        if path is not None:
            try:
                status = Path(path).stat()
            except (OSError, ValueError):
                continue
            signature += f"+{_digest(path, status.st_size, status.st_mtime_ns)}"
    return signature


@lru_cache(maxsize=64)
def _digest(path: str, size: int, modified: int) -> str:
    """Return the digest of a file that many jobs may share."""
    found = fingerprint(path)
    return "" if found is None else found.digest


def forget(job: Job) -> None:
    """Withdraw what was recorded about an output.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    _append(Path(job.output), _image(job), {"input": None})


def _image(job: Job) -> str | None:
    """Return the image's name where the output alone does not tell it."""
    return job.name if job.shared else None


@contextmanager
def recorded(
    job: Job, source: Fingerprint | None, signature: str, *, exists: bool, size: int | None = None
) -> Iterator[None]:
    """Write an output in this block, and its record at the time that makes a kill harmless."""
    if source is None:
        yield
        return
    if exists:
        forget(job)
    else:
        record(job, source, signature, size)
    yield
    if exists:
        record(job, source, signature, size)


@contextmanager
def inherited(origins: Iterable[tuple[str, str]], output: str) -> Iterator[None]:
    """Publish in this block a file of many images; it gets the records of the files that they were taken from.

    Parameters
    ----------
    origins : iterable of (str, str)
        File of many images, and image, of what was taken without a change.
    output : str
        The new file.

    Raises
    ------
    OutputError
        If a record cannot be written.
    """
    path = Path(output)
    folders: dict[Path, dict[_Key, dict[str, object]]] = {}
    records: dict[str, dict[str, object]] = {}
    for origin, image in origins:
        place = Path(origin)
        if place.parent not in folders:
            folders[place.parent] = _read(place.with_name(MANIFEST))
        found = folders[place.parent].get((place.name, image))
        if found is not None and found.get("input") is not None:
            records[image] = found
    exists = path.exists()
    if exists:
        for (name, old), values in _read(path.with_name(MANIFEST)).items():
            if name == path.name and values.get("input") is not None:
                _append(path, old, {"input": None})
    else:
        _append_all(path, records)
    yield
    if exists:
        _append_all(path, records)


def _append_all(output: Path, records: dict[str, dict[str, object]]) -> None:
    for image, values in records.items():
        _append(output, image, values)


def _append(output: Path, image: str | None, values: dict[str, object]) -> None:
    import json

    path = output.with_name(MANIFEST)
    line = json.dumps({"output": output.name, **({} if image is None else {"image": image}), **values})
    handle = _open(path, os.O_CREAT)
    try:
        # One write, so that those of several processes do not mix; what a kill has cut short ends at the first newline.
        data = f"\n{line}\n".encode()
        written = os.write(handle, data)
        if written != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        os.close(handle)


_START = b'\n{"output": '
"""How every record begins, and so every manifest."""


def _open(path: Path, flags: int = 0) -> int:
    """Open a manifest for appending.

    Raises
    ------
    OutputError
        If something else has its name, a link to another file included, or it cannot be opened.
    """
    strange = OutputError(path, "is not a record of sift, and stays as it is; move it away, or write to another folder")
    if path.is_symlink():
        raise strange
    harmless = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, os.O_RDWR | os.O_APPEND | harmless | flags, 0o666)
    except OSError as error:
        raise output_error(path, error) from error
    status = os.fstat(handle)
    if not S_ISREG(status.st_mode) or status.st_nlink > 1 or not _START.startswith(os.read(handle, len(_START))):
        os.close(handle)
        raise strange
    return handle


_MOST_LOCKS = 200
"""Folders that a run locks at most: it may have few file handles, and a second run like it meets the first of them."""


@contextmanager
def claimed(jobs: Iterable[Job], *, shared: bool = False) -> Iterator[None]:
    """Keep other runs out of the folders of outputs in this block; wait for those that are there.

    Parameters
    ----------
    jobs : iterable of Job
        Their folders exist.
    shared : bool
        Let runs in that share the folders: the shards of one run.

    Raises
    ------
    OutputError
        If a file that is not ours has the name of a manifest, or a folder cannot be written.
    """
    folders = sorted({Path(os.path.realpath(Path(job.output).parent)) for job in jobs})
    with ExitStack() as stack:
        for folder in folders[:_MOST_LOCKS]:  # in one order, so that no two runs wait for each other
            stack.enter_context(RunLock(folder, folder=True, shared=shared, wait=True))
        for folder in folders:
            if os.path.lexists(folder / MANIFEST):
                os.close(_open(folder / MANIFEST))
        yield


_Key = tuple[str, str | None]


@dataclass
class Manifests:
    """The records of all folders, each read when it is first asked for.

    Attributes
    ----------
    signature : str
        Of the parameters of this run.
    """

    signature: str
    _folders: dict[Path, dict[_Key, dict[str, object]]] = field(default_factory=dict)

    def states(self, jobs: Iterable[Job], present: Callable[[Job], bool]) -> Iterator[tuple[Job, State]]:
        """Tell for each job whether it has to be done.

        Parameters
        ----------
        jobs : iterable of Job
        present : callable
            Whether the output of a job is there.
        """
        for job in jobs:
            yield job, self._state(job) if present(job) else "new"

    def _state(self, job: Job) -> State:
        output = Path(job.output)
        if output.parent not in self._folders:
            self._folders[output.parent] = _read(output.with_name(MANIFEST))
        found = self._folders[output.parent].get((output.name, _image(job)))
        if found is None:
            return "unknown"
        return "done" if self._matches(job, found) else "stale"

    def _matches(self, job: Job, found: dict[str, object]) -> bool:
        source = found.get("input")
        if (
            not isinstance(source, list)
            or len(source) != 3
            or found.get("parameters") != _signature(job, self.signature)
        ):
            return False
        size = found.get("bytes")
        try:
            if size is not None and not job.shared and Path(job.output).stat().st_size != size:
                return False
            status = Path(job.path).stat()
        except OSError:
            return False
        if status.st_size != source[0]:
            return False
        # A copy has another time and the same contents.
        return bool(status.st_mtime_ns == source[1]) or fingerprint(job.path) == Fingerprint(
            status.st_size, status.st_mtime_ns, source[2]
        )


def _read(path: Path) -> dict[_Key, dict[str, object]]:
    """Read the records of a folder; of a manifest that is none, such as a pipe of that name, there are none."""
    records: dict[_Key, dict[str, object]] = {}
    try:
        with os.fdopen(os.open(path, _READ), "rb") as file:
            if is_stream(file):
                return {}
            while line := file.readline(MAX_LINE):
                if len(line) == MAX_LINE:  # no record is so long
                    break
                if not line.startswith(b"{"):  # blank
                    continue
                with suppress(ValueError):  # cut short
                    values = parse_json(line)
                    if isinstance(values, dict) and isinstance(values.get("output"), str):
                        image = values.get("image")
                        kept = {key: values[key] for key in _VALUES if _is_plain(values.get(key))}
                        records[values["output"], image if isinstance(image, str) else None] = kept
    except OSError:
        return {}
    return records


def _is_plain(value: object) -> bool:
    """Tell whether a value of a record is what `record` writes: a number, a text, or a fingerprint."""
    if isinstance(value, list):
        return len(value) == len(Fingerprint._fields) and all(isinstance(part, int | str) for part in value)
    return isinstance(value, int | str)
