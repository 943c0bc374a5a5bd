"""What lies where under ``<data_dir>/postgres``."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from kaynak.catalog.embedded.account import Account, let_through, server_account
from kaynak.catalog.embedded.config import PORT
from kaynak.domain import Misconfigured

_SOCKET_PATH_LIMIT = 103  # bytes, on macOS; Linux takes four more


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one server.

    Attributes:
        home: ``<data_dir>/postgres``; only the server's account enters.
        account: Whose it is.
    """

    home: Path
    account: Account

    @classmethod
    def prepare(cls, data_dir: Path) -> Places:
        """Makes the folders, for the server's account alone.

        Raises:
            Misconfigured: The folders cannot be made, or belong to someone else.
        """
        home = data_dir / "postgres"
        try:
            account = server_account(home)
            data_dir.mkdir(parents=True, exist_ok=True)
            places = cls(home, account)
            for folder in (home, places.logs, places.default_sockets):
                folder.mkdir(mode=0o700, exist_ok=True)
                folder.chmod(0o700)
                account.own(folder)
            let_through(account, home)
        except OSError as exc:
            raise Misconfigured(
                f"The database folder {home} cannot be used: {exc.strerror or exc}.",
                hint="Choose another data directory (KAYNAK_DATA_DIR) or correct its permissions.",
            ) from exc
        return places

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.home / "cluster"

    @property
    def logs(self) -> Path:
        """The server's logs."""
        return self.home / "logs"

    @property
    def default_sockets(self) -> Path:
        """The folder of the socket, where its path is short enough."""
        return self.home / "socket"

    def sockets(self) -> Path:
        """Returns the folder for the socket: ours, or a private one in /tmp where ours has too long a path."""
        if len(os.fsencode(self.default_sockets / f".s.PGSQL.{PORT}")) <= _SOCKET_PATH_LIMIT:
            return self.default_sockets
        # Not TMPDIR or XDG_RUNTIME_DIR: they differ between processes, and the latter dies with the session.
        name = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        folder = Path("/tmp") / f"kaynak-{name}"  # noqa: S108 - checked below: ours alone, no link
        try:
            folder.mkdir(mode=0o700)
            self.account.own(folder)
        except FileExistsError:
            info = folder.lstat()
            private = stat.S_ISDIR(info.st_mode) and stat.S_IMODE(info.st_mode) == 0o700
            if not private or info.st_uid not in {self.account.uid, os.geteuid()}:
                raise Misconfigured(
                    f"{folder}, which would hold the database socket, belongs to someone else.",
                    hint="Choose a data directory with a shorter path (KAYNAK_DATA_DIR).",
                ) from None
            self.account.own(folder)
        return folder
