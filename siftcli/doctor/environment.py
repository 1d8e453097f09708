"""What is installed here: Python, packages, extras."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from dataclasses import dataclass
from importlib import import_module, metadata

__all__ = ["EXTRAS", "PACKAGES", "Extra", "Package", "cores", "extras", "packages", "system"]

PACKAGES = {"numpy": "numpy", "scipy": "scipy", "click": "click", "pillow": "PIL", "rich": "rich", "h5py": "h5py"}
"""What the package needs: name of the distribution to name of the module."""

EXTRAS: dict[str, tuple[str, dict[str, str]]] = {
    "geometry": ("verified matches, sift match --verify", {"poselib": "poselib"}),
    "colmap": ("COLMAP databases, .db", {"pycolmap": "pycolmap"}),
    "cluster": ("batches on a Dask cluster, sift detect --scheduler", {"distributed": "distributed"}),
}
"""Each extra: what it is for, and its packages as in `PACKAGES`."""


@dataclass(frozen=True)
class Package:
    """An installed package or one that is missing.

    Attributes
    ----------
    name : str
        Of the distribution.
    version : str or None
        None where it is not installed.
    error : str or None
        Why it cannot be imported although it is installed.
    """

    name: str
    version: str | None
    error: str | None = None

    @property
    def sound(self) -> bool:
        """Whether it is there and can be imported."""
        return self.version is not None and self.error is None


@dataclass(frozen=True)
class Extra:
    """An optional part.

    Attributes
    ----------
    name, purpose : str
        Its name, and what it is for.
    packages : tuple of Package
        What it consists of.
    install : str
        The command that installs it.
    """

    name: str
    purpose: str
    packages: tuple[Package, ...]
    install: str

    @property
    def present(self) -> bool:
        """Whether all of it can be used."""
        return all(package.sound for package in self.packages)


def _package(name: str, module: str) -> Package:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Package(name, None)
    try:
        import_module(module)
    except (ImportError, OSError) as error:  # OSError: a library that it links
        return Package(name, version, " ".join(str(error).split()))
    return Package(name, version)


def packages() -> list[Package]:
    """Return what the package needs."""
    return [_package(name, module) for name, module in PACKAGES.items()]


def extras() -> list[Extra]:
    """Return the optional parts."""
    pip = f"{shlex.quote(sys.executable)} -m pip install"  # of this Python: a plain `pip` may be another's
    return [
        Extra(name, purpose, tuple(_package(*item) for item in parts.items()), f"{pip} 'siftcli[{name}]'")
        for name, (purpose, parts) in EXTRAS.items()
    ]


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def system() -> dict[str, str]:
    """Return the versions of siftcli, Python and the system, and where the first two are."""
    from .. import __file__ as home
    from .. import __version__

    return {
        "siftcli": __version__,
        "location": os.path.dirname(home),  # noqa: PTH120  # a string from a string
        "python": platform.python_version(),
        "executable": sys.executable,
        "system": platform.platform(),
        "machine": platform.machine(),
        "cores": str(cores()),
    }
