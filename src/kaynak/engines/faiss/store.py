"""The database of one index, which holds all of it: what faiss has is derived from here."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from kaynak.domain import CorruptIndex
from kaynak.engines.faiss.spec import Layout
from kaynak.engines.protocol import VectorField

FILE = "index.db"
FORMAT = 1

# Pages of which one holds several vectors. Row numbers are never used twice, so that what was read of a row stays true.
_SCHEMA = """
PRAGMA page_size = 16384;
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE state (
    format INTEGER NOT NULL, spec TEXT NOT NULL, revision INTEGER NOT NULL, change INTEGER NOT NULL,
    points INTEGER NOT NULL, generation INTEGER NOT NULL, watermark INTEGER NOT NULL, forgotten INTEGER NOT NULL,
    built INTEGER NOT NULL, covered INTEGER NOT NULL, dead INTEGER NOT NULL, trained INTEGER NOT NULL,
    files TEXT NOT NULL
);
CREATE TABLE points (
    row INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER NOT NULL UNIQUE, document BLOB NOT NULL, payload INTEGER NOT NULL
);
CREATE INDEX points_document ON points (document);
CREATE INDEX points_payload ON points (payload);
CREATE TABLE payloads (payload INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, terms TEXT NOT NULL);
CREATE TABLE postings (term TEXT NOT NULL, payload INTEGER NOT NULL, PRIMARY KEY (term, payload)) WITHOUT ROWID;
CREATE TABLE tombstones (number INTEGER PRIMARY KEY AUTOINCREMENT, row INTEGER NOT NULL);
"""

_SETTINGS = """
PRAGMA synchronous = FULL;
PRAGMA cache_size = -8000;
PRAGMA journal_size_limit = 67108864;
"""

_WAIT = 60.0


class Connection(sqlite3.Connection):
    """Of one thread at a time."""


class State(NamedTuple):
    """Where an index stands.

    Attributes:
        revision: Of the collection.
        change: Grows with every write.
        points: How many there are.
        generation: Of the files of faiss; grows with every build.
        watermark: The files hold rows up to this one.
        forgotten: The files know of the tombstones up to this one.
        built: The last row when they were built.
        covered: How many rows they hold, with those that are deleted.
        dead: How many of these were deleted before they were built.
        trained: How many rows there were when they were fitted.
        files: JSON, see `kaynak.engines.faiss.files`.
        last_row: The last that was given to a point.
        last_tombstone: The last there was.
        last_payload: Number of the last there was.
    """

    revision: int
    change: int
    points: int
    generation: int
    watermark: int
    forgotten: int
    built: int
    covered: int
    dead: int
    trained: int
    files: str
    last_row: int
    last_tombstone: int
    last_payload: int


_STATE = (
    "SELECT revision, change, points, generation, watermark, forgotten, built, covered, dead, trained, files,"
    " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'points'), 0),"
    " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'tombstones'), 0),"
    " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'payloads'), 0) FROM state"
)


class Store:
    """Connections to the database of one index. Thread-safe.

    Args:
        path: Of the database, which exists.
        name: Of the index, for messages.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._closed = False

    @contextmanager
    def transaction(self, kind: Literal["DEFERRED", "IMMEDIATE"] = "DEFERRED") -> Iterator[Connection]:
        """Gives a connection in a transaction, which is committed unless something is raised.

        All that is read in it is of one moment.
        """
        connection = self._take()
        sound = False
        try:
            connection.execute(f"BEGIN {kind}")
            try:
                yield connection
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            sound = True
        finally:
            self._give(connection, sound=sound)

    def close(self) -> None:
        """Closes connections, those in use when they are given back."""
        with self._lock:
            idle, self._idle, self._closed = self._idle, [], True
        for one in idle:
            one.close()

    def _take(self) -> Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return connect(self.path)

    def _give(self, connection: Connection, *, sound: bool) -> None:
        with self._lock:
            kept = sound and not self._closed
            if kept:
                self._idle.append(connection)
        if not kept:
            connection.close()


def connect(path: Path) -> Connection:
    """Opens a database that exists."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw",
        uri=True,
        timeout=_WAIT,
        isolation_level=None,
        check_same_thread=False,
        factory=Connection,
    )
    try:
        connection.executescript(_SETTINGS)
    except BaseException:
        connection.close()
        raise
    return connection


def make_database(path: Path, layout: Layout) -> None:
    """Makes an empty database, with nothing left to be written when it returns."""
    path.touch()
    connection = connect(path)
    try:
        tables = "".join(
            f"CREATE TABLE {table(one)} (row INTEGER PRIMARY KEY, data BLOB NOT NULL);" for one in layout.fields
        )
        connection.executescript(_SCHEMA + tables)
        connection.execute(
            "INSERT INTO state VALUES (?, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{}')", [FORMAT, layout.stored()]
        )
        connection.execute("COMMIT")
    finally:
        connection.close()


def table(field: VectorField) -> str:
    """Name of the table of a field's vectors."""
    return f'"v_{field.name}"'


def read_spec(connection: Connection, name: str) -> str:
    """Returns the specification that is kept.

    Raises:
        CorruptIndex: There is none, or of another version.
    """
    found = connection.execute("SELECT format, spec FROM state").fetchone()
    if found is None or found[0] != FORMAT:
        raise CorruptIndex(f"Index “{name}” was written by another version.")
    return str(found[1])


def read_state(connection: Connection, name: str) -> State:
    """Returns where the index stands.

    Raises:
        CorruptIndex: That is lost.
    """
    found = connection.execute(_STATE).fetchone()
    if found is None:
        raise CorruptIndex(f"Index “{name}” has lost its state.")
    return State(*found)
