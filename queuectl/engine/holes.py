"""Drops the middle of a file on the disk while others go on writing to its end."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct
import sys
from collections.abc import Callable

_KEEP_SIZE_AND_PUNCH_HOLE = 0x01 | 0x02
_F_PUNCHHOLE = 99
_UNSUPPORTED = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENOTTY, errno.EPERM})


def punch_hole(fd: int, start: int, end: int) -> bool:
    """Give the blocks of bytes start…end back to the disk; they read as zeros, the size stays.

    Both must be multiples of the block size. False: this file system can't do it. Raises OSError.
    """
    try:
        if sys.platform == "darwin":
            import fcntl  # noqa: PLC0415

            fcntl.fcntl(fd, _F_PUNCHHOLE, struct.pack("=IIqq", 0, 0, start, end - start))
        else:
            _punch_on_linux(fd, start, end - start)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return False
        raise
    return True


def _punch_on_linux(fd: int, start: int, size: int) -> None:
    if _fallocate()(fd, _KEEP_SIZE_AND_PUNCH_HOLE, start, size) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


@functools.cache
def _fallocate() -> Callable[[int, int, int, int], int]:
    libc = ctypes.CDLL(None, use_errno=True)
    function = getattr(libc, "fallocate64", None) or libc.fallocate
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong)
    function.restype = ctypes.c_int
    call: Callable[[int, int, int, int], int] = function
    return call
