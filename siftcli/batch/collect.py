"""Collecting results in the output that all jobs share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from ..errors import OutputError
from ..features import ParameterValue
from ..io.output import is_fatal
from ..io.registry import collection_writer
from .plan import Job
from .report import Result

if TYPE_CHECKING:
    from ..io.collection import CollectionWriter
    from ..io.colmap.camera import DatabaseOptions

__all__ = ["Collector", "collecting"]


class Collector:
    """Writes features from results to the shared output.

    Parameters
    ----------
    writer : CollectionWriter or None
        None if every job has its own output.
    signature : str or None
        Signature of the parameters; None to keep no records.
    """

    def __init__(self, writer: CollectionWriter | None, signature: str | None) -> None:
        self._writer, self._signature = writer, signature
        self._there = frozenset() if writer is None else writer.done()
        self._added = False
        self._given_up = False

    def give_up(self) -> None:
        """Do not publish the shared output; its journal stays, so that the run can be resumed."""
        self._given_up = True

    @property
    def present(self) -> Callable[[Job], bool] | None:
        """Tells whether the shared output has the image of a job; None if there is no shared output."""
        return None if self._writer is None else (lambda job: job.name in self._there)

    @property
    def complete(self) -> bool:
        """True if the shared output has images and the run was not given up, so that it can be published."""
        return bool(self._there or self._added) and not self._given_up

    def __call__(self, job: Job, result: Result) -> Result:
        """Write the features of a result; return the result without them, or as failed."""
        features, bare = result.features, result._replace(features=None, source=None)
        if features is None or self._writer is None:
            return bare
        try:
            with self._recorded(job, result):
                self._writer.add(job.name, features)
        except OutputError as error:
            return bare._replace(status="failed", keypoints=None, error=str(error), fatal=is_fatal(error))
        self._added = True
        return bare

    def _recorded(self, job: Job, result: Result) -> AbstractContextManager[None]:
        """Record the image that is added in this block, if the run keeps records."""
        if self._signature is None or result.source is None:
            return nullcontext()
        from .manifest import recorded

        return recorded(job, result.source, self._signature, exists=job.name in self._there)


@contextmanager
def collecting(
    jobs: Sequence[Job],
    parameters: Mapping[str, ParameterValue],
    signature: str | None,
    *,
    resume: bool,
    overwrite: bool,
    database: DatabaseOptions | None = None,
) -> Iterator[Collector]:
    """Open the shared output of jobs, if there is one, and publish it when the block ends without an error.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    if not jobs or not jobs[0].shared:
        yield Collector(None, signature)
        return
    first = jobs[0]
    with collection_writer(
        first.output, first.format, parameters=parameters, resume=resume, overwrite=overwrite, database=database
    ) as writer:
        collector = Collector(writer, signature)
        yield collector
        if not collector.complete:
            writer.abort()
