"""Paths in specs: relative to the file they are written in, wherever their value ends up."""

from __future__ import annotations

import os
from typing import Any

from queuectl.specs.check import Problem


def absolute(path: str, folder: str) -> str:
    """`path` as an absolute one: `~` is a home folder, anything relative is below `folder`.

    Symbolic links stay: a folder that is switched by a link is found through it. ValueError for a home nobody has.
    """
    expanded = os.path.expanduser(path)  # noqa: PTH111  Path.expanduser raises RuntimeError instead
    if expanded.startswith("~"):
        raise ValueError(f"there is no home folder for {expanded.split('/', 1)[0]}")
    return os.path.normpath(os.path.join(folder, expanded))  # noqa: PTH118  Path keeps '..'


def make_absolute(fields: dict[str, Any], folder: str) -> list[Problem]:
    """Make every path among the checked `fields` of a job absolute, in place."""
    found: list[Problem] = []
    env = fields.get("env", {})
    files = fields.get("env_file")
    _replace(fields, "cwd", ("cwd",), folder, found)
    if isinstance(files, list):
        for index in range(len(files)):
            _replace(files, index, ("env_file", index), folder, found)
    else:
        _replace(fields, "env_file", ("env_file",), folder, found)
    for name, value in env.items():
        if isinstance(value, dict):
            _replace(value, "from_file", ("env", name, "from_file"), folder, found)
    for event in ("on_success", "on_failure", "on_dead"):
        _in_hooks(fields.get(event), (event,), folder, found)
    return found


def _in_hooks(hooks: Any, path: tuple[str | int, ...], folder: str, found: list[Problem]) -> None:
    if isinstance(hooks, list):
        for index, hook in enumerate(hooks):
            _in_hooks(hook, (*path, index), folder, found)
    elif isinstance(hooks, dict):
        for name, value in hooks.items():
            if isinstance(value, dict):
                _replace(value, "from_file", (*path, name, "from_file"), folder, found)


def _replace(
    container: Any, key: str | int, path: tuple[str | int, ...], folder: str, found: list[Problem]
) -> None:
    if isinstance(container, dict) and key not in container:
        return
    try:
        container[key] = absolute(container[key], folder)
    except ValueError as error:
        found.append(Problem(path, f"{path[0]}: {error}"))
