"""draw.py FOLDER: twelve small colour images (PPM), so that there is something to convert."""

import sys
from pathlib import Path

WIDTH, HEIGHT = 96, 64


def image(number: int) -> bytes:
    """A colour gradient, another one for every number."""
    pixels = bytes(
        value
        for y in range(HEIGHT)
        for x in range(WIDTH)
        for value in (x * 255 // WIDTH, y * 255 // HEIGHT, number * 20)
    )
    return f"P6 {WIDTH} {HEIGHT} 255\n".encode() + pixels


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, 13):
        (folder / f"photo-{number:02}.ppm").write_bytes(image(number))
