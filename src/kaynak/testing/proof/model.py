"""Who may see what, in few enough lines to be read at a glance. It knows nothing of how Kaynak does it."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field

CANARY = re.compile(r"qz\d{7}")
"""A word that stands in one place only: whoever is shown it has been shown that place."""

_RANKS = {"viewer": 1, "editor": 2, "owner": 3}
_numbers = itertools.count(1)


def canary() -> str:
    """Returns a new one."""
    return f"qz{next(_numbers):07}"


@dataclass(eq=False)
class Person:
    """Somebody.

    Attributes:
        email: Their address.
        role: What they are to the installation.
        groups: Names of those they are in.
        active: Whether they may act at all.
        id: Of their account.
    """

    email: str
    role: str = "member"
    groups: set[str] = field(default_factory=set)
    active: bool = True
    id: str = ""

    @property
    def names(self) -> set[str]:
        """What lists of readers and grants may call them."""
        return {self.email, *self.groups}


@dataclass(eq=False)
class Room:
    """A collection.

    Attributes:
        name: Has a canary.
        roles: By e-mail address or name of a group.
        there: Whether it is not deleted.
    """

    name: str
    roles: dict[str, str] = field(default_factory=dict)
    there: bool = True


@dataclass(eq=False)
class Document:
    """A document, deleted or not.

    Attributes:
        room: Where it is.
        name: External id, with a canary.
        texts: Canaries of the texts of its versions, oldest first.
        said: Canaries of its titles and metadata, past and present.
        now: Those that it has now.
        readers: E-mail addresses and groups; None: all who read the collection.
        there: Whether it is not deleted.
        id: Of the document.
        versions: Ids of its versions, as far as they were seen.
        topic: What it is about; no secret.
    """

    room: Room
    name: str
    topic: str
    texts: list[str] = field(default_factory=list)
    said: set[str] = field(default_factory=set)
    now: set[str] = field(default_factory=set)
    readers: set[str] | None = None
    there: bool = True
    id: str = ""
    versions: set[str] = field(default_factory=set)

    @property
    def canaries(self) -> set[str]:
        """All of them."""
        return {*self.texts, *self.said, *CANARY.findall(self.name)}

    @property
    def current(self) -> set[str]:
        """Those of what it is now."""
        return {self.texts[-1], *self.now, *CANARY.findall(self.name)}


@dataclass(eq=False)
class Caller:
    """Somebody signed in, or a key that acts for them.

    Attributes:
        person: Who; None: nobody is signed in.
        token: What is shown with each request.
        id: Of the session or key.
        permissions: Of a key; None for sessions.
        rooms: The only collections that a key may touch; None: all.
        alive: Whether it is not revoked.
    """

    person: Person | None
    token: str | None = None
    id: str = ""
    permissions: frozenset[str] | None = None
    rooms: frozenset[Room] | None = None
    alive: bool = True

    @property
    def works(self) -> bool:
        """Whether it is let in at all."""
        return self.person is not None and self.person.active and self.alive


@dataclass
class Model:
    """The world as it should look.

    Attributes:
        people: All of them.
        rooms: All collections that ever were.
        documents: All documents that ever were.
        talks: Canaries of what somebody typed into a conversation, with who it was.
        jobs: Ids of jobs, with their documents.
        born: Number of its first canary. Those before are of another life: only administrators may come across them.
    """

    people: list[Person] = field(default_factory=list)
    rooms: list[Room] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    talks: dict[str, Person] = field(default_factory=dict)
    jobs: dict[str, list[Document]] = field(default_factory=dict)
    born: int = field(default_factory=lambda: next(_numbers))

    def rank(self, caller: Caller, room: Room) -> int:
        """Returns what a caller is to a collection: 0 nothing, 1 viewer, 2 editor, 3 owner."""
        if not caller.works or caller.person is None or not room.there:
            return 0
        person = caller.person
        rank = max((_RANKS[room.roles[name]] for name in person.names & room.roles.keys()), default=0)
        rank = 3 if person.role == "administrator" else rank
        if caller.rooms is not None and room not in caller.rooms:
            return 0
        if caller.permissions is not None:
            steps = ("documents.read", "documents.write", "collection.manage")
            allowed = [step in caller.permissions for step in steps]
            # Permissions of a key may have gaps: whoever writes need not manage.
            rank = max((at + 1 for at, one in enumerate(allowed) if one and at < rank), default=0) if allowed[0] else 0
        return rank

    def reads(self, caller: Caller, room: Room) -> bool:
        """Returns whether a caller sees a collection."""
        return self.rank(caller, room) >= 1

    def writes(self, caller: Caller, room: Room) -> bool:
        """Returns whether a caller may change its documents."""
        held = caller.permissions is None or "documents.write" in caller.permissions
        return self.rank(caller, room) >= 2 and held

    def manages(self, caller: Caller, room: Room) -> bool:
        """Returns whether a caller may share it."""
        return self.rank(caller, room) >= 3

    def listed(self, caller: Caller, document: Document) -> bool:
        """Returns whether a caller is among the readers of a document, whatever became of it."""
        person = caller.person
        if person is None or not self.reads(caller, document.room):
            return False
        owner = "owner" in {document.room.roles.get(name) for name in person.names}
        return (
            document.readers is None or person.role == "administrator" or owner or bool(person.names & document.readers)
        )

    def sees(self, caller: Caller, document: Document) -> bool:
        """Returns whether a caller may read a document."""
        return document.there and self.listed(caller, document)

    def visible(self, caller: Caller, room: Room) -> list[Document]:
        """Returns the documents of a collection that a caller may read."""
        return [one for one in self.documents if one.room is room and self.sees(caller, one)]

    def before(self, caller: Caller, word: str, path: str) -> bool:
        """Returns whether a canary is of a life before, and a caller may come across those."""
        person = caller.person
        if person is None or not caller.works or int(word[2:]) >= self.born:
            return False
        if caller.permissions is not None and "documents.read" not in caller.permissions:
            return False
        whole = person.role == "administrator" and caller.rooms is None
        return whole or (person.role == "auditor" and path.startswith("/v1/audit"))

    def allowed(self, caller: Caller, path: str) -> set[str]:
        """Returns the canaries that an answer to a caller may have, at a path."""
        person = caller.person
        if person is None or not caller.works:
            return set()
        known = {word for word, whose in self.talks.items() if whose is person}
        for room in self.rooms:
            if self.reads(caller, room) or path.startswith("/v1/conversations"):
                # What somebody named in a conversation stays named in it.
                known.update(CANARY.findall(room.name))
            if path.startswith("/v1/audit"):
                known.update(CANARY.findall(room.name))
        only_now = path.startswith(("/v1/search", "/v1/ask", "/v1/chat", "/mcp"))
        for one in self.documents:
            if self.sees(caller, one):
                known |= one.current if only_now else one.canaries
            elif path.startswith("/v1/jobs") and self.writes(caller, one.room) and self.listed(caller, one):
                known.update(CANARY.findall(one.name))  # items outlive their documents
            elif path.startswith("/v1/conversations") and person.role == "administrator" and caller.rooms is None:
                known |= one.canaries  # answers of whoever reads everything outlive the documents they rest on
        return known
