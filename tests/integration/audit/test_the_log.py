"""Reading, verifying and sealing the real log."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from kaynak.auditing import SegmentFiles, verify_file
from kaynak.auditing.verifying import Verifier
from kaynak.catalog import Catalog, Head
from kaynak.domain import (
    OWNER,
    Action,
    AuditFilter,
    AuditPolicy,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    QueryText,
    Scope,
)

pytestmark = pytest.mark.anyio

EVE = "user:eve"
TABLES = ("audit_events", "audit_details", "audit_head", "audit_segments")


async def write(catalog: Catalog, count: int = 6) -> None:
    for number in range(count):
        if number % 2:
            await catalog.audit.record(EVE, Action.SEARCHED, f"collection:{number % 3}", documents=[number])
        else:
            async with catalog.begin() as unit:
                unit.audit.record(OWNER, Action.DOCUMENT_DELETED, f"document:{number}")


async def by_force(catalog: Catalog, *statements: str) -> None:
    """What somebody can do who owns the database."""
    async with catalog.begin() as unit:
        await unit.connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            await unit.connection.execute(text(statement))


async def test_events_are_listed_newest_first_and_filtered(catalog, log) -> None:
    await write(catalog)
    found = await log.list(OWNER, limit=4)
    assert [event.sequence for event in found] == [6, 5, 4, 3]
    assert [event.sequence for event in await log.list(OWNER, before=3, limit=4)] == [2, 1]
    kept = [
        (AuditFilter(subject=EVE), {2, 4, 6}),
        (AuditFilter(object="collection:1"), {2}),
        (AuditFilter(action="document.deleted", object="document:4"), {5}),
        (AuditFilter(until=found[-1].at), {1, 2}),
        (AuditFilter(since=found[-1].at, subject="owner"), {3, 5}),
    ]
    for wanted, numbers in kept:
        seen = {event.sequence for event in await log.list(OWNER, wanted) if event.action != Action.AUDIT_READ}
        assert seen == numbers, wanted
    (last,) = await log.list(OWNER, limit=1)
    assert (last.action, last.subject) == (Action.AUDIT_READ, "owner")
    assert json.loads(last.details or "")["filter"]["subject"] == "owner"


async def test_who_may_not_read_it_does_not(catalog, log, tmp_path) -> None:
    member = Scope("user:1", permissions=frozenset())
    for attempt in (
        log.list(member),
        log.export(member),
        log.verify(member),
        log.policy(member),
        log.set_policy(member, AuditPolicy()),
        log.seal(member, datetime.now(UTC)),
    ):
        with pytest.raises(Forbidden):
            await attempt
    assert await log.list(OWNER) == []


MUTATIONS = [
    ("altered", "UPDATE kaynak.audit_events SET subject = 'owner' WHERE sequence = 2"),
    ("altered", "UPDATE kaynak.audit_events SET at = at - interval '1 day' WHERE sequence = 3"),
    ("altered", "UPDATE kaynak.audit_events SET object = '' WHERE sequence = 6"),
    ("missing", "DELETE FROM kaynak.audit_events WHERE sequence = 3"),
    ("missing", "DELETE FROM kaynak.audit_events WHERE sequence = 1"),
    ("truncated", "DELETE FROM kaynak.audit_events WHERE sequence >= 5"),
    ("truncated", "DELETE FROM kaynak.audit_events"),
    ("details", "DELETE FROM kaynak.audit_events WHERE sequence = 6"),
    ("details", "UPDATE kaynak.audit_details SET details = replace(details, '3', '4') WHERE sequence = 4"),
    ("details", "INSERT INTO kaynak.audit_details VALUES (1, 'salt', '{}')"),
    ("erased", "DELETE FROM kaynak.audit_details WHERE sequence = 4"),
    (
        "order",
        (
            "INSERT INTO kaynak.audit_events SELECT -7, at, subject, action, object, commitment, previous, hash "
            "FROM kaynak.audit_events WHERE sequence = 1"
        ),
    ),
    (
        "altered",
        (
            "INSERT INTO kaynak.audit_events SELECT 7, at, subject, action, object, commitment, hash, hash "
            "FROM kaynak.audit_events WHERE sequence = 6"
        ),
    ),
    ("order", "INSERT INTO kaynak.audit_segments VALUES (1, 4, 'x', 'y', now())"),
    ("altered", "UPDATE kaynak.audit_head SET hash = 'x'"),
    ("altered", "UPDATE kaynak.audit_head SET genesis = 'x'"),
    ("order", "DELETE FROM kaynak.audit_head"),
]


async def test_whatever_is_done_to_the_tables_is_found(catalog, anchors, tmp_path) -> None:
    verifier = Verifier(catalog, SegmentFiles(tmp_path / "audit"), anchors)
    await write(catalog)
    first = await verifier.verify()
    assert (first.ok, first.events, first.sequence) == (True, 6, 6)
    await by_force(
        catalog,
        *(f"CREATE TABLE kaynak.{table}_kept AS TABLE kaynak.{table}" for table in TABLES),
    )
    for kind, statement in MUTATIONS:
        await by_force(catalog, statement)
        found = await verifier.verify()
        assert not found.ok, statement
        if kind != "order":
            assert kind in {finding.kind for finding in found.findings}, (statement, found.findings)
        await by_force(
            catalog,
            *(f"TRUNCATE kaynak.{table}" for table in TABLES),
            *(f"INSERT INTO kaynak.{table} SELECT * FROM kaynak.{table}_kept" for table in TABLES),
        )
        assert (await verifier.verify()).ok


async def test_a_log_made_anew_is_found_by_what_was_noted(catalog, log, tmp_path) -> None:
    await write(catalog)
    noted = await log.verify(OWNER)
    # Who owns the database can cut the log and go on: inside of it, nothing is wrong.
    await by_force(
        catalog,
        "DELETE FROM kaynak.audit_details WHERE sequence > 3",
        "DELETE FROM kaynak.audit_events WHERE sequence > 3",
        "UPDATE kaynak.audit_head h SET sequence = 3, hash = e.hash FROM kaynak.audit_events e WHERE e.sequence = 3",
    )
    short = await log.verify(OWNER)
    assert [finding.kind for finding in short.findings] == ["anchor"]
    await write(catalog, 9)
    longer = await log.verify(OWNER)
    assert "anchor" in {finding.kind for finding in longer.findings}
    (tmp_path / "audit" / "anchors.jsonl").unlink()
    assert (await log.verify(OWNER)).ok  # on this machine nothing tells any more …
    outside = await log.verify(OWNER, Head(noted.sequence, bytes.fromhex(noted.hash)))
    assert [finding.kind for finding in outside.findings] == ["anchor"]  # … but what was noted elsewhere does


async def test_an_export_verifies_by_itself(catalog, log, tmp_path) -> None:
    await write(catalog)
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b"".join([lines async for lines in await log.export(OWNER)]))
    found = verify_file(path)
    assert (found.ok, found.events) == (True, 7)  # the export is one of them
    lines = path.read_bytes().splitlines(keepends=True)
    for changed in (
        lines[:2] + lines[3:],
        [lines[0], lines[2], lines[1], *lines[3:]],
        [line.replace(b'"subject":"user:eve"', b'"subject":"user:bob"') for line in lines],
        [line.replace(b"[1]", b"[2]") for line in lines],
    ):
        path.write_bytes(b"".join(changed))
        assert not verify_file(path).ok
    path.write_bytes(b'{"not": "an event"}\n')
    with pytest.raises(InvalidRequest):
        verify_file(path)
    path.write_bytes(b"")
    with pytest.raises(InvalidRequest):
        verify_file(path)
    with pytest.raises(NotFound):
        verify_file(tmp_path / "none")
    some = [line async for line in await log.export(OWNER, AuditFilter(subject=EVE))]
    assert b"".join(some).count(b"\n") == 3


async def test_sealed_segments_leave_the_database_and_still_verify(catalog, log, tmp_path) -> None:
    assert await log.seal(OWNER, datetime.now(UTC)) is None
    await write(catalog)
    future = datetime.now(UTC) + timedelta(days=1)
    first = await log.seal(OWNER, future)
    assert (first.first, first.last) == (1, 6)
    await write(catalog, 3)
    second = await log.seal(OWNER, future)
    assert (second.first, second.last) == (7, 10)
    await write(catalog, 2)
    found = await log.verify(OWNER)
    assert (found.ok, found.events, found.segments, found.notes) == (True, 13, 2, ())
    assert [event.sequence for event in await log.list(OWNER) if event.sequence < 14] == [13, 12, 11]
    files = sorted((tmp_path / "audit").glob("events-*.jsonl"))
    assert len(files) == 2
    assert all(verify_file(file).ok for file in files)
    assert not list((tmp_path / "audit").glob(".part*"))
    whole = files[0].read_bytes()
    files[0].write_bytes(whole.replace(b"user:eve", b"user:bob", 1))
    assert "segment" in {finding.kind for finding in (await log.verify(OWNER)).findings}
    files[0].unlink()
    without = await log.verify(OWNER)
    assert without.ok
    assert "could not be checked" in without.notes[0]
    files[0].write_bytes(whole)
    await by_force(catalog, "UPDATE kaynak.audit_segments SET last = 5 WHERE first = 1")
    assert not (await log.verify(OWNER)).ok


async def test_an_altered_log_is_not_sealed(catalog, log, tmp_path) -> None:
    await write(catalog)
    await by_force(catalog, "UPDATE kaynak.audit_events SET subject = 'owner' WHERE sequence = 2")
    with pytest.raises(Conflict):
        await log.seal(OWNER, datetime.now(UTC) + timedelta(days=1))
    assert list((tmp_path / "audit").glob("*events*")) == []


async def test_old_events_are_sealed_by_themselves_if_wanted(catalog, log) -> None:
    await write(catalog)
    assert await log.tidy() is None
    await log.set_policy(OWNER, AuditPolicy(keep_days=30))
    assert await log.tidy() is None
    with pytest.raises(InvalidRequest):
        await log.set_policy(OWNER, AuditPolicy(keep_days=0))
    changed = (await log.list(OWNER, AuditFilter(action=Action.SETTINGS_CHANGED)))[0]
    assert json.loads(changed.details or "") == {"keep_days": 30, "query_text": "off"}


async def test_the_policy_says_what_is_kept_of_queries(catalog, log) -> None:
    assert await catalog.audit.query("who earns what") == {}
    await log.set_policy(OWNER, AuditPolicy(QueryText.HASHED))
    one, same, other = [await catalog.audit.query(words) for words in ("leave", "leave", "pay")]
    assert one == same != other
    assert "leave" not in json.dumps(one)
    await log.set_policy(OWNER, AuditPolicy(QueryText.FULL))
    assert await catalog.audit.query("leave") == {"query": "leave"}
    await log.set_policy(OWNER, AuditPolicy(QueryText.HASHED))
    assert await catalog.audit.query("leave") == one
    assert (await log.policy(OWNER)).query_text is QueryText.HASHED


async def test_a_name_of_a_collection_becomes_its_id(catalog) -> None:
    async with catalog.begin() as unit:
        identity = await unit.collections.create("handbook", "", None)
    await catalog.audit.record(EVE, Action.SEARCHED, "collection=handbook")
    await catalog.audit.record(EVE, Action.SEARCHED, f"collection={uuid4()}")
    async with catalog.read() as unit:
        found = await unit.audit_rows.newest(AuditFilter(), before=None, limit=9)
    assert [event.object for event in found] == ["collection:", f"collection:{identity}"]
