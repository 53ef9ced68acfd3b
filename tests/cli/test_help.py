"""Every command explains itself, in 80 columns, with examples that can be typed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from queuectl.cli.app import app
from queuectl.cli.lazy import Command, LazyGroup
from tests.cli.conftest import Cli

GOLDEN = Path(__file__).with_name("golden") / "help.txt"


def commands(
    group: LazyGroup = app, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, LazyGroup):
            yield from commands(command, (*path, name))


ALL = dict(commands())


def test_the_main_help(cli: Cli):
    shown = cli("--help")
    assert shown.code == 0
    assert shown.out == GOLDEN.read_text()
    assert cli().out == shown.out


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_reads_well(cli: Cli, path: tuple[str, ...]):
    shown = cli(*path, "--help")
    assert shown.code == 0
    assert "\nExamples:\n  " in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80
    assert cli(*path, "-h").out == shown.out


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_the_tables_of_contents_say_what_the_commands_say(path: tuple[str, ...]):
    group = ALL[path[:-1]] if len(path) > 1 else app
    assert isinstance(group, LazyGroup)
    first_sentence = (ALL[path].help or "").split("\n")[0]
    assert group.words[path[-1]] == first_sentence


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_examples_can_be_typed(path: tuple[str, ...]):
    command = ALL[path]
    assert isinstance(command, Command | LazyGroup)
    lines = [line.strip() for line in command.examples.strip().splitlines()]
    assert lines
    for line in lines:
        words = shlex.split(line)
        words = words[words.index("queuectl") + 1 :]
        end = next((index for index, word in enumerate(words) if word in {"|", ">", ">>", "&&"}), len(words))
        parse(words[:end])


def parse(words: list[str]) -> None:
    context, command = click.Context(app, info_name="queuectl", **app.context_settings), app
    while isinstance(command, LazyGroup):
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        command = found
        context = click.Context(command, parent=context, info_name=name, **command.context_settings)
    command.make_context(context.info_name, words, parent=context.parent)


def test_version(cli: Cli):
    assert cli("--version").out == "queuectl 0.1.0\n"
