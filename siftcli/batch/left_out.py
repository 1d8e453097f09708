"""Counting the files of a searched folder that are not read."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePath

from ..io.image_kinds import EXTRA_SUFFIXES, IMAGE_SUFFIXES, missing_extra

__all__ = ["LeftOut"]

_NAMED = 4
"""Most suffixes that a message names."""


class LeftOut:
    """Counts the files and folders that a search skips, by reason."""

    def __init__(self) -> None:
        self._others: Counter[str] = Counter()
        self._extras: dict[str, Counter[str]] = {}
        self._folders = 0
        self._irregular = 0

    def takes(self, name: str) -> bool:
        """Tell whether a name has the suffix of an image that can be read; count it if not."""
        suffix = PurePath(name).suffix.lower()
        if suffix in IMAGE_SUFFIXES:
            return True
        extra = EXTRA_SUFFIXES.get(suffix)
        if extra is None:
            self._others[suffix or "no suffix"] += 1
            return False
        if missing_extra(extra):
            self._extras.setdefault(extra, Counter())[suffix] += 1
            return False
        return True

    def folder(self) -> None:
        """Count a folder that is not searched."""
        self._folders += 1

    def irregular(self) -> None:
        """Count a pipe, a device or the like."""
        self._irregular += 1

    def __str__(self) -> str:
        """Summarise the counts; empty if nothing was skipped."""
        parts = [
            f"{_counted(kinds)}, which siftcli[{extra}] reads: pip install 'siftcli[{extra}]'"
            for extra, kinds in self._extras.items()
        ]
        if self._others:
            parts.append(f"{_counted(self._others)} of other kinds")
        if self._irregular:
            parts.append(f"{_number(self._irregular, 'pipe or device', 'pipes or devices')}")
        if self._folders:
            parts.append(f"{_number(self._folders, 'folder', 'folders')}, not searched without --recursive")
        return "; ".join(parts)


def _counted(kinds: Counter[str]) -> str:
    most = kinds.most_common()
    names = ", ".join(f"{suffix} {count:,}" for suffix, count in most[:_NAMED])
    more = ", ..." if len(most) > _NAMED else ""
    return f"{_number(kinds.total(), 'file', 'files')} ({names}{more})"


def _number(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"
