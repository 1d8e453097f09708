"""``sift doctor``: check packages, correctness and speed of the installation."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from .command import SiftCommand
from .options import option
from .streams import write_json, write_stdout

if TYPE_CHECKING:
    from ..doctor.blas import Blas
    from ..doctor.environment import Extra, Package
    from ..doctor.selftest import Check
    from ..doctor.speed import Speed

__all__ = ["command"]


@click.command("doctor", cls=SiftCommand, example="sift doctor --json")
@option("--json", "as_json", group="Other", is_flag=True, help="Print one JSON object on stdout, for bug reports.")
@click.pass_context
def command(ctx: click.Context, /, as_json: bool) -> None:
    """Check this installation.

    Lists the versions of Python and all packages, the BLAS library and its threads, and the optional packages with the
    command that installs them. Compares keypoints and a descriptor of synthetic images with their closed forms, and
    measures the time of one image.

    Exit status: 0 all is well, 1 a package is broken or a result is wrong, 2 wrong usage.
    """
    from ..doctor.blas import blas
    from ..doctor.environment import extras, packages, system
    from ..doctor.selftest import self_test
    from ..doctor.speed import measure

    there, needed, optional, library = system(), packages(), extras(), blas()
    checks, speed = self_test(), measure()
    sound = all(p.sound for p in needed) and all(c.passed for c in checks) and not any(map(_broken, optional))
    if as_json:
        record = {
            **there,
            "cores": int(there["cores"]),
            "packages": {p.name: p.version for p in needed},
            "errors": {p.name: p.error for p in [*needed, *(p for e in optional for p in e.packages)] if p.error},
            "extras": {e.name: {**{p.name: p.version for p in e.packages}, "present": e.present} for e in optional},
            "blas": asdict(library),
            "checks": [{**asdict(c), "passed": c.passed} for c in checks],
            "speed": asdict(speed),
            "sound": sound,
        }
        write_json(_finite(record))
    else:
        lines = [*_system(there), *_packages(needed), *_extras(optional), *_blas(library), *_checks(checks)]
        lines += [*_speed(speed), "", "all is well" if sound else "NOT SOUND: see the lines marked !"]
        write_stdout("\n".join([*lines, ""]).encode("utf-8", "surrogateescape"))
    ctx.exit(0 if sound else 1)


def _finite(value: Any) -> Any:
    """Replace infinite numbers by None, since JSON has none."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if value == float("inf") else value


def _broken(extra: Extra) -> bool:
    return any(package.error for package in extra.packages)


def _row(name: str, text: str, mark: str = " ") -> str:
    return f"{mark} {name:<26} {text}"


def _system(there: dict[str, str]) -> list[str]:
    return [
        _row("siftcli", f"{there['siftcli']}, {there['location']}"),
        _row("Python", f"{there['python']}, {there['executable']}"),
        _row("system", f"{there['system']}, {there['cores']} cores"),
    ]


def _told(package: Package) -> str:
    if package.version is None:
        return "missing"
    return package.version if package.error is None else f"{package.version}, cannot be imported: {package.error}"


def _packages(needed: list[Package]) -> list[str]:
    return ["", "packages", *(_row(p.name, _told(p), " " if p.sound else "!") for p in needed)]


def _extras(optional: list[Extra]) -> list[str]:
    lines = ["", "optional"]
    for extra in optional:
        told = ", ".join(f"{p.name} {_told(p)}" for p in extra.packages)
        if not extra.present and not _broken(extra):
            told = f"not installed; for {extra.purpose}: {extra.install}"
        lines.append(_row(extra.name, told, "!" if _broken(extra) else " "))
    return lines


def _blas(library: Blas) -> list[str]:
    name = f"{library.name or 'unknown'} {library.version or ''}".rstrip()
    threads = "unknown" if library.threads is None else str(library.threads)
    variables = ", ".join(f"{k}={v}" for k, v in library.variables.items())
    return [
        "",
        "matrix products",
        _row("library", name),
        _row("threads", threads + (f" ({variables})" if variables else "")),
        _row("instructions", " ".join(library.simd) or "unknown"),
    ]


def _checks(checks: list[Check]) -> list[str]:
    rows = ["", "self-test: largest difference from the closed form"]
    for check in checks:
        verdict = "ok" if check.passed else "WRONG"
        figures = f"{check.error:.3g} {check.unit}".rstrip() + f", at most {check.limit:g}: {verdict}"
        rows.append(_row(check.name, figures, " " if check.passed else "!"))
    return rows


def _speed(speed: Speed) -> list[str]:
    size = f"{speed.width} x {speed.height}"
    return ["", "speed", _row(size, f"{speed.keypoints:,} keypoints in {1000 * speed.seconds:.0f} ms, one thread")]
