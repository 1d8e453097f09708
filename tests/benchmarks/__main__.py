"""Measure how fast the command and the engine are, beside other programs: ``python -m tests.benchmarks``.

    python -m tests.benchmarks                        # every table of docs/performance.md, about 20 minutes
    python -m tests.benchmarks photograph crops       # two of them
    python -m tests.benchmarks --update-docs          # and write them into docs/performance.md

Needs ``pip install -e '.[bench]'``.  Programs take turns within one run, and medians are compared.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported: as in the command sift

import argparse
import datetime
import platform
import re
import sys
from importlib.metadata import version
from pathlib import Path

from .questions import QUESTIONS, Plan, Table

DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"
PACKAGES = ("siftcli", "numpy", "opencv-python-headless", "pycolmap")
QUICK = Plan(rounds=1, sizes=("0.3",), files=4, descriptors=500)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("tables", nargs="*", help=f"Tables to measure: {', '.join(QUESTIONS)}.  [default: all]")
    parser.add_argument("--quick", action="store_true", help="One round on small inputs, to see that everything works.")
    parser.add_argument("--rounds", type=int, default=Plan.rounds, help="Rounds that count.  [default: %(default)s]")
    parser.add_argument("--update-docs", action="store_true", help="Write the tables into docs/performance.md.")
    given = parser.parse_args(arguments)
    if unknown := set(given.tables) - set(QUESTIONS):
        parser.error(f"no such table: {', '.join(sorted(unknown))}; choose from {', '.join(QUESTIONS)}")
    plan = QUICK if given.quick else Plan(rounds=given.rounds)
    for name in ["machine", *(given.tables or QUESTIONS)]:
        table = machine() if name == "machine" else QUESTIONS[name](plan)
        print(f"{name}\n\n{markdown(table)}", flush=True)
        if given.update_docs:
            update(DOCUMENT, table)


def machine() -> Table:
    """Return what the figures are measured on."""
    cpus = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()) if sys.platform == "linux" else []
    facts = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processor": f"{cpus[0] if cpus else platform.processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()}, Python {platform.python_version()}",
        "packages": ", ".join(f"{package} {version(package)}" for package in PACKAGES),
    }
    return Table("machine", ["what", "value"], [list(fact) for fact in facts.items()])


def markdown(table: Table) -> str:
    """Return a table as Markdown; every column but the first is aligned to the right."""
    rule = ["---", *("---:" for _ in table.columns[1:])]
    return "".join(f"| {' | '.join(row)} |\n" for row in [table.columns, rule, *table.rows])


def update(path: Path, table: Table) -> None:
    """Replace the table between ``<!-- table:NAME -->`` and ``<!-- end -->`` in a document."""
    place = re.compile(rf"(<!-- table:{table.name} -->\n).*?(<!-- end -->)", re.DOTALL)
    text, count = place.subn(lambda found: f"{found[1]}\n{markdown(table)}\n{found[2]}", path.read_text("utf-8"))
    if count != 1:
        raise SystemExit(f"{path.name} has no place for the table {table.name}")
    path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
