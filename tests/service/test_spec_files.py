"""Unchanged spec files aren't read again; whatever else their meaning depends on is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from queuectl.model.config import Config
from queuectl.model.errors import ConflictError, InvalidSpecError
from queuectl.service.apply import apply, plan
from queuectl.service.context import Context
from queuectl.service.spec_files import recall
from queuectl.specs import known
from queuectl.specs.load import load
from tests.service.applying import apply_files, write

FILES = {
    "a.yaml": "command: a",
    "b.yaml": "command: b",
    "sub/c.yaml": "jobs: {c: {command: c}, d: {command: d}}",
}
ALL = ["a.yaml", "b.yaml", "c.yaml"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "jobs.d"


def read_again(ctx: Context, folder: Path) -> list[str]:
    """The files that an apply would have to read, not only to look at."""
    held = {stored.name: stored for stored in ctx.store.specs.list(pruned=True)}
    loaded = load([folder], default_zone=ctx.config.timezone, known=recall(ctx, held))
    return sorted(Path(file.path).name for file in loaded.read)


def commands(ctx: Context) -> dict[str, object]:
    return {stored.name: stored.spec.command for stored in ctx.store.specs.list()}


def test_unchanged_files_are_not_read_again(ctx: Context, folder: Path) -> None:
    write(folder, FILES)
    assert read_again(ctx, folder) == ALL
    assert len(apply(ctx, [folder]).plan.created) == 4

    assert read_again(ctx, folder) == []
    assert plan(ctx, [folder]).unchanged == apply(ctx, [folder]).plan.unchanged == 4
    (c,) = [stored for stored in ctx.store.specs.list() if stored.name == "c"]
    assert (c.file, c.spec.cwd) == ("jobs.d/sub/c.yaml", str(folder / "sub"))


def test_a_changed_byte_is_noticed_and_remembered(ctx: Context, folder: Path) -> None:
    apply_files(ctx, folder, FILES)
    before = (folder / "a.yaml").stat()
    (folder / "a.yaml").write_text("command: x")
    (folder / "b.yaml").write_text("command: b # as ever")
    assert (folder / "a.yaml").stat().st_size == before.st_size

    assert read_again(ctx, folder) == ["a.yaml", "b.yaml"]
    assert [one.name for one in apply(ctx, [folder]).plan.updated] == ["a"]
    assert commands(ctx)["a"] == "x"
    assert read_again(ctx, folder) == []

    (folder / "b.yaml").write_text("command: b")
    assert apply(ctx, [folder]).apply_id is None
    assert read_again(ctx, folder) == []


def test_a_dry_run_remembers_nothing(ctx: Context, folder: Path) -> None:
    write(folder, FILES)
    plan(ctx, [folder])
    assert read_again(ctx, folder) == ALL


def test_defaults_that_change_come_or_go_are_noticed_below_them(ctx: Context, folder: Path) -> None:
    apply_files(ctx, folder, FILES)
    for text in ("retries: 1", "retries: 2", None):
        defaults = folder / "sub" / "_defaults.yaml"
        defaults.unlink() if text is None else defaults.write_text(text)
        assert read_again(ctx, folder) == ["c.yaml"]
        assert [one.name for one in apply(ctx, [folder]).plan.updated] == ["c", "d"]
        assert read_again(ctx, folder) == []
    (folder / "_defaults.yaml").write_text("retries: 3")
    assert read_again(ctx, folder) == ALL
    assert {one.spec.retries for one in apply(ctx, [folder]).plan.updated} == {3}


def test_defaults_above_those_of_a_folder_are_noticed(ctx: Context, folder: Path) -> None:
    defaults = {"_defaults.yaml": "retries: 1", "sub/_defaults.yaml": "priority: 1"}
    apply_files(ctx, folder, FILES | defaults)
    (folder / "_defaults.yaml").write_text("retries: 2")
    assert read_again(ctx, folder) == ALL
    assert [one.name for one in apply(ctx, [folder]).plan.updated] == ["a", "b", "c", "d"]


def test_defaults_that_move_are_noticed_because_their_paths_mean_another_folder(
    ctx: Context, folder: Path
) -> None:
    apply_files(ctx, folder, FILES | {"_defaults.yaml": "cwd: data"})
    (folder / "_defaults.yaml").rename(folder / "sub" / "_defaults.yaml")
    apply(ctx, [folder])
    held = {stored.name: stored.spec.cwd for stored in ctx.store.specs.list()}
    assert (held["a"], held["c"]) == (str(folder), str(folder / "sub" / "data"))


def test_the_same_files_elsewhere_are_other_files(ctx: Context, folder: Path, tmp_path: Path) -> None:
    apply(ctx, [write(folder, FILES)], source="s")
    moved = folder.rename(tmp_path / "moved")
    assert read_again(ctx, moved) == ALL
    assert len(apply(ctx, [moved], source="s").plan.updated) == 4
    assert {stored.spec.cwd for stored in ctx.store.specs.list()} == {str(moved), str(moved / "sub")}
    assert {Path(file.path).parts[-2] for file in ctx.store.specs.files()} == {"moved", "sub"}


def test_one_file_of_a_folder_is_known_by_itself_too(ctx: Context, folder: Path) -> None:
    apply_files(ctx, folder, FILES)
    assert read_again(ctx, folder / "sub" / "c.yaml") == []
    (folder / "a.yaml").write_text("command: x")
    assert len(apply(ctx, [folder / "a.yaml"]).plan.updated) == 1
    assert read_again(ctx, folder) == []


@pytest.mark.parametrize("changed", ["VERSION", "schema_text"])
def test_another_queuectl_reads_everything_again(
    ctx: Context, folder: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    apply_files(ctx, folder, FILES)
    monkeypatch.setattr(known, changed, "9.9.9" if changed == "VERSION" else lambda: "{}")
    assert read_again(ctx, folder) == ALL
    apply(ctx, [folder])
    assert read_again(ctx, folder) == []


def test_so_it_is_with_another_time_zone_or_home(
    ctx: Context, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    apply_files(ctx, folder, FILES | {"b.yaml": "{command: b, cwd: ~/b}"})
    elsewhere = replace_config(ctx, Config(timezone="Asia/Tokyo"))
    assert read_again(elsewhere, folder) == ALL

    monkeypatch.setenv("HOME", str(tmp_path / "ada"))
    assert read_again(ctx, folder) == ALL
    apply(ctx, [folder])
    assert {stored.spec.cwd for stored in ctx.store.specs.list()} >= {str(tmp_path / "ada" / "b")}


def replace_config(ctx: Context, config: Config) -> Context:
    return Context(store=ctx.store, config=config, path=ctx.path, exists=True, now=ctx.now, who=ctx.who)


def test_what_depends_on_yet_more_is_read_each_time(ctx: Context, folder: Path) -> None:
    files = {"a.yaml": "{command: a, run_at: 2030-01-01T00:00}", "b.yaml": "{command: b, cwd: ~root/b}"}
    apply_files(ctx, folder, FILES | files)
    assert read_again(ctx, folder) == ["b.yaml"]
    assert [Path(file.path).name for file in ctx.store.specs.files()] == ["b.yaml", "c.yaml"]


def test_a_spec_that_another_source_changed_is_read_again(ctx: Context, folder: Path, tmp_path: Path) -> None:
    apply_files(ctx, folder, FILES)
    apply(ctx, [write(tmp_path / "other", {"a.yaml": "command: theirs"})], adopt=True)
    assert read_again(ctx, folder) == ["a.yaml"]
    with pytest.raises(ConflictError, match="held by the source"):
        apply(ctx, [folder])
    assert [one.name for one in apply(ctx, [folder], adopt=True).plan.updated] == ["a"]
    assert commands(ctx)["a"] == "a"
    assert read_again(ctx, folder) == []


def test_a_known_file_takes_a_spec_back_that_moved_as_it_was(
    ctx: Context, folder: Path, tmp_path: Path
) -> None:
    same = {"a.yaml": f"{{command: a, cwd: {folder}}}"}
    apply_files(ctx, folder, FILES)
    other = write(tmp_path / "other", same)
    assert [one.is_moved_only for one in apply(ctx, [other], adopt=True).plan.updated] == [True]
    assert read_again(ctx, folder) == []
    with pytest.raises(ConflictError, match="held by the source"):
        apply(ctx, [folder])
    (moved,) = apply(ctx, [folder], adopt=True).plan.updated
    assert [change.field for change in moved.changes] == ["source", "file"]


def test_a_pruned_spec_comes_back(ctx: Context, folder: Path) -> None:
    apply_files(ctx, folder, FILES)
    apply_files(ctx, folder, {"b.yaml": "command: b"}, prune=True)
    assert [Path(file.path).name for file in ctx.store.specs.files()] == ["b.yaml"]
    assert [one.name for one in apply_files(ctx, folder, FILES).plan.created] == ["a", "c", "d"]
    assert commands(ctx) == {name: name for name in "abcd"}
    assert read_again(ctx, folder) == []


def test_one_that_was_pruned_by_hand_comes_back_too(ctx: Context, folder: Path) -> None:
    apply_files(ctx, folder, FILES)
    ctx.store.specs.prune("a", now=ctx.now())
    assert [one.name for one in apply(ctx, [folder]).plan.created] == ["a"]
    assert apply(ctx, [folder]).plan.unchanged == 4
    assert read_again(ctx, folder) == []


def test_orphans_and_new_files_are_noticed(ctx: Context, folder: Path) -> None:
    apply_files(ctx, folder, FILES)
    (folder / "a.yaml").unlink()
    (folder / "e.yaml").write_text("command: e")
    assert read_again(ctx, folder) == ["e.yaml"]
    applied = apply(ctx, [folder]).plan
    assert ([one.name for one in applied.created], applied.orphaned, applied.unchanged) == (["e"], ("a",), 3)


@pytest.mark.parametrize(("file", "name"), [("0.yaml", "d"), ("z.yaml", "a")], ids=["before", "behind"])
def test_a_name_that_is_taken_by_a_known_file_is_refused_with_both_places(
    ctx: Context, folder: Path, file: str, name: str
) -> None:
    apply_files(ctx, folder, FILES)
    (folder / file).write_text(f"name: {name}\ncommand: x\n")
    with pytest.raises(InvalidSpecError) as fresh:
        load([folder], default_zone="UTC")
    with pytest.raises(InvalidSpecError, match=rf"the name '{name}' is taken by .*\.yaml:1") as found:
        apply(ctx, [folder])
    assert str(found.value) == str(fresh.value)


def test_a_broken_file_beside_known_ones_is_refused_alone(ctx: Context, folder: Path) -> None:
    apply_files(ctx, folder, FILES)
    (folder / "b.yaml").write_text("comand: b")
    with pytest.raises(InvalidSpecError, match=r"^.*b\.yaml:1:1: unknown field 'comand', did you mean"):
        apply(ctx, [folder])
    assert commands(ctx)["b"] == "b"


def test_a_spec_without_its_row_is_made_anew(ctx: Context, folder: Path) -> None:
    apply_files(ctx, folder, FILES)
    connection = ctx.store.database._connection  # type: ignore[attr-defined]
    connection.execute("PRAGMA foreign_keys = OFF; DELETE FROM specs WHERE name = 'a'")
    connection.execute("DELETE FROM spec_versions WHERE spec = 'a'")
    assert [one.name for one in apply(ctx, [folder]).plan.created] == ["a"]
