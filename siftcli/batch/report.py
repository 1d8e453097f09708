"""What became of every image, and of the whole batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ..features import Features

__all__ = ["Report", "Result"]


@dataclass(frozen=True)
class Result:
    """What became of one job.

    Attributes
    ----------
    path, output : str
        As in the job.
    status : "done" or "failed"
    keypoints : int or None
        How many were written; None if the job failed.
    seconds : float
        From before the image was read until after the features were written.
    error : str or None
        Why the job failed: one line, with the file's name.
    warnings : tuple of str
        Each one line, with the file's name.
    data : bytes or None
        The output, where it goes to stdout: that is for the process that owns stdout to write.
    features : Features or None
        Where they go to a file of many images: that is for its one writer to write.
    """

    path: str
    output: str
    status: Literal["done", "failed"]
    keypoints: int | None
    seconds: float
    error: str | None = None
    warnings: tuple[str, ...] = ()
    data: bytes | None = None
    features: Features | None = None

    def record(self) -> dict[str, object]:
        """What is told about the job in machine-readable form."""
        return {
            "path": self.path,
            "output": self.output,
            "keypoints": self.keypoints,
            "seconds": round(self.seconds, 4),
            "status": self.status,
            "error": self.error,
            "warnings": list(self.warnings),
        }


class Report:
    """The account of a batch: its counts and, from these, its summary and its exit status.

    Parameters
    ----------
    total : int
        Number of jobs.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.failed = 0
        self.keypoints = 0

    def add(self, result: Result) -> None:
        """Count one job."""
        if result.status == "done":
            self.done += 1
            self.keypoints += result.keypoints or 0
        else:
            self.failed += 1

    @property
    def exit_status(self) -> int:
        """0 if nothing failed, else 1."""
        return 1 if self.failed else 0

    def summary(self, seconds: float) -> str:
        """Sum the batch up in one line.

        Parameters
        ----------
        seconds : float
            That it took.
        """
        failed = f", {self.failed:,} failed" if self.failed else ""
        left = self.total - self.done - self.failed
        unfinished = f", {left:,} not reached" if left else ""
        images = "image" if self.done == 1 else "images"
        return f"{self.done:,} {images} done{failed}{unfinished}: {self.keypoints:,} keypoints in {seconds:.1f} s"
