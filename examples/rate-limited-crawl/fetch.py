"""fetch.py PAGE FOLDER: keep a page of $SITE in a folder, and make a job for each page that it links to.

Exit code 4 for a 4xx answer, which won't get better, 5 for anything that might.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen


def fetch(page: str, folder: Path) -> None:
    """Running it twice changes nothing: who finds a link first, and makes its job, is written down."""
    folder.mkdir(parents=True, exist_ok=True)
    _is_mine(folder / f"{_name(page)}.found")
    with urlopen(os.environ["SITE"] + page, timeout=10) as answer:
        text = answer.read().decode()
    links = sorted(set(re.findall(r'href="(/[^"]*)"', text)))
    found = [link for link in links if _is_mine(folder / f"{_name(link)}.found")]
    for link in found:
        subprocess.run(["queuectl", "trigger", "page", "--set", f"PAGE={link}"], check=True)
    (folder / f"{_name(page)}.html").write_text(text)
    print(f"{page}: {len(links)} links, {len(found)} of them new")


def _is_mine(mark: Path) -> bool:
    """Only one job can make the link, and it says which: when that one is retried, it goes on where it was."""
    job = os.environ["QUEUECTL_JOB_ID"]
    try:
        mark.symlink_to(job)
    except FileExistsError:
        return str(mark.readlink()) == job
    return True


def _name(page: str) -> str:
    return page.strip("/").replace("/", "-") or "index"


if __name__ == "__main__":
    try:
        fetch(sys.argv[1], Path(sys.argv[2]))
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{sys.argv[1]}: {error}", file=sys.stderr)
        sys.exit(4 if isinstance(error, HTTPError) and error.code < 500 else 5)
