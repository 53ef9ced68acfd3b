"""Which files are spec files, and their text: nothing but regular, small, readable UTF-8 is read."""

from __future__ import annotations

import os
import stat
import time
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from queuectl.specs.faults import Fault, fault_at
from queuectl.specs.places import Place, Source

SUFFIXES = frozenset({".yaml", ".yml", ".json"})
DEFAULTS_STEM = "_defaults"
MAX_BYTES = 1 << 20
MAX_FOLDERS_DEEP = 100
SETTLED_S = 0.02
"""A file that was changed less long ago may be half-written: it is read twice."""

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class SpecFile(msgspec.Struct, frozen=True):
    """A file that is to be read. Within a folder, the one with the defaults comes first."""

    path: Path
    """Absolute, links not resolved."""
    name: str
    """The way to it from where the user stands: the path as it was given, and on from there."""
    label: str
    """The same wherever it is applied from: the applied folder's name, and on from there."""

    @property
    def holds_defaults(self) -> bool:
        """Whether it is a `_defaults.yaml`."""
        return self.path.stem == DEFAULTS_STEM


class Found(msgspec.Struct):
    """What there is at the paths that were given."""

    files: dict[Path, SpecFile] = {}
    ignored: list[str] = []
    """Names of files that are no spec files by their ending."""
    faults: list[Fault] = []


def find(paths: Sequence[Path]) -> Found:
    """Every spec file at `paths`, which are files or folders; folders are searched to their depth."""
    found = Found()
    for given in paths:
        path = Path(os.path.abspath(given))  # noqa: PTH100  resolve() would follow links
        problem = _missing(path)
        if problem:
            found.faults.append(Fault(str(given), None, problem))
        elif path.is_dir():
            root = SpecFile(path, str(given), path.name or "/")
            _search(root, path.resolve(), found)
        else:
            _add_file(path, given, found)
    return found


def read_bytes(file: SpecFile) -> bytes | Fault:
    """What is in a spec file, or why it can't be read."""
    try:
        str(file.path).encode()
    except UnicodeEncodeError:
        return Fault(file.name, None, "has a path that is not UTF-8; rename it")
    try:
        return _read_bytes(file.path)
    except OSError as error:
        return Fault(file.name, None, f"can't be read: {_reason(error)}")
    except ValueError as error:
        return Fault(file.name, None, str(error))


def text_of(file: SpecFile, data: bytes) -> Source | Fault:
    """The text of a spec file that holds `data`, or why it is none."""
    if data.startswith(_UTF_16):
        return Fault(file.name, None, "is UTF-16; save it as UTF-8")
    data = data.removeprefix(BOM_UTF8)
    try:
        return Source(file.name, file.label, file.path, data.decode())
    except UnicodeDecodeError as error:
        return _not_utf8(file, data, error)


def _missing(path: Path) -> str | None:
    """Why there is nothing at a path that was given; what can't be looked at is not said to be gone."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None if path.is_symlink() else "no such file or folder"
    except OSError as error:
        return f"can't be read: {_reason(error)}"
    return None


def _add_file(path: Path, given: Path, found: Found) -> None:
    """A file that was given by name: its link is followed, and the defaults beside it count."""
    if path.suffix not in SUFFIXES:
        expected = "expected .yaml, .yml or .json"
        found.faults.append(Fault(str(given), None, f"is no spec file by its ending; {expected}"))
        return
    folder = SpecFile(path.parent, str(given.parent), path.parent.name)
    for suffix in sorted(SUFFIXES):
        beside = _below(folder, DEFAULTS_STEM + suffix)
        if os.path.lexists(beside.path):
            found.files.setdefault(beside.path, beside)
    found.files.setdefault(path, _below(folder, path.name))


def _below(folder: SpecFile, name: str) -> SpecFile:
    return SpecFile(folder.path / name, str(Path(folder.name, name)), f"{folder.label}/{name}")


def _search(folder: SpecFile, root: Path, found: Found, depth: int = 0) -> None:
    if depth > MAX_FOLDERS_DEEP:
        message = f"folders are nested more than {MAX_FOLDERS_DEEP} deep"
        found.faults.append(Fault(folder.name, None, message))
        return
    try:
        with os.scandir(folder.path) as entries:
            listed = sorted(entries, key=_defaults_then_files)
    except OSError as error:
        found.faults.append(Fault(folder.name, None, f"the folder can't be read: {_reason(error)}"))
        return
    for entry in listed:
        if entry.name.startswith("."):
            continue
        file = _below(folder, entry.name)
        problem = _problem(entry, file.path, root)
        if problem:
            found.faults.append(Fault(file.name, None, problem))
        elif entry.is_dir(follow_symlinks=False):
            _search(file, root, found, depth + 1)
        elif file.path.suffix in SUFFIXES and not _leads_to_folder(entry):
            found.files.setdefault(file.path, file)
        else:
            found.ignored.append(file.name)


def _defaults_then_files(entry: os.DirEntry[str]) -> tuple[bool, bool, str]:
    return entry.is_dir(follow_symlinks=False), not entry.name.startswith(f"{DEFAULTS_STEM}."), entry.name


def _problem(entry: os.DirEntry[str], path: Path, root: Path) -> str | None:
    """Why an entry of a folder can be neither read nor passed over."""
    suffix = path.suffix
    if suffix not in SUFFIXES:
        if suffix.lower() in SUFFIXES and not _leads_to_folder(entry):
            return f"expected the ending {suffix.lower()}; found {suffix}; rename the file"
        return None
    if entry.is_dir(follow_symlinks=False):
        return "is a folder with the name of a spec file; rename it"
    if entry.is_symlink():
        return _link_problem(path, root)
    return None


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    return os.path.isdir(entry.path)  # noqa: PTH112  entry.is_dir() raises for a link that can't be followed


def _link_problem(path: Path, root: Path) -> str | None:
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a loop, before Python 3.13
        return "is a link that leads nowhere"
    if not target.is_relative_to(root):
        return "is a link to outside of the applied folder; it was not read"
    return None


def _read_bytes(path: Path) -> bytes:
    """What is in a file; ValueError for what is no small regular file, or is written to meanwhile.

    A write is no single instant: its first part may be there alone for a while, or beside the end of what was there.
    """
    data, changed_at = _read_once(path)
    unsettled = SETTLED_S - abs(time.time() - changed_at)
    if unsettled > 0:
        time.sleep(unsettled)
        if _read_once(path) != (data, changed_at):
            raise _WrittenToError
    return data


class _WrittenToError(ValueError):
    def __init__(self) -> None:
        super().__init__("was written to while it was read; run the command again")


def _read_once(path: Path) -> tuple[bytes, float]:
    descriptor = os.open(path, _OPEN)  # not blocking: opening a FIFO would wait for its writer
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise ValueError("is no regular file")
        if before.st_size > MAX_BYTES:
            raise ValueError(f"is larger than 1 MiB ({before.st_size:,} bytes)")
        data = b"".join(_chunks(descriptor))
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if len(data) != after.st_size or (before.st_size, before.st_mtime_ns) != (
        after.st_size,
        after.st_mtime_ns,
    ):
        raise _WrittenToError
    return data, after.st_mtime


def _chunks(descriptor: int) -> Iterator[bytes]:
    left = MAX_BYTES + 1
    while left > 0 and (chunk := os.read(descriptor, left)):
        left -= len(chunk)
        yield chunk


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _not_utf8(file: SpecFile, data: bytes, error: UnicodeDecodeError) -> Fault:
    before = data[: error.start].decode()
    source = Source(file.name, file.label, file.path, data.decode(errors="replace"))
    place = Place(source, before.count("\n") + 1, len(before) - before.rfind("\n"), 1)
    return fault_at(place, f"expected UTF-8; found the byte 0x{data[error.start]:02X}")
