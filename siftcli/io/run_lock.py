"""One run at a time on an output that many images share: a lock file beside it, for as long as the run writes."""

from __future__ import annotations

import atexit
import os
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from types import TracebackType

from ..errors import OutputError, SiftWarning
from .output import followed, output_error
from .temporary import is_at, locks_wanted, own_name, sweep, try_lock

__all__ = ["RunLock"]

_PAUSE = 0.1
"""Seconds between two looks at a lock that another run has."""

_NO_LOCK = -1

_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class RunLock:
    """Keeps other runs away from an output until it is released; a context manager.

    Where the file system has no locks, or
    ``HDF5_USE_FILE_LOCKING`` is ``FALSE`` or ``0``, nothing is locked; the former gives a warning.

    Parameters
    ----------
    path : path
        The output; its folder must exist.
    folder : bool
        The output is a folder.
    shared : bool
        Let other runs in that lock it so too.
    wait : bool
        Wait for another run, with a warning; otherwise that is an error.
    join : bool
        Share a lock that this process has: for what is done on behalf of whoever took it.

    Raises
    ------
    OutputError
        If another run has locked the output, or its folder cannot be written.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        folder: bool = False,
        shared: bool = False,
        wait: bool = False,
        join: bool = False,
    ) -> None:
        from hashlib import blake2b

        target = Path(path, "*") if folder else followed(path)
        self._released = False
        self._key = str(Path(os.path.realpath(target.parent), target.name))
        if join and self._key in _held:
            _held[self._key].users += 1
            return
        waited = False
        token = blake2b(os.fsencode(self._key), digest_size=8).digest()
        lock = target.with_name(own_name(token, "lock"))
        try:
            while (descriptor := _locked(lock, shared, str(path))) is None:
                if not wait:
                    what = "to this folder" if folder else "this file"
                    raise OutputError(path, f"another run is writing {what}; wait for it, or give another name")
                if not waited:
                    warnings.warn(SiftWarning(f"{path}: waiting for another run to finish there"), stacklevel=2)
                waited = True
                time.sleep(_PAUSE)
        except OSError as error:
            raise output_error(path, error) from error
        if not _held:
            atexit.register(_release_all)
        _held[self._key] = _Held(lock, descriptor)
        sweep(target.parent, again=True)

    def release(self) -> None:
        """Let other runs in; a second call does nothing."""
        if self._released:
            return
        self._released = True
        held = _held[self._key]
        held.users -= 1
        if not held.users:
            del _held[self._key]
            held.end()

    def __enter__(self) -> RunLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


@dataclass
class _Held:
    """A lock of this process."""

    path: Path
    descriptor: int
    users: int = 1
    process: int = field(default_factory=os.getpid)

    def end(self) -> None:
        """Let other runs in."""
        if self.descriptor != _NO_LOCK and self.process == os.getpid():  # not of a process that forked this one
            with suppress(OSError):
                if try_lock(self.descriptor):  # the last of those that share it
                    self.path.unlink(missing_ok=True)
                os.close(self.descriptor)


def _release_all() -> None:
    """Let other runs in when this process ends with an output open."""
    for held in _held.values():
        held.end()


_held: dict[str, _Held] = {}
"""The locks of this process, by the real paths of the outputs."""


def _locked(lock: Path, shared: bool, name: str) -> int | None:
    """Make a lock file and lock it; return its descriptor, `_NO_LOCK` without locks, None if another run has it."""
    while locks_wanted():
        descriptor = os.open(lock, _OPEN, 0o666)
        locked = try_lock(descriptor, shared=shared)
        if locked and is_at(descriptor, lock):
            return descriptor
        os.close(descriptor)
        if locked is None:
            lock.unlink(missing_ok=True)
            words = "the file system has no locks; take care that no second run writes it at the same time"
            warnings.warn(SiftWarning(f"{name}: {words}"), stacklevel=4)
            break
        if not locked:
            return None
        # else the run that had locked it has just removed it
    return _NO_LOCK
