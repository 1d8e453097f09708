"""Output of ``sift match``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..io.files import STDOUT
from ..io.matches import MatchFormat, match_format_for

if TYPE_CHECKING:
    from ..io.colmap.camera import DatabaseOptions

__all__ = ["MatchOutput"]


class MatchOutput(NamedTuple):
    """Where matches go.

    Attributes
    ----------
    path : str or None
        The file, `STDOUT`, or None if none was given.
    given_format : str or None
        Value of ``--format``.
    overwrite : bool
        The file may be replaced.
    database : DatabaseOptions or None
        How a COLMAP database is made.
    """

    path: str | None
    given_format: str | None
    overwrite: bool
    database: DatabaseOptions | None

    @property
    def on_stdout(self) -> bool:
        """True if there is no file."""
        return self.path in (None, STDOUT)

    def format(self, *, many: bool = False) -> MatchFormat:
        """Return the format of the file; SuffixError if it is not known, or holds one pair and must hold `many`."""
        return match_format_for(str(self.path), self.given_format, many=many)

    @property
    def is_database(self) -> bool:
        """True if the file is a COLMAP database."""
        return not self.on_stdout and self.format().database
