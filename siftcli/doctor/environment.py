"""The installed versions of Python, packages and extras."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from dataclasses import dataclass
from importlib import import_module, metadata

from ..machine import cores

__all__ = ["EXTRAS", "PACKAGES", "Extra", "Package", "extras", "packages", "system"]

PACKAGES = {"numpy": "numpy", "scipy": "scipy", "click": "click", "pillow": "PIL", "rich": "rich", "h5py": "h5py"}
"""Required packages: name of the distribution to name of the module."""

EXTRAS: dict[str, tuple[str, dict[str, str]]] = {
    "images": (
        "all that read more kinds of images",
        {
            "simplejpeg": "simplejpeg",
            "tifffile": "tifffile",
            "imagecodecs": "imagecodecs",
            "pillow-heif": "pillow_heif",
            "rawpy": "rawpy",
        },
    ),
    "jpeg": ("warnings about corrupt JPEG data", {"simplejpeg": "simplejpeg"}),
    "tiff": ("TIFF of any type and compression", {"tifffile": "tifffile", "imagecodecs": "imagecodecs"}),
    "deep": ("colour of more than 8 bits", {"imagecodecs": "imagecodecs"}),
    "heif": ("HEIC", {"pillow-heif": "pillow_heif"}),
    "raw": ("camera raw files", {"rawpy": "rawpy"}),
    "geometry": ("verified matches, sift match --verify", {"poselib": "poselib"}),
    "cluster": ("batches on a Dask cluster, sift detect --scheduler", {"distributed": "distributed"}),
}
"""Extras: purpose, and packages as in `PACKAGES`."""


@dataclass(frozen=True)
class Package:
    """A package, installed or missing.

    Attributes
    ----------
    name : str
        Name of the distribution.
    version : str or None
        Installed version; None if it is missing.
    error : str or None
        Error of its import, if it is installed.
    """

    name: str
    version: str | None
    error: str | None = None

    @property
    def sound(self) -> bool:
        """True if the package is installed and can be imported."""
        return self.version is not None and self.error is None


@dataclass(frozen=True)
class Extra:
    """A group of optional packages.

    Attributes
    ----------
    name, purpose : str
        Name and purpose.
    packages : tuple of Package
    install : str
        Command that installs it.
    """

    name: str
    purpose: str
    packages: tuple[Package, ...]
    install: str

    @property
    def present(self) -> bool:
        """True if all packages can be imported."""
        return all(package.sound for package in self.packages)


def _package(name: str, module: str) -> Package:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Package(name, None)
    try:
        import_module(module)
    except (ImportError, OSError) as error:  # OSError: a shared library is missing
        return Package(name, version, " ".join(str(error).split()))
    return Package(name, version)


def packages() -> list[Package]:
    """Return the required packages."""
    return [_package(name, module) for name, module in PACKAGES.items()]


def extras() -> list[Extra]:
    """Return the extras."""
    pip = f"{shlex.quote(sys.executable)} -m pip install"  # a plain `pip` may belong to another Python
    return [
        Extra(name, purpose, tuple(_package(*item) for item in parts.items()), f"{pip} 'siftcli[{name}]'")
        for name, (purpose, parts) in EXTRAS.items()
    ]


def system() -> dict[str, str]:
    """Return versions and locations of siftcli and Python, and facts about the system."""
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
