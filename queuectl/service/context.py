"""What every use case works on: the open queue, the configuration in force, the time, and who asks."""

from __future__ import annotations

import os
import pwd
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec
from msgspec.structs import replace

from queuectl.model.config import Config
from queuectl.model.errors import StoreUnavailableError, UsageError
from queuectl.service.settings import effective
from queuectl.store.database import log_warning
from queuectl.store.store import Store

_URL = r"([A-Za-z][A-Za-z0-9+.-]*)://"


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The first argument of every use case."""

    store: Store
    config: Config
    """In force when the queue was opened."""
    path: Path
    """Of the database: absolute, symbolic links resolved."""
    exists: bool
    """False: nothing is there yet; `store` is an empty one that nothing outlives, good for reading only."""
    now: Callable[[], int]
    """Milliseconds since the epoch."""
    who: str
    """`user@host`, for what is recorded of applies and pauses."""
    environ: Mapping[str, str] = {}
    """Where `QUEUECTL_*` settings are read."""
    overrides: Mapping[str, str] = {}
    """Settings given as flags, as they were written."""

    @property
    def log_dir(self) -> Path:
        """The folder of outputs too long for the database: config `log-dir`, else `queue.logs` beside queue.db."""
        return Path(self.config.log_dir) if self.config.log_dir else _logs_beside(self.path)


@contextmanager
def opened(
    db: str | None = None,
    *,
    create: bool,
    looking: bool = False,
    overrides: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    rehearse: Callable[[Context], object] | None = None,
    warn: Callable[[str], object] = log_warning,
) -> Iterator[Context]:
    """Open the queue that `db`, or else the environment, names; close it at the end of the block.

    A missing queue is made with `create`, else `Context.exists` is False. Before it is made, `rehearse` is called with
    an empty one that nothing outlives: what it raises leaves nothing behind. With `looking` nothing is going to be
    written, so that a queue which can't be is opened all the same. `overrides` are settings by key. `warn` is
    called with what people should know of the queue, and with each row that is left out because it can't be read.
    Raises UsageError for a setting that can't be used, StoreUnavailableError and StoreInvalidError.
    """
    environ = os.environ if environ is None else environ
    path = queue_path(db, environ)
    in_force = partial(_context, path=path, environ=environ, overrides=overrides or {})
    found = _found(path, looking=looking)
    if found is None and create:
        effective({}, environ, overrides)
        if rehearse is not None:
            _rehearse(rehearse, in_force)
        found = Store.open(path, create=True)
    store = Store.empty() if found is None else found
    store.database.on_damage = warn
    for remark in store.database.remarks:
        warn(remark)
    try:
        ctx = in_force(store, exists=found is not None)
        if ctx.exists and ctx.config.durability != "full" and not looking:
            store.close()
            store = Store.open(path, create=True, durability=ctx.config.durability) or store
            store.database.on_damage = warn
            ctx = replace(ctx, store=store)
        yield ctx
    finally:
        store.close()


def queue_path(db: str | None, environ: Mapping[str, str]) -> Path:
    """Return the queue's file as `database_path` does, symbolic links resolved. UsageError where it isn't UTF-8."""
    path = os.path.realpath(database_path(db, environ))
    try:
        path.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"the path of the queue's file is not UTF-8: {os.fsencode(path)!r}; name it with --db or QUEUECTL_DB"
        ) from None
    return Path(path)


def database_path(db: str | None, environ: Mapping[str, str]) -> Path:
    """Return the queue's file: `db`, else QUEUECTL_DB, else QUEUECTL_DB_PATH, else the user's own queue.

    That one is `queuectl/queue.db` below $XDG_STATE_HOME, or below ~/.local/state. UsageError for a URL.
    """
    named = environ.get("QUEUECTL_DB") or environ.get("QUEUECTL_DB_PATH") if db is None else db
    if named is None or (named == "" and db is None):
        return _state_home(environ) / "queuectl" / "queue.db"
    if url := re.match(_URL, named):
        raise UsageError(f"{url[1]}:// queues are not in this version; name a file")
    if not named or "\0" in named:
        raise UsageError(f"expected the path of the queue's file, found {named!r}")
    try:
        return Path(named).expanduser().absolute()
    except (RuntimeError, OSError) as error:
        raise UsageError(f"{named}: {error}; name the queue's file with an absolute path") from None


def wall_clock() -> int:
    """Return the time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def whoami() -> str:
    """Return `user@host`; the user's number where it has no name."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = str(os.geteuid())
    return f"{user}@{os.uname().nodename}"


def _found(path: Path, *, looking: bool) -> Store | None:
    try:
        return Store.open(path, create=False)
    except StoreUnavailableError:
        if not looking or (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
            raise
        return Store.open_to_look(path)


def _context(
    store: Store, *, exists: bool, path: Path, environ: Mapping[str, str], overrides: Mapping[str, str]
) -> Context:
    return Context(
        store=store,
        config=effective(store.settings.all(), environ, overrides),
        path=path,
        exists=exists,
        now=wall_clock,
        who=whoami(),
        environ=environ,
        overrides=overrides,
    )


class _RehearsalOverError(Exception):
    """Undoes what was rehearsed."""


def _rehearse(act: Callable[[Context], object], in_force: Callable[..., Context]) -> None:
    store = Store.empty()
    try:
        with suppress(_RehearsalOverError), store.transaction():
            act(in_force(store, exists=False))
            raise _RehearsalOverError  # so that nothing is announced either
    finally:
        store.close()


def _state_home(environ: Mapping[str, str]) -> Path:
    configured = Path(environ.get("XDG_STATE_HOME", ""))
    if configured.is_absolute():
        return configured
    home = Path(environ.get("HOME") or os.path.expanduser("~"))  # noqa: PTH111  Path.expanduser raises instead
    if not home.is_absolute():
        raise UsageError(
            "there is no home folder to keep the queue in; name its file with --db or QUEUECTL_DB"
        )
    return home / ".local" / "state"


def _logs_beside(path: Path) -> Path:
    """`queue.db` and `queue.sqlite` in one folder must not share their outputs."""
    return path.with_suffix(".logs") if path.suffix == ".db" else path.with_name(path.name + ".logs")
