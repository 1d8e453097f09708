"""Which jobs an earlier run has finished, by the records in the manifests and by the outputs themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from ..errors import FormatError, PlanError
from ..io.files import STDOUT
from ..io.journal import has_journal
from ..io.registry import collection_reader
from .fingerprint import Fingerprint, fingerprint, job_signature
from .manifest import MANIFEST, Records, image_key, read_records
from .plan import Job

__all__ = ["State", "job_states"]

State: TypeAlias = Literal["new", "done", "stale", "unknown"]
"""State of a job: no output; up to date; made from another input or other parameters; of unknown origin."""


def job_states(
    jobs: Sequence[Job], signature: str, present: Callable[[Job], bool] | None = None, *, overwrite: bool = False
) -> list[tuple[Job, State]]:
    """Find out which jobs have to be done.

    Parameters
    ----------
    jobs : sequence of Job
    signature : str
        Signature of the parameters.
    present : callable, optional
        Whether the output of a job exists; by default the outputs are looked up.
    overwrite : bool
        Outputs of unknown origin may be replaced.

    Raises
    ------
    PlanError
        If an output with a file of its own is of unknown origin, and `overwrite` is not set.
    """
    present = present or _present(jobs)
    folders: dict[Path, Records] = {}
    states: list[tuple[Job, State]] = []
    for job in jobs:
        folder = Path(job.output).parent
        if folder not in folders:
            folders[folder] = read_records(folder / MANIFEST)
        states.append((job, _state(job, signature, folders[folder]) if present(job) else "new"))
    unknown = [job.output for job, state in states if state == "unknown" and not job.shared]
    if unknown and not overwrite:
        more = f" (as do {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        raise PlanError(
            f"{unknown[0]}: exists{more}, and there is no record of the image and the parameters it was made of; "
            "add --overwrite to replace such files"
        )
    return states


def _state(job: Job, signature: str, records: Records) -> State:
    """Return the state of a job whose output exists."""
    found = records.get((Path(job.output).name, image_key(job)))
    if found is None:
        return "unknown"
    return "done" if _is_current(job, signature, found) else "stale"


def _is_current(job: Job, signature: str, found: Mapping[str, object]) -> bool:
    """Tell whether a record is of this image, these parameters, and the output as it is."""
    source, size = found.get("input"), found.get("bytes")
    if not isinstance(source, list) or found.get("parameters") != job_signature(job, signature):
        return False
    try:
        if size is not None and not job.shared and Path(job.output).stat().st_size != size:
            return False
        status = Path(job.path).stat()
    except OSError:
        return False
    if status.st_size != source[0]:
        return False
    if status.st_mtime_ns == source[1]:
        return True
    # A copy has another time and the same contents.
    return fingerprint(job.path) == Fingerprint(status.st_size, status.st_mtime_ns, source[2])


def _present(jobs: Sequence[Job]) -> Callable[[Job], bool]:
    """Return a function that tells whether the output of a job exists."""
    if not jobs or not jobs[0].shared:
        return lambda job: job.output != STDOUT and Path(job.output).is_file()
    names: frozenset[str] = frozenset()
    path = Path(jobs[0].output)
    if path.is_file():
        try:
            with collection_reader(path, jobs[0].format) as collection:
                names = frozenset(collection.names)
        except FormatError:  # reported when the file is opened for writing
            return lambda job: False
    journal = has_journal(path)
    return lambda job: journal or job.name in names
