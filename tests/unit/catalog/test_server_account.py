from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kaynak.catalog.embedded import account as accounts
from kaynak.catalog.embedded import binaries
from kaynak.catalog.embedded.account import Account, let_through, server_account
from kaynak.catalog.embedded.postmaster import Postmaster
from kaynak.domain import Misconfigured
from kaynak.testing.folders import quick_folder

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other accounts")


def nobody() -> Account:
    entry = pwd.getpwnam("nobody")
    return Account("nobody", entry.pw_uid, entry.pw_gid)


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A folder that every account reaches; pytest's own are private."""
    folder = Path(tempfile.mkdtemp(prefix="ka-", dir=quick_folder()))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def sees(account: Account, path: Path) -> bool:
    tried = subprocess.run(
        ["cat", str(path)], user=account.uid, group=account.gid, extra_groups=[], capture_output=True, check=False
    )
    return tried.returncode == 0


def test_an_ordinary_user_runs_the_server_as_themselves(tmp_path, monkeypatch) -> None:
    entry = pwd.getpwnam("nobody")
    monkeypatch.setattr(os, "geteuid", lambda: entry.pw_uid)
    found = server_account(tmp_path / "new")
    assert (found.uid, found.is_us) == (entry.pw_uid, True)
    found.own(tmp_path)  # nothing to do, and nothing tried


def test_a_directory_of_someone_else_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: pwd.getpwnam("nobody").pw_uid)
    with pytest.raises(Misconfigured, match="another user"):
        server_account(tmp_path)


def test_a_user_without_a_name_is_told(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_111)
    with pytest.raises(Misconfigured, match="has no name"):
        server_account(tmp_path / "new")


@root_only
def test_root_goes_on_under_the_account_that_began(tmp_path) -> None:
    os.chown(tmp_path, nobody().uid, nobody().gid)
    assert server_account(tmp_path).name == "nobody"
    assert server_account(tmp_path / "new").name == accounts.SYSTEM_ACCOUNT


@root_only
def test_an_account_that_cannot_be_made_is_said(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(accounts, "SYSTEM_ACCOUNT", "no such/account")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(Misconfigured, match="could not be made"):
        server_account(tmp_path / "new")


@root_only
def test_letting_through_is_for_one_account_and_keeps_other_grants(open_dir) -> None:
    private = open_dir / "private"
    private.mkdir(mode=0o700)
    (private / "file").write_text("x")
    daemon = pwd.getpwnam("daemon")
    other = Account("daemon", daemon.pw_uid, daemon.pw_gid)
    assert not sees(nobody(), private / "file")
    let_through(nobody(), private / "file")
    let_through(nobody(), private / "file")
    assert sees(nobody(), private / "file")
    assert not sees(other, private / "file")
    let_through(other, private / "file")
    assert sees(nobody(), private / "file")
    assert sees(other, private / "file")


@root_only
def test_without_access_lists_passing_is_opened_and_reading_is_not(open_dir, monkeypatch) -> None:
    private = open_dir / "private"
    private.mkdir(mode=0o700)

    def refuse(*_: object) -> None:
        raise OSError("not supported")

    monkeypatch.setattr(os, "setxattr", refuse)
    let_through(nobody(), private / "file")
    assert stat.S_IMODE(private.stat().st_mode) == 0o701


@root_only
def test_programs_out_of_reach_are_copied_once(open_dir, tmp_path, monkeypatch) -> None:
    private = tmp_path / "venv"
    shutil.copytree(binaries.programs().parent, private, symlinks=True)
    tmp_path.chmod(0o700)
    monkeypatch.setattr(binaries, "programs", lambda: private / "bin")
    found = binaries.reachable_programs(nobody(), open_dir)
    assert found.is_relative_to(open_dir)
    made = (found / "postgres").stat().st_ino
    assert binaries.reachable_programs(nobody(), open_dir) == found
    assert (found / "postgres").stat().st_ino == made


def test_a_system_without_a_wheel_is_told(monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(Misconfigured, match="no embedded PostgreSQL"):
        binaries.programs()


@pytest.mark.parametrize("content", ["", "x\n", "\n"])
def test_half_a_pid_file_says_nothing(tmp_path, content) -> None:
    assert Postmaster.read(tmp_path) is None
    (tmp_path / "postmaster.pid").write_text(content)
    assert Postmaster.read(tmp_path) is None


def test_a_process_that_is_no_postgres_is_not_the_server() -> None:
    assert not Postmaster(os.getpid(), None, "ready").alive
    assert not Postmaster(2**22 + 1, None, "ready").alive
