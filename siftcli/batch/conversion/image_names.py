"""Finding the images of features, with their full names and sizes, in a folder."""

from __future__ import annotations

from pathlib import Path, PurePath

from ...errors import PlanError
from ...io.files import why_unreadable
from ...io.image_kinds import EXTRA_SUFFIXES, IMAGE_SUFFIXES
from ...io.names import name_fault

__all__ = ["ImageFinder", "is_image"]


def is_image(name: str) -> bool:
    """Tell whether a name has the suffix of an image."""
    suffix = PurePath(name).suffix.lower()
    return suffix in IMAGE_SUFFIXES or suffix in EXTRA_SUFFIXES


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long
        return False


class ImageFinder:
    """Finds images by names that may lack their suffix.

    Parameters
    ----------
    folder : str
        The folder of the images.

    Raises
    ------
    PlanError
        If the folder cannot be read.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._listed: dict[Path, dict[str, list[str]]] = {}
        if not self._folder.is_dir():
            raise PlanError(f"{folder}: is not a folder; --images needs the folder of the images")

    def find(self, name: str) -> str | None:
        """Return the name of an image below the folder, or None if there is none.

        Parameters
        ----------
        name : str
            Relative to the folder, with or without the image's suffix.

        Raises
        ------
        PlanError
            If several images match.
        """
        if name_fault(name) is not None:
            return None
        if is_image(name) and _is_file(self._folder / name):
            return name
        pure = PurePath(name)
        found = self._stems(self._folder / pure.parent).get(pure.name, [])
        if len(found) > 1:
            raise PlanError(f"{name}: may be of {' or '.join(found)} in {self._folder}; keep one of them there")
        return pure.with_name(found[0]).as_posix() if found else None

    def _stems(self, folder: Path) -> dict[str, list[str]]:
        """List the images of a folder by their names without the suffix."""
        if folder not in self._listed:
            stems: dict[str, list[str]] = {}
            try:
                for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                    if is_image(path.name) and _is_file(path):
                        stems.setdefault(path.stem, []).append(path.name)
            except OSError as error:
                raise PlanError(f"{folder}: {why_unreadable(error)}") from error
            self._listed[folder] = stems
        return self._listed[folder]

    def path(self, name: str) -> Path:
        """Return where an image of this name would be."""
        return self._folder / name

    def size(self, name: str) -> tuple[int, int]:
        """Return width and height of an image that was found.

        Raises
        ------
        ImageError
            If it cannot be read.
        """
        from ...io.image import read_image

        height, width = read_image(self._folder / name).pixels.shape
        return width, height
