"""What `sift detect` and `sift describe` share: inputs, outputs, reading and processing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..batch.inputs import Inputs, find_inputs, read_list
from ..batch.plan import Job, make_jobs
from ..errors import ParameterError, PlanError
from ..io.files import STDIN, STDOUT
from ..io.formats import FORMATS
from ..io.image_kinds import ImageReading
from ..params import DescriptorParams, DetectorParams
from .batch import run_batch
from .database import require_database, taken_database_options
from .run_options import RunOptions
from .shared_options import taken_reading
from .streams import read_stdin, say

if TYPE_CHECKING:
    from ..batch.settings import Settings
    from ..io.colmap_camera import DatabaseOptions

__all__ = ["Request"]


class Request(NamedTuple):
    """The values of the options that `sift detect` and `sift describe` share."""

    output: str | None
    format: str | None
    overwrite: bool
    reading: ImageReading
    depth: str
    recursive: bool
    files_from: str | None
    null: bool
    as_json: bool
    quiet: bool
    verbose: bool
    run: RunOptions
    database: DatabaseOptions | None

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> Request:
        """Remove these values from the options of a command.

        Raises
        ------
        PlanError, ParameterError
            If they exclude each other.
        """
        run = RunOptions.taken_from(given)
        database = taken_database_options(given)
        reading = taken_reading(given)
        values = {name: given.pop(name) for name in cls._fields if name not in ("run", "reading", "database")}
        return cls(**values, reading=reading, run=run, database=database)

    def plan(self, arguments: tuple[str, ...], descriptor: DescriptorParams | None) -> tuple[Inputs, list[Job]]:
        """Find the images, and choose the output of each.

        Parameters
        ----------
        arguments : tuple of str
            Inputs of the command line.
        descriptor : DescriptorParams or None
            Parameters of the descriptors; None to write keypoints only.

        Raises
        ------
        PlanError, ParameterError
            If the options or the inputs do not fit each other.
        """
        found = self._inputs(arguments)
        jobs = make_jobs(found, self.output, format=self.format, overwrite=self.overwrite, resume=self.run.resume)
        if self.as_json and any(job.output == STDOUT for job in jobs):
            raise PlanError("--json: stdout cannot take both the features and the JSON; give -o a file")
        format = FORMATS[jobs[0].format]
        require_database(self.database, format.database)
        if descriptor is not None and descriptor.float_descriptors and "floats" not in format.holds:
            able = ", ".join(dict.fromkeys(f.suffix for f in FORMATS.values() if "floats" in f.holds))
            raise ParameterError("float_descriptors", f"{format.title} has no room for them; give -o one of {able}")
        if not self.quiet:
            for note in found.notes:
                say(f"warning: {note}")
            for others in found.left_out:
                say(others)
        return found, jobs

    def settings(self, detector: DetectorParams, descriptor: DescriptorParams | None) -> Settings:
        """Return the settings that all jobs share."""
        from ..batch.settings import Settings

        depth: Any = self.depth
        return Settings(detector, descriptor, self.overwrite, self.reading, depth=depth, database=self.database)

    def carry_out(self, found: Inputs, jobs: Sequence[Job], settings: Settings) -> int:
        """Carry out jobs, and return the exit status."""
        if jobs[0].path == STDIN:
            jobs = [jobs[0]._replace(data=read_stdin())]
        return run_batch(
            jobs,
            settings,
            self.run,
            several=not found.single,
            overwrite=self.overwrite,
            as_json=self.as_json,
            quiet=self.quiet,
            verbose=self.verbose,
        )

    def _inputs(self, arguments: tuple[str, ...]) -> Inputs:
        if self.files_from is None:
            if self.null:
                raise PlanError("-0: is about the list of --files-from; give that too")
            return find_inputs(arguments, recursive=self.recursive)
        if self.files_from == STDIN:
            if STDIN in arguments:
                raise PlanError("--files-from -: stdin cannot be both the list and an image")
            listed = read_list(read_stdin(), name="<stdin>", null=self.null)
            return find_inputs(arguments, listed, recursive=self.recursive)
        return find_inputs(arguments, read_list(self.files_from, null=self.null), recursive=self.recursive)
