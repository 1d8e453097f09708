"""The results of all images, and of the whole batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from ..io.files import STDOUT
from ..words import counted
from .tally import Tally

if TYPE_CHECKING:
    from ..features import Features
    from .fingerprint import Fingerprint

__all__ = ["Report", "Result"]


class Result(NamedTuple):
    """The result of one job.

    Attributes
    ----------
    path, output : str
        As in the job.
    status : "done", "failed" or "skipped"
        "skipped" if an earlier run has done it.
    keypoints : int or None
        Number of keypoints written; None if the job failed or was skipped.
    seconds : float
        Time from before the image was read until after the features were written.
    error : str or None
        Why the job failed: one line, with the file's name.
    warnings : tuple of str
        One line each, with the file's name.
    data : bytes or None
        The encoded output, if the main process writes it.
    features : Features or None
        The features, if the main process writes them.
    pixels : int
        Number of pixels of the image.
    again : bool
        An output of another input or of other parameters was replaced.
    fatal : bool
        All later jobs would fail for the same reason, such as a full disk.
    source : Fingerprint or None
        Fingerprint of the image, if records are kept and `data` or `features` still have to be written.
    """

    path: str
    output: str
    status: Literal["done", "failed", "skipped"]
    keypoints: int | None
    seconds: float
    error: str | None = None
    warnings: tuple[str, ...] = ()
    data: bytes | None = None
    features: Features | None = None
    pixels: int = 0
    again: bool = False
    fatal: bool = False
    source: Fingerprint | None = None

    def record(self) -> dict[str, object]:
        """Return the result as a JSON object."""
        return {
            "path": self.path,
            "output": self.output,
            "keypoints": self.keypoints,
            "seconds": round(self.seconds, 4),
            "status": self.status,
            "error": self.error,
            "warnings": list(self.warnings),
        }


class Report(Tally[Result]):
    """The account of a batch: its counts and, from these, its summary and its exit status.

    Parameters
    ----------
    total : int
        Number of jobs.
    """

    def __init__(self, total: int) -> None:
        super().__init__(total, "image")
        self.again = 0
        self.keypoints = 0
        self.pixels = 0

    def add(self, result: Result) -> None:
        """Count one job."""
        super().add(result)
        if result.status == "done":
            self.again += result.again
            self.keypoints += result.keypoints or 0
            self.pixels += result.pixels

    def line(self, result: Result) -> str:
        """Describe a result in one line: the image, its keypoints, where they went."""
        where = "" if result.output == STDOUT else f" to {result.output}"
        return f"{result.path}: {counted(result.keypoints or 0, 'keypoint')}{where} in {result.seconds:.2f} s"

    def warnings(self, result: Result) -> tuple[str, ...]:
        """Return the warnings about an image."""
        return result.warnings

    def note(self, seconds: float) -> str:
        """Sum up keypoints, speed, and images that were skipped or failed."""
        parts = [counted(self.keypoints, "keypoint")]
        if self.pixels and seconds > 0:
            parts.append(f"{self.pixels / seconds / 1e6:.1f} MP/s")
        if self.skipped:
            parts.append(f"{self.skipped:,} skipped")
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        return ", ".join(parts)

    def summary(self, seconds: float) -> str:
        """Sum the batch up in one line."""
        if self.skipped == self.total > 0:
            return f"nothing to do: {counted(self.skipped, 'image')} up to date"
        parts = [f"{counted(self.done, 'image')} done"]
        if self.again:
            parts[0] += f" ({self.again:,} again, because the image or the parameters have changed)"
        if self.skipped:
            parts.append(f"{self.skipped:,} up to date")
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self.left:
            parts.append(f"{self.left:,} not reached")
        return f"{', '.join(parts)}: {counted(self.keypoints, 'keypoint')} in {seconds:.1f} s"
