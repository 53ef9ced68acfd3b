"""The settings: whether they can be used."""

from __future__ import annotations

from collections.abc import Mapping

from queuectl.model.config import KEYS, Config
from queuectl.model.errors import QueuectlError, UsageError
from queuectl.rules.nearest import nearest
from queuectl.service.context import Context
from queuectl.service.doctor.finding import Finding, counted, ok, problem, warning
from queuectl.service.settings import effective

_OTHERS = frozenset(
    {
        "DB",
        "DB_PATH",
        "DEBUG",
        "TIMEOUT",
        "JOB_ID",
        "ATTEMPT",
        "SPEC",
        "FIRE_AT",
        "WORKER",
    }  # a job has the last five
)


def usable(ctx: Context) -> tuple[Config, list[Finding]]:
    """Return the configuration without what can't be used of it, and what is to be said of it."""
    try:
        stored = ctx.store.settings.all()
    except QueuectlError:
        stored = {}  # other checks say why
    environ = {name: text for name, text in ctx.environ.items() if name.startswith("QUEUECTL_")}
    good, found = _good_ones(stored, environ)
    found += [finding for name in environ if (finding := _unknown(name))]
    try:
        config = effective(*good)
    except UsageError as error:  # each can be used, but not beside the others
        config = Config()
        found.append(
            problem("config", str(error), "change one of them with queuectl config set", exit_code=2)
        )
    count = len(good[0]) + sum(_key(name) in KEYS for name in good[1])
    loose = (
        "; durability is normal: a power cut may lose the latest changes"
        if config.durability != "full"
        else ""
    )
    return config, found or [ok("config", f"{counted(count, 'setting')} beside the defaults{loose}")]


def _good_ones(
    stored: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[tuple[dict[str, str], dict[str, str]], list[Finding]]:
    found: list[Finding] = []
    good: tuple[dict[str, str], dict[str, str]] = {}, {}
    for place, values in enumerate((stored, environ)):
        for name, text in values.items():
            one: list[dict[str, str]] = [{}, {}]
            one[place] = {name: text}
            try:
                effective(one[0], one[1])
            except UsageError as error:
                if "half the lease" not in str(error):  # the heartbeat is judged beside the lease that is set
                    way_out = f"unset {name}" if place else f"queuectl config unset {name.replace('_', '-')}"
                    found.append(problem("config", str(error), way_out, exit_code=2))
                    continue
            good[place][name] = text
    return good, found


def _unknown(variable: str) -> Finding | None:
    if _key(variable) in KEYS or variable.removeprefix("QUEUECTL_") in _OTHERS:
        return None
    text = f"{variable} is in the environment and means nothing"
    if near := nearest(_key(variable), KEYS):
        return warning("config", text, f"did you mean QUEUECTL_{near.upper()}? Rename it, or unset it")
    return warning("config", text, "unset it; 'queuectl config list' shows all keys")


def _key(variable: str) -> str:
    return variable.removeprefix("QUEUECTL_").lower()
