"""Let the system kill this process when it writes beyond a number of bytes of a file.

``python limited.py BYTES ARGUMENTS...`` runs ``sift`` so.  The moment of death is a place in a file, not one in time.
"""

from __future__ import annotations

import resource
import signal
import sys

__all__ = ["limit_files"]


def limit_files(size: int) -> None:
    """Die of SIGXFSZ, which Python ignores by default, at the first write beyond this size of any file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)


if __name__ == "__main__":
    from siftcli.__main__ import process

    limit_files(int(sys.argv[1]))
    sys.argv = ["sift", *sys.argv[2:]]
    process()
