from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from queuectl.engine import holes
from queuectl.engine.capture import MAX_LOOK_MS, MIN_LOOK_MS, Capture, Outputs
from queuectl.engine.launch import Started
from queuectl.engine.output import Gap, OutputReader, output_name, read_output, running_name
from queuectl.model.states import Outcome
from tests.engine.attempts import Attempts, now_ms, wait_until

KIB, MIB = 1024, 1024 * 1024


def on_disk(path: Path) -> int:
    return path.stat().st_blocks * 512


def joined(path: Path) -> list[bytes | Gap]:
    """The pieces of an output with neighbouring bytes put together."""
    found: list[bytes | Gap] = []
    for piece in read_output(path):
        if found and isinstance(piece, bytes) and isinstance(found[-1], bytes):
            found[-1] += piece
        else:
            found.append(piece)
    return found


def kept(attempts: Attempts) -> list[Path]:
    """What is in the log folder when no attempt runs."""
    attempts.processes.close()
    return list(attempts.logs.iterdir())


def written(attempts: Attempts, started: Started) -> Path:
    """The file that a running attempt writes to."""
    return attempts.logs / attempts.outputs[started.key]


# What is kept of an attempt


@pytest.mark.parametrize("size", [0, 1, 64 * KIB - 1, 64 * KIB])
def test_up_to_64_kib_there_is_no_file(attempts: Attempts, size: int) -> None:
    end = attempts.run(f"yes | head -c {size}")
    assert (end.output, end.output_bytes) == ((b"y\n" * size)[:size], size)
    assert (end.output_file, end.truncated, end.error) == (None, False, None)
    assert kept(attempts) == []


def test_from_64_kib_on_the_file_stays(attempts: Attempts) -> None:
    end = attempts.run(f"echo start; yes | head -c {64 * KIB}; echo end")
    assert end.output_bytes == 64 * KIB + 10
    assert len(end.output) == 64 * KIB
    assert end.output.endswith(b"end\n")
    assert (end.output_file, end.truncated) == ("1-1.log", False)
    (whole,) = joined(attempts.logs / "1-1.log")
    assert isinstance(whole, bytes)
    assert whole == b"start\n" + (b"y\n" * 32 * KIB) + b"end\n"


def test_bytes_are_kept_as_they_are(attempts: Attempts) -> None:
    end = attempts.run(r"printf 'caf\351 \000\033[2J \303'; head -c 1000000 /dev/urandom | tee random")
    assert end.outcome is Outcome.SUCCEEDED
    expected = b"caf\xe9 \0\x1b[2J \xc3" + (attempts.cwd / "random").read_bytes()
    assert b"".join(p for p in read_output(attempts.logs / "1-1.log") if isinstance(p, bytes)) == expected
    assert end.output == expected[-64 * KIB :]


def test_max_log_bounds_the_disk(attempts: Attempts) -> None:
    end = attempts.run("echo start; head -c 50M /dev/zero | tr '\\0' z; echo end", max_log_bytes=MIB)
    path = attempts.logs / "1-1.log"
    assert (end.output_bytes, end.truncated, end.output_file) == (50 * MIB + 10, True, path.name)
    assert on_disk(path) <= MIB + 8 * KIB
    head, gap, tail = joined(path)
    assert isinstance(head, bytes)
    assert isinstance(gap, Gap)
    assert isinstance(tail, bytes)
    assert head == b"start\n" + b"z" * (len(head) - 6)
    assert tail == b"z" * (len(tail) - 4) + b"end\n"
    assert len(head) + gap.size + len(tail) == end.output_bytes
    assert abs(len(head) - 512 * KIB) <= 4 * KIB
    assert abs(len(tail) - 512 * KIB) <= 4 * KIB


def test_max_log_bounds_the_disk_while_the_job_writes(attempts: Attempts) -> None:
    started = attempts.start("yes | head -c 100M; touch done; sleep 20", max_log_bytes=MIB)
    path = written(attempts, started)

    wait_until(lambda: bool(attempts.tick()) and (attempts.cwd / "done").exists())
    # The next look, by the deadlines alone, is soon and enough.
    due = attempts.processes.next_deadline()
    assert due is not None
    assert due - now_ms() <= MAX_LOOK_MS
    wait_until(lambda: bool(attempts.tick()) and on_disk(path) <= MIB + 8 * KIB, within=2)
    assert path.stat().st_size == 100 * MIB
    attempts.processes.stop(started.key, Outcome.CANCELLED, now_ms())
    assert attempts.end_of(started).truncated


@pytest.mark.parametrize("limit", [1 * KIB, 64 * KIB])
def test_a_small_max_log_keeps_the_tail_in_the_row(attempts: Attempts, limit: int) -> None:
    end = attempts.run("seq 30000", max_log_bytes=limit)
    text = "".join(f"{n}\n" for n in range(1, 30001)).encode()
    assert (end.output, end.output_bytes, end.truncated) == (text[-limit:], len(text), True)
    assert end.output_file is None
    assert kept(attempts) == []


def test_a_max_log_that_is_not_reached(attempts: Attempts) -> None:
    end = attempts.run("yes | head -c 100000", max_log_bytes=100_000)
    assert (end.truncated, end.output_file) == (False, "1-1.log")
    assert on_disk(attempts.logs / "1-1.log") >= 100_000


def test_a_job_may_empty_its_own_log(attempts: Attempts) -> None:
    end = attempts.run("echo one one one; echo two > /dev/stdout; echo three")
    assert end.outcome is Outcome.SUCCEEDED
    assert (end.output, end.output_bytes) == (b"two\nthree\n", 10)


# The files that attempts write to


def test_a_file_is_used_again_and_holds_nothing_of_the_last_attempt(attempts: Attempts) -> None:
    first = attempts.start("echo of the first; exec sleep 20")
    path = written(attempts, first)
    wait_until(lambda: path.stat().st_size > 0)
    inode = path.stat().st_ino
    attempts.processes.stop(first.key, Outcome.CANCELLED, now_ms())
    assert attempts.end_of(first).output == b"of the first\n"
    assert path.stat().st_size == 0
    assert attempts.run("echo between").output == b"between\n"
    second = attempts.start("echo of the second; exec sleep 20")
    assert written(attempts, second) == path
    wait_until(lambda: path.read_bytes() == b"of the second\n")
    assert sys.platform != "linux" or path.stat().st_ino == inode


def test_until_its_end_is_stored_the_output_stays(attempts: Attempts) -> None:
    """A worker that dies in between must lose nothing."""
    started = attempts.start("echo precious")
    path = written(attempts, started)
    wait_until(lambda: bool(attempts.processes.tick(now_ms())))
    assert path.read_bytes() == b"precious\n"
    attempts.processes.settle(started.key)
    assert path.read_bytes() == b""


def test_who_was_given_the_output_writes_into_nobody_elses(attempts: Attempts) -> None:
    """The stranger stands for a process that a job handed its stdout to."""
    started = attempts.start("echo mine; exec sleep 20")
    path = written(attempts, started)
    wait_until(lambda: path.stat().st_size > 0)
    with path.open("ab", buffering=0) as stranger:
        attempts.processes.stop(started.key, Outcome.CANCELLED, now_ms())
        assert attempts.end_of(started).output == b"mine\n"
        again = attempts.start("echo of the next; exec sleep 20")
        stranger.write(b"of a stranger")
        attempts.processes.stop(again.key, Outcome.CANCELLED, now_ms())
        assert b"stranger" not in attempts.end_of(again).output
    assert attempts.run("echo fine").output == b"fine\n"


@pytest.mark.parametrize("size", [10, 200_000])
def test_a_job_may_move_its_own_log_away(attempts: Attempts, size: int) -> None:
    move = f"file=$(readlink /proc/$$/fd/1); mv $file {attempts.cwd}/moved; ln -s /etc/passwd $file"
    end = attempts.run(f"{move}; yes | head -c {size}")
    assert (end.output_bytes, len(end.output), end.output_file) == (size, min(size, 64 * KIB), None)
    assert attempts.run("echo next").output == b"next\n"
    assert (attempts.cwd / "moved").stat().st_size == size, "it is the job's own now"


def test_files_that_may_not_be_used_again_are_made_anew_and_none_is_left(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path)
    log = outputs.open("w-1.log", MIB, 0)
    with (tmp_path / "w-1.log").open("ab", buffering=0) as stranger:
        outputs.let_go(log)
        again = outputs.open("w-1.log", MIB, 0)
        stranger.write(b"stray")
    assert again.finish("2-1.log").output == b""
    outputs.let_go(again)
    (tmp_path / "w-1.log").rename(tmp_path / "moved")
    third = outputs.open("w-1.log", MIB, 0)
    assert not os.path.samestat(os.fstat(third.fd), (tmp_path / "moved").stat())
    outputs.let_go(third)
    outputs.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["moved"]


# Where it can't be kept


def test_without_a_log_folder_the_job_runs_all_the_same(attempts: Attempts) -> None:
    attempts.logs.rmdir() if attempts.logs.exists() else None
    attempts.logs.write_text("in the way")
    end = attempts.run("echo lost; touch done; exit 3")
    assert (end.outcome, end.exit_code) == (Outcome.FAILED, 3)
    assert (end.output, end.error) == (b"", "output not kept: Not a directory")
    assert (attempts.cwd / "done").exists()


def test_a_full_disk_is_told(attempts: Attempts, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.open

    def full(path: Path | str, flags: int, mode: int = 0o777) -> int:
        if str(path).endswith(".log"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return really(path, flags, mode)

    monkeypatch.setattr(os, "open", full)
    assert attempts.run("true").error == "output not kept: No space left on device"


def test_a_log_folder_removed_while_the_job_runs(attempts: Attempts) -> None:
    started = attempts.start("echo one; while [ ! -e go ]; do sleep 0.02; done; seq 30000; echo two")
    path = written(attempts, started)
    wait_until(lambda: path.stat().st_size > 0)
    path.unlink()
    attempts.logs.rmdir()
    (attempts.cwd / "go").touch()
    end = attempts.end_of(started)
    assert end.output.endswith(b"30000\ntwo\n")
    assert (end.output_file, end.truncated) == (None, True)
    assert end.error == "the output's file was removed or moved while the job ran: only the end was kept"
    assert attempts.run("echo next").output == b"next\n"


def test_a_stale_file_of_the_same_name_is_replaced(attempts: Attempts) -> None:
    attempts.logs.mkdir()
    (attempts.cwd / "precious").write_text("precious")
    (attempts.logs / running_name(attempts.worker, 0)).symlink_to(attempts.cwd / "precious")
    assert attempts.run("echo new").output == b"new\n"
    assert (attempts.cwd / "precious").read_text() == "precious"


def test_a_file_system_without_holes_keeps_the_whole(
    attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*args: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(holes, "_punch_on_linux", unsupported)
    end = attempts.run("seq 50000", max_log_bytes=100 * KIB)
    assert end.error == "output exceeds max_log: this file system can't drop the middle of a file"
    assert (end.truncated, end.output_bytes) == (False, 288_894)
    assert [len(piece) for piece in joined(attempts.logs / "1-1.log") if isinstance(piece, bytes)] == [
        288_894
    ]


# When a file is looked at


@pytest.fixture
def log(tmp_path: Path) -> Capture:
    return Outputs(tmp_path).open("w-1.log", 100 * MIB, 0)


def looks(log: Capture, writes: list[int]) -> list[int]:
    """Write so many bytes before each look; give back how long each look waits for the next."""
    found = []
    for size in writes:
        at = log.next_look
        os.ftruncate(log.fd, os.fstat(log.fd).st_size + size)
        log.look(at - 1)
        assert log.next_look == at, "not due yet"
        log.look(at)
        found.append(log.next_look - at)
    log.finish("1-1.log")
    return found


def test_a_quiet_job_is_looked_at_less_and_less(log: Capture) -> None:
    assert looks(log, [0] * 6) == [100, 200, 400, MAX_LOOK_MS, MAX_LOOK_MS, MAX_LOOK_MS]


def test_a_slow_writer_is_looked_at_rarely(log: Capture) -> None:
    assert looks(log, [10 * KIB] * 3) == [MAX_LOOK_MS] * 3


def test_a_fast_writer_is_looked_at_before_it_reaches_the_limit(log: Capture) -> None:
    # 20 MiB in 50 ms: the other 80 MiB take 200 ms. Then 80 in 200, and there is room for an eighth, 12.5 MiB.
    assert looks(log, [20 * MIB, 80 * MIB]) == [200, 31]


def test_the_fastest_writer_is_looked_at_every_20_ms(log: Capture) -> None:
    assert looks(log, [10_000 * MIB] * 2) == [MIN_LOOK_MS] * 2


# Reading


def test_reading_follows_a_file_and_outlives_it(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one")
    with OutputReader(path) as reader, path.open("ab", buffering=0) as file:
        assert list(reader.read()) == [b"one"]
        assert list(reader.read()) == []
        file.write(b"two")
        path.unlink()
        file.write(b"three")
        assert list(reader.read()) == [b"twothree"]
        file.truncate(0)
        file.write(b"4")
        assert list(reader.read()) == [b"4"], "what replaced it is read from its start"


def test_a_reader_that_stops_midway_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a" * 65536 + b"b")
    with OutputReader(path) as reader:
        assert next(reader.read()) == b"a" * 65536
        assert list(reader.read()) == [b"b"]


def test_pieces_are_small_and_gaps_exact(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * MIB)
    with path.open("r+b") as file:
        assert holes.punch_hole(file.fileno(), 256 * KIB, 512 * KIB)
        assert holes.punch_hole(file.fileno(), MIB - 4 * KIB, MIB)
    assert all(isinstance(piece, Gap) or len(piece) <= 64 * KIB for piece in read_output(path))
    assert joined(path) == [b"x" * 256 * KIB, Gap(256 * KIB), b"x" * (508 * KIB), Gap(4 * KIB)]


def test_no_zeros_are_read_where_a_hole_is_made_meanwhile(tmp_path: Path) -> None:
    """A reader in step with a writer whose middle is dropped sees its bytes or a gap, never zeros."""
    folder = tmp_path
    log = Outputs(folder).open("w-1.log", MIB, 0)
    with subprocess.Popen(["sh", "-c", "yes | head -c 200M"], stdout=log.fd) as writer:
        with OutputReader(folder / "w-1.log") as reader:
            total, at, until = 0, 0, time.monotonic() + 20
            while total < 200 * MIB:
                assert time.monotonic() < until
                for piece in reader.read():
                    at += 1000
                    log.look(at)
                    if isinstance(piece, bytes):
                        assert b"\0" not in piece
                    total += piece.size if isinstance(piece, Gap) else len(piece)
        assert writer.wait() == 0
    assert total == 200 * MIB
    assert log.finish("1-1.log").truncated


def test_a_missing_output(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_output(tmp_path / output_name(1, 1)))
