"""Write the files that are generated from the package, or tell which ones are out of date.

python -m docs.tools.generate           # write
python -m docs.tools.generate --check   # exit status 1 if a file differs
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import api_reference, cli_reference, comparison, conventions_figure, format_table, man_pages, parameter_tables

ROOT = Path(__file__).parents[2]


def generated() -> dict[str, str]:
    """Return every generated file: its path below the root, and its text."""
    return {
        "README.md": comparison.readme(),
        "docs/api.md": api_reference.page(),
        "docs/cli.md": cli_reference.page(),
        "docs/formats.md": format_table.page(),
        "docs/images/conventions.svg": conventions_figure.figure(),
        "docs/parameters.md": parameter_tables.page(),
        **{f"docs/man/{name}": text for name, text in man_pages.pages().items()},
    }


def differing() -> list[str]:
    """Return the paths of the files that are missing or not as generated, or that nothing generates any more."""
    files = generated()
    stale = [name for name, text in files.items() if not _same(ROOT / name, text)]
    orphans = [
        f"docs/man/{path.name}" for path in (ROOT / "docs" / "man").glob("*.1") if f"docs/man/{path.name}" not in files
    ]
    return sorted([*stale, *orphans])


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m docs.tools.generate", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if a file differs")
    check = parser.parse_args().check
    names = differing()
    for name in names:
        print(name)
        if not check:
            _replace(ROOT / name, generated().get(name))
    if check and names:
        print("out of date; to write them again: python -m docs.tools.generate", file=sys.stderr)
    return 1 if check and names else 0


def _replace(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
