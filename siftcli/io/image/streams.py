"""Capture of what compiled libraries write to standard error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["errors_of_libraries"]

_STDERR = 2
_NAME = "tempfile.tif: "
"""How Pillow calls every file that it hands to libtiff."""


@contextmanager
def errors_of_libraries(expected: bool) -> Iterator[list[str]]:
    """Collect what libraries write on standard error, such as libtiff, which has no other way through Pillow.

    The descriptor is the whole process's, so one thread at a time; `listening` sees to that.

    Parameters
    ----------
    expected : bool
        Whether there may be any.

    Yields
    ------
    list of str
        Each one line; complete when the block ends.
    """
    said: list[str] = []
    if not expected:
        yield said
        return
    import tempfile

    try:
        kept, file = os.dup(_STDERR), tempfile.TemporaryFile()  # noqa: SIM115
    except OSError:  # closed, or nowhere to write
        yield said
        return
    with file:
        os.dup2(file.fileno(), _STDERR)
        try:
            yield said
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
            file.seek(0)
            text = file.read(1 << 16).decode(errors="replace")
            lines = (line.removeprefix(_NAME).strip(" .") for line in text.splitlines())
            said += dict.fromkeys(filter(None, lines))
