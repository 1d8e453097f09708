"""Read text files, plain or gzipped, in blocks of bounded size."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ...errors import FormatError
from ..files import Source, open_source, why_unreadable
from ..limits import BLOCK, MAX_SMALL_TEXT, expanded

__all__ = ["read_blocks"]

_GZIP = 31
"""The `wbits` of zlib for the largest window with a gzip header."""


@contextmanager
def read_blocks(source: Source, name: str) -> Iterator[Iterator[bytes]]:
    """Read a file, plain or compressed with gzip, which is recognised by its first bytes.

    Parameters
    ----------
    source : path, bytes or binary file
        The file.
    name : str
        Its name in messages.

    Yields
    ------
    iterator of bytes
        The blocks.

    Raises
    ------
    FormatError
        If it cannot be read or decompressed, here or while the blocks are taken.
    """
    try:
        with open_source(source, limited=True) as file:
            first = file.read(BLOCK)
            blocks = _blocks(first, file.read)
            yield _gunzip(blocks, name) if first.startswith(b"\x1f\x8b") else blocks
    except OSError as error:
        raise FormatError(name, why_unreadable(error)) from error
    except zlib.error as error:
        raise FormatError(name, f"the gzip data is damaged ({error}); get the file again") from error


def _blocks(first: bytes, read: Callable[[int], bytes]) -> Iterator[bytes]:
    while first:
        yield first
        first = read(BLOCK)


def _gunzip(blocks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Decompress in pieces of bounded size; consecutive gzip members form one text."""
    gzip = zlib.decompressobj(_GZIP)
    taken = given = 0
    for block in blocks:
        taken += len(block)
        while block:
            if gzip.eof:
                block = block.lstrip(b"\0")  # padding between members
                gzip = zlib.decompressobj(_GZIP) if block else gzip
                continue
            text = gzip.decompress(block, BLOCK)
            given += len(text)
            if given > expanded(taken, MAX_SMALL_TEXT):
                raise FormatError(name, "expands more than real features do; this is not a feature file")
            yield text
            block = gzip.unused_data if gzip.eof else gzip.unconsumed_tail
    yield gzip.flush()
    if not gzip.eof:
        raise FormatError(name, "the gzip data is truncated; get the file again")
