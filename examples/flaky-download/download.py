"""download.py URL FILE: exit code 0, or 4 for a 4xx answer (it won't get better), 5 for anything that might."""

import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen


def download(url: str, file: Path) -> None:
    """Write under another name first: a broken download never looks like a whole one."""
    part = file.with_name(f"{file.name}.part")
    file.parent.mkdir(parents=True, exist_ok=True)
    with urlopen(url, timeout=10) as answer:
        part.write_bytes(answer.read())
    part.replace(file)
    print(f"{url}: {file.stat().st_size} bytes")


if __name__ == "__main__":
    try:
        download(sys.argv[1], Path(sys.argv[2]))
    except OSError as error:
        print(f"{sys.argv[1]}: {error}", file=sys.stderr)
        sys.exit(4 if isinstance(error, HTTPError) and error.code < 500 else 5)
