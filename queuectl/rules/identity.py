"""When a spec does something else than before, as opposed to being described or judged differently."""

from __future__ import annotations

import msgspec

from queuectl.model.spec import JobSpec


def digest(spec: JobSpec) -> str:
    """Return a digest of what a spec without a schedule does: it runs once for each."""
    from hashlib import sha256  # noqa: PLC0415  loads OpenSSL

    parts = (spec.command, spec.shell, spec.cwd, spec.env, spec.env_file, spec.run_at_ms)
    return sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()
