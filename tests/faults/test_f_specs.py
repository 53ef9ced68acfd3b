"""F: spec files and YAML. Hostile ones are refused with their place, soon and in little memory; nothing changes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path

import pytest

from queuectl.service.context import opened
from queuectl.service.watch import Watch
from tests.command import Queuectl
from tests.faults.machine import need
from tests.faults.measured import measured
from tests.faults.ordinary import hand_over, ordinary_users_queue

CPU_S = 5.0
RSS_MIB = 300.0
MIB = 1 << 20
ROOT = Path(__file__).parents[2]
INVALID = 3

Content = str | bytes


@pytest.fixture
def held(queuectl: Queuectl) -> Queuectl:
    """A queue that holds one spec already."""
    queuectl.spec("held", "command: 'true'\nschedule: '@yearly'\n")
    queuectl("apply", "jobs.d")
    return queuectl


def write(queuectl: Queuectl, files: Mapping[str, Content]) -> None:
    for name, content in files.items():
        path = queuectl.folder / "jobs.d" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def refused(queuectl: Queuectl, *arguments: str) -> str:
    """Apply, which must be refused soon, in little memory, and change nothing; return what it said."""
    before = fingerprint(queuectl)
    done = measured(queuectl, *(arguments or ("apply", "jobs.d", "--prune", "--yes")))
    assert (done.code, done.out) == (INVALID, ""), done
    assert done.cpu_s < CPU_S
    assert done.rss_mib < RSS_MIB
    assert fingerprint(queuectl) == before
    assert "Traceback" not in done.err
    assert "unexpected" not in done.err
    assert done.err.endswith("; nothing was changed\n")
    return done.err


def fingerprint(queuectl: Queuectl) -> str:
    """Of the database's bytes: nobody has it open."""
    return sha256(queuectl.db.read_bytes()).hexdigest()


def refused_files(queuectl: Queuectl, files: Mapping[str, Content]) -> list[str]:
    """Apply files beside the one that is there; return the lines that name a place."""
    write(queuectl, files)
    return heads(refused(queuectl))


def heads(message: str) -> list[str]:
    return [line for line in message.splitlines()[:-1] if not line.startswith(" ")]


def name_each(found: list[str], expected: Mapping[str, str]) -> None:
    """Each of the files is named once, with what is expected of it."""
    assert len(found) == len(expected), found
    for file, start in expected.items():
        assert any(line.startswith(f"jobs.d/{file}:{start}") for line in found), (file, found)


def test_hostile_files_are_refused_or_do_what_they_say() -> None:
    """In a process of its own, which they may bring down. `make fuzz` goes on for longer, with other files."""
    fuzz = (sys.executable, "-m", "tests.faults.fuzz", "--seed", "1", "--examples", "200")
    done = subprocess.run(fuzz, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_f01_a_duplicate_key_is_an_error(held: Queuectl) -> None:
    files = {
        "top.yaml": "command: a\nretries: 1\nretries: 2\n",
        "deep.yaml": "jobs:\n  a: {command: x}\n  b: {command: x, env: {A: 1, A: 2}}\n",
        "json.json": '{"command": "a",\n "command": "b"}\n',
    }
    expected = {
        "top.yaml": "3:1: duplicate key 'retries'; it stands in line 2 already",
        "deep.yaml": "3:31: duplicate key 'A'",
        "json.json": "2:2: duplicate key 'command'",
    }
    name_each(refused_files(held, files), expected)


def test_f02_an_alias_bomb_is_refused(held: Queuectl) -> None:
    levels = [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    bomb = "\n".join(["x-0: &a0 lol", *levels, "command: x", ""])
    name_each(
        refused_files(held, {"bomb.yaml": bomb}), {"bomb.yaml": "6:11: aliases repeat more than 10,000"}
    )


def test_f03_a_merge_key_bomb_is_refused_before_it_is_built(held: Queuectl) -> None:
    levels = [f"x-{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 10)]
    bomb = "\n".join(["x-0: &a0 {k: v}", *levels, "command: x", ""])
    name_each(refused_files(held, {"bomb.yaml": bomb}), {"bomb.yaml": "5:"})


def test_f04_an_alias_inside_of_what_it_stands_for_is_refused(held: Queuectl) -> None:
    files = {
        "list.yaml": "command: x\nx-a: &a [*a]\n",
        "mapping.yaml": "command: x\nenv: &a {A: *a}\n",
        "merge.yaml": "command: x\nx-a: &a {<<: *a}\n",
    }
    expected = {
        "list.yaml": "2:10: the alias *a is inside of what it stands for",
        "mapping.yaml": "2:13: the alias *a is inside",
        "merge.yaml": "2:14: the alias *a is inside",
    }
    name_each(refused_files(held, files), expected)


def test_f05_100_000_brackets_are_refused_and_crash_nothing(held: Queuectl) -> None:
    files = {
        "lists.yaml": "x-a: " + "[" * 100_000,
        "mappings.yaml": "x-a: " + "{a: " * 100_000,
        "dashes.yaml": "x-a:\n" + "- " * 100_000,
        "json.json": '{"command": ' + "[" * 100_000,
    }
    expected = {
        "lists.yaml": "1:25: nested more than 20 deep",
        "mappings.yaml": "1:82: nested more than 20 deep",
        "dashes.yaml": "2:39: nested more than 20 deep",
        "json.json": "1:32: nested more than 20 deep",
    }
    name_each(refused_files(held, files), expected)


def test_f06_tags_are_refused_and_run_nothing(held: Queuectl) -> None:
    files = {
        "python.yaml": "command: !!python/object/apply:os.system [touch ran]\n",
        "new.yaml": "command: x\nx-a: !!python/object/new:os.system\n  args: [touch ran]\n",
        "binary.yaml": "command: !!binary dG91Y2ggcmFu\n",
        "include.yaml": "command: x\nenv: !include /etc/passwd\n",
        "own.yaml": "%TAG ! tag:yaml.org,2002:python/\n---\ncommand: !object/apply:os.system [touch ran]\n",
    }
    found = refused_files(held, files)
    for file, place in {
        "python": "1:10",
        "new": "2:6",
        "binary": "1:10",
        "include": "2:6",
        "own": "3:10",
    }.items():
        assert any(
            line.startswith(f"jobs.d/{file}.yaml:{place}: the tag !") and "is not allowed" in line
            for line in found
        ), (file, found)
    assert not list(held.folder.rglob("ran"))


def test_f07_plain_words_are_texts_and_010_is_ten(held: Queuectl) -> None:
    held.spec("ten", "command: 'true'\nschedule: '@yearly'\nretries: 010\nowner: no\ndescription: 12:30\n")
    held("apply", "jobs.d")
    shown = held.json("spec", "show", "ten")
    assert (shown["retries"], shown["owner"], shown["description"]) == (10, "no", "12:30")

    files = {
        "retries.yaml": "command: x\nretries: yes\n",
        "schedule.yaml": "command: x\nschedule: 12:30\n",
        "timeout.yaml": "command: x\ntimeout: 1_000\n",
        "paused.yaml": "command: x\npaused: on\n",
    }
    expected = {
        "retries.yaml": "2:10: retries: expected an integer from 0 to 1000; found 'yes'",
        "schedule.yaml": "2:11: schedule: expected 5 fields (minute, hour, day of month, month, day of week), found 1",
        "timeout.yaml": "2:10: timeout: expected a duration like 30s or 1h30m, or none; found '1_000'",
        "paused.yaml": "2:9: paused: expected true or false; found 'on'",
    }
    name_each(refused_files(held, files), expected)


def test_f08_numbers_are_finite(held: Queuectl) -> None:
    numbers = {"nan": ".nan", "inf": ".inf", "minus": "-.inf", "large": "1e400"}
    files = {f"{name}.yaml": f"command: x\ntimeout: {number}\n" for name, number in numbers.items()}
    expected = {
        f"{name}.yaml": f"2:10: expected a finite number; found {number}" for name, number in numbers.items()
    }
    name_each(refused_files(held, files), expected)


def test_f09_a_number_of_5_000_digits_is_refused(held: Queuectl) -> None:
    digits = "9" * 5_000
    files = {
        "retries.yaml": f"command: x\nretries: {digits}\n",
        "minus.yaml": f"command: x\npriority: -{digits}\n",
        "fraction.yaml": f"command: x\ntimeout: 1.{digits}\n",
        "keep.yaml": f"command: x\nkeep: {{dead: {digits[:99]}}}\n",
        "json.json": f'{{"command": "x", "retries": {digits}}}\n',
    }
    expected = {
        "retries.yaml": "2:10: a number of 5,000 digits is too long",
        "minus.yaml": "2:11: a number of 5,001 digits is too long",
        "fraction.yaml": "2:10: a number of 5,002 digits is too long",
        "keep.yaml": "2:14: keep.dead: expected an age like 7d, or a number of jobs",
        "json.json": "1:29: a number of 5,000 digits is too long",
    }
    name_each(refused_files(held, files), expected)


def test_f10_a_day_that_does_not_exist_is_refused_in_its_line(held: Queuectl) -> None:
    files = {
        "plain.yaml": "command: x\nrun_at: 2026-02-30\n",
        "quoted.yaml": "command: x\nrun_at: '2026-02-30T08:00:00Z'\n",
        "elsewhere.yaml": "command: 2026-02-30\nx-a: 2026-02-30\nretrys: 1\n",
    }
    expected = {
        "plain.yaml": "2:9: run_at: day of 2026-02: expected 1-28, found 30",
        "quoted.yaml": "2:9: run_at: day of 2026-02: expected 1-28, found 30",
        "elsewhere.yaml": "3:1: unknown field 'retrys'",
    }
    name_each(refused_files(held, files), expected)


def test_f11_only_utf_8_is_read(held: Queuectl) -> None:
    write(held, {"mark.yaml": b"\xef\xbb\xbfcommand: 'true'\nschedule: '@yearly'\n"})
    held("apply", "jobs.d")
    assert held.json("spec", "show", "mark")["command"] == "true"

    files = {
        "latin.yaml": "command: x\nowner: grün\n".encode("latin-1"),
        "utf16.yaml": "command: x\n".encode("utf-16"),
        "utf16le.yaml": "command: x\n".encode("utf-16-le"),
        "nul.yaml": b"command: a\0b\n",
        "escaped.yaml": b'command: "a\\0b"\n',
        "surrogate.yaml": b'command: x\nowner: "\\ud800"\n',
        "half.json": b'{"command": "\\ud83d \\ude00"}\n',
        "broken.json": b'{"command": "\\ud8zz\\udczz"}\n',
        "cr.yaml": b"command: x\rretries: 1\r",
    }
    expected = {
        "latin.yaml": "2:10: expected UTF-8; found the byte 0xFC",
        "utf16.yaml": " is UTF-16; save it as UTF-8",
        "utf16le.yaml": "1:2: the character U+0000 is not allowed",
        "nul.yaml": "1:11: the character U+0000 is not allowed",
        "escaped.yaml": "1:10: a NUL character can't be part of a value",
        "surrogate.yaml": "2:",
        "half.json": "1:",
        "broken.json": "1:",
        "cr.yaml": "1:11: a carriage return without a newline",
    }
    name_each(refused_files(held, files), expected)


def test_f11_a_path_that_is_not_utf_8_is_refused(held: Queuectl) -> None:
    need(sys.platform == "linux", "Linux, where the name of a file is any bytes")
    below = held.folder / "jobs.d" / os.fsdecode(b"sub\xff")
    below.mkdir()
    for path in (
        below.parent / os.fsdecode(b"a\xff.yaml"),
        below / "b.yaml",
        below / os.fsdecode(b"read\xff.me"),
    ):
        path.write_text(f"name: {path.name[0]}\ncommand: x\n")

    assert heads(refused(held)) == [
        "jobs.d/a\ufffd.yaml: has a path that is not UTF-8; rename it",
        "jobs.d/sub\ufffd/b.yaml: has a path that is not UTF-8; rename it",
    ]


def test_f12_what_is_no_mapping_is_refused(held: Queuectl) -> None:
    files = {
        "tab.yaml": "command: x\nenv:\n\tA: 1\n",
        "two.yaml": "command: x\n---\ncommand: y\n",
        "empty.yaml": "",
        "blank.yaml": "\n\n",
        "comment.yaml": "# later\n",
        "null.yaml": "~\n",
        "scalar.yaml": "backup\n",
        "list.yaml": "- command: x\n",
        "conflict.yaml": "command: x\n<<<<<<< HEAD\nretries: 1\n=======\nretries: 2\n>>>>>>> main\n",
        "empty.json": "{}",
    }
    expected = {
        "tab.yaml": "3:1: a tab can't indent in YAML; use spaces",
        "two.yaml": "2:1: a second document; expected one a file",
        "empty.yaml": "1:1: the file is empty; expected a job, or jobs:",
        "blank.yaml": "1:1: the file is empty",
        "comment.yaml": "1:1: the file is empty",
        "null.yaml": "1:1: the file is empty",
        "scalar.yaml": "1:1: expected a mapping: a job's fields, or jobs:; found a single value",
        "list.yaml": "1:1: expected a mapping: a job's fields, or jobs:; found a list",
        "conflict.yaml": "2:1: a merge conflict was left here; choose one side and remove the marks",
        "empty.json": "1:1: missing field 'command'",
    }
    name_each(refused_files(held, files), expected)


def test_f13_an_unknown_field_is_refused_with_the_nearest(held: Queuectl) -> None:
    files = {
        "typo.yaml": "command: x\nretrys: 3\n",
        "nested.yaml": "command: x\nbackoff: {bas: 1s}\n",
        "cron.yaml": "command: x\ncron: '0 2 * * *'\n",
        "case.yaml": "Command: x\n",
    }
    expected = {
        "typo.yaml": "2:1: unknown field 'retrys', did you mean 'retries'?",
        "nested.yaml": "2:11: unknown field 'bas', did you mean 'base'?",
        "cron.yaml": "2:1: unknown field 'cron', did you mean 'schedule'?",
    }
    found = refused_files(held, files)
    name_each([line for line in found if "case.yaml" not in line], expected)
    assert any(line.startswith("jobs.d/case.yaml:1:1: unknown field 'Command'") for line in found)


BAD_NAMES = {
    "slash": "a/b",
    "up": "../up",
    "dots": "..",
    "newline": "a\\n",
    "middle": "a\\nb",
    "space": "a b",
    "option": "-rf",
    "long": "x" * 300,
    "empty": "",
    "right-to-left": "a\\u202eb",
    "zero-width": "a\\u200bb",
}


def test_f14_a_name_is_of_few_characters_from_end_to_end(held: Queuectl) -> None:
    fields = {f"{file}.yaml": f'command: x\nname: "{name}"\n' for file, name in BAD_NAMES.items()}
    jobs = "jobs:\n" + "".join(f'  "{name}": {{command: x}}\n' for name in BAD_NAMES.values())
    write(held, {**fields, "jobs.yaml": jobs, "queue.yaml": 'command: x\nqueue: "a\\n"\n'})
    if sys.platform == "linux":
        write(held, dict.fromkeys(("-rf.yaml", "a b.yaml", "a\n.yaml", "\u202ea.yaml"), "command: x\n"))

    message = refused(held)
    found = heads(message)

    for file in BAD_NAMES:
        assert any(
            line.startswith(f"jobs.d/{file}.yaml:2:7: name: expected a name of 1 to 100") for line in found
        )
    for line in range(2, len(BAD_NAMES) + 2):
        assert any(one.startswith(f"jobs.d/jobs.yaml:{line}:3: ") for one in found)
    assert any(line.startswith("jobs.d/queue.yaml:2:8: queue: expected a name") for line in found)
    if sys.platform == "linux":
        assert len([line for line in found if "the file's name is no name for a job" in line]) == 4
    assert not set("\u202e\u200b\x1b") & set(message)


def test_f15_one_name_in_two_normal_forms_is_no_name(held: Queuectl) -> None:
    """Names are ASCII, so that none can look like another."""
    files = {
        "one.yaml": "command: x\nname: caf\u00e9\n",
        "two.yaml": "command: x\nname: cafe\u0301\n",
    }
    expected = {"one.yaml": "2:7: name: expected a name", "two.yaml": "2:7: name: expected a name"}
    name_each(refused_files(held, files), expected)
    if sys.platform == "linux":
        named = refused_files(held, {"\u00e9.yaml": "command: x\n", "e\u0301.yaml": "command: x\n"})
        assert len([line for line in named if "the file's name is no name for a job" in line]) == 2


def test_f16_only_small_regular_files_are_read(held: Queuectl) -> None:
    folder = held.folder / "jobs.d"
    with (folder / "sparse.yaml").open("wb") as file:
        file.truncate(1 << 30)
    (folder / "full.yaml").write_bytes(b"command: x\n#" + bytes(MIB))
    (folder / "zero.yaml").symlink_to("/dev/zero")
    os.mkfifo(folder / "fifo.yaml")
    expected = {
        "sparse.yaml": " is larger than 1 MiB (1,073,741,824 bytes)",
        "full.yaml": " is larger than 1 MiB (1,048,588 bytes)",
        "zero.yaml": " is a link to outside of the applied folder; it was not read",
        "fifo.yaml": " is no regular file",
    }
    name_each(refused_files(held, {}), expected)
    given = ("sparse.yaml", "zero.yaml", "fifo.yaml")
    found = heads(refused(held, "apply", *(f"jobs.d/{name}" for name in given)))
    name_each(found, {name: expected[name] for name in given} | {"zero.yaml": " is no regular file"})


def test_f17_a_link_to_outside_is_refused_and_its_content_not_shown(held: Queuectl) -> None:
    folder = held.folder / "jobs.d"
    (held.folder / "secret.yaml").write_text("password: hunter2\n")
    (folder / "outside.yaml").symlink_to("../secret.yaml")
    (folder / "passwd.yaml").symlink_to("/etc/passwd")
    (folder / "loop.yaml").symlink_to("loop.yaml")
    (folder / "LOOP.YAML").symlink_to("LOOP.YAML")
    (folder / "gone.yaml").symlink_to("nowhere.yaml")
    (folder / "round").symlink_to(".")
    write(held, {"_defaults.yaml": "retries: 1\n"})

    message = refused(held)

    expected = {
        "outside.yaml": " is a link to outside of the applied folder; it was not read",
        "passwd.yaml": " is a link to outside",
        "loop.yaml": " is a link that leads nowhere",
        "LOOP.YAML": " expected the ending .yaml; found .YAML; rename the file",
        "gone.yaml": " is a link that leads nowhere",
    }
    name_each(heads(message), expected)
    assert "hunter2" not in message
    assert "root:" not in message


@pytest.fixture
def nobodys() -> Iterator[Queuectl]:
    with ordinary_users_queue() as queuectl:
        queuectl.spec("held", "command: 'true'\nschedule: '@yearly'\n")
        below = queuectl.folder / "jobs.d" / "sub" / "below.yaml"
        below.parent.mkdir()
        below.write_text("command: 'true'\nschedule: '@yearly'\n")
        hand_over(queuectl)
        queuectl("apply", "jobs.d")
        yield queuectl


@pytest.mark.parametrize(
    ("closed", "applied", "found"),
    [
        ("jobs.d/held.yaml", "jobs.d", "jobs.d/held.yaml: can't be read: permission denied"),
        ("jobs.d/held.yaml", "jobs.d/held.yaml", "jobs.d/held.yaml: can't be read: permission denied"),
        ("jobs.d/sub", "jobs.d", "jobs.d/sub: the folder can't be read: permission denied"),
        ("jobs.d", "jobs.d", "jobs.d: the folder can't be read: permission denied"),
        ("jobs.d", "jobs.d/sub", "jobs.d/sub: can't be read: permission denied"),
        ("jobs.d", "jobs.d/held.yaml", "jobs.d/held.yaml: can't be read: permission denied"),
    ],
)
def test_f18_what_is_unreadable_is_not_gone(nobodys: Queuectl, closed: str, applied: str, found: str) -> None:
    (nobodys.folder / closed).chmod(0)

    said = refused(nobodys, "apply", applied, "--prune", "--yes")
    checked = nobodys.run("validate", applied)

    assert heads(said) == [found]
    assert (checked.returncode, checked.stderr) == (INVALID, said)
    assert {spec["name"] for spec in nobodys.json("spec", "list")} == {"held", "below"}


def test_f18_a_folder_with_the_name_of_a_file_is_an_error(held: Queuectl) -> None:
    (held.folder / "jobs.d" / "x.yaml").mkdir()
    name_each(
        refused_files(held, {"x.yaml/inside.yaml": "command: x\n"}),
        {"x.yaml": " is a folder with the name of a spec file; rename it"},
    )


def test_f18_a_folder_that_goes_too_deep_is_an_error(held: Queuectl) -> None:
    """Deeper than a function may call itself, and than a path may be long."""
    top = descriptor = os.open(held.folder / "jobs.d", os.O_RDONLY)
    for _ in range(2_500):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        if descriptor != top:
            os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    os.close(top)
    try:
        (line,) = heads(refused(held))
        assert line.endswith(": folders are nested more than 100 deep")
        with opened(str(held.db), create=False) as ctx:
            watch = Watch(ctx, (held.folder / "jobs.d",))  # which looks at all of it, and survives that
            watch.look()
    finally:
        os.system(f"rm -rf {held.folder}/jobs.d/d")  # noqa: S605  shutil is too deep in its own calls


def test_f19_files_are_told_by_their_endings(held: Queuectl) -> None:
    spec = '{"command": "true", "schedule": "@yearly"}\n'
    read = ["a.yml", "b.json", "c.yaml"]
    passed_over = ["README.md", "c.yaml.swp", "c.yaml~", "run"]
    hidden = [".c.yaml.swp", ".hidden.yaml", ".hidden/config.yaml"]
    write(held, {name: spec if name in read else "not: [a spec" for name in (*read, *passed_over, *hidden)})

    done = held.run("apply", "jobs.d", "-o", "json")

    assert done.returncode == 0
    names = {spec["name"] for spec in held.json("spec", "list")}
    assert names == {"held", "a", "b", "c"}
    assert (
        f"not spec files, passed over: {', '.join(f'jobs.d/{name}' for name in passed_over)}\n" in done.stderr
    )

    if sys.platform == "linux":
        name_each(
            refused_files(held, {"d.YAML": spec, "e.Yml": spec, "f.JSON": spec}),
            {
                "d.YAML": " expected the ending .yaml; found .YAML; rename the file",
                "e.Yml": " expected the ending .yml; found .Yml; rename the file",
                "f.JSON": " expected the ending .json; found .JSON; rename the file",
            },
        )
    else:
        assert heads(refused_files(held, {"d.YAML": spec})[0])


def test_f20_keys_are_texts(held: Queuectl) -> None:
    files = {
        "list.yaml": "command: x\n? [a]\n: b\n",
        "mapping.yaml": "command: x\n? {a: b}\n: b\n",
        "number.yaml": "command: x\n1: x\n",
        "null.yaml": "command: x\nnull: x\n",
        "bool.yaml": "command: x\nenv: {true: x}\n",
        "float.yaml": "command: x\nlabels: {1.5: x}\n",
        "none.yaml": "command: x\n? \n: x\n",
    }
    expected = {
        "list.yaml": "2:3: a key must be a text; found a list or mapping",
        "mapping.yaml": "2:3: a key must be a text; found a list or mapping",
        "number.yaml": "2:1: a key must be a text; found 1; put it in quotes",
        "null.yaml": "2:1: a key must be a text; found null; put it in quotes",
        "bool.yaml": "2:7: a key must be a text; found true; put it in quotes",
        "float.yaml": "2:10: a key must be a text; found 1.5; put it in quotes",
        "none.yaml": "2:2: a key must be a text; found nothing",
    }
    name_each(refused_files(held, files), expected)


def test_f21_a_reference_is_never_fetched(held: Queuectl) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
        files = {
            "ref.yaml": f"command: x\n$ref: {url}\n",
            "schema.json": f'{{"$schema": "{url}", "command": "x"}}\n',
            "env.yaml": f"command: x\nenv: {{A: {{$ref: '{url}'}}}}\n",
            "_defaults.yaml": f"$ref: {url}\n",
        }
        expected = {
            "ref.yaml": "2:1: unknown field '$ref'",
            "schema.json": "1:2: unknown field '$schema'",
            "env.yaml": "2:11: unknown field '$ref'",
            "_defaults.yaml": "1:1: unknown field '$ref'",
        }
        name_each(refused_files(held, files), expected)
        with pytest.raises(BlockingIOError):
            server.accept()


def lines(head: str, line: str) -> str:
    """As many numbered lines as a file may have."""
    return head + "".join(line.format(n, n % 60, n // 60 % 24) for n in range((MIB - 200) // (len(line) + 5)))


LARGEST: dict[str, Callable[[], str]] = {
    "mappings": lambda: f"retrys: 1\nx-a: [{'{},' * 349_000}]\n",
    "jobs": lambda: lines("jobs:\n", " a{0}: {{command: x}}\n") + " z: {retrys: 1}\n",
    "zones": lambda: lines("jobs:\n", " a{0}: {{command: x, timezone: b{0}}}\n"),
    "never": lambda: lines("jobs:\n", " a{0}: {{command: x, schedule: '{1} {2} 30 2 *'}}\n"),
}


@pytest.mark.parametrize("kind", LARGEST)
def test_f16_the_most_that_a_file_can_hold_is_judged_in_bounds(held: Queuectl, kind: str) -> None:
    write(held, {"full.yaml": LARGEST[kind]()})
    refused(held)
