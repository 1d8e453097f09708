"""Imports between the parts of the package.  Oracles: the table in docs/design.md, and the lists below."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import siftcli

PACKAGE = Path(siftcli.__file__).parent

DESIGN = (PACKAGE.parent / "docs" / "design.md").read_text("utf-8")


def layers() -> dict[str, set[str]]:
    """The table of docs/design.md: each part of the package, and the parts that it may import besides itself."""
    table = DESIGN.split("## Who may import whom")[1].split("\n\n")[2]
    rows = [re.findall(r"`(\w+)`", line) for line in table.splitlines() if "`" in line]
    return {name: set(allowed) for name, *allowed in rows}


LAYERS = layers()

ANYWHERE = {"numpy"}
PACKAGES: dict[str, tuple[str, ...]] = {
    "scipy": ("engine", "matching", "evaluation"),
    "PIL": ("io.image", "io.exif", "draw"),
    "h5py": ("io.hdf5",),
    "click": ("cli",),
    "rich": ("cli",),
}
"""Third-party packages, and the modules (with what is below them) that may import them."""

EXTRAS: dict[str, tuple[str, ...]] = {
    "simplejpeg": ("io.image",),
    "poselib": ("matching.verify",),
    "imagecodecs": ("io.image",),
    "tifffile": ("io.image",),
    "dask": ("batch",),
    "distributed": ("batch",),
}
"""The same for packages of extras, which may be missing: these are imported inside functions only."""

SLOW_IN_FUNCTIONS = {"rich"}
"""Packages that most runs do not need: imported inside functions only."""

LATE = {
    "concurrent.futures",
    "difflib",
    "hashlib",
    "json",
    "multiprocessing",
    "rich",
    "scipy",
    "h5py",
    "zipfile",
    "imagecodecs",
    "pillow_heif",
    "rawpy",
    "tifffile",
    "siftcli.api",
    "siftcli.batch.cluster",
    "siftcli.batch.crew",
    "siftcli.batch.fingerprint",
    "siftcli.batch.given",
    "siftcli.batch.manifest",
    "siftcli.batch.masks",
    "siftcli.batch.report_file",
    "siftcli.batch.states",
    "siftcli.cli.config",
    "siftcli.draw",
    "siftcli.engine.affine",
    "siftcli.engine.describe_frames",
    "siftcli.engine.frames",
    "siftcli.evaluation",
    "siftcli.io.image.pillow",
    "siftcli.io.collection",
    "siftcli.io.fields",
    "siftcli.io.npz",
    "siftcli.io.text.reader",
}
"""Modules that the detection in a single image does without: together they take longer to import than it takes."""


@dataclass(frozen=True)
class Import:
    """One import statement: who imports what, and whether the module needs it to be imported itself."""

    module: str
    target: str
    line: int
    at_start: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def name_of(path: Path) -> str:
    """The module's name below the package: `__init__`, `io`, `io.image`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[Import]:
    """All imports of a file; those of this package by their name below it."""
    module = name_of(path)
    package = [siftcli.__name__, *path.parent.relative_to(PACKAGE).parts]
    tree = ast.parse(path.read_text())
    later = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, (ast.FunctionDef, ast.AsyncFunctionDef))
        or (isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING")
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *(node.module.split(".") if node.module else [])]
            targets = [".".join([*base, alias.name]) for alias in node.names]
        else:
            continue
        for target in targets:
            yield Import(module, target, node.lineno, id(node) not in later)


IMPORTS = [found for path in sorted(PACKAGE.rglob("*.py")) for found in imports_of(path)]


def part(target: str) -> str:
    """The part of this package that an import of it is about."""
    name = target.removeprefix(f"{siftcli.__name__}.").split(".")[0]
    return name if name in LAYERS else "__init__"


def internal(found: Import) -> bool:
    return found.target.split(".")[0] == siftcli.__name__


def test_the_walk_sees_what_there_is() -> None:
    seen = {(found.module, found.target) for found in IMPORTS}
    assert ("engine.pipeline", "siftcli.params.DetectorParams") in seen
    assert ("batch.settings", "siftcli.params.DetectorParams") in seen
    assert ("cli.main", "siftcli.__version__") in seen
    assert ("io.image.pillow", "PIL.Image") in seen
    parts = {path.stem for path in PACKAGE.iterdir() if path.suffix in ("", ".py")} - {"__pycache__"}
    assert parts <= set(LAYERS), "a new part of the package needs a line in the table of docs/design.md"


def test_every_part_is_described() -> None:
    described = DESIGN.split("## Layout")[1].split("\n\n")[1]
    assert set(re.findall(r"^\| `(\w+)` \|", described, re.M)) == set(LAYERS)


@pytest.mark.parametrize("name", LAYERS)
def test_parts_import_only_what_they_may(name: str) -> None:
    allowed = LAYERS[name] | {name}
    wrong = [
        str(found)
        for found in IMPORTS
        if found.module.split(".")[0] == name and internal(found) and part(found.target) not in allowed
    ]
    assert not wrong


def test_the_layers_have_no_cycle() -> None:
    done: set[str] = set()
    while rest := {name for name in LAYERS if name not in done}:
        free = {name for name in rest if LAYERS[name] - {"__init__"} <= done}
        assert free, f"a cycle among {rest}"
        done |= free


def circles(modules: set[str], imports: Iterable[Import]) -> set[str]:
    """The modules that import themselves through others, and those that import them."""
    below: dict[str, set[str]] = {name: set() for name in modules}
    for found in filter(internal, imports):
        target = found.target.removeprefix(f"{siftcli.__name__}.")
        name = target if target in modules else target.rpartition(".")[0]
        below.get(found.module, set()).update({name} & modules - {found.module})
    while free := {name for name in below if not below[name] & below.keys()}:
        below = {name: targets for name, targets in below.items() if name not in free}
    return set(below)


def test_no_module_needs_itself() -> None:
    """Imports inside functions count.  `__init__` does not: it gives every public name when it is asked for."""
    modules = {name_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__"}
    assert not circles(modules, IMPORTS)


@pytest.mark.parametrize("back", ["from .a import x", "def later():\n    from ..io import a", "import siftcli.io.a"])
def test_a_circle_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, back: str) -> None:
    """Closed form: two made-up modules that import each other, one of them in a function or by its whole name."""
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "io").mkdir()
    sources = {"a": "from .b import y", "b": back, "c": "from . import b", "d": "from ..errors import SiftError"}
    for name, source in sources.items():
        (tmp_path / "io" / f"{name}.py").write_text(f"{source}\n")
    found = [one for name in sources for one in imports_of(tmp_path / "io" / f"{name}.py")]
    modules = {f"io.{name}" for name in sources} | {"errors"}
    assert circles(modules, found) == {"io.a", "io.b", "io.c"}
    assert not circles(modules, [one for one in found if one.module != "io.b"])


def test_packages_are_imported_only_where_they_may() -> None:
    homes = {**PACKAGES, **EXTRAS}
    wrong = []
    for found in IMPORTS:
        package = found.target.split(".")[0]
        if package in sys.stdlib_module_names or package in ANYWHERE or internal(found):
            continue
        home = homes.get(package, ())
        if not any(found.module == place or found.module.startswith(f"{place}.") for place in home):
            wrong.append(str(found))
    assert not wrong


def test_what_may_be_missing_or_is_slow_is_imported_when_it_is_needed() -> None:
    late = SLOW_IN_FUNCTIONS | set(EXTRAS)
    assert not [str(found) for found in IMPORTS if found.at_start and found.target.split(".")[0] in late]


def imported_by(program: str) -> set[str]:
    """The modules that a program of its own has imported when it ends."""
    program = f"import sys\ntry:\n    {program}\nfinally:\n    print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return set(run.stdout.decode().splitlines()[-1].split())


def test_one_image_needs_few_modules(tmp_path: Path) -> None:
    image, output = tmp_path / "a.pgm", tmp_path / "a.key"
    image.write_bytes(b"P5 32 32 255\n" + bytes(range(256)) * 4)
    command = f"from siftcli.__main__ import main; sys.argv = ['sift', 'detect', {str(image)!r}]; main()"
    needed = imported_by(command) - imported_by("import click, numpy, PIL.Image, PIL.PpmImagePlugin")
    assert output.exists()
    assert "siftcli.engine.pipeline" in needed
    assert not needed & LATE


def test_the_help_of_a_command_needs_no_arrays() -> None:
    help = imported_by("from siftcli.__main__ import main; sys.argv = ['sift', 'detect', '--help']; main()")
    assert "siftcli.cli.detect" in help
    assert not help & (LATE | {"numpy", "PIL"})
