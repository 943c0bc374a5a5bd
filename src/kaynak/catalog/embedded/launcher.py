from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import psycopg
import structlog

from kaynak.catalog.embedded.binaries import MAJOR, reachable_programs, run
from kaynak.catalog.embedded.config import DATABASE, PORT, ROLE, write_configuration
from kaynak.catalog.embedded.places import Places
from kaynak.catalog.embedded.postmaster import Postmaster
from kaynak.domain import CatalogUnavailable, Misconfigured, StorageFull

_READY_WITHIN = 600.0  # recovery after a crash replays up to max_wal_size
_log = structlog.get_logger(__name__)


class Launcher:
    """Makes a ready server of whatever lies in its folders. Callers hold the start lock."""

    def __init__(self, places: Places, *, durable: bool) -> None:
        self._places = places
        self._durable = durable
        self._programs = Path()

    def bring_up(self) -> str:
        """Returns the URL of the server once it takes connections; starts it if it does not run.

        Raises:
            CatalogUnavailable: It does not get ready.
            Misconfigured: What lies there is no database of ours.
            StorageFull: There is no space for it.
        """
        account = self._places.account
        self._programs = reachable_programs(account, self._places.home)
        self._initialise()
        found = Postmaster.read(self._places.cluster)
        if found is None or not found.alive:
            self._clear_remains()
            self._launch()
        self._wait_until_ready()
        self._ensure_database()
        return _url(self._sockets, DATABASE)

    def shut_down(self) -> None:
        """Stops the server; open transactions are undone."""
        self._pg_ctl("stop", "-m", "fast", "-t", "120", limit=150)

    @property
    def _sockets(self) -> Path:
        found = Postmaster.read(self._places.cluster)
        return found.sockets if found and found.sockets else self._places.sockets()

    def _clear_remains(self) -> None:
        """Removes the pid file and the socket lock of a dead server.

        PostgreSQL refuses to start where the file is cut off (power failure), or where its number is another's
        by now (reboot, container) or that of a zombie (a container without an init process). That no process of
        the old server is left it still checks itself, by the shared memory of the directory.
        """
        path = self._places.cluster / "postmaster.pid"
        deadline = time.monotonic() + 2  # a starter may have been killed between its launch and the first line
        while path.exists() and Postmaster.read(self._places.cluster) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        found = Postmaster.read(self._places.cluster)
        if found is None or not found.alive:
            path.unlink(missing_ok=True)
            (self._places.sockets() / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)

    def _initialise(self) -> None:
        """Makes the cluster: under another name first, so that a kill leaves all of it or none."""
        cluster = self._places.cluster
        version = cluster / "PG_VERSION"
        if version.exists():
            if version.read_text().strip() != str(MAJOR):
                raise Misconfigured(
                    f"The database is of PostgreSQL {version.read_text().strip()}; this is {MAJOR}.",
                    hint="Restore it from a backup made with the older Kaynak.",
                )
            return
        if cluster.exists() and any(cluster.iterdir()):
            raise Misconfigured(
                f"{cluster} has files, but no database.",
                hint="Move them away if they are not needed, or choose another data directory.",
            )
        fresh = cluster.with_name("cluster.new")
        shutil.rmtree(fresh, ignore_errors=True)
        flags = [] if self._durable else ["--no-sync"]
        done = run(
            [
                str(self._programs / "initdb"),
                f"--pgdata={fresh}",
                f"--username={ROLE}",
                "--auth=peer",
                "--encoding=UTF8",
                # Not the system's: its order of letters changes with the C library and would break indexes.
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                *flags,
            ],
            self._places.account,
            limit=300,
        )
        if done.returncode != 0:
            raise _failure("The database could not be made", done.stdout)
        shutil.rmtree(cluster, ignore_errors=True)
        fresh.rename(cluster)

    def _launch(self) -> None:
        places = self._places
        write_configuration(places.cluster, places.sockets(), places.logs, places.account, durable=self._durable)
        said: str | None = ""
        for _ in range(20):
            said = self._launch_once()
            if said is None:
                return
            if "still in use" not in said:
                break
            time.sleep(0.5)  # processes of a killed server are still on their way out
        raise _failure("The database server does not start", said or "")

    def _launch_once(self) -> str | None:
        """Returns None once there is a server, or what it said before it gave up."""
        log = self._places.logs / "start.log"
        before = {path: path.stat().st_size for path in self._places.logs.iterdir()}

        def said() -> str:
            return "".join(_read(path, start=before.get(path, 0)) for path in self._places.logs.iterdir())

        # Not -w: it looks ten times a second only, and a command that starts and stops the server waits for it.
        done = self._pg_ctl("start", "-W", "-l", str(log), limit=60)
        deadline = time.monotonic() + 60
        while done.returncode == 0 and time.monotonic() < deadline:
            found = Postmaster.read(self._places.cluster)
            if found and found.alive and found.sockets:
                _log.info("database_server_started", pid=found.pid)
                return None
            if "FATAL" in said():
                break
            time.sleep(0.02)
        return said() or done.stdout

    def _pg_ctl(self, *arguments: str, limit: float) -> subprocess.CompletedProcess[str]:
        command = [str(self._programs / "pg_ctl"), "-s", "-D", str(self._places.cluster), *arguments]
        return run(command, self._places.account, limit=limit)

    def _last_words(self) -> str:
        """Returns the end of the newest log: why the server did not start."""
        newest = max(self._places.logs.iterdir(), key=lambda path: path.stat().st_mtime)
        return _read(newest, start=max(0, newest.stat().st_size - 2000))

    def _wait_until_ready(self) -> None:
        """Waits until the server takes connections, for as long as it is alive and says it is on its way."""
        deadline = time.monotonic() + _READY_WITHIN
        while True:
            try:
                psycopg.connect(_url(self._sockets, "postgres"), connect_timeout=10).close()
            except psycopg.OperationalError as exc:
                found = Postmaster.read(self._places.cluster)
                if found is None or not found.alive:
                    raise _failure("The database server ended while starting", self._last_words()) from exc
                if time.monotonic() > deadline:
                    raise CatalogUnavailable(
                        "The database server does not get ready.", hint=f"See {self._places.logs}."
                    ) from exc
                time.sleep(0.03)
            else:
                return

    def _ensure_database(self) -> None:
        with psycopg.connect(_url(self._sockets, "postgres"), autocommit=True) as connection:
            there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if there is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")


def _read(log: Path, *, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace")


def _url(sockets: Path, database: str) -> str:
    host = quote(os.fspath(sockets), safe="/")
    return f"postgresql://{ROLE}@/{database}?host={host}&port={PORT}"


def _failure(what: str, said: str) -> CatalogUnavailable | StorageFull | Misconfigured:
    reason = " ".join(line.strip() for line in said.strip().splitlines()[-3:])[-500:]
    if "No space left" in said or "Disk quota" in said:
        return StorageFull("There is no space for the database.", hint="Free some space on its disk.")
    if "Permission denied" in said:
        return Misconfigured(f"{what}: {reason}", hint="Correct the permissions of the data directory.")
    return CatalogUnavailable(f"{what}: {reason}", hint="The logs are in the data directory, postgres/logs.")
