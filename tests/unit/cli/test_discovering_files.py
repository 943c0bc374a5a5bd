from __future__ import annotations

import os
from pathlib import Path

import pytest

from kaynak.cli.files import Found, Skipped, discover
from kaynak.domain import InvalidRequest


def names(*paths: object) -> list[str]:
    return [entry.external_id for entry in discover(map(str, paths)) if isinstance(entry, Found)]


def make(root: Path, *files: str) -> None:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text("x")


def test_a_folder_is_walked_in_order_without_what_is_hidden(tmp_path):
    make(tmp_path, "b.txt", "a/c.txt", "a/.hidden", ".git/config", "a/b/d.md")
    assert names(tmp_path) == ["b.txt", "a/c.txt", "a/b/d.md"]


def test_a_hidden_file_that_was_named_is_taken(tmp_path):
    make(tmp_path, ".env")
    assert names(tmp_path / ".env") == [".env"]


def test_the_same_folder_has_the_same_ids_wherever_it_is_called_from(tmp_path, monkeypatch):
    make(tmp_path, "docs/a/b.txt")
    absolute = names(tmp_path / "docs")
    monkeypatch.chdir(tmp_path / "docs" / "a")
    assert names("..") == names("../../docs/") == absolute == ["a/b.txt"]


def test_links_are_followed_but_not_in_circles(tmp_path):
    make(tmp_path, "a/x.txt")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "z.txt").symlink_to("a/x.txt")
    (tmp_path / "gone").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    found = list(discover([str(tmp_path)]))
    assert [entry.external_id for entry in found if isinstance(entry, Found)] == ["z.txt", "a/x.txt"]
    assert {entry.path.name for entry in found if isinstance(entry, Skipped)} == {"gone", "pipe"}


def test_patterns_keep_the_path_below_their_fixed_part(tmp_path):
    make(tmp_path, "docs/a.md", "docs/sub/b.md", "docs/c.txt")
    assert names(tmp_path / "docs" / "**" / "*.md") == ["a.md", "sub/b.md"]
    assert names(tmp_path / "*" / "?.md") == ["docs/a.md"]


def test_a_name_that_only_looks_like_a_pattern_is_a_file(tmp_path):
    make(tmp_path, "a[1].txt")
    assert names(tmp_path / "a[1].txt") == ["a[1].txt"]


@pytest.mark.parametrize("missing", ["nothing", "*.none"])
def test_what_does_not_exist_is_said(tmp_path, missing):
    with pytest.raises(InvalidRequest):
        names(tmp_path / missing)


def test_names_are_made_printable_and_composed(tmp_path):
    make(tmp_path, "u\u0308.txt", "a\nb.txt")
    (tmp_path / os.fsdecode(b"\xff.txt")).write_text("x")
    assert sorted(names(tmp_path)) == sorted(["\u00fc.txt", "a\ufffdb.txt", "\ufffd.txt"])
