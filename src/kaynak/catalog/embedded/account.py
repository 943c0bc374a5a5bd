"""Which account of the operating system the server runs under, and how it reaches its files."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import structlog

from kaynak.domain import Misconfigured

SYSTEM_ACCOUNT = "pgserver"
_ACL = "system.posix_acl_access"
_UNUSED = 0xFFFFFFFF
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the operating system."""

    name: str
    uid: int
    gid: int

    @property
    def is_us(self) -> bool:
        """Whether this process runs under it."""
        return self.uid == os.geteuid()

    def own(self, path: Path) -> None:
        """Gives ``path`` to the account; without effect where we are it already."""
        if not self.is_us:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def server_account(home: Path) -> Account:
    """Returns the account that the server whose files lie under ``home`` runs under.

    PostgreSQL refuses to run as root. Where we are root it runs under the account that owns ``home`` (someone
    used it before without root), else under ``pgserver``, which is made on first use.

    Raises:
        Misconfigured: There is no such account.
    """
    owner = home.stat().st_uid if home.exists() else None
    ours = os.geteuid()
    if ours != 0:
        if owner not in {None, ours}:
            raise Misconfigured(
                f"The database in {home} belongs to another user.",
                hint="Run as that user, or choose another data directory (KAYNAK_DATA_DIR).",
            )
        return _by_uid(ours)
    return _by_uid(owner) if owner else _system_account()


def _by_uid(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError as exc:
        raise Misconfigured(
            f"The user number {uid} has no name on this system, and PostgreSQL refuses to run without one.",
            hint="Add it to /etc/passwd, or set KAYNAK_DATABASE_URL to a PostgreSQL server.",
        ) from exc
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _system_account() -> Account:
    for command in (
        ["useradd", "--system", "--no-create-home", "--user-group", "--shell", "/bin/false", SYSTEM_ACCOUNT],
        ["adduser", "-S", "-D", "-H", "-s", "/bin/false", SYSTEM_ACCOUNT],  # BusyBox
    ):
        with contextlib.suppress(KeyError):
            return _by_uid(pwd.getpwnam(SYSTEM_ACCOUNT).pw_uid)
        if shutil.which(command[0]):
            # Two processes may both try; who loses finds the account made by the other.
            subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - fixed arguments
    try:
        return _by_uid(pwd.getpwnam(SYSTEM_ACCOUNT).pw_uid)
    except KeyError as exc:
        raise Misconfigured(
            f"PostgreSQL refuses to run as root, and the account {SYSTEM_ACCOUNT} could not be made.",
            hint="Run Kaynak as an ordinary user, or set KAYNAK_DATABASE_URL to a PostgreSQL server.",
        ) from exc


def let_through(account: Account, path: Path) -> None:
    """Lets ``account`` pass the directories above ``path``; nobody else, where the file system can say so.

    Only where we are root and the server is not. Passing is not reading: names stay hidden.
    """
    if account.is_us:
        return
    for parent in path.parents:
        info = parent.stat()
        if info.st_uid == account.uid or info.st_mode & stat.S_IXOTH:
            continue
        try:
            _grant_search(parent, account.uid, info.st_mode)
        except OSError:
            parent.chmod(stat.S_IMODE(info.st_mode) | stat.S_IXOTH)
            _log.warning("directory_opened_for_passing", path=str(parent), account=account.name)


def _grant_search(directory: Path, uid: int, mode: int) -> None:
    """Adds ``user:uid:--x`` to the POSIX access list of ``directory`` (layout: acl(5), linux/posix_acl_xattr.h)."""
    if not hasattr(os, "setxattr"):
        raise OSError("no access lists on this system")
    user, group, other = mode >> 6 & 7, mode >> 3 & 7, mode & 7
    entries = [(0x01, user, _UNUSED), (0x04, group, _UNUSED), (0x20, other, _UNUSED)]
    with contextlib.suppress(OSError):  # has no list yet
        raw = os.getxattr(directory, _ACL)
        entries = [struct.unpack_from("<HHI", raw, at) for at in range(4, len(raw), 8)]
    entries = [(tag, perm, who) for tag, perm, who in entries if (tag, who) != (0x02, uid) and tag != 0x10]
    entries.append((0x02, 1, uid))
    # The mask bounds what named users and groups may do: the union of what they have now.
    mask = 0
    for tag, perm, _ in entries:
        mask |= perm if tag in {0x02, 0x04, 0x08} else 0
    entries.append((0x10, mask, _UNUSED))
    entries.sort(key=lambda entry: (entry[0], entry[2]))
    packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(directory, _ACL, packed)
