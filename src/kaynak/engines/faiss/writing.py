# ruff: noqa: S608 - names in statements are checked when an index is made; values are bound
from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import numpy as np

from kaynak.domain import Json
from kaynak.engines.faiss.spec import Layout
from kaynak.engines.faiss.store import Connection, State, read_state, table
from kaynak.engines.faiss.vectors import packed, prepared
from kaynak.engines.payload_terms import payload_terms
from kaynak.engines.protocol import Point

_Gone = dict[int, int]  # payload by row


def write(
    connection: Connection, layout: Layout, upserts: Sequence[Point], deletes: Sequence[UUID], revision: int
) -> State:
    """Writes everything in the transaction of ``connection``; returns where the index stands then.

    Raises:
        CorruptIndex: Its state is lost.
    """
    state = read_state(connection, layout.name)
    # An id that stands twice would break the key: the last one counts.
    points = list({one.id: one for one in upserts}.values())
    gone = _found(connection, points, deletes)
    _remove(connection, layout, gone)
    _add(connection, layout, points, state.last_row)
    _forget(connection, set(gone.values()))
    connection.execute(
        "UPDATE state SET revision = ?, change = change + 1, points = points + ?", [revision, len(points) - len(gone)]
    )
    return read_state(connection, layout.name)


def _found(connection: Connection, points: Sequence[Point], deletes: Sequence[UUID]) -> _Gone:
    gone: _Gone = {}
    for one in deletes:
        gone.update(connection.execute("SELECT row, payload FROM points WHERE document = ?", [one.bytes]))
    ids = json.dumps([one.id for one in points])
    gone.update(
        connection.execute("SELECT row, payload FROM points WHERE id IN (SELECT value FROM json_each(?))", [ids])
    )
    return gone


def _remove(connection: Connection, layout: Layout, rows: Iterable[int]) -> None:
    keys = [(row,) for row in rows]
    connection.executemany("INSERT INTO tombstones (row) VALUES (?)", keys)
    for name in ("points", *(table(one) for one in layout.fields)):
        connection.executemany(f"DELETE FROM {name} WHERE row = ?", keys)


def _add(connection: Connection, layout: Layout, points: Sequence[Point], last_row: int) -> None:
    first = last_row + 1
    payloads = _payloads(connection, points)
    connection.executemany(
        "INSERT INTO points (row, id, document, payload) VALUES (?, ?, ?, ?)",
        (
            (first + at, one.id, one.document_id.bytes, payload)
            for at, (one, payload) in enumerate(zip(points, payloads, strict=True))
        ),
    )
    for field in layout.fields:
        having = [at for at, one in enumerate(points) if field.name in one.vectors]
        if having:
            matrix = np.stack([points[at].vectors[field.name] for at in having]).astype(np.float32)
            rows = np.array(having, dtype=np.int64) + first
            blobs = packed(rows, prepared(matrix, field))
            connection.executemany(
                f"INSERT INTO {table(field)} (row, data) VALUES (?, ?)", zip(rows.tolist(), blobs, strict=True)
            )


def _payloads(connection: Connection, points: Sequence[Point]) -> list[int]:
    """Returns the number of each point's payload; what chunks of a document share is stored once."""
    numbers: list[int] = []
    payload: Mapping[str, Json] | None = None
    for point in points:
        if point.payload is payload:
            numbers.append(numbers[-1])
            continue
        payload = point.payload
        numbers.append(_payload(connection, sorted(payload_terms(payload))))
    return numbers


def _payload(connection: Connection, terms: list[str]) -> int:
    text = " ".join(terms)
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    known = connection.execute("SELECT payload FROM payloads WHERE digest = ?", [digest]).fetchone()
    if known is not None:
        return int(known[0])
    (number,) = connection.execute(
        "INSERT INTO payloads (digest, terms) VALUES (?, ?) RETURNING payload", [digest, text]
    ).fetchone()
    connection.executemany("INSERT INTO postings (term, payload) VALUES (?, ?)", ((term, number) for term in terms))
    return int(number)


def _forget(connection: Connection, payloads: set[int]) -> None:
    """Removes payloads that no point has any more."""
    for number in payloads:
        if connection.execute("SELECT 1 FROM points WHERE payload = ? LIMIT 1", [number]).fetchone():
            continue
        (terms,) = connection.execute("SELECT terms FROM payloads WHERE payload = ?", [number]).fetchone()
        connection.executemany(
            "DELETE FROM postings WHERE term = ? AND payload = ?", ((term, number) for term in terms.split())
        )
        connection.execute("DELETE FROM payloads WHERE payload = ?", [number])
