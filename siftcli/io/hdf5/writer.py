"""Create HDF5 files so that a full disk is an error: HDF5 crashes the process if it cannot close a file.

HDF5 writes through a file object whose writes never fail.  It keeps the first error of the system, which is raised
afterwards.  Later writes stay in memory, so that HDF5 can read them back, until the file is closed and removed.
Signals are delayed meanwhile, because HDF5 would take the exception of a Ctrl-C in the file object for a failed write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from typing import TYPE_CHECKING, BinaryIO

from ...errors import OutputError
from ...signals import uninterrupted
from ..output import atomic_file

if TYPE_CHECKING:
    import h5py

__all__ = ["HDF5Output", "create_hdf5"]


class HDF5Output:
    """An HDF5 file that is being written."""

    def __init__(self, file: BinaryIO) -> None:
        import h5py

        self._disk = _Disk(file.fileno())
        with uninterrupted():
            self._root = h5py.File(_created(self._disk))

    @contextmanager
    def writing(self) -> Iterator[h5py.File]:
        """Give access to the file to write one image; raise the error of a failed write at the end."""
        try:
            with uninterrupted():
                yield self._root
        except Exception:
            self._check()  # the error of the system comes first, if there was one
            raise
        self._check()

    def close(self) -> None:
        """Close the file; raise as `writing`."""
        with uninterrupted():
            self._root.close()
        self._check()

    def _check(self) -> None:
        if self._disk.error is not None:
            raise self._disk.error


@contextmanager
def create_hdf5(path: str | PathLike[str], *, overwrite: bool = False) -> Iterator[HDF5Output]:
    """Create an HDF5 file, which appears when the block ends without an error.

    Parameters
    ----------
    path : path
        Its folder must exist.
    overwrite : bool
        Replace a file of that name.

    Raises
    ------
    OutputError
        If it exists and is not to be replaced, or cannot be written.
    """
    with atomic_file(path, overwrite=overwrite, sync=True) as file:
        if not file.seekable():
            raise OutputError(path, "HDF5 needs a file; it cannot be written to a device or a pipe")
        output = HDF5Output(file)
        try:
            yield output
        except BaseException:
            with suppress(OSError):
                output.close()
            raise
        output.close()


def _created(disk: _Disk) -> h5py.h5f.FileID:
    """Create a file, by its low-level name.

    Neither it nor its groups keep times, so that equal features give equal bytes; old versions of h5py have no option.
    Since HDF5 1.10 metadata has checksums, so that damage is found instead of followed.
    """
    from h5py import h5f, h5fd, h5p

    creation = h5p.create(h5p.FILE_CREATE)
    creation.set_obj_track_times(False)
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_V110, h5f.LIBVER_V110)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    access.set_fileobj_driver(h5fd.fileobj_driver, disk)
    return h5f.create(b"siftcli", h5f.ACC_TRUNC, fcpl=creation, fapl=access)


class _Disk:
    """A file for h5py's driver of file objects that keeps the first error instead of raising it."""

    def __init__(self, descriptor: int) -> None:
        self.error: OSError | None = None
        self._descriptor = descriptor
        self._position = 0
        self._end = 0
        self._unwritten: list[tuple[int, bytes]] = []

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._end}[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def write(self, data: memoryview) -> int:
        start, size = self._position, len(data)
        if self.error is None:
            try:
                os.lseek(self._descriptor, start, os.SEEK_SET)
                done = 0
                while done < size:  # the system may write only a part
                    done += os.write(self._descriptor, data[done:])
            except OSError as error:
                self.error = error
        if self.error is not None:
            self._unwritten.append((start, bytes(data)))
        self._position = start + size
        self._end = max(self._end, self._position)
        return size

    def readinto(self, data: memoryview) -> int:
        """Read bytes that were written; zeros elsewhere."""
        size, found = len(data), b""
        try:
            os.lseek(self._descriptor, self._position, os.SEEK_SET)
            found = os.read(self._descriptor, size)
        except OSError as error:
            self.error = self.error or error
        data[:] = found.ljust(size, b"\0")
        for start, part in self._unwritten:
            low, high = max(start, self._position), min(start + len(part), self._position + size)
            if low < high:
                data[low - self._position : high - self._position] = part[low - start : high - start]
        self._position += size
        return size

    def truncate(self, size: int | None = None) -> int:
        self._end = self._position if size is None else size
        if self.error is None:
            try:
                os.ftruncate(self._descriptor, self._end)
            except OSError as error:
                self.error = error
        return self._end

    def flush(self) -> None:
        """Do nothing: every write has reached the system."""
