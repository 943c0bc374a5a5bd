"""Many documents are deleted by a filter: those that were counted, and no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from kaynak.api import create_app
from kaynak.app import Kaynak
from kaynak.client import AsyncClient
from kaynak.domain import (
    OWNER,
    AuditFilter,
    EngineUnavailable,
    Forbidden,
    InvalidFilter,
    NotFound,
    Scope,
    new_id,
    parse_filter,
)
from kaynak.ingestion import Deleting, Upload
from kaynak.testing.proof.company import opened

pytestmark = pytest.mark.anyio

OLD = parse_filter({"year": {"$lt": 2020}})
assert OLD is not None


@pytest.fixture
async def kaynak(database_url: str, tmp_path: Path) -> AsyncIterator[Kaynak]:
    """Twelve documents of as many years, from 2010, in portions of four."""
    async with opened(tmp_path, database_url) as plain:
        made = replace(plain, deleting=Deleting(plain.catalog, plain.documents, plain.deleting._proving, portion=4))
        stop = asyncio.Event()
        working = asyncio.create_task(made.worker.run(stop))
        await made.collections.create(OWNER, "papers")
        await bring(made, range(2010, 2022))
        yield made
        stop.set()
        await working


async def bring(kaynak: Kaynak, years: Sequence[int], name: str = "{}.txt") -> None:
    uploads = [
        Upload(name.format(year), "a.txt", f"Of the year {year}, {name}.".encode(), metadata={"year": year})
        for year in years
    ]
    sent = await kaynak.intake.submit(OWNER, "papers", uploads)
    assert sent.job is not None
    async for _ in kaynak.jobs.watch(OWNER, sent.job.id):
        pass


async def years(kaynak: Kaynak) -> list[Any]:
    return sorted(one.metadata["year"] for one in await kaynak.documents.list(OWNER, "papers"))


async def test_those_that_match_are_gone_and_proven(kaynak: Kaynak) -> None:
    count, last = await kaynak.deleting.matching(OWNER, "papers", OLD)
    assert count == 10
    assert last is not None
    await bring(kaynak, [2001])  # nobody has counted it
    portions = [one async for one in kaynak.deleting.delete_matching(OWNER, "papers", OLD, until=last)]
    assert [one.removed for one in portions] == [4, 4, 2]
    for one in portions:
        assert one.proof.healthy
        assert {"catalog", "originals", "pgvector g1", "tantivy g1"} == set(one.proof.checked)
        assert not one.proof.unchecked
    assert await years(kaynak) == [2001, 2020, 2021]
    assert (await kaynak.doctor.examine(OWNER)).healthy
    events = await kaynak.audit.list(OWNER, AuditFilter(action="document.deleted"), before=None, limit=100)
    assert len(events) == 10


async def test_as_many_as_are_wanted(kaynak: Kaynak) -> None:
    _, last = await kaynak.deleting.matching(OWNER, "papers", OLD)
    assert last is not None
    portions = [one async for one in kaynak.deleting.delete_matching(OWNER, "papers", OLD, until=last, limit=5)]
    assert [one.removed for one in portions] == [4, 1]
    assert len(await years(kaynak)) == 7


async def test_only_what_one_may_read_and_change(kaynak: Kaynak) -> None:
    collection = (await kaynak.collections.get(OWNER, "papers")).id
    me = new_id()
    everything = frozenset({collection})
    hidden = (await kaynak.documents.find(OWNER, "papers", "2012.txt")).id
    async with kaynak.catalog.begin() as unit:
        await unit.documents.restrict({hidden: frozenset({collection})})
        await unit.changes.record(collection, [(hidden, "put")])
    editor = Scope(f"user:{me}", everything, everything, frozenset(), frozenset({me}))
    count, last = await kaynak.deleting.matching(editor, "papers", OLD)
    assert count == 9
    assert last is not None
    viewer = Scope(f"user:{me}", everything, frozenset(), frozenset(), frozenset({me}))
    stranger = Scope(f"user:{me}")
    for scope, error in ((viewer, Forbidden), (stranger, NotFound)):
        with pytest.raises(error):
            await kaynak.deleting.matching(scope, "papers", OLD)
        with pytest.raises(error):
            await anext(kaynak.deleting.delete_matching(scope, "papers", OLD, until=last))
    async for one in kaynak.deleting.delete_matching(editor, "papers", OLD, until=last):
        assert one.proof.healthy
    assert await years(kaynak) == [2012, 2020, 2021]


async def test_an_index_that_is_away_is_named(kaynak: Kaynak, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object, **__: object) -> Any:
        raise EngineUnavailable("It is away.")

    monkeypatch.setattr("kaynak.ingestion.documents.DELETE_SECONDS", 0.2)
    engine = kaynak.exposition._parts.dense["pgvector"]
    monkeypatch.setattr(engine, "count", away)
    _, last = await kaynak.deleting.matching(OWNER, "papers", OLD)
    assert last is not None
    async for one in kaynak.deleting.delete_matching(OWNER, "papers", OLD, until=last):
        assert one.proof.unchecked == ("pgvector g1: It is away.",)


async def test_by_the_python_client(kaynak: Kaynak) -> None:
    transport = httpx.ASGITransport(create_app(kaynak), raise_app_exceptions=False)
    async with AsyncClient("http://127.0.0.1", transport=transport) as client:
        counted = await client.delete_documents("papers", {"year": {"$lt": 2020}}, dry_run=True)
        assert (counted.matching, counted.removed, counted.proof) == (10, 0, None)
        first = await client.delete_documents("papers", {"year": {"$lt": 2020}}, limit=6)
        assert (first.matching, first.removed) == (10, 6)
        assert first.proof is not None
        assert first.proof.healthy
        rest = await client.delete_documents("papers", {"year": {"$lt": 2020}})
        assert (rest.matching, rest.removed) == (4, 4)
        again = await client.delete_documents("papers", {"year": {"$lt": 2020}})
        assert (again.matching, again.removed, again.proof) == (0, 0, None)
        with pytest.raises(InvalidFilter):
            await client.delete_documents("papers", {"year": {"$bad": 1}})
        with pytest.raises(NotFound):
            await client.delete_documents("nothing", {"year": 2020})
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as plain:
            for body in ({}, {"filter": None}, {"filter": {}}, {"filter": {"a": 1}, "limit": 0}):
                answer = await plain.post("/v1/collections/papers/documents/delete", json=body)
                assert answer.status_code == 422
    assert await years(kaynak) == [2020, 2021]
