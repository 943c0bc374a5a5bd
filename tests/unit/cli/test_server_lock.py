from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kaynak.cli.serverlock import server_lock
from kaynak.domain import DataDirectoryInUse


def test_a_second_server_is_told_about_the_first(tmp_path):
    with server_lock(tmp_path / "data") as lock:
        lock.describe(url="http://127.0.0.1:8000")
        with (
            pytest.raises(DataDirectoryInUse, match=f"process {os.getpid()}, http://127.0.0.1:8000"),
            server_lock(tmp_path / "data"),
        ):
            raise AssertionError
    with server_lock(tmp_path / "data"):
        pass


def test_a_killed_server_leaves_no_lock_behind(tmp_path):
    program = (
        "import os, signal, sys; from pathlib import Path; from kaynak.cli.serverlock import server_lock\n"
        "with server_lock(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    (tmp_path / "server.lock").write_text("half a {")
    with server_lock(tmp_path):
        pass
