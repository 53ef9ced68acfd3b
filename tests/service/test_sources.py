from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from queuectl.service.provenance import Provenance, provenance_of
from queuectl.service.sources import source_of
from tests.service.applying import write


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = write(tmp_path / "infra", {"jobs.d/a.yaml": "", "jobs.d/deep/b.yaml": "", "other.d/c.yaml": ""})
    (folder / ".git").mkdir()
    return folder


def test_a_folder_in_a_checkout_is_named_from_the_checkout_on(checkout: Path) -> None:
    assert source_of([checkout / "jobs.d"]).name == "infra/jobs.d"
    assert source_of([checkout / "jobs.d" / "deep"]).name == "infra/jobs.d/deep"
    assert source_of([checkout]).name == "infra"
    assert not source_of([checkout]).is_part


def test_a_worktree_has_a_file_for_git(tmp_path: Path) -> None:
    folder = write(tmp_path / "tree", {".git": "gitdir: elsewhere", "jobs.d/a.yaml": ""})
    assert source_of([folder / "jobs.d"]).name == "tree/jobs.d"


def test_any_other_folder_is_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "jobs.d", {"a.yaml": ""})
    monkeypatch.chdir(tmp_path)
    assert source_of([Path("jobs.d")]).name == str(tmp_path / "jobs.d")
    assert source_of([Path("jobs.d/../jobs.d/")]).name == str(tmp_path / "jobs.d")


def test_several_folders_are_one_source_in_any_order(checkout: Path) -> None:
    folders = [checkout / "other.d", checkout / "jobs.d"]
    assert source_of(folders) == source_of(folders[::-1])
    assert source_of(folders).name == "infra/jobs.d + infra/other.d"


def test_a_file_is_part_of_its_folder_or_of_a_known_one_above(checkout: Path) -> None:
    file = checkout / "jobs.d" / "deep" / "b.yaml"
    assert (source_of([file]).name, source_of([file]).is_part) == ("infra/jobs.d/deep", True)
    assert source_of([file], {"infra/jobs.d", "infra"}).name == "infra/jobs.d"


def test_a_file_beside_its_own_folder_adds_no_source(checkout: Path) -> None:
    both = source_of([checkout / "jobs.d", checkout / "jobs.d" / "a.yaml"])
    assert both.name == "infra/jobs.d"


def test_a_folder_reached_through_a_link_keeps_the_name_of_the_link(tmp_path: Path) -> None:
    write(tmp_path / "releases" / "7" / "jobs.d", {"a.yaml": ""})
    (tmp_path / "current").symlink_to(tmp_path / "releases" / "7")
    assert source_of([tmp_path / "current" / "jobs.d"]).name == str(tmp_path / "current" / "jobs.d")


class TestProvenance:
    @pytest.fixture
    def repository(self, tmp_path: Path) -> Path:
        folder = write(tmp_path / "infra", {"jobs.d/a.yaml": "", "README": ""})
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
            subprocess.run(
                ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@b", *words], check=True
            )
        return folder

    def test_only_the_applied_files_make_it_dirty(self, repository: Path) -> None:
        jobs = repository / "jobs.d"
        assert provenance_of([jobs]).dirty is False
        (repository / "README").write_text("changed")
        assert provenance_of([jobs]).dirty is False
        assert provenance_of([repository]).dirty is True
        (jobs / "new.yaml").write_text("not in git yet")
        assert provenance_of([jobs]).dirty is True
        assert len(provenance_of([jobs]).commit or "") == 40

    def test_a_hook_s_environment_leads_nowhere_else(
        self, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
        assert provenance_of([repository / "jobs.d"]).commit

    def test_paths_of_two_checkouts_have_no_one_commit(self, repository: Path, checkout_too: Path) -> None:
        assert provenance_of([repository, checkout_too]) == Provenance()

    def test_without_git_or_a_commit_nothing_is_known(
        self, repository: Path, checkout_too: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert provenance_of([checkout_too]) == Provenance()  # .git is there, but no repository
        monkeypatch.setenv("PATH", "/nonexistent")
        assert provenance_of([repository]) == Provenance()

    @pytest.fixture
    def checkout_too(self, tmp_path: Path) -> Path:
        folder = write(tmp_path / "second", {"a.yaml": ""})
        (folder / ".git").mkdir()
        return folder
