"""Which messages a command prints."""

from __future__ import annotations

from typing import Any, NamedTuple

from .streams import say

__all__ = ["Messages"]


class Messages(NamedTuple):
    """The values of ``--json``, ``--quiet`` and ``--verbose``.

    Attributes
    ----------
    as_json : bool
        Print one JSON object for each result on stdout.
    quiet : bool
        Print errors only.
    verbose : bool
        Print one line for each result.
    """

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> Messages:
        """Remove these values from the options of a command, and return them."""
        return cls(**{name: given.pop(name) for name in cls._fields})

    def note(self, text: str) -> None:
        """Print a message, unless only errors are to be printed."""
        if not self.quiet:
            say(text)
