"""The pairs that a match file has already, and the record of the parameters that they were matched with.

The record is a line of the manifest in the folder of the file, see :mod:`siftcli.batch.manifest`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path

from ..errors import PlanError
from ..features import ParameterValue
from ..io.matches import MatchFormat
from ..io.registry import collection_reader
from ..params import MatchParams
from .fingerprint import Fingerprint
from .manifest import MANIFEST, read_records, record
from .match_source import Source
from .plan import Job

__all__ = ["check_record", "has_record", "matched_pairs", "record_parameters"]

_NOTHING = Fingerprint(0, 0, "")
"""The record is not about an image."""


def _signature(params: MatchParams, features: Mapping[str, ParameterValue] | None) -> str:
    """Return a digest of the parameters of matches and of their features."""
    text = json.dumps([asdict(params), None if features is None else dict(features)], sort_keys=True)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _recorded(output: str) -> object:
    path = Path(output)
    return read_records(path.with_name(MANIFEST)).get((path.name, None), {}).get("parameters")


def has_record(output: str) -> bool:
    """Tell whether the parameters of a match file are recorded."""
    return _recorded(output) is not None


def check_record(output: str, params: MatchParams, features: Mapping[str, ParameterValue] | None) -> None:
    """Refuse a match file whose pairs were matched with other parameters.

    Parameters
    ----------
    output : str
        The match file; it exists.
    params : MatchParams
    features : mapping or None
        Parameters of the features.

    Raises
    ------
    PlanError
        If the record tells of other parameters.
    """
    found = _recorded(output)
    if found is not None and found != _signature(params, features):
        raise PlanError(
            f"{output}: its pairs were matched with other parameters; repeat the command with those, give -o another "
            "name, or --overwrite to match all pairs again"
        )


def record_parameters(output: str, params: MatchParams, features: Mapping[str, ParameterValue] | None) -> None:
    """Record the parameters of a match file; OutputError if that cannot be written."""
    record(Job("", output, "", ""), _NOTHING, _signature(params, features))


def matched_pairs(
    output: str, format: MatchFormat, source: Source, names: Iterable[str], *, verified: bool
) -> frozenset[tuple[str, str]]:
    """Return the pairs of a match file that need not be matched again: of images with the same features.

    Parameters
    ----------
    output : str
        The match file, of HDF5 or a database.
    format : MatchFormat
    source : Source
        The file of the features.
    names : iterable of str
        Images of the source.
    verified : bool
        In a database, count only pairs with a two-view geometry.

    Returns
    -------
    frozenset of (str, str)
        For a database, each pair in both orders; otherwise as in the file.

    Raises
    ------
    FormatError
        If a file cannot be read.
    """
    find = format.function("pairs_there")
    with collection_reader(source.path, source.format) as collection:
        known = frozenset(collection.names) & frozenset(names)
        if not format.database:
            found: frozenset[tuple[str, str]] = find(output, known, collection.read)
            return found
        same = Path(output).samefile(source.path)
        found = find(output, known, None if same else collection.read, verified=verified)
        return found
