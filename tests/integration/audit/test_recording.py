from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace
from datetime import UTC
from uuid import uuid4

import pytest
from sqlalchemy import text

from kaynak.catalog import Catalog, Head
from kaynak.domain import (
    NOBODY,
    NOTHING_TOLD,
    OWNER,
    Action,
    AuditEntry,
    AuditEvent,
    CatalogUnavailable,
    chained,
    commitment_of,
)

pytestmark = pytest.mark.anyio


async def events(catalog: Catalog) -> list[AuditEvent]:
    async with catalog.read() as unit:
        found = await unit.connection.execute(
            text(
                "SELECT e.sequence, e.at, e.subject, e.action, e.object, e.commitment, e.previous, e.hash, "
                "d.details, d.salt FROM kaynak.audit_events e LEFT JOIN kaynak.audit_details d USING (sequence) "
                "ORDER BY e.sequence"
            )
        )
        return [AuditEvent(*row) for row in found]


async def head(catalog: Catalog) -> tuple[bytes, int, bytes]:
    async with catalog.read() as unit:
        found = await unit.connection.execute(text("SELECT genesis, sequence, hash FROM kaynak.audit_head"))
        return tuple(found.one())


async def test_an_event_is_in_the_transaction_of_what_it_tells_of(catalog: Catalog) -> None:
    seen: list[Head] = []
    catalog.witness = seen.append
    async with catalog.begin() as unit:
        await unit.collections.create("kept", "", None)
        unit.audit.record(OWNER, Action.COLLECTION_CREATED, "collection:1", name="kept", nothing=None)
        assert not seen
    with contextlib.suppress(RuntimeError):
        async with catalog.begin() as unit:
            unit.audit.record(OWNER, Action.COLLECTION_CREATED, "collection:2")
            raise RuntimeError
    (event,) = await events(catalog)
    assert (event.sequence, event.subject, event.action, event.object) == (
        1,
        "owner",
        "collection.created",
        "collection:1",
    )
    assert json.loads(event.details or "") == {"name": "kept"}
    assert seen == [Head(1, event.hash)]


async def test_events_are_chained_and_bound_to_their_details(catalog: Catalog) -> None:
    person = uuid4()
    await catalog.audit.record(
        NOBODY, Action.SIGN_IN_FAILED, f"user:{person}", address="192.0.2.1", naïve="ğ\n,1:x", hostile='{"a\\",b} NULL'
    )
    await catalog.audit.record(f"user:{person}", Action.SIGN_IN, 'session:ünï😀"}{,\\\\ NULL')
    async with catalog.begin() as unit:
        unit.audit.record(OWNER, Action.KEY_CREATED, "key:1", of=person)
        unit.audit.record(OWNER, Action.KEY_REVOKED, "key:1")
    found = await events(catalog)
    genesis, last, top = await head(catalog)
    assert [event.sequence for event in found] == [1, 2, 3, 4]
    assert [event.previous for event in found] == [genesis, *(event.hash for event in found[:-1])]
    assert (last, top) == (4, found[-1].hash)
    for event in found:
        assert chained(replace(event, at=event.at.astimezone(UTC))) == event.hash
        if event.details is None:
            assert event.commitment == NOTHING_TOLD
            assert not event.erased
        else:
            assert event.salt is not None
            assert commitment_of(event.salt, event.details) == event.commitment
    assert f'"of":"{person}"' in (found[2].details or "")


async def test_many_writers_leave_no_gap(catalog: Catalog) -> None:
    others = [await Catalog.open(catalog.url, pool_size=4) for _ in range(3)]

    async def write(number: int) -> None:
        mine = others[number % 3]
        for at in range(4):
            if number % 2:
                await mine.audit.record(f"user:{number}", Action.SEARCHED, f"collection:{at}", hits=at)
            else:
                async with mine.begin() as unit:
                    unit.audit.record(f"user:{number}", Action.DOCUMENT_CHANGED, f"document:{at}")

    await asyncio.gather(*(write(number) for number in range(50)))
    found = await events(catalog)
    genesis, last, top = await head(catalog)
    assert [event.sequence for event in found] == list(range(1, 201))
    assert last == 200
    assert [event.previous for event in found] == [genesis, *(event.hash for event in found[:-1])]
    assert top == found[-1].hash
    assert all(chained(event) == event.hash for event in found)
    mine = [(event.subject, event.object.partition(":")[2]) for event in found]
    assert all([at for who, at in mine if who == f"user:{n}"] == ["0", "1", "2", "3"] for n in range(50))
    for other in others:
        await other.close()


async def test_events_that_come_at_a_time_share_a_commit(catalog: Catalog) -> None:
    heads: list[Head] = []
    catalog.witness = heads.append
    await asyncio.gather(*(catalog.audit.record("user:1", Action.SEARCHED, f"collection:{n}") for n in range(100)))
    assert heads[-1].sequence == 100
    assert len(heads) < 10
    assert [event.object for event in await events(catalog)] == [f"collection:{n}" for n in range(100)]


async def test_who_waits_hears_that_nothing_could_be_written(catalog: Catalog) -> None:
    async with catalog.begin() as unit:
        name = (await unit.connection.execute(text("SELECT current_database()"))).scalar_one()
        await unit.connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    with pytest.raises(CatalogUnavailable):
        await catalog.audit.record("user:1", Action.SEARCHED)
    assert await events(catalog) == []


async def test_a_caller_who_goes_away_has_still_done_it(catalog: Catalog) -> None:
    going = asyncio.create_task(catalog.audit.record("user:1", Action.ASKED, "collection:1"))
    await asyncio.sleep(0)
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    await catalog.audit.record("user:2", Action.ASKED, "collection:1")
    assert [event.subject for event in await events(catalog)] == ["user:1", "user:2"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE kaynak.audit_events SET subject = 'user:2'",
        "DELETE FROM kaynak.audit_events",
        "TRUNCATE kaynak.audit_events",
        "UPDATE kaynak.audit_details SET details = '{}'",
        "TRUNCATE kaynak.audit_details",
        "UPDATE kaynak.audit_head SET sequence = 0",
        "UPDATE kaynak.audit_head SET sequence = 9, genesis = hash",
        "DELETE FROM kaynak.audit_head",
    ],
)
async def test_the_database_refuses_to_change_the_log(catalog: Catalog, statement: str) -> None:
    await catalog.audit.record("user:1", Action.SEARCHED, "collection:1", hits=3)
    before = await events(catalog)
    with pytest.raises(Exception, match="append-only"):
        async with catalog.begin() as unit:
            await unit.connection.execute(text(statement))
    assert await events(catalog) == before


def test_an_entry_says_nothing_once_its_details_are_erased() -> None:
    one, two = (AuditEntry.of("user:1", Action.SEARCHED, "", {"query": "same"}) for _ in range(2))
    assert one.details == two.details
    assert one.commitment != two.commitment
