from __future__ import annotations

import asyncio
import atexit
from pathlib import Path

import structlog

from kaynak.catalog.embedded.launcher import Launcher
from kaynak.catalog.embedded.locks import SharedHold, exclusive
from kaynak.catalog.embedded.places import Places
from kaynak.catalog.embedded.postmaster import Postmaster
from kaynak.domain import CatalogUnavailable, Misconfigured, StorageFull

_log = structlog.get_logger(__name__)


class EmbeddedPostgres:
    """A PostgreSQL server on ``<data_dir>/postgres``, shared by all processes of ours on that directory.

    Whoever comes first starts it; the last to leave cleanly stops it. A process that is killed counts as gone
    at once, because what it holds is a lock that the kernel takes back. If all are killed the server keeps
    running, and the next start finds it. If the server is killed, `ensure_running` starts it again, and
    PostgreSQL recovers what was committed.

    Attributes:
        url: ``postgresql://`` URL over a socket that only the owner of the directory reaches.
    """

    url: str

    def __init__(self, places: Places, *, durable: bool) -> None:
        self._places = places
        self._launcher = Launcher(places, durable=durable)
        self._hold: SharedHold | None = None

    @classmethod
    def start(cls, data_dir: Path, *, durable: bool = True) -> EmbeddedPostgres:
        """Starts the server, or joins the one that runs.

        Args:
            data_dir: Of this installation; made if there is none.
            durable: False gives up safety in a crash for speed: for tests alone.

        Raises:
            Misconfigured: The directory or this system cannot carry a server; the message says why.
            CatalogUnavailable: The server does not get ready.
            StorageFull: There is no space for it.
        """
        server = cls(Places.prepare(data_dir.expanduser().resolve()), durable=durable)
        with exclusive(server._lock, server._places.account):
            # Held before anything runs: a process that leaves now must not take the server for unused.
            server._hold = SharedHold(server._places.home / "users.lock", server._places.account)
            try:
                server.url = server._launcher.bring_up()
            except BaseException:
                if server._hold.release() and server.pid is not None:
                    server._launcher.shut_down()
                raise
        atexit.register(server.stop)
        return server

    @property
    def pid(self) -> int | None:
        """Process number of the server; None if it does not run."""
        found = Postmaster.read(self._places.cluster)
        return found.pid if found and found.alive else None

    @property
    def socket_directory(self) -> Path:
        """The folder of the socket; only the server's account enters."""
        found = Postmaster.read(self._places.cluster)
        return found.sockets if found and found.sockets else self._places.sockets()

    def ensure_running(self) -> bool:
        """Starts the server again if it died; cheap while it lives.

        Returns:
            Whether it had to be started.

        Raises:
            CatalogUnavailable: It does not get ready.
            StorageFull: There is no space for it.
        """
        if not self._is_missing():
            return False
        with exclusive(self._lock, self._places.account):
            if not self._is_missing():  # another process was faster
                return False
            _log.warning("database_server_gone")
            self.url = self._launcher.bring_up()
        return True

    def _is_missing(self) -> bool:
        return self._hold is not None and self.pid is None

    async def keep_running(self, interval: float = 1.0) -> None:
        """Looks after the server until cancelled; call it as a task of its own."""
        while True:
            await asyncio.sleep(interval)
            try:
                await asyncio.to_thread(self.ensure_running)
            except (CatalogUnavailable, StorageFull, Misconfigured) as exc:
                _log.error("database_server_does_not_start", error=exc.message)

    def stop(self) -> None:
        """Leaves; stops the server if nobody else uses it. Calling it again does nothing."""
        hold, self._hold = self._hold, None
        if hold is None:
            return
        atexit.unregister(self.stop)
        if not self._places.home.exists():  # removed under us; the server notices within a minute and ends
            hold.release()
            return
        with exclusive(self._lock, self._places.account):
            if hold.release() and self.pid is not None:
                self._launcher.shut_down()

    @property
    def _lock(self) -> Path:
        return self._places.home / "start.lock"
