"""Random lives of a company: hypothesis chooses who does what next, and every answer is held to the model."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from kaynak.testing.proof import looking
from kaynak.testing.proof.company import TOPICS, Company
from kaynak.testing.proof.model import Caller, Document, Room

T = TypeVar("T")
PEOPLE, GROUPS, ROOMS, DOCUMENTS, CALLERS = 4, 2, 3, 12, 8
"""At most so many: the smaller the company, the more its parts meet."""

_AT = st.integers(0, 2**16)
_ROLES = st.sampled_from(["viewer", "viewer", "editor", "owner", None])
_TOPIC = st.sampled_from(TOPICS[:2])
_NARROWED = st.sampled_from([None, 0, 1])
_PERMISSIONS = st.sampled_from([("documents.read",), ("documents.read", "documents.write"), ("documents.write",)])


class Life(RuleBasedStateMachine):
    """One life. Numbers that rules draw say which of those that are there.

    Attributes:
        company: Set by `lives`; begins anew with each life.
        run: Runs a coroutine to its end.
        steps: Taken by all lives.
    """

    company: Company
    run: Callable[[Coroutine[Any, Any, Any]], Any]
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.talks: list[tuple[Caller, str]] = []
        self.names: list[str] = []

    @initialize()
    def found(self) -> None:
        """Founds the company: people, groups, two collections, some documents."""
        self.run(self._found())

    async def _found(self) -> None:
        company = self.company
        await company.begin()
        for number in range(GROUPS):
            self.names.append(await company.group(f"group{number} of {company.model.people[0].email}"))
        for number in range(PEOPLE):
            await company.hire(*self.names[number % 2 : number // 2])
        await company.hire(role="auditor")
        for number in range(2):
            room = await company.room(company.admin)
            assert room is not None
            people = company.model.people
            await company.share(company.admin, room, people[1 + number].email, "owner")
            await company.share(company.admin, room, people[2 + number].email, "editor")
            await company.share(company.admin, room, self.names[number], "viewer")
            for readers in (None, (self.names[1 - number],)):
                await company.add(company.admin, room, TOPICS[0], readers)

    # Who and what is meant

    def one(self, things: Sequence[T], at: int) -> T:
        """Returns one of them; small numbers, which hypothesis likes, are spread over all."""
        return things[(at * 40503 >> 3) % len(things)]

    def caller(self, at: int) -> Caller:
        """Returns somebody: those who came last more often than those who are gone."""
        company = self.company
        recent = company.callers[-CALLERS:]
        known = [*recent, *recent, *recent, company.admin, company.admin, company.nobody]
        return self.one(known, at)

    def room(self, at: int) -> Room:
        """Returns a collection, deleted ones included."""
        return self.one(self.company.model.rooms[-ROOMS:], at)

    def document(self, at: int) -> Document:
        """Returns a document, deleted ones included."""
        return self.one(self.company.model.documents[-DOCUMENTS:], at)

    def principal(self, at: int) -> str:
        """Returns the name of somebody or of a group."""
        return self.one([*(person.email for person in self.company.model.people[1:]), *self.names], at)

    def readers(self, at: int) -> tuple[str, ...] | None:
        """Returns a list of readers, or None."""
        return (None, (), (self.principal(at // 3),), (self.principal(at // 3), self.principal(at // 5)))[at % 4]

    def step(self, doing: Coroutine[Any, Any, Any]) -> Any:
        """Takes a step."""
        type(self).steps += 1
        return self.run(doing)

    # What people do

    @rule(at=_AT, active=st.booleans())
    def suspend(self, at: int, active: bool) -> None:
        """Somebody may not act any more, or may again."""
        person = self.one(self.company.model.people[1:], at)
        self.step(self.company.suspend(person, active=active))
        if active:
            self.run(self.company.sign_in(person))

    @rule(at=_AT, role=st.sampled_from(["member", "member", "auditor", "administrator"]))
    def promote(self, at: int, role: str) -> None:
        """Somebody becomes something else."""
        self.step(self.company.promote(self.one(self.company.model.people[1:], at), role))

    @rule(at=_AT, group=_AT, leave=st.booleans())
    def join(self, at: int, group: int, leave: bool) -> None:
        """Somebody joins a group, or leaves it."""
        person = self.one(self.company.model.people[1:], at)
        self.step(self.company.join(person, self.one(self.names, group), leave=leave))

    @rule(who=_AT, at=_AT, name=_AT, role=_ROLES)
    def share(self, who: int, at: int, name: int, role: str | None) -> None:
        """Somebody shares a collection, or ends that."""
        self.step(self.company.share(self.caller(who), self.room(at), self.principal(name), role))

    @rule(who=_AT)
    def make(self, who: int) -> None:
        """Somebody makes a collection."""
        if sum(room.there for room in self.company.model.rooms) < ROOMS:
            self.step(self.company.room(self.caller(who)))

    @rule(who=_AT, at=_AT, sure=st.integers(0, 5))
    def close(self, who: int, at: int, sure: int) -> None:
        """Somebody deletes a collection; not too often."""
        if not sure:
            self.step(self.company.close(self.caller(who), self.room(at)))

    @rule(who=_AT, permissions=_PERMISSIONS, only=_NARROWED)
    def key(self, who: int, permissions: tuple[str, ...], only: int | None) -> None:
        """Somebody makes a key."""
        rooms = None if only is None else [self.room(only)]
        self.step(self.company.key(self.caller(who), permissions, rooms))

    @rule(who=_AT, back=st.booleans())
    def sign_out(self, who: int, back: bool) -> None:
        """A session or a key ends; its person may sign in again."""
        caller = self.caller(who)
        self.step(self.company.sign_out(caller))
        if back and caller.person is not None and caller.person.active:
            self.run(self.company.sign_in(caller.person))

    @rule(who=_AT, at=_AT, topic=_TOPIC, readers=_AT)
    def add(self, who: int, at: int, topic: str, readers: int) -> None:
        """Somebody brings a document in."""
        self.step(self.company.add(self.caller(who), self.room(at), topic, self.readers(readers)))

    @rule(who=_AT, at=_AT)
    def revise(self, who: int, at: int) -> None:
        """Somebody brings a new version in."""
        document = self.document(at)
        if document.there:
            self.step(self.company.add(self.caller(who), document.room, document.topic, again=document))

    @rule(who=_AT, at=_AT, readers=_AT)
    def restrict(self, who: int, at: int, readers: int) -> None:
        """Somebody says who may read a document."""
        self.step(self.company.restrict(self.caller(who), self.document(at), self.readers(readers)))

    @rule(who=_AT, at=_AT)
    def describe(self, who: int, at: int) -> None:
        """Somebody gives a document another title."""
        self.step(self.company.describe(self.caller(who), self.document(at)))

    @rule(who=_AT, at=_AT)
    def delete(self, who: int, at: int) -> None:
        """Somebody deletes a document."""
        self.step(self.company.delete(self.caller(who), self.document(at)))

    @rule()
    def index(self) -> None:
        """The indexes follow."""
        self.step(self.company.index())

    # What people look at

    @rule(who=_AT, at=_AT)
    def lists(self, who: int, at: int) -> None:
        """Somebody looks at lists and counts."""
        self.step(looking.lists(self.company, self.caller(who), [self.room(at)]))

    @rule(who=_AT, at=_AT)
    def opens(self, who: int, at: int) -> None:
        """Somebody opens a document."""
        self.step(looking.opens(self.company, self.caller(who), self.document(at)))

    @rule(who=_AT, at=_AT, topic=_TOPIC)
    def searches(self, who: int, at: int, topic: str) -> None:
        """Somebody searches."""
        self.step(looking.searches(self.company, self.caller(who), self.room(at), topic))

    @rule(who=_AT, other=_AT, at=_AT, topic=_TOPIC)
    def asks(self, who: int, other: int, at: int, topic: str) -> None:
        """Two ask the same."""
        for caller in (self.caller(who), self.caller(other)):
            self.step(looking.asks(self.company, caller, self.room(at), topic))

    @rule(who=_AT, at=_AT, topic=_TOPIC)
    def converses(self, who: int, at: int, topic: str) -> None:
        """Somebody begins a conversation."""
        caller = self.caller(who)
        talk = self.step(looking.converses(self.company, caller, self.room(at), topic))
        if talk is not None:
            self.talks.append((caller, talk))

    @rule(who=_AT, at=_AT)
    def rereads(self, who: int, at: int) -> None:
        """Somebody looks at a conversation."""
        if self.talks:
            owner, talk = self.one(self.talks, at)
            for caller in (owner, self.caller(who)):
                self.step(looking.rereads(self.company, caller, owner, talk))

    @rule(who=_AT, other=_AT, at=_AT)
    def streams(self, who: int, other: int, at: int) -> None:
        """Somebody takes up the stream of somebody else."""
        self.step(looking.streams(self.company, self.caller(who), self.caller(other), self.room(at), TOPICS[0]))

    @rule(who=_AT)
    def jobs(self, who: int) -> None:
        """Somebody looks at jobs."""
        self.step(looking.jobs(self.company, self.caller(who)))

    @rule(who=_AT)
    def offices(self, who: int) -> None:
        """Somebody looks at what is for administrators."""
        self.step(looking.offices(self.company, self.caller(who)))
