"""Inputs and outputs of `sift detect` and `sift describe`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..batch.inputs import Inputs, find_inputs, read_list
from ..batch.plan import Job, make_jobs
from ..errors import ParameterError, PlanError
from ..io.files import STDIN, STDOUT
from ..io.formats import FORMATS
from ..params import DescriptorParams
from .database import require_database, taken_database_options
from .messages import Messages
from .streams import read_stdin

if TYPE_CHECKING:
    from ..io.colmap.camera import DatabaseOptions

__all__ = ["FeatureOutput", "InputOptions"]


class InputOptions(NamedTuple):
    """The values of ``--recursive``, ``--files-from`` and ``--null``."""

    recursive: bool
    files_from: str | None
    null: bool

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> InputOptions:
        """Remove these values from the options of a command, and return them."""
        return cls(**{name: given.pop(name) for name in cls._fields})

    def find(self, arguments: tuple[str, ...], messages: Messages) -> Inputs:
        """Find the images that a command line names, and say which files of folders are left out.

        Raises
        ------
        PlanError
            If there is no image, or the options do not fit each other.
        """
        found = find_inputs(arguments, self._listed(arguments), recursive=self.recursive)
        for note in found.notes:
            messages.note(f"warning: {note}")
        for others in found.left_out:
            messages.note(others)
        return found

    def _listed(self, arguments: tuple[str, ...]) -> list[str] | None:
        """Read the list of ``--files-from``; None if there is none."""
        if self.files_from is None:
            if self.null:
                raise PlanError("-0: needs --files-from")
            return None
        if self.files_from == STDIN:
            if STDIN in arguments:
                raise PlanError("--files-from -: stdin cannot be both the list and an image")
            return read_list(read_stdin(), name="<stdin>", null=self.null)
        return read_list(self.files_from, null=self.null)


class FeatureOutput(NamedTuple):
    """Output of features, as the command line names it.

    Attributes
    ----------
    path, format : str or None
        Values of ``-o`` and ``--format``.
    overwrite : bool
        Replace existing outputs.
    database : DatabaseOptions or None
        Options for writing a COLMAP database.
    """

    path: str | None
    format: str | None
    overwrite: bool
    database: DatabaseOptions | None

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> FeatureOutput:
        """Remove these values from the options of a command, and return them."""
        database = taken_database_options(given)
        return cls(given.pop("output"), given.pop("format"), given.pop("overwrite"), database)

    def jobs(
        self, found: Inputs, descriptor: DescriptorParams | None, messages: Messages, *, resume: bool
    ) -> list[Job]:
        """Choose the output of each image.

        Parameters
        ----------
        found : Inputs
            The images.
        descriptor : DescriptorParams or None
            Parameters of the descriptors; None to write keypoints only.
        messages : Messages
        resume : bool
            Accept outputs that exist.

        Raises
        ------
        PlanError, ParameterError
            If the output cannot hold the features, exists, or is one of the inputs.
        """
        jobs = make_jobs(found, self.path, format=self.format, overwrite=self.overwrite, resume=resume)
        if messages.as_json and any(job.output == STDOUT for job in jobs):
            raise PlanError("--json: stdout cannot take both the features and the JSON; give -o a file")
        format = FORMATS[jobs[0].format]
        require_database(self.database, format.database)
        if descriptor is not None and descriptor.float_descriptors and "floats" not in format.holds:
            able = ", ".join(dict.fromkeys(f.suffix for f in FORMATS.values() if "floats" in f.holds))
            raise ParameterError("float_descriptors", f"{format.title} has no room for them; give -o one of {able}")
        return jobs
