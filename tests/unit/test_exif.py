"""The camera that EXIF data tell of, in kinds of files that Pillow does not open.

Oracle: the values that ExifTool 12.57 was given, in a DNG of tifffile and a HEIC of libheif, both of 64 x 48 pixels.
Make is "Maker", Model is "Model X", the focal length 50 mm; there are 2000 pixels a centimetre, and a position.
"""

from __future__ import annotations

import io
import zlib
from base64 import b64decode
from pathlib import Path

import pytest
from image_tools import needed
from PIL import Image

from siftcli.features import Camera
from siftcli.io.exif import read_camera
from siftcli.io.image import read_size

DNG = (
    "eNrt0sFrE0EUx/E3u+lGS2liaS1olbQgFC2SpLWIp+JBLFgvCorFQzEbjBYt0YuKl14sCEXFqxDyxyyIIF4Fb156FQQ9CPHNzGsN"
    "/QM8ffNh8n4728yb3enq6lk5IiInRFxJnKYVHc5yXUfiUkm1XtGJVLOf9yOzfG1HZNwlMu2zTlQ0Z5pbmqua/eoPNB+zNSd1sYmh"
    "daYs+x7Hh/pOW5arujs3EnJXv05afq5fM0PrzA/lhvYd07qtF51Xtk4icmYn5m3NE4WTkoTHlski7nlXb54qSmEv7zXPFqNyVHNP"
    "83wxEub3NN8pYq8piZ9q8GLuyf2NrXzuUm196eJCbXlpobZ496XI2sbDvCtrj1v5Zu32wR73x9NOu93ubObnt57JjXv5o1wGAzkY"
    "WbchK5crsvt6b+Drh9bvUD9f+BHqud5MuH+zL6Guf401+/4n3P84Ww3Xh7vuD326N+XwHurNxaZ7G7NLUhl9Z+888S/A/qZRr7te"
    "fHa/u8Sy/59JLfuzG+/bGelvq/1/5+s/Tev8pRxrOVz71bWppsQflFwPBxbf+LfE/zrO39JRsvmfOuH7OFs5k9h1zFrVrdNpq2I1"
    "sVo5NP/L7n1aBgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/9tfg750uw=="
)
HEIC = (
    "eNpdU79v01AQvrMdJ9CSVpRfKgjBUCliSgIDYwRFYgkrSCw1L7byhJ28uhYKEhKhitRWYoBOFQtRR5AYGZja/4CFperMzILoUGHu"
    "3nu2Wk56uc/ffb67d+cAwLUoe6n6oRwBWSKjFuNEBhEAfk3CLABjN/u9OLUYlBQZ/Gd3ZDwUDJY74AAycifGk80RZ4wYPKDzifBd"
    "KQeRZjl6kR5Cx2r6L0QLTpDIkgcjqeWLMg0jm68uemtCV+RadSWzpKgDv6VKFfkfUokh901Z76NXI/jxiEX5Lzg+PiI4567QG5c7"
    "OIt5zgJXK1ySfHM6AcWW7iGeDuyte5eeft7+8HNvDDA7ZnLyjJT+Mu6vbp2n9AtiGKcDEY+IPQc+SeCCXFOhbb1jT0PEgbKY225a"
    "rweT59SkGRBdbiT13fgGV6RKgnKoWHnjuJUJwf2kF/B2fDOtbhdu0VMNamiW4NMZ4LzGnCfDRajYiq/waokn2OBrmsk7CxZTZEOC"
    "ZzVvN5cKjHVupBs8D1PoDnthfOMJEw+t0vgz7wCqhLxm+3b7PRqMjgvbZ8u6f6eFptVsTtHUzXOAqWN7oDlNXYtpVrv14l30d+ct"
    "75YfZtvEqt+1r9oqnlPeDZxH5hPkLMRin341/5h5r+THhLDcjV9W3bGVir1dP7E/tLtD/Sc4zf+xsZkGfplROxuHr9dX/gEWwXY5"
)
CAMERA = Camera("Maker Model X", focal=50 * 2000 / 10, position=(48.5, -2.25, 123.5))


def unpacked(text: str) -> bytes:
    return zlib.decompress(b64decode(text))


@pytest.mark.parametrize(("text", "extra"), [(DNG, "rawpy"), (HEIC, "pillow_heif")], ids=["DNG", "HEIC"])
@pytest.mark.parametrize("suffix", [".dng", ".heic", ".tif", ""])
def test_cameras_of_telephones_and_raw_files(tmp_path: Path, text: str, extra: str, suffix: str) -> None:
    needed(extra)
    data = unpacked(text)
    assert read_size(data) == (64, 48)
    path = tmp_path / f"photo{suffix}"
    path.write_bytes(data)
    assert read_camera(path) == CAMERA
    assert read_camera(data) == CAMERA
    assert read_camera(io.BytesIO(data)) == CAMERA


@pytest.mark.parametrize("mark", [b"IIRO", b"IIRS", b"IIU\0"], ids=["Olympus", "Olympus, too", "Panasonic"])
def test_tiff_with_the_mark_of_a_camera(mark: bytes) -> None:
    needed("rawpy")
    assert read_camera(mark + unpacked(DNG)[4:]) == CAMERA


@pytest.mark.parametrize("kind", ["TIFF", "JPEG", "PNG", "WEBP"])
def test_the_same_data_in_other_kinds(kind: str) -> None:
    needed("pillow_heif")
    exif = Image.Exif()
    exif.load(needed("pillow_heif").open_heif(unpacked(HEIC)).info["exif"])
    file = io.BytesIO()
    Image.new("L", (64, 48)).save(file, kind, exif=exif)
    assert read_camera(file.getvalue()) == CAMERA


@pytest.mark.parametrize("text", [DNG, HEIC], ids=["DNG", "HEIC"])
def test_damaged_metadata_tell_of_no_camera(text: str) -> None:
    data = unpacked(text)
    for share in range(0, 100, 7):
        assert read_camera(data[: len(data) * share // 100]) in (None, CAMERA)
