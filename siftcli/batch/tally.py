"""The account of a run over many items."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

__all__ = ["Tally"]


class _Item(Protocol):
    @property
    def status(self) -> str: ...


_ItemT = TypeVar("_ItemT", bound=_Item)


class Tally(Generic[_ItemT]):
    """Counts the results of a run, and owns its exit status.

    Parameters
    ----------
    total : int
        Number of items.
    unit : str
        Noun for an item, in the singular.
    skipped : int
        Items that an earlier run has done.
    """

    def __init__(self, total: int, unit: str, skipped: int = 0) -> None:
        self.total, self.unit = total, unit
        self.done = self.failed = 0
        self.skipped = skipped

    def add(self, result: _ItemT) -> None:
        """Count one result."""
        self.done += result.status == "done"
        self.failed += result.status == "failed"
        self.skipped += result.status == "skipped"

    @property
    def left(self) -> int:
        """Number of items that have no result yet."""
        return self.total - self.done - self.failed - self.skipped

    @property
    def exit_status(self) -> int:
        """0 if nothing failed, else 1."""
        return 1 if self.failed else 0

    def line(self, result: _ItemT) -> str:
        """Describe a result that is done in one line."""
        return ""

    def warnings(self, result: _ItemT) -> tuple[str, ...]:
        """Return the warnings about a result, each one line."""
        return ()

    def note(self, seconds: float) -> str:
        """Sum up what was done in so many seconds in a few words, for beside a progress bar."""
        return f"{self.failed:,} failed" if self.failed else ""

    def summary(self, seconds: float) -> str:
        """Sum the run up in one line.

        Parameters
        ----------
        seconds : float
            Duration of the run.
        """
        return ""
