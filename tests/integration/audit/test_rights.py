"""What is held about a person, and its erasure."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from kaynak.auditing import Rights, SegmentFiles, as_json
from kaynak.domain import (
    NOBODY,
    OWNER,
    Action,
    AuditFilter,
    Conflict,
    Forbidden,
    GlobalRole,
    NotFound,
    Scope,
    new_id,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def rights(catalog, tmp_path):
    return Rights(catalog, SegmentFiles(tmp_path / "audit"))


async def somebody(catalog, email: str, role: GlobalRole = GlobalRole.MEMBER):
    async with catalog.begin() as unit:
        return await unit.users.add(email, name=f"The {email}", role=role, password_hash="$argon2id$secret")


async def a_life(catalog, person, other) -> dict[str, str]:
    """Leaves traces of a person wherever there can be some."""
    mine, scope = f"user:{person.id}", Scope(f"user:{person.id}")
    session, key, collection = new_id(), new_id(), None
    async with catalog.begin() as unit:
        collection = await unit.collections.create("handbook", "", None)
        document, _ = await unit.documents.ensure(collection, "a.txt")
        run = unit.connection.execute
        ids = {"id": person.id, "session": session, "key": key, "collection": collection, "doc": document}
        await run(text("INSERT INTO kaynak.sessions (id, user_id, address, expires_at) "
                       "VALUES (:session, :id, '192.0.2.7', now())"), ids)  # fmt: skip
        await run(text("INSERT INTO kaynak.api_keys (id, user_id, name, hash, hint, permissions) "
                       "VALUES (:key, :id, 'ci', 'secret-hash', 'kyn_ab', '{}')"), ids)  # fmt: skip
        await run(text("INSERT INTO kaynak.grants (collection_id, principal_id, user_id, role) "
                       "VALUES (:collection, :id, :id, 'viewer')"), ids)  # fmt: skip
        await run(text("UPDATE kaynak.documents SET readers = ARRAY[:collection, :id] WHERE id = :doc"), ids)
        await run(text("INSERT INTO kaynak.model_calls (id, owner, provider, model, purpose, outcome, milliseconds) "
                       "VALUES (:doc, :who, 'p', 'm', 'answer', 'complete', 1)"), {**ids, "who": mine})  # fmt: skip
        talk = await unit.conversations.create(scope, ["handbook"], title="My illness", answering=None, condition=None)
        unit.audit.record(OWNER, Action.KEY_REVOKED, f"key:{key}", why="lost by Ada")
        unit.audit.record(other, Action.GRANTED, f"collection:{collection}", principal=person.id, name="Ada")
        unit.audit.record(other, Action.SEARCHED, f"collection:{collection}", documents=[document])
    await catalog.audit.record(NOBODY, Action.SIGN_IN_FAILED, "", email=person.email, address="192.0.2.7")
    await catalog.audit.record(mine, Action.SEARCHED, f"collection:{collection}", query="my illness")
    return {"session": str(session), "key": str(key), "talk": str(talk.id), "document": str(document)}


async def test_everything_held_about_a_person_is_exported_without_secrets(catalog, log, rights) -> None:
    person = await somebody(catalog, "ada@example.org")
    bob = await somebody(catalog, "bob@example.org")
    left = await a_life(catalog, person, f"user:{bob.id}")
    await log.seal(OWNER, datetime.now(UTC) + timedelta(days=1))
    await catalog.audit.record(f"user:{person.id}", Action.ASKED, "collection:1", query="anew")
    held = json.loads(as_json(await rights.export(OWNER, person.id)))
    assert held["profile"]["email"] == "ada@example.org"
    assert held["profile"]["has_password"] is True
    assert [one["id"] for one in held["sessions"]] == [left["session"]]
    assert [one["hint"] for one in held["keys"]] == ["kyn_ab"]
    assert [one["collection"] for one in held["grants"]] == ["handbook"]
    assert [(one["id"], one["title"]) for one in held["conversations"]] == [(left["talk"], "My illness")]
    assert held["documents_shared_by_name"] == [left["document"]]
    assert len(held["usage"]) == 1
    actions = [event["action"] for event in held["audit"]]
    assert actions == ["key.revoked", "grant.given", "sign-in.failed", "search", "ask"]  # sealed ones, too
    assert "secret" not in json.dumps(held)
    own = await rights.export_own(Scope(f"user:{person.id}"))
    assert own["profile"] == held["profile"]
    assert own["audit"][-1]["action"] == "user.exported"
    others = await rights.export(OWNER, bob.id)
    assert "ada@example.org" not in as_json(others).decode()


async def test_who_may_not_see_it_does_not(catalog, rights) -> None:
    person = await somebody(catalog, "ada@example.org")
    member = Scope(f"user:{person.id}")
    with pytest.raises(Forbidden):
        await rights.export(member, person.id)
    with pytest.raises(Forbidden):
        await rights.erase(member, person.id)
    with pytest.raises(Forbidden):
        await rights.export_own(Scope(f"user:{person.id}", key=uuid4()))
    with pytest.raises(Conflict):
        await rights.export_own(OWNER)
    with pytest.raises(NotFound):
        await rights.export(OWNER, uuid4())
    with pytest.raises(NotFound):
        await rights.erase(OWNER, uuid4())


async def test_an_erased_person_is_nowhere_and_the_chain_holds(catalog, log, rights, tmp_path, database_url) -> None:
    root = await somebody(catalog, "root@example.org", GlobalRole.ADMINISTRATOR)
    person = await somebody(catalog, "ada@example.org")
    left = await a_life(catalog, person, f"user:{root.id}")
    await log.seal(OWNER, datetime.now(UTC) + timedelta(days=1))
    await catalog.audit.record(f"user:{person.id}", Action.SIGN_IN, f"session:{left['session']}", address="192.0.2.7")
    await catalog.audit.record(f"user:{root.id}", Action.SEARCHED, "collection:1", query="weather")
    erased = await rights.erase(OWNER, person.id)
    assert erased == 5  # four of the sealed ones, and the sign-in
    found = await log.verify(OWNER)
    assert (found.ok, found.erased, found.notes) == (True, 5, ())
    await catalog.audit.record(OWNER, Action.SEARCHED, "collection:1", query="still works")
    with pytest.raises(NotFound):
        await rights.export(OWNER, person.id)
    everything = "".join(path.read_text() for path in Path(tmp_path / "audit").iterdir())
    async with catalog.read() as unit:
        tables = await unit.connection.execute(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'kaynak'")
        )
        for name in tables.scalars():
            rows = await unit.connection.execute(text(f"SELECT CAST(t AS text) FROM kaynak.{name} t"))
            everything += "\n".join(rows.scalars())
        readers = (await unit.connection.execute(text("SELECT readers FROM kaynak.documents"))).scalar_one()
        kept = await unit.audit_rows.newest(AuditFilter(subject=f"user:{root.id}"), before=None, limit=9)
    for trace in ("ada@example.org", "Ada", "illness", "192.0.2.7", "kyn_ab"):
        assert trace not in everything, trace
    assert len(readers) == 1
    assert [event.details for event in kept] == ['{"query":"weather"}']  # what concerns others stays
    (told,) = await log.list(OWNER, AuditFilter(action=Action.USER_ERASED))
    assert json.loads(told.details or "") == {"details": 5}


async def test_the_last_administrator_is_not_erased(catalog, log, rights, tmp_path) -> None:
    root = await somebody(catalog, "root@example.org", GlobalRole.ADMINISTRATOR)
    await catalog.audit.record(f"user:{root.id}", Action.SIGN_IN, "", address="192.0.2.7")
    await log.seal(OWNER, datetime.now(UTC) + timedelta(days=1))
    with pytest.raises(Conflict):
        await rights.erase(OWNER, root.id)
    assert "192.0.2.7" in "".join(path.read_text() for path in (tmp_path / "audit").glob("events*"))
    assert not list((tmp_path / "audit").glob(".part*"))
    assert (await log.verify(OWNER)).erased == 0
    await somebody(catalog, "other@example.org", GlobalRole.ADMINISTRATOR)
    await rights.erase(OWNER, root.id)
