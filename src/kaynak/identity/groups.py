from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from kaynak.domain import Action, Group, InvalidRequest, Member, NotFound, Permission, Scope, validate_person_name

if TYPE_CHECKING:
    from kaynak.catalog import Catalog


class GroupsOfPeople:
    """Groups, and who is in them, for those who administer people. All of it raises `Forbidden` for others."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def add(self, scope: Scope, name: str, *, description: str = "", claim: str | None = None) -> Group:
        """Makes a group and returns it.

        Raises:
            InvalidRequest: The name cannot be.
            Conflict: There is a group of that name, or of that claim.
        """
        scope.require(Permission.PEOPLE)
        async with self._catalog.begin() as unit:
            made = await unit.groups.add(_named(name), description=description.strip(), claim=claim or None)
            unit.audit.record(scope, Action.GROUP_CREATED, f"group:{made.id}", name=made.name, claim=made.claim)
        return made

    async def get(self, scope: Scope, group: UUID) -> Group:
        """Returns the group.

        Raises:
            NotFound: There is none of that id.
        """
        scope.require(Permission.PEOPLE)
        async with self._catalog.read() as unit:
            return await unit.groups.get(group)

    async def find(self, scope: Scope, name: str) -> Group:
        """Returns the group of that name.

        Raises:
            NotFound: There is none.
        """
        scope.require(Permission.PEOPLE)
        async with self._catalog.read() as unit:
            return await unit.groups.find(name)

    async def list(self, scope: Scope, *, after: str | None, limit: int) -> list[Group]:
        """Returns groups by name."""
        scope.require(Permission.PEOPLE)
        async with self._catalog.read() as unit:
            return await unit.groups.list(after=after, limit=limit)

    async def update(
        self,
        scope: Scope,
        group: UUID,
        *,
        name: str | None = None,
        description: str | None = None,
        claim: str | None = None,
    ) -> Group:
        """Changes what is given, and returns the group; an empty ``claim`` is none.

        Raises:
            InvalidRequest: The name cannot be.
            NotFound: There is none of that id.
            Conflict: There is another group of that name, or of that claim.
        """
        scope.require(Permission.PEOPLE)
        async with self._catalog.begin() as unit:
            changed = await unit.groups.update(
                group,
                name=None if name is None else _named(name),
                description=None if description is None else description.strip(),
                claim=claim,
            )
            unit.audit.record(scope, Action.GROUP_CHANGED, f"group:{group}", name=name, claim=claim)
        return changed

    async def delete(self, scope: Scope, group: UUID) -> None:
        """Removes a group with what was granted to it.

        Raises:
            NotFound: There is none of that id.
        """
        scope.require(Permission.PEOPLE)
        async with self._catalog.begin() as unit:
            await unit.groups.delete(group)
            unit.audit.record(scope, Action.GROUP_DELETED, f"group:{group}")

    async def members(self, scope: Scope, group: UUID, *, after: UUID | None, limit: int) -> Sequence[Member]:
        """Returns who is in a group.

        Raises:
            NotFound: There is none of that id.
        """
        scope.require(Permission.PEOPLE)
        async with self._catalog.read() as unit:
            await unit.groups.get(group)
            return await unit.groups.members(group, after=after, limit=limit)

    async def add_member(self, scope: Scope, group: UUID, person: UUID) -> None:
        """Puts somebody into a group.

        Raises:
            NotFound: There is no such group, or nobody of that id.
        """
        scope.require(Permission.PEOPLE)
        async with self._catalog.begin() as unit:
            await unit.groups.get(group)
            await unit.users.get(person, lock=True)
            await unit.groups.add_member(group, person)
            unit.audit.record(scope, Action.MEMBER_ADDED, f"group:{group}", person=person)

    async def remove_member(self, scope: Scope, group: UUID, person: UUID) -> None:
        """Takes somebody out of a group.

        Raises:
            NotFound: There is no such group, or they are not in it.
        """
        scope.require(Permission.PEOPLE)
        async with self._catalog.begin() as unit:
            await unit.groups.get(group)
            if not await unit.groups.remove_member(group, person):
                raise NotFound("They are not in the group.")
            unit.audit.record(scope, Action.MEMBER_REMOVED, f"group:{group}", person=person)


def _named(name: str) -> str:
    valid = validate_person_name(name)
    if not valid:
        raise InvalidRequest("A group needs a name.")
    return valid
