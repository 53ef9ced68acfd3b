"""File systems that SQLite can't work on: several machines, or none, see its locks and its shared memory there."""

from __future__ import annotations

import os
import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
NETWORK = frozenset(
    {
        "9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "davfs", "glusterfs", "gpfs", "lustre",
        "nfs", "nfs4", "orangefs", "smb2", "smb3", "smbfs", "vboxsf", "webdav",
        "fuse.ceph", "fuse.davfs", "fuse.gcsfuse", "fuse.glusterfs", "fuse.rclone",
        "fuse.s3fs", "fuse.sshfs",
    }
)  # fmt: skip


def is_network(kind: str | None) -> bool:
    """Tell whether a type of file system lies on the network, or behaves as if it did."""
    return kind is not None and kind.lower() in NETWORK


def network_filesystem(folder: Path) -> str | None:
    """Return the type of the network file system that a folder, or the nearest one above it, is on; None: on none.

    Also None where the system doesn't say. A disk of this machine is told from its device's number alone.
    """
    device = next(above for above in (folder, *folder.parents) if above.exists()).stat().st_dev
    if os.major(device):
        return None
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    kind = type_of(mounts, device)
    return kind if is_network(kind) else None


def type_of(mounts: str, device: int) -> str | None:
    r"""Return the type of the file system with that device's number, as the kernel lists it; None: not listed.

    >>> type_of("36 35 0:41 / /srv rw,noatime shared:1 - nfs4 box:/srv rw\n", os.makedev(0, 41))
    'nfs4'
    """
    number = f"{os.major(device)}:{os.minor(device)}"
    found = re.search(rf"^\d+ \d+ {number} .*? - (\S+) ", mounts, re.MULTILINE)
    return found[1] if found else None
