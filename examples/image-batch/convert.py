"""convert.py gray|small IMAGE RESULT: make a PPM image gray, or half as large.

Stands in for ffmpeg, ImageMagick and the like.
"""

import sys
from pathlib import Path

WEIGHTS = (299, 587, 114)  # how bright red, green and blue look, in thousandths


def gray(width: int, height: int, pixels: bytes) -> bytes:
    """One brightness in place of three colours."""
    colours = zip(*(pixels[colour::3] for colour in range(3)), strict=True)
    values = (sum(map(int.__mul__, WEIGHTS, rgb)) // 1000 for rgb in colours)
    return b"P5 %d %d 255\n" % (width, height) + bytes(values)


def small(width: int, height: int, pixels: bytes) -> bytes:
    """Every second pixel of every second row."""
    rows = (pixels[y * width * 3 : (y + 1) * width * 3] for y in range(0, height, 2))
    kept = b"".join(row[x : x + 3] for row in rows for x in range(0, len(row), 6))
    return b"P6 %d %d 255\n" % ((width + 1) // 2, (height + 1) // 2) + kept


def read(image: Path) -> tuple[int, int, bytes]:
    """Width, height and pixels."""
    header, _, pixels = image.read_bytes().partition(b"\n")
    kind, width, height, depth = header.split()
    if kind != b"P6" or depth != b"255" or len(pixels) != 3 * int(width) * int(height):
        raise ValueError("expected a whole PPM image (P6, 8 bits)")
    return int(width), int(height), pixels


def write(result: Path, content: bytes) -> None:
    """Write under another name first: a result that is there is whole."""
    result.parent.mkdir(parents=True, exist_ok=True)
    part = result.with_name(f"{result.name}.part")
    part.write_bytes(content)
    part.replace(result)


if __name__ == "__main__":
    convert = {"gray": gray, "small": small}[sys.argv[1]]
    try:
        write(Path(sys.argv[3]), convert(*read(Path(sys.argv[2]))))
    except (OSError, ValueError) as error:
        sys.exit(f"{sys.argv[2]}: {error}")
