"""``sift evaluate --agreement``: two feature files of one image."""

from __future__ import annotations

from ..errors import PlanError
from ..evaluation.agreement import QUANTILES, agreement
from ..io.registry import read_features
from ..words import counted
from .streams import one_line, write_json
from .table import cells, print_table, table_of

__all__ = ["run_agreement"]


def run_agreement(inputs: tuple[str, ...], *, as_json: bool) -> None:
    """Compare two feature files of one image, and print how far they agree."""
    if len(inputs) != 2:
        raise PlanError(f"--agreement: needs two feature files of one image, not {len(inputs)}")
    found = agreement(*(read_features(path) for path in inputs))
    if as_json:
        record = {
            "a": inputs[0],
            "b": inputs[1],
            "keypoints": list(found.keypoints),
            "recall": found.recall,
            "precision": found.precision,
            "levels": list(QUANTILES),
            **{name: list(values) for name, values in found.quantiles.items()},
        }
        write_json(record)
        return
    units = {
        "position": ("distance, px", 4),
        "sigma": ("difference of log sigma", 5),
        "orientation": ("difference of orientation, rad", 5),
        "descriptor": ("cosine of descriptors", 5),
    }
    table = table_of(["of the keypoints in common"], [f"{level:.0%}" for level in QUANTILES])
    for name, values in found.quantiles.items():
        title, digits = units[name]
        table.add_row(*cells(title, *(f"{value:.{digits}f}" for value in values)))
    a, b = (one_line(path) for path in inputs)
    n, m = (counted(number, "keypoint") for number in found.keypoints)
    print_table(
        f"{a} ({n}) has {found.recall:.2%} of the keypoints of {b} ({m}); "
        f"{b} has {found.precision:.2%} of those of {a}",
        table if found.quantiles else None,
    )
