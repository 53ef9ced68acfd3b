"""The queue's files: whether they are its owner's alone, and ours to write, and how large the log is."""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from queuectl.rules.units import format_size
from queuectl.service.context import Context
from queuectl.service.doctor.finding import Finding, ok, problem, some, warning
from queuectl.store.private import token_file
from queuectl.store.wake import wake_folder

LARGE_WAL = 64 << 20


Seen = dict[Path, os.stat_result]


def seen(queue: Path) -> Seen:
    """Return the files that make up a queue, to be judged as they are before anybody opens it."""
    there = [
        queue,
        _beside(queue, "-wal"),
        _beside(queue, "-shm"),
        Path(wake_folder(str(queue))),
        token_file(queue),
    ]
    return {path: status for path in there if (status := _status(path))}


def in_use_since(there: Seen, queue: Path) -> bool:
    """Tell whether somebody has opened a queue that nobody had open when it was seen."""
    log = _beside(queue, "-wal")
    now = _status(queue)
    changed = now is not None and queue in there and now.st_mtime_ns != there[queue].st_mtime_ns
    return log not in there and (changed or log.exists())


def check(ctx: Context, *, there: Seen) -> Iterator[Finding]:
    """Look at modes, owners, other names, and the size of the log."""
    if logs := _status(ctx.log_dir):
        there = {**there, ctx.log_dir: logs}
    found = [*_owners(ctx.path, there), *_folder(ctx.path.parent)]
    if ctx.exists:  # else it may be no queue at all
        found += [*_modes(there), *_links(ctx.path, there[ctx.path].st_nlink)]
    yield from found or [ok("files", _summary(there))]
    if ctx.exists:
        yield _wal(there.get(_beside(ctx.path, "-wal")))


def _owners(queue: Path, there: Seen) -> Iterator[Finding]:
    """Find what belongs to another user than the queue, or than us: SQLite needs to write them all."""
    if queue not in there:
        return
    owner, me = there[queue].st_uid, os.geteuid()
    for path, status in there.items():
        if status.st_uid != owner:
            text = f"{path} belongs to {_user(status.st_uid)}, the queue to {_user(owner)}"
            advice = f"chown {_user(owner)} {shlex.quote(str(path))}; and run queuectl as one user, never with sudo"
            yield problem("files", text, advice, exit_code=None if os.access(path, os.W_OK) else 4)
    if me not in {0, owner} and not os.access(queue, os.R_OK | os.W_OK):
        whose = f"its owner is {_user(owner)}, its mode {_mode(there[queue])}"
        text = f"we are {_user(me)} and can't write {queue}: {whose}"
        advice = f"run queuectl as {_user(owner)}, or name a queue of your own with --db PATH"
        yield problem("files", text, advice, exit_code=4)
    elif me == owner and not os.access(queue, os.R_OK | os.W_OK):
        text = f"{queue} can't be written: its mode is {_mode(there[queue])}"
        yield problem("files", text, f"chmod 600 {shlex.quote(str(queue))}", exit_code=4)
    if not os.access(queue.parent, os.W_OK | os.X_OK):
        text = f"the folder {queue.parent} can't be written, and SQLite makes files beside the queue"
        advice = f"chmod u+wx {shlex.quote(str(queue.parent))}, or let its owner run queuectl"
        yield problem("files", text, advice, exit_code=4)


def _modes(there: Seen) -> Iterator[Finding]:
    open_ones = [path for path, status in there.items() if status.st_mode & 0o077]
    if open_ones:
        modes = " and ".join(sorted({_mode(there[path]) for path in open_ones}))
        text = f"others may read or write {some([path.name for path in open_ones])}: mode {modes}"
        yield warning("files", text, f"chmod go-rwx {' '.join(shlex.quote(str(path)) for path in open_ones)}")


def _folder(folder: Path) -> Iterator[Finding]:
    if not folder.is_dir():
        return
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        text = f"everybody may replace the files in {folder}: its mode is {mode & 0o7777:04o}"
        yield warning("files", text, f"chmod o-w {shlex.quote(str(folder))}")


def _links(queue: Path, names: int) -> Iterator[Finding]:
    if names > 1:
        text = f"{queue} has {names} names (hard links); used under two of them it is damaged"
        advice = f"find the others with: find / -xdev -samefile {shlex.quote(str(queue))}; remove all but one"
        yield warning("files", text, advice)


def _wal(status: os.stat_result | None) -> Finding:
    size = status.st_size if status else 0
    if size > LARGE_WAL:
        text = f"the write-ahead log has grown to {format_size(size)}"
        return warning(
            "wal", text, "end what has been reading the queue for long (fuser shows it); it shrinks then"
        )
    return ok("wal", f"the write-ahead log has {format_size(size)}")


def _summary(there: Seen) -> str:
    owners = " and ".join(sorted({_user(status.st_uid) for status in there.values()}))
    return f"all of them are {owners}'s alone" if there else "there are none yet"


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _beside(queue: Path, ending: str) -> Path:
    return queue.with_name(queue.name + ending)


def _mode(status: os.stat_result) -> str:
    return f"{status.st_mode & 0o777:04o}"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
