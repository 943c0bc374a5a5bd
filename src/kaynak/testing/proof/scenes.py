"""Short scripts, each about one thing that could leak: fast, the same every time, and judged by the same model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from sqlalchemy import text

from kaynak.testing.proof import looking
from kaynak.testing.proof.company import Company, Leak
from kaynak.testing.proof.model import Caller, Document, Room

Scene: TypeAlias = Callable[[Company], Awaitable[None]]
TOPIC = "falcon"


async def _room(company: Company, **roles: str) -> tuple[Room, dict[str, Caller]]:
    """Returns a collection of the administrator's, and people who have those roles in it."""
    room = await company.room(company.admin)
    if room is None:
        raise Leak("an administrator may not make a collection")
    people = {name: await company.hire() for name in roles}
    for name, role in roles.items():
        if role != "none":
            await company.share(company.admin, room, _email(people[name]), role)
    return room, people


def _email(caller: Caller) -> str:
    return caller.person.email if caller.person else ""


async def _document(company: Company, room: Room, *readers: str, hidden: bool = False) -> Document:
    made = await company.add(company.admin, room, TOPIC, readers if readers or hidden else None)
    if made is None:
        raise Leak("an administrator may not add a document")
    return made


async def strangers(company: Company) -> None:
    """Who has no role in a collection sees nothing of it."""
    room, people = await _room(company, stranger="none")
    document = await _document(company, room)
    for caller in (people["stranger"], company.nobody):
        await looking.lists(company, caller, [room])
        await looking.opens(company, caller, document)
        await looking.searches(company, caller, room, TOPIC)
        await looking.asks(company, caller, room, TOPIC)


async def stale_indexes(company: Company) -> None:
    """Who is taken off a list of readers finds nothing, though the indexes do not know yet."""
    room, people = await _room(company, viewer="viewer")
    await _document(company, room)  # has no list: so indexes are asked for what has none in them, too
    document = await _document(company, room)
    await looking.searches(company, people["viewer"], room, TOPIC)
    await company.restrict(company.admin, document, ())
    await looking.searches(company, people["viewer"], room, TOPIC)
    await looking.asks(company, people["viewer"], room, TOPIC)


async def hidden_documents(company: Company) -> None:
    """A document that somebody may not read is not there at any address, list or count."""
    room, people = await _room(company, viewer="viewer", editor="editor")
    await _document(company, room)
    document = await _document(company, room, hidden=True)
    await looking.opens(company, company.admin, document)
    for caller in people.values():
        await looking.lists(company, caller, [room])
        await looking.opens(company, caller, document)
        await looking.jobs(company, caller)
        await looking.searches(company, caller, room, TOPIC)


async def groups(company: Company) -> None:
    """Rights come with a group and go with it."""
    group = await company.group(f"group of {_email(company.admin)}")
    room, people = await _room(company, member="none")
    await company.share(company.admin, room, group, "viewer")
    document = await _document(company, room, group)
    person = people["member"].person
    for leave in (False, True):
        if person is not None:
            await company.join(person, group, leave=leave)
        await looking.lists(company, people["member"], [room])
        await looking.opens(company, people["member"], document)


async def viewers_write(company: Company) -> None:
    """Who may only read changes nothing."""
    room, people = await _room(company, viewer="viewer", editor="editor")
    document = await _document(company, room)
    for caller in people.values():
        await company.share(caller, room, _email(people["viewer"]), "viewer")
        await company.add(caller, room, TOPIC)
        await company.describe(caller, document)
        await company.restrict(caller, document, None)
        await looking.offices(company, caller)
    await company.delete(people["viewer"], document)
    await company.close(people["editor"], room)


async def narrow_keys(company: Company) -> None:
    """A key does what is written on it, and nothing else that its person may do."""
    room, people = await _room(company, owner="owner")
    other, _ = await _room(company)
    await company.share(company.admin, other, _email(people["owner"]), "owner")
    document, hidden = await _document(company, room), await _document(company, other)
    key = await company.key(people["owner"], ["documents.read"], [room])
    if key is None:
        raise Leak("an owner may not make a key")
    await looking.lists(company, key, [room, other])
    for one in (document, hidden):
        await looking.opens(company, key, one)
        await company.describe(key, one)
    await company.key(key, ["documents.read"], None)


async def revoked(company: Company) -> None:
    """A session or key that has ended opens nothing, nor does anything of who may not act any more."""
    room, people = await _room(company, owner="owner", gone="owner")
    document = await _document(company, room)
    key = await company.key(people["owner"], ["documents.read"], None)
    await company.sign_out(people["owner"])
    await looking.opens(company, people["owner"], document)
    if key is not None:
        await looking.opens(company, key, document)
        await company.sign_out(key)
        await looking.opens(company, key, document)
    another = await company.key(people["gone"], ["documents.read"], None)
    if another is not None and another.person is not None:
        await company.suspend(another.person, active=False)
        await looking.opens(company, another, document)


async def remembered(company: Company) -> None:
    """What is remembered for one is not given to another, though both may read the same."""
    room, people = await _room(company, one="viewer", two="viewer", three="owner")
    await _document(company, room)
    await company.index()
    for caller in people.values():
        await looking.asks(company, caller, room, TOPIC)
        await looking.asks(company, caller, room, TOPIC)


async def behind_the_back(company: Company) -> None:
    """What is remembered passes the gate again: somebody may have changed the catalog by hand, or restored it."""
    room, people = await _room(company, viewer="viewer")
    document = await _document(company, room)
    await company.index()
    await looking.asks(company, people["viewer"], room, TOPIC)
    await looking.searches(company, people["viewer"], room, TOPIC)
    async with company.kaynak.catalog.begin() as unit:
        await unit.connection.execute(
            text("UPDATE kaynak.documents SET readers = ARRAY[collection_id] WHERE id = :id"), {"id": document.id}
        )
    document.readers = set()
    await looking.asks(company, people["viewer"], room, TOPIC)
    await looking.searches(company, people["viewer"], room, TOPIC)


async def conversations(company: Company) -> None:
    """A conversation is its owner's, and what rests on a document goes when the document may not be read any more."""
    room, people = await _room(company, one="viewer", two="viewer")
    document = await _document(company, room)
    talk = await looking.converses(company, people["one"], room, TOPIC)
    if talk is None:
        raise Leak("a viewer may not begin a conversation")
    for caller in people.values():
        await looking.rereads(company, caller, people["one"], talk)
    await company.restrict(company.admin, document, ())
    await looking.rereads(company, people["one"], people["one"], talk)
    await company.restrict(company.admin, document, None)
    await company.delete(company.admin, document)
    await looking.rereads(company, people["one"], people["one"], talk)


async def others_streams(company: Company) -> None:
    """A stream is read and stopped by whoever began it: a person, or one key of theirs."""
    room, people = await _room(company, one="viewer", two="viewer")
    await _document(company, room)
    await looking.streams(company, people["one"], people["two"], room, TOPIC)
    await looking.streams(company, people["one"], people["one"], room, TOPIC)
    key = await company.key(people["one"], ["documents.read"], [room])
    if key is None:
        raise Leak("a viewer may not make a key")
    await looking.streams(company, people["one"], key, room, TOPIC)


async def old_versions(company: Company) -> None:
    """What was superseded or deleted is found by nobody."""
    room, people = await _room(company, viewer="viewer", owner="owner")
    document = await _document(company, room)
    await company.add(company.admin, room, TOPIC, again=document)
    for caller in people.values():
        await looking.searches(company, caller, room, TOPIC)
        await looking.opens(company, caller, document)
    await company.delete(people["owner"], document)
    for caller in people.values():
        await looking.searches(company, caller, room, TOPIC)
        await looking.opens(company, caller, document)
        await looking.jobs(company, caller)


SCENES: tuple[Scene, ...] = (
    strangers,
    stale_indexes,
    hidden_documents,
    groups,
    viewers_write,
    narrow_keys,
    revoked,
    remembered,
    behind_the_back,
    conversations,
    others_streams,
    old_versions,
)
