from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from queuectl.model.errors import InvalidSpecError
from queuectl.specs import files
from queuectl.specs.load import Loaded, load

NOBODY = 65_534


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.d"
    path.mkdir()
    (path / "good.yaml").write_text("command: x")
    return path


def test_folders_are_read_to_their_depth_and_other_files_named(folder: Path) -> None:
    for name in ("b.yml", "c.json", "sub/deep/d.yaml", ".hidden.yaml", ".git/e.yaml"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"command": "x"}')
    for name in ("README.md", "good.yaml~", "good.yaml.swp", "sub/run.sh"):
        (folder / name).write_text("not a spec")

    loaded = read(folder)

    assert [item.file for item in loaded.specs] == [
        "jobs.d/b.yml",
        "jobs.d/c.json",
        "jobs.d/good.yaml",
        "jobs.d/sub/deep/d.yaml",
    ]
    assert loaded.ignored == (
        f"{folder}/README.md",
        f"{folder}/good.yaml.swp",
        f"{folder}/good.yaml~",
        f"{folder}/sub/run.sh",
    )
    assert loaded.roots == (folder,)


def test_a_file_given_twice_is_read_once(folder: Path) -> None:
    loaded = load([folder, folder / "good.yaml", folder], default_zone="UTC")

    assert len(loaded.specs) == 1


def test_an_empty_folder_declares_nothing(tmp_path: Path) -> None:
    assert read(tmp_path).specs == ()


def test_the_working_directory_has_its_name_in_front(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)

    (loaded,) = read(Path()).specs

    assert (loaded.file, loaded.spec.cwd) == ("jobs.d/good.yaml", str(folder))


def test_paths_keep_the_link_they_were_found_through(folder: Path) -> None:
    link = folder.parent / "current"
    link.symlink_to(folder)

    (loaded,) = read(link).specs

    assert (loaded.file, loaded.spec.cwd) == ("current/good.yaml", str(link))


def test_links_within_the_folder_are_followed(folder: Path) -> None:
    """As Kubernetes mounts a ConfigMap."""
    (folder / "..2030").mkdir()
    (folder / "..2030" / "a.yaml").write_text("command: x")
    (folder / "..data").symlink_to("..2030")
    (folder / "a.yaml").symlink_to("..data/a.yaml")

    assert [item.file for item in read(folder).specs] == ["jobs.d/a.yaml", "jobs.d/good.yaml"]


def test_a_link_to_outside_is_refused_and_its_content_not_shown(folder: Path) -> None:
    secret = folder.parent / "secret.yaml"
    secret.write_text("password: hunter2")
    (folder / "a.yaml").symlink_to(secret)

    found = refusal(folder)

    assert "jobs.d/a.yaml: is a link to outside of the applied folder; it was not read" in found
    assert "hunter2" not in found


def test_a_linked_folder_is_not_entered(folder: Path) -> None:
    (folder / "loop").symlink_to(folder)
    (folder / "etc").symlink_to("/etc")

    assert read(folder).ignored == (f"{folder}/etc", f"{folder}/loop")


@pytest.mark.parametrize("target", ["nowhere.yaml", "a.yaml"])
def test_a_link_to_nothing_or_itself_is_refused(folder: Path, target: str) -> None:
    (folder / "a.yaml").symlink_to(target)

    assert "jobs.d/a.yaml: is a link that leads nowhere" in refusal(folder)


def test_what_is_no_regular_file_is_refused_without_waiting(folder: Path) -> None:
    os.mkfifo(folder / "fifo.yaml")
    (folder / "folder.yaml").mkdir()

    found = refusal(folder)

    assert "jobs.d/fifo.yaml: is no regular file" in found
    assert "jobs.d/folder.yaml: is a folder with the name of a spec file; rename it" in found


def test_a_device_is_refused(folder: Path) -> None:
    (folder / "zero.yaml").symlink_to("/dev/zero")

    assert "zero.yaml: is no regular file" in refusal(folder / "zero.yaml")
    assert "zero.yaml: is a link to outside" in refusal(folder)


def test_a_large_file_is_refused_unread(folder: Path) -> None:
    with (folder / "big.yaml").open("wb") as file:
        file.truncate(1 << 30)
    (folder / "full.yaml").write_bytes(b"#" * ((1 << 20) - 10) + b"\ncommand: x")

    start = time.monotonic()
    found = refusal(folder)

    assert "jobs.d/big.yaml: is larger than 1 MiB (1,073,741,824 bytes)" in found
    assert "jobs.d/full.yaml: is larger than 1 MiB (1,048,577 bytes)" in found
    assert time.monotonic() - start < 5


def test_a_file_of_just_the_size_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"#" * ((1 << 20) - 11) + b"\ncommand: x")

    assert len(read(tmp_path).specs) == 1


def test_a_file_that_grows_while_it_is_read_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = files._chunks

    def then_grow(descriptor: int) -> Iterator[bytes]:
        yield from chunks(descriptor)
        (folder / "good.yaml").write_text("command: x\nretries: 5\n")

    monkeypatch.setattr(files, "_chunks", then_grow)

    assert "jobs.d/good.yaml: was written to while it was read; run the command again" in refusal(folder)


def test_what_cannot_be_read_is_an_error_not_an_absence() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "jobs.d"
        (folder / "closed").mkdir(parents=True)
        (folder / "a.yaml").write_text("command: x")
        Path(temporary).chmod(0o755)
        (folder / "a.yaml").chmod(0)
        (folder / "closed").chmod(0)

        with ordinary_user():
            found = refusal(folder)

        (folder / "closed").chmod(0o700)
    assert "jobs.d/a.yaml: can't be read: permission denied" in found
    assert "jobs.d/closed: the folder can't be read: permission denied" in found


@pytest.mark.parametrize("name", ["a.YAML", "a.Yml", "a.JSON"])
def test_an_ending_in_capitals_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("command: x")

    ending = Path(name).suffix
    assert f"jobs.d/{name}: expected the ending {ending.lower()}; found {ending}; rename" in refusal(folder)


def test_a_missing_path_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert refusal(Path("jobs.d")) == "jobs.d: no such file or folder\n1 error in 1 file; nothing was changed"


def test_a_file_with_another_ending_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("command: x")

    assert "a.txt: is no spec file by its ending; expected .yaml, .yml or .json" in refusal(
        tmp_path / "a.txt"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("command: grün".encode("latin-1"), "a.yaml:1:12: expected UTF-8; found the byte 0xFC"),
        (b"a: x\nb: \xc3", "a.yaml:2:4: expected UTF-8; found the byte 0xC3"),
        ("command: x".encode("utf-16"), "a.yaml: is UTF-16; save it as UTF-8"),
        (b"command: a\x00b", "a.yaml:1:11: the character U+0000 is not allowed"),
        (b"command: \x1b[2J", "a.yaml:1:10: the character U+001B is not allowed"),
        (b"command: x\rretries: 1\r", "a.yaml:1:11: a carriage return without a newline"),
        ("command: a\u2028b".encode(), "a.yaml:1:11: the character U+2028 is not allowed"),
        (b"command: \xed\xa0\x80", "a.yaml:1:10: expected UTF-8"),
    ],
)
def test_text_must_be_clean_utf8(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.yaml").write_bytes(content)

    assert message in refusal(tmp_path / "a.yaml")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 500_000,
        "a: " + "{a: " * 200_000,
        "- " * 500_000,
        "a: {" + "a," * 500_000,
        "{" + "? " * 500_000,
        "a: 1\n" * 200_000,
        "a: &a [*a, *a]\n" * 60_000,
        "x: &x {"
        + ", ".join(f"k{n}: v" for n in range(60_000))
        + "}\n"
        + "".join(f"y{n}: {{<<: *x}}\n" for n in range(9)),
        "a: !!python/object/apply:os.system [id]\n" * 20_000,
        "command: x\nexit_codes: {success: [" + "x," * 400_000 + "]}",
        "command: x\nenv: {" + ",".join(f"={n}: 1" for n in range(90_000)) + "}",
        "command: x\nschedule: '" + "1," * 500_000 + "'",
        "command: x\ntimezone: " + "x" * 1_000_000,
        "command: x\ntimeout: " + "1m" * 500_000,
        "command: x\nrun_at: 2030-01-01" + "0" * 1_000_000,
        "command: x\n" + "retrys" * 100_000 + ": 1",
    ],
    ids=lambda text: text[:24].split("\n")[-1] or text[:10],
)
def test_hostile_text_is_refused_soon(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)

    found = refusal(tmp_path / "a.yaml")

    assert len(found) < 100_000


def read(path: Path) -> Loaded:
    return load([path], default_zone="UTC")


def refusal(path: Path) -> str:
    with pytest.raises(InvalidSpecError) as refused:
        read(path)
    return str(refused.value)


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Root may read everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
