"""The entry point: the only place that prints errors and ends the process."""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from queuectl.cli.streams import abandon, finish, prepare
from queuectl.model.errors import InvalidSpecError, QueuectlError, UsageError

if TYPE_CHECKING:
    import click

PROGRAM = "queuectl"
COMPLETION = "_QUEUECTL_COMPLETE"
BROKEN_PIPE = 141
"""What a shell shows for a program that SIGPIPE ended: the reader had enough."""
INTERRUPTED = 130
TERMINATED = 143
LONGEST_LINE = 800
"""Characters of an error."""
OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""A command has far fewer, so that no time goes into looking for garbage; a worker still does so at times."""


def main() -> NoReturn:
    """Run the command line of this process and exit."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    _speak_utf8()
    prepare()
    signal.signal(signal.SIGTERM, _end)
    code = run(sys.argv[1:])
    with suppress(OSError):
        finish()
    os._exit(code)  # all is closed by now; taking the interpreter apart would take 4 ms


def run(arguments: Sequence[str]) -> int:
    """Run one command line; return its exit code. Errors are one line on stderr."""
    try:
        import click  # noqa: PLC0415  40 ms in which Ctrl-C would show a traceback

        code = _dispatch([_decoded(argument) for argument in arguments])
        finish()
    except BrokenPipeError:
        abandon()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except SystemExit:  # SIGTERM, maybe before click is there for what comes next
        raise
    except click.ClickException as error:
        _say(_usage_line(error))
        return error.exit_code
    except click.Abort:
        _say("stopped, nothing was changed")
        return INTERRUPTED
    except InvalidSpecError as error:
        _say(str(error), start="")  # file:line:column at the start is what editors jump to
        return error.exit_code
    except QueuectlError as error:
        _say(str(error))
        return error.exit_code
    except OSError as error:
        if os.environ.get("QUEUECTL_DEBUG"):
            raise
        abandon()
        where = error.filename or ("output" if error.errno == errno.ENOSPC else None)
        _say(f"{where}: {error.strerror or error}" if where else f"{error.strerror or error}")
        return 1
    except Exception as error:
        if os.environ.get("QUEUECTL_DEBUG"):
            raise
        _say(f"unexpected {type(error).__name__}: {error} (QUEUECTL_DEBUG=1 shows where; please report it)")
        return 1
    return code


def _end(_number: int, _frame: object) -> NoReturn:
    """End as SIGTERM would, but leave no half-made file behind."""
    sys.exit(TERMINATED)


def _speak_utf8() -> None:
    """Start again where the locale is plain C and Python was told to obey it: names of files couldn't be said."""
    if sys.getfilesystemencoding() != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606  ourselves


def _dispatch(arguments: list[str]) -> int:
    import click  # noqa: PLC0415  as above

    from queuectl.cli.app import app  # noqa: PLC0415  errors while it is imported are shown too

    if COMPLETION in os.environ:
        from click.shell_completion import shell_complete  # noqa: PLC0415  only for the shell

        return shell_complete(app, {}, PROGRAM, COMPLETION, os.environ[COMPLETION])
    try:
        colour = False if os.environ.get("NO_COLOR") else None
        with app.make_context(PROGRAM, arguments, color=colour) as context:
            return int(app.invoke(context) or 0)
    except click.exceptions.Exit as stop:
        return stop.exit_code


def _decoded(argument: str) -> str:
    """Read the argument as UTF-8, whatever the locale says."""
    try:
        return os.fsencode(argument).decode()
    except UnicodeDecodeError:
        raise UsageError(f"argument {os.fsencode(argument)!r} is not UTF-8") from None


def _usage_line(error: click.ClickException) -> str:
    import click  # noqa: PLC0415  as above

    message = " ".join(error.format_message().split())
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        message = f"no such option {error.option_name}, did you mean {sorted(error.possibilities)[0]}?"
    message = message[:1].lower() + message[1:] if message[1:2].islower() else message
    context = getattr(error, "ctx", None)
    return f"{message.rstrip('.')} (see '{context.command_path} --help')" if context else message


def _shortened(line: str) -> str:
    """Cut what nobody would read from a line, such as an argument of a thousand characters."""
    return (
        line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE // 2]} … {line[-LONGEST_LINE // 4 :]}"
    )


def _say(message: str, start: str = f"{PROGRAM}: ") -> None:
    from queuectl.cli.visible import visible  # noqa: PLC0415  only needed after a mistake

    lines = [_shortened(line) if start else line for line in visible(message, lines=True).split("\n")]
    try:
        print(start + "\n".join(lines), file=sys.stderr, flush=True)
    except OSError:
        abandon()
