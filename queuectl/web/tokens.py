"""The tokens of a queue's dashboard: one that may do everything, one that only looks."""

from __future__ import annotations

import errno
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from queuectl.model.errors import StoreUnavailableError
from queuectl.store.newborn import write_new
from queuectl.store.private import token_file

Role = Literal["full", "read"]
Token = Annotated[str, msgspec.Meta(pattern=r"\A[!-~]{16,200}\Z")]
"""What fits into a header, and nobody guesses."""
_BYTES = 32
_LONGEST = 4096
"""Bytes of a file that may be one of tokens."""


class Tokens(msgspec.Struct, frozen=True):
    """Who holds one of these may come in."""

    full: Token
    read: Token

    def role_of(self, token: str) -> Role | None:
        """Return what a token allows. Takes as long for any that is wrong."""
        given = token.encode(errors="replace")
        is_full = hmac.compare_digest(given, self.full.encode())
        is_read = hmac.compare_digest(given, self.read.encode())
        return "full" if is_full else "read" if is_read else None


def tokens_of(database: Path) -> Tokens:
    """Return the tokens of a queue; made at the first call, in a file that only its owner may read.

    StoreUnavailableError where the file can't be read or made, others may read it, or it is no file of tokens.
    """
    path = token_file(database)
    try:
        if not path.exists():
            _make(path)
        return _read(path)
    except OSError as error:
        what = "a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise StoreUnavailableError(f"{path}: {what}; the dashboard keeps its tokens there") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise StoreUnavailableError(
            f"{path} holds no two tokens of 16 characters or more; delete it, and new ones are made"
        ) from None


def _make(path: Path) -> None:
    """Make the file where there is none; of two that start at once, one does."""
    made = Tokens(full=secrets.token_urlsafe(_BYTES), read=secrets.token_urlsafe(_BYTES))
    with suppress(FileExistsError):
        write_new(path, msgspec.json.encode(made) + b"\n")


def _read(path: Path) -> Tokens:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if found.st_mode & 0o077 or found.st_uid != os.geteuid():
            raise StoreUnavailableError(
                f"{path} can be read by others, or is another user's; chmod 600 it, or delete it for new tokens"
            )
        return msgspec.json.decode(file.read(_LONGEST), type=Tokens)
