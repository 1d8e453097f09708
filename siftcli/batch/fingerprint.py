"""Fingerprint of the sources of an output: its image, and the signature of everything else."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from .plan import Job

__all__ = ["Fingerprint", "fingerprint", "job_signature"]

_CHUNK = 1 << 20


class Fingerprint(NamedTuple):
    """Size, time and digest that identify an input.

    Attributes
    ----------
    size : int
        Bytes.
    modified : int
        Nanoseconds since 1970.
    digest : str
        Digest of the contents.
    """

    size: int
    modified: int
    digest: str


def fingerprint(path: str, data: bytes | None = None) -> Fingerprint | None:
    """Take the fingerprint of a file; None if it cannot be read, or only once.

    Parameters
    ----------
    path : str
        The file.
    data : bytes, optional
        Its contents, if they have been read already.
    """
    from hashlib import blake2b  # not needed to detect features in one image

    hashed = blake2b(digest_size=16)
    try:
        status = Path(path).stat()
        if not S_ISREG(status.st_mode):  # a pipe can be read only once
            return None
        if data is not None:
            hashed.update(data)
        else:
            with Path(path).open("rb") as file:
                while chunk := file.read(_CHUNK):
                    hashed.update(chunk)
    except (OSError, ValueError):  # ValueError: a name with NUL
        return None
    return Fingerprint(status.st_size, status.st_mtime_ns, hashed.hexdigest())


def job_signature(job: Job, signature: str) -> str:
    """Return the signature of the parameters with digests of the other files that a job reads: mask, given frames."""
    for path in (job.mask, None if job.frames is None else job.frames.path):
        if path is not None:
            try:
                status = Path(path).stat()
            except (OSError, ValueError):
                continue
            signature += f"+{_digest(path, status.st_size, status.st_mtime_ns)}"
    return signature


@lru_cache(maxsize=64)
def _digest(path: str, size: int, modified: int) -> str:
    """Return the digest of a file that many jobs may share."""
    found = fingerprint(path)
    return "" if found is None else found.digest
