"""The results of all image pairs of a run."""

from __future__ import annotations

from ..words import counted
from .match_run import PairResult
from .tally import Tally

__all__ = ["PairReport"]


class PairReport(Tally[PairResult]):
    """The account of a run over image pairs.

    Parameters
    ----------
    total : int
        Number of pairs.
    unit : str
        Noun for one of them, "pair" or "image".
    skipped : int
        Pairs that an earlier run has done.
    verified : bool
        Matches are verified, so that there are inliers.
    """

    def __init__(self, total: int, unit: str = "pair", skipped: int = 0, *, verified: bool = False) -> None:
        super().__init__(total, unit, skipped)
        self.verified = verified
        self.matches = self.inliers = 0

    def add(self, result: PairResult) -> None:
        """Count one pair."""
        super().add(result)
        self.matches += result.matches or 0
        self.inliers += result.inliers or 0

    def line(self, result: PairResult) -> str:
        """Describe a result in one line: the images, and their matches."""
        inliers = "" if result.inliers is None else f", {counted(result.inliers, 'inlier')}"
        names = ", ".join(name for name in result.names if name)
        return f"{names}: {counted(result.matches or 0, 'match')}{inliers} in {result.seconds:.2f} s"

    def summary(self, seconds: float) -> str:
        """Sum the run up in one line."""
        earlier = f" ({self.skipped:,} of them earlier)" if self.skipped else ""
        failed = f", {self.failed:,} failed" if self.failed else ""
        left = f", {self.left:,} not reached" if self.left else ""
        inliers = f", {self.inliers:,} of them inliers" if self.verified else ""
        done = counted(self.done + self.skipped, self.unit)
        return f"{done} done{earlier}{failed}{left}: {counted(self.matches, 'match')}{inliers} in {seconds:.1f} s"
