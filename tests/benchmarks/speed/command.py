"""The command ``python -m tests.benchmarks``: runs sections, prints their tables, writes them where asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from .report import Section, Table

__all__ = ["OPTIONAL", "SECTIONS", "command"]

SECTIONS = {
    "pictures": ("detect", "pictures"),
    "detect": ("detect", "compare"),
    "stages": ("stages", "stages"),
    "crops": ("detect", "crops"),
    "process": ("process", "process"),
    "folder": ("folder", "folder"),
    "crop-folder": ("folder", "crop_folder"),
    "scaling": ("scaling", "scaling"),
    "roofline": ("roofline", "roofline"),
    "gigapixel": ("scaling", "gigapixel"),
}
"""Section to the module and function that runs it; imported then, after the environment is set."""

OPTIONAL = ("gigapixel",)
"""Sections that run only if they are asked for."""

DOCUMENT = Path(__file__).parents[3] / "docs" / "performance.md"

SINGLE = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def _list(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(part for part in value.split(",") if part)


@click.command("benchmarks")
@click.option("--only", callback=_list, metavar="A,B", help=f"Sections to run: {', '.join(SECTIONS)}.")
@click.option("--quick", is_flag=True, help="One round, 0.3 and 1 MP, few files: to see that everything works.")
@click.option("--sizes", callback=_list, metavar="A,B", help="Megapixels to compare at.  [default: 0.3,1,3,12]")
@click.option("--sources", callback=_list, metavar="A,B", help="Sets of photographs: samples, boat.  [default: all]")
@click.option("--peers", callback=_list, metavar="A,B", help="opencv, colmap, skimage, or none.  [default: all]")
@click.option("--repeat", type=click.IntRange(1), help="Rounds.  [default: 3 to 15, by section and size]")
@click.option("--files", type=click.IntRange(1), help="Photographs in the folder.  [default: 200]")
@click.option("--gigapixel", type=float, default=1000, show_default=True, help="MP of the section of that name.")
@click.option("--coretype", help="Make OpenBLAS take this processor for its own, such as Haswell (no AVX-512).")
@click.option("--no-avx512", is_flag=True, help="Keep NumPy and OpenCV from using AVX-512.")
@click.option("--label", default="", help="Suffix of the tables' names, such as haswell.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures there.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw the section detect there, as SVG.")
@click.option("--markdown", is_flag=True, help="Print the tables as Markdown.")
@click.option("--update-docs", is_flag=True, help="Write the tables into docs/performance.md.")
@click.option("--from-json", type=click.Path(exists=True, path_type=Path), help="Measure nothing: take these figures.")
def command(
    only: tuple[str, ...] | None,
    sizes: tuple[str, ...] | None,
    coretype: str | None,
    no_avx512: bool,
    label: str,
    json_file: Path | None,
    plot: Path | None,
    markdown: bool,
    update_docs: bool,
    from_json: Path | None,
    **given: Any,
) -> None:
    """Measure how fast the engine and the command are, beside OpenCV, pycolmap and scikit-image.

    Programs take turns within one run, and medians are compared. On a quiet machine only: another process that
    computes, and every figure is wrong.
    """
    for unknown in set(only or ()) - set(SECTIONS):
        raise click.BadParameter(f"{unknown!r} is none of {', '.join(SECTIONS)}", param_hint="--only")
    if from_json is not None:
        result = json.loads(from_json.read_text(encoding="utf-8"))
    else:
        _environment(coretype, no_avx512)
        result = _measure(only, sizes, given)
    from .report import Table, show, update
    from .report import markdown as as_markdown

    tables = [Table(**{**table, "name": table["name"] + (label and f"-{label}")}) for table in result["tables"]]
    for table in tables:
        if markdown:
            click.echo(f"**{table.title}**\n\n{as_markdown(table)}")
        else:
            show(table)
    if json_file is not None:
        json_file.write_text(json.dumps(result, indent=1), encoding="utf-8")
    if plot is not None:
        _draw(plot, result)
    if update_docs:
        for name in update(DOCUMENT, [table for table in tables if not table.name.startswith("sections")]):
            click.echo(f"{DOCUMENT.name} has no place for the table {name}", err=True)


def _environment(coretype: str | None, no_avx512: bool) -> None:
    """Set what NumPy, BLAS and OpenCV read when they are imported, here and in the processes to come."""
    for name in SINGLE:  # the engine's matrix products are small, and its threads are its own
        os.environ.setdefault(name, "1")
    if coretype:
        os.environ["OPENBLAS_CORETYPE"] = coretype
    if no_avx512:
        code = "from speed.machine import avx512_features; print(','.join(avx512_features()))"
        here = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parents[3])])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))}
        found = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        off = os.environ.get("NPY_DISABLE_CPU_FEATURES", "").strip()  # already, and not among those found
        os.environ["NPY_DISABLE_CPU_FEATURES"] = ",".join(filter(None, [off, found.stdout.strip()]))
        os.environ["OPENCV_CPU_DISABLE"] = "AVX512-SKX"


def _measure(only: tuple[str, ...] | None, sizes: tuple[str, ...] | None, given: dict[str, Any]) -> dict[str, Any]:
    from . import machine
    from .contenders import PEERS
    from .images import SIZES, sources
    from .options import Options
    from .process import Failed

    peers, wanted = given.pop("peers"), given.pop("sources")
    for unknown in set(peers or ()) - {*PEERS, "none"}:
        raise click.BadParameter(f"{unknown!r} is none of {', '.join(PEERS)}", param_hint="--peers")
    for unknown in set(wanted or ()) - set(sources()):
        raise click.BadParameter(f"{unknown!r} is not there; there is {', '.join(sources())}", param_hint="--sources")
    chosen = Options(
        **given,
        sizes=sizes or (SIZES[:2] if given["quick"] else SIZES),
        sources=wanted or (),
        peers=tuple(peer for peer in PEERS if peers is None or peer in peers),
        progress=lambda message: _line(f"{section}: {message}"),
    )
    load = machine.load()
    if load is not None and load > 0.5:
        click.echo(f"warning: the machine is not quiet: {load:.1f} processes at work in the last minute", err=True)
    facts = {**machine.describe(), "Load before": "unknown" if load is None else f"{load:.2f}"}
    parts: dict[str, Section] = {}
    seconds: dict[str, float] = {}
    for section in only or [name for name in SECTIONS if name not in OPTIONAL]:
        module, function = SECTIONS[section]
        start = time.perf_counter()
        try:
            parts[section] = getattr(import_module(f".{module}", __package__), function)(chosen)
        except Failed as error:
            raise click.ClickException(str(error)) from error
        finally:
            _line("")
        seconds[section] = time.perf_counter() - start
    tables = [_facts(facts), *(table for part in parts.values() for table in part.tables), _times(seconds)]
    return {
        "machine": facts,
        "seconds": seconds,
        "data": {name: part.data for name, part in parts.items()},
        "tables": [asdict(table) for table in tables],
    }


def _line(text: str) -> None:
    """Show what is being done, in place of what was shown before; in a terminal only."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{text}", nl=False, err=True)


def _facts(facts: dict[str, str]) -> Table:
    from .report import Table

    return Table("machine", "The machine", ["what", "is"], [list(fact) for fact in facts.items()])


def _times(seconds: dict[str, float]) -> Table:
    from .report import Table

    rows = [[name, f"{value:.0f}"] for name, value in seconds.items()]
    return Table("sections", "How long each section took", ["section", "s"], rows)


def _draw(path: Path, result: dict[str, Any]) -> None:
    from .plot import svg

    rows = result["data"].get("detect")
    if not rows:
        raise click.UsageError("--plot: draws the section detect, which did not run")
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        for name, seconds in row["median"].items():
            line = panels.setdefault(row["source"], {}).setdefault(row.get("labels", {}).get(name, name), [])
            line.append((row["megapixels"], seconds))
    path.write_text(svg(panels, "megapixels", "seconds"), encoding="utf-8")
