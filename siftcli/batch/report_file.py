"""The report file: JSON with the whole run, or a CSV table of the images."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from ..errors import PlanError
from ..io.output import atomic_write, make_folder
from .plan import Job
from .report import Result

__all__ = ["ReportFile"]

_COLUMNS = ("path", "output", "status", "keypoints", "pixels", "seconds", "error", "warnings")


class ReportFile:
    """Keeps the results of a batch, and writes them to a file at its end.

    Parameters
    ----------
    path : path
        The suffix determines the format, ``.json`` or ``.csv``.
    overwrite : bool
        Replace a file of that name.

    Raises
    ------
    PlanError
        If the suffix is another one, or the file exists and `overwrite` is not set.
    OutputError
        If its folder cannot be created.
    """

    def __init__(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        self._path, self._overwrite = Path(path), overwrite
        self._records: dict[tuple[str, str], dict[str, object]] = {}
        if self._path.suffix.lower() not in (".json", ".csv"):
            raise PlanError(f"--report: {path}: must end with .json or .csv")
        if self._path.is_dir() or (self._path.is_file() and not overwrite):
            raise PlanError(f"--report: {path}: exists already; use --overwrite to replace it, or another name")
        make_folder(self._path.parent)

    def add(self, result: Result) -> None:
        """Keep a result."""
        self._records[result.path, result.output] = result.record() | {"pixels": result.pixels or None}

    def write(self, jobs: Sequence[Job], run: Mapping[str, object]) -> None:
        """Write the file: the jobs in their order, those without a result as ``not reached``.

        Parameters
        ----------
        jobs : sequence of Job
            All of the batch.
        run : mapping
            Facts about the run for JSON, besides the counts.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        images = [self._records.get((job.path, job.output)) or _not_reached(job) for job in jobs]
        if self._path.suffix.lower() == ".json":
            counts = Counter(str(image["status"]) for image in images)
            text = json.dumps({**run, "counts": dict(sorted(counts.items())), "images": images}, indent=1) + "\n"
        else:
            table = io.StringIO(newline="")
            writer = csv.DictWriter(table, _COLUMNS, lineterminator="\n")
            writer.writeheader()
            for image in images:
                warnings = image["warnings"]
                joined = "; ".join(map(str, warnings)) if isinstance(warnings, list) else ""
                writer.writerow({**image, "warnings": joined})
            text = table.getvalue()
        atomic_write(self._path, text.encode("utf-8", "surrogateescape"), overwrite=self._overwrite)


def _not_reached(job: Job) -> dict[str, object]:
    empty = dict.fromkeys(("keypoints", "pixels", "seconds", "error"))
    return {"path": job.path, "output": job.output, "status": "not reached", **empty, "warnings": []}
