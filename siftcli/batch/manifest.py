"""The record of a batch: which outputs are finished and what they were made from, so that a later run skips them.

Every folder of outputs has a hidden file with one JSON object per line.  It is only appended to, so a kill loses at
most the line being written; the last record of an image counts.  The record of a new output is written before it
gets its name, because a record without an output is ignored, while an output without a record would be made again.  If
an output is replaced, its record is withdrawn first, and the new record follows the output.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from typing import TypeAlias

from ..errors import OutputError
from ..io.limits import MAX_LINE, is_stream, parse_json
from ..io.output import output_error
from ..io.run_lock import RunLock
from .fingerprint import Fingerprint, job_signature
from .plan import Job

__all__ = [
    "MANIFEST",
    "Records",
    "claimed",
    "forget",
    "image_key",
    "inherited",
    "read_records",
    "record",
    "recorded",
]

MANIFEST = ".sift-manifest.jsonl"
"""Name of the file in each folder of outputs."""

Records: TypeAlias = dict[tuple[str, str | None], dict[str, object]]
"""Records of a folder, by the name of the output and, where several images share it, that of the image."""

_VALUES = ("input", "parameters", "bytes")
"""The contents of a record."""
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)  # opening a pipe does not block


def record(job: Job, source: Fingerprint, signature: str, size: int | None = None) -> None:
    """Record the image and the parameters of an output.

    Parameters
    ----------
    job : Job
    source : Fingerprint
        Fingerprint of the image.
    signature : str
        Signature of the parameters.
    size : int, optional
        Size of the output in bytes.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    values = {"input": [source.size, source.modified, source.digest], "parameters": job_signature(job, signature)}
    _append(Path(job.output), image_key(job), {**values, "bytes": size})


def forget(job: Job) -> None:
    """Withdraw the record of an output.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    _append(Path(job.output), image_key(job), {"input": None})


def image_key(job: Job) -> str | None:
    """Return the name of the image in a shared output; None for an output of one image."""
    return job.name if job.shared else None


@contextmanager
def recorded(job: Job, source: Fingerprint, signature: str, *, exists: bool, size: int | None = None) -> Iterator[None]:
    """Record an output that is written in this block; a kill at any time leaves records that are safe."""
    if exists:
        forget(job)
    else:
        record(job, source, signature, size)
    yield
    if exists:
        record(job, source, signature, size)


@contextmanager
def inherited(origins: Iterable[tuple[str, str]], output: str) -> Iterator[None]:
    """Copy records to a file of many images that is published in this block.

    Parameters
    ----------
    origins : iterable of (str, str)
        File of many images and name of an image whose features were copied without a change.
    output : str
        The new file.

    Raises
    ------
    OutputError
        If a record cannot be written.
    """
    path = Path(output)
    folders: dict[Path, Records] = {}
    records: dict[str, dict[str, object]] = {}
    for origin, image in origins:
        place = Path(origin)
        if place.parent not in folders:
            folders[place.parent] = read_records(place.with_name(MANIFEST))
        found = folders[place.parent].get((place.name, image))
        if found is not None and found.get("input") is not None:
            records[image] = found
    exists = path.exists()
    if exists:
        for (name, old), values in read_records(path.with_name(MANIFEST)).items():
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
        # One write, so that lines of several processes do not mix.  The first newline ends a line cut short by a kill.
        data = f"\n{line}\n".encode()
        written = os.write(handle, data)
        if written != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        os.close(handle)


_START = b'\n{"output": '
"""Start of every record, and so of every manifest."""


def _open(path: Path, flags: int = 0) -> int:
    """Open a manifest for appending; OutputError if it cannot be opened, or is a link or another file."""
    strange = OutputError(
        path, "is not a manifest of sift and is not changed; move it away, or write to another folder"
    )
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
"""Most folders that a run locks, to save file handles; a second run on the same folders meets the first of them."""


@contextmanager
def claimed(jobs: Iterable[Job], *, shared: bool = False) -> Iterator[None]:
    """Lock the folders of outputs in this block; wait for other runs that hold them.

    Parameters
    ----------
    jobs : iterable of Job
        Their folders exist.
    shared : bool
        Share the lock with runs that share it too: the shards of one run.

    Raises
    ------
    OutputError
        If another file has the name of a manifest, or a folder cannot be written.
    """
    folders = sorted({Path(os.path.realpath(Path(job.output).parent)) for job in jobs})
    with ExitStack() as stack:
        for folder in folders[:_MOST_LOCKS]:  # in one order, to avoid deadlocks
            stack.enter_context(RunLock(folder, folder=True, shared=shared, wait=True))
        for folder in folders:
            if os.path.lexists(folder / MANIFEST):
                os.close(_open(folder / MANIFEST))
        yield


def read_records(path: Path) -> Records:
    """Read a manifest; there are no records if it does not exist, or if it is something else, such as a pipe."""
    records: Records = {}
    try:
        with os.fdopen(os.open(path, _READ), "rb") as file:
            if is_stream(file):
                return {}
            while line := file.readline(MAX_LINE):
                if len(line) == MAX_LINE:  # longer than any record
                    break
                if not line.startswith(b"{"):  # blank line
                    continue
                with suppress(ValueError):  # a line that a kill cut short
                    values = parse_json(line)
                    if isinstance(values, dict) and isinstance(values.get("output"), str):
                        image = values.get("image")
                        kept = {key: values[key] for key in _VALUES if _is_plain(values.get(key))}
                        records[values["output"], image if isinstance(image, str) else None] = kept
    except OSError:
        return {}
    return records


def _is_plain(value: object) -> bool:
    """Tell whether a value has a type that `record` writes: number, text, or fingerprint."""
    if isinstance(value, list):
        return len(value) == len(Fingerprint._fields) and all(isinstance(part, int | str) for part in value)
    return isinstance(value, int | str)
