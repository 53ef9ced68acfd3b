"""Run the benches: `python -m benchmarks [--smoke] [BENCH…]`."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from benchmarks.harness.machine import this_machine
from benchmarks.harness.results import write
from benchmarks.harness.setting import Setting, opened
from benchmarks.harness.table import table

BENCHES = (
    "drain", "enqueue", "latency", "idle", "startup", "scale", "listing", "apply", "fires", "dashboard",
)  # fmt: skip
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run them one after the other; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="benchmarks", description="Measure queuectl beside its limits and peers."
    )
    parser.add_argument("benches", metavar="BENCH", nargs="*", help=f"of {', '.join(BENCHES)}; default: all")
    parser.add_argument(
        "--smoke", action="store_true", help="tiny and fast, results are thrown away: does all work?"
    )
    parser.add_argument(
        "--all-peers", action="store_true", help="with --smoke: also those that need a server"
    )
    chosen = parser.parse_args()
    if unknown := set(chosen.benches) - set(BENCHES):
        parser.error(f"there is no bench {', '.join(sorted(unknown))}; expected some of {', '.join(BENCHES)}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    try:
        with opened(smoke=chosen.smoke, all_peers=chosen.all_peers or not chosen.smoke) as setting:
            for bench in chosen.benches or BENCHES:
                _run(bench, setting)
    except KeyboardInterrupt:
        return 130
    return 0


def _run(bench: str, setting: Setting) -> None:
    module = import_module(f"benchmarks.{bench}")
    machine = this_machine()
    before = time.monotonic()
    figures = module.run(setting)
    took = time.monotonic() - before
    if setting.smoke:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), bench, module.TITLE, figures, machine)
    else:
        write(RESULTS, bench, module.TITLE, figures, machine)
    meant = (
        "a smoke run: the figures mean nothing"
        if setting.smoke
        else f"{max(len(figure.values) for figure in figures)} rounds"
    )
    print(f"\n{module.TITLE}\n\n{table(figures)}\n  {machine}; {meant}; {took:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
