"""Temporary files of this package: their names, the locks on them, and what to do with those of runs that were killed.

Every file of a name of :func:`own_name` is locked by the run that made it, for as long as it needs it.  One that can be
locked by somebody else has been left behind, and is removed by the next run that writes to its folder.  The names end
in a checksum of their random part, so that nobody else's file is taken for one.
"""

from __future__ import annotations

import os
import re
import stat
import time
import zlib
from contextlib import suppress
from pathlib import Path

__all__ = ["create_temporary", "locks_wanted", "new_temporary", "own_name", "remove_temporary", "sweep", "try_lock"]

_NAME = re.compile(r"\.sift-([0-9a-f]{16})-([0-9a-f]{8})\.(?:tmp|lock)(-journal|-wal|-shm)?")
_SIDE_FILES = ("-journal", "-wal", "-shm")
"""Suffixes of the files that SQLite makes beside a database."""

_ABANDONED = 3600
"""Seconds after which nobody is writing a temporary file any more, where no lock can tell."""

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)

_AGAIN = 60.0
"""Seconds after which a folder is looked at again before a file is written there."""

_swept: dict[str, float] = {}
"""When each folder was looked at."""


def own_name(token: bytes, suffix: str) -> str:
    """Return the name of a file of ours; `token` has 8 bytes, `suffix` is "tmp" or "lock"."""
    return f".sift-{token.hex()}-{zlib.crc32(token):08x}.{suffix}"


def new_temporary(folder: Path) -> Path:
    """Return an unpredictable name for a temporary file in a folder."""
    return folder / own_name(os.urandom(8), "tmp")


def create_temporary(path: Path) -> int | None:
    """Create the file of a name of `new_temporary`, locked where there are locks; return its descriptor.

    None means that the name is taken, or that another run swept the file before it was locked: take another name.  The
    caller knows the name first, so that it can remove the file even if an interrupt comes while this returns.
    """
    try:
        descriptor = os.open(path, _NEW, 0o666)
    except FileExistsError:
        return None
    if try_lock(descriptor) is not False and is_at(descriptor, path):
        return descriptor
    os.close(descriptor)
    return None


def remove_temporary(path: Path) -> None:
    """Remove a temporary file, if it is there, with what SQLite may have made beside it."""
    for suffix in ("", *_SIDE_FILES):
        with suppress(OSError):
            path.with_name(path.name + suffix).unlink()


def is_at(descriptor: int, path: Path) -> bool:
    """Tell whether an open file is the one at `path`."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    return False


def locks_wanted() -> bool:
    """Tell whether files are to be locked: not if ``HDF5_USE_FILE_LOCKING`` says no, and not on Windows."""
    return os.name != "nt" and os.environ.get("HDF5_USE_FILE_LOCKING", "").upper() not in ("FALSE", "0")


def try_lock(descriptor: int, *, shared: bool = False) -> bool | None:
    """Lock an open file: True if this worked, False if another run has locked it, None if there are no locks here.

    File systems without locks (NFS, Lustre, FUSE) fail in many ways: ENOLCK, ENOSYS, EOPNOTSUPP, 524, EINVAL, EBADF.
    """
    if not locks_wanted():
        return None
    from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock

    try:
        flock(descriptor, (LOCK_SH if shared else LOCK_EX) | LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def sweep(folder: Path, *, again: bool = False) -> None:
    """Remove the temporary files that killed runs have left in a folder; without `again`, at most once a minute."""
    now, key = time.monotonic(), str(folder)
    if not again and now - _swept.get(key, -_AGAIN) < _AGAIN:
        return
    _swept[key] = now
    with suppress(OSError), os.scandir(folder) as entries:
        found = [entry.name for entry in entries if entry.name.startswith(".sift-")]
        for name in found:
            match = _NAME.fullmatch(name)
            if match and match[2] == f"{zlib.crc32(bytes.fromhex(match[1])):08x}":
                _sweep_one(folder / name, match[3])


def _sweep_one(path: Path, side: str | None) -> None:
    with suppress(OSError):
        if side is not None:
            if not path.with_name(path.name.removesuffix(side)).exists():
                path.unlink()
            return
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            return
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        try:
            locked = try_lock(descriptor)
            old = time.time() - status.st_mtime > _ABANDONED
            if is_at(descriptor, path) and (locked or (locked is None and old)):
                if os.name == "nt":
                    os.close(descriptor)
                    descriptor = -1
                remove_temporary(path)
        finally:
            if descriptor != -1:
                os.close(descriptor)
