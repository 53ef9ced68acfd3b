"""Feed hostile spec files to the loader and to apply: `python -m tests.faults.fuzz --minutes 5` (`make fuzz`).

Whatever a file holds: it is refused with a place, or what it says survives apply, show and apply; soon, and in little
memory. What breaks that is shrunk by hypothesis and written to `.hypothesis/hostile/`, to be kept in `tests/specs/bad/`
or, where it is to be accepted, in `tests/specs/odd/`: files that are kept are tried first.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import FlakyFailure

from queuectl.cli.main import run
from tests.faults.hostile import ROOT, File, files, seeds

CPU_S = 5.0
STUCK_S = 60
RSS_MIB = 400
"""The interpreter with hypothesis in it takes a quarter of that."""
KEPT = ROOT / ".hypothesis" / "hostile"
INVALID = 3
PER_QUEUE = 100

_HEAD = re.compile(r"hostile/[^:\n]+(?::(\d+):(\d+))?: \S.*")
_QUOTE = re.compile(r" {0,5}\d* \| .*")
_LAST = re.compile(r"[\d,]+ errors? in 1 file; nothing was changed")


class WrongError(AssertionError):
    """The loader did something that it must not do."""


class Trial:
    """A queue that one file after the other is applied to."""

    def __init__(self, folder: Path) -> None:
        self.ends: Counter[str] = Counter()
        self._folder = folder
        self._specs = folder / "hostile"
        self._specs.mkdir()
        self._tried = 0

    def put(self, file: File) -> None:
        """Try a file. Raises WrongError, or whatever the program raised."""
        if self._tried % PER_QUEUE == 0:
            for path in self._folder.glob("q.db*"):
                path.unlink()
        self._tried += 1
        signal.signal(signal.SIGALRM, _stuck)
        signal.alarm(STUCK_S)
        try:
            self._try(file)
        finally:
            signal.alarm(0)

    def _try(self, file: File) -> None:
        for path in self._specs.iterdir():
            path.unlink()
        path = self._specs / f"hostile{file.suffix}"
        path.write_bytes(file.data)
        os.utime(path, (0, 0))  # one that was just written is read twice
        code, out, err = self._run(
            "apply", "hostile", "--source", "fuzz", "--prune", "--allow-empty", "--yes", "-o", "json"
        )
        if code == INVALID:
            self.ends["refused"] += 1
            _check_refusal(err, file)
        elif code == 0:
            self.ends["accepted"] += 1
            self._check_survival(out)
        else:
            raise WrongError(f"exit {code}: {err}")

    def _check_survival(self, out: str) -> None:
        applied = json.loads(out)
        names = [one["name"] for one in (*applied["created"], *applied["updated"])]
        before = {name: self._show(name) for name in names}
        _, again, _ = self._run("apply", "hostile", "--source", "fuzz", "--prune", "--yes", "-o", "json")
        plan = json.loads(again)
        if plan["created"] or plan["updated"] or plan["pruned"]:
            raise WrongError(f"applied again, it changes: {plan}")
        for name, shown in before.items():
            if self._show(name) != shown:
                raise WrongError(f"{name} is shown in another way: {shown}")
        code, _, err = self._run("next", "--count", "3")
        if code:
            raise WrongError(f"next: exit {code}: {err}")

    def _show(self, name: str) -> str:
        for output in ("table", "json"):
            code, out, err = self._run("spec", "show", name, "-o", output)
            if code:
                raise WrongError(f"spec show {name}: exit {code}: {err}")
        shown = json.loads(out)
        if shown["name"] != name:
            raise WrongError(f"{name} is called {shown['name']}")
        return out

    def _run(self, *arguments: str) -> tuple[int, str, str]:
        started = time.process_time()
        with (
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.redirect_stderr(io.StringIO()) as err,
        ):
            code = run(arguments)
        took = time.process_time() - started
        if took > CPU_S:
            raise WrongError(f"{arguments[0]} took {took:.1f} s")
        if (rss := _rss_mib()) > RSS_MIB:
            raise WrongError(f"after {arguments[0]} the process had taken {rss:.0f} MiB")
        return code, out.getvalue(), err.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """Try files for so many minutes, or so many files; exit 1 where one of them does harm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=0, help="how long; at least one round")
    parser.add_argument("--examples", type=int, default=1000, help="files in a round")
    parser.add_argument("--seed", type=int, default=None, help="for the same files each time")
    options = parser.parse_args(arguments)
    until = time.monotonic() + options.minutes * 60
    first = options.seed if options.seed is not None else random.randrange(1 << 32)  # noqa: S311  no secret
    rounds = 0
    with _prepared() as folder:
        trial = Trial(folder)
        for file in seeds():
            trial.put(file)
        while rounds == 0 or time.monotonic() < until:
            if not _round(trial, options.examples, first + rounds):
                return 1
            rounds += 1
    ends = ", ".join(f"{count:,} {end}" for end, count in sorted(trial.ends.items()))
    print(f"{trial.ends.total():,} files ({ends}) from seed {first} on; no harm done")
    return 0


def _round(trial: Trial, examples: int, number: int) -> bool:
    last: list[File] = []

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(files())
    def each(file: File) -> None:
        last[:] = [file]
        (KEPT / f"last{file.suffix}").write_bytes(file.data)
        trial.put(file)

    try:
        each()
    except (Exception, FlakyFailure) as error:  # noqa: BLE001  whatever it is, it is what is looked for
        kept = KEPT / f"{sha256(last[0].data).hexdigest()[:12]}{last[0].suffix}"
        kept.write_bytes(last[0].data)
        print(f"seed {number}: {kept}: {type(error).__name__}: {error}", file=sys.stderr)
        return False
    return True


@contextlib.contextmanager
def _prepared() -> Iterator[Path]:
    """A folder of its own to stand in, errors not caught, and a call for help where something hangs."""
    KEPT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="queuectl-fuzz-"))
    for name in [name for name in os.environ if name.startswith("QUEUECTL_")]:
        del os.environ[name]
    os.environ |= {
        "QUEUECTL_DB": str(folder / "q.db"),
        "QUEUECTL_DEBUG": "1",
        "QUEUECTL_DURABILITY": "normal",
        "HOME": str(folder),
    }
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir("/")
        shutil.rmtree(folder)


def _check_refusal(message: str, file: File) -> None:
    *lines, last = message.removesuffix("\n").split("\n")
    if not _LAST.fullmatch(last):
        raise WrongError(f"the last line: {last!r}")
    text = file.data.decode("utf-8-sig", "replace").split("\n")
    heads = 0
    for line in lines:
        if _QUOTE.fullmatch(line):
            continue
        head = _HEAD.fullmatch(line)
        if head is None or len(line) > 2000:
            raise WrongError(f"a line that names no place: {line[:300]!r}")
        heads += 1
        if head[1] is None:
            continue
        row, column = int(head[1]), int(head[2])
        if not 1 <= row <= len(text) + 1 or not 1 <= column <= len((*text, "")[row - 1]) + 1:
            raise WrongError(f"a place outside of the file: {line!r}")
    if not heads:
        raise WrongError("refused without a reason")


def _rss_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1 << (20 if sys.platform == "darwin" else 10)
    )


def _stuck(_number: int, _frame: object) -> None:
    raise WrongError(f"no end after {STUCK_S} s")


if __name__ == "__main__":
    sys.exit(main())
