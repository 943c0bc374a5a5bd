from __future__ import annotations

from uuid import UUID

from kaynak.catalog import Catalog, Unit
from kaynak.domain import Action, CollectionRole, Conflict, Grant, NotFound, Permission, Scope


class Sharing:
    """With whom collections are shared. Only who may manage a collection sees or changes it.

    Args:
        catalog: Where it is kept.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def list(self, scope: Scope, collection: str) -> list[Grant]:
        """Returns with whom a collection is shared, by name.

        Raises:
            CollectionNotFound: There is no such collection, or not for this caller.
            Forbidden: The caller may not manage it.
        """
        async with self._catalog.read() as unit:
            return await unit.grants.list(await _managed(unit, scope, collection))

    async def share(self, scope: Scope, collection: str, name: str, role: CollectionRole) -> Grant:
        """Gives a person or a group a role in a collection, in place of the one they had.

        It counts from their next request on.

        Args:
            scope: Who asks.
            collection: Name of the collection.
            name: E-mail address or id of a person, name or id of a group.
            role: What they are to the collection.

        Raises:
            CollectionNotFound: There is no such collection, or not for this caller.
            Forbidden: The caller may not manage it.
            InvalidRequest: There is no such person or group.
            Conflict: They are its last owner.
        """
        async with self._catalog.begin() as unit:
            identity = await _managed(unit, scope, collection)
            principal = (await unit.grants.named([name]))[name]
            if role is not CollectionRole.OWNER:
                await _keep_an_owner(unit, scope, identity, principal.id)
            await unit.grants.put(identity, principal.id, role)
            unit.audit.record(
                scope, Action.GRANTED, f"collection:{identity}", principal=principal.id, name=principal.name, role=role
            )
            grants = await unit.grants.list(identity)
        return next(one for one in grants if one.principal == principal)

    async def unshare(self, scope: Scope, collection: str, name: str) -> None:
        """Takes the role of a person or a group in a collection away, from their next request on.

        Raises:
            CollectionNotFound: There is no such collection, or not for this caller.
            Forbidden: The caller may not manage it.
            InvalidRequest: There is no such person or group.
            NotFound: They have no role in it.
            Conflict: They are its last owner.
        """
        async with self._catalog.begin() as unit:
            identity = await _managed(unit, scope, collection)
            principal = (await unit.grants.named([name]))[name]
            await _keep_an_owner(unit, scope, identity, principal.id)
            if not await unit.grants.remove(identity, principal.id):
                raise NotFound(
                    f"“{collection}” is not shared with “{principal.name[:80]}”.",
                    hint="List the grants of the collection to see them.",
                )
            unit.audit.record(
                scope, Action.GRANT_REVOKED, f"collection:{identity}", principal=principal.id, name=principal.name
            )


async def _managed(unit: Unit, scope: Scope, collection: str) -> UUID:
    found = await unit.collections.get(scope, collection)
    scope.require(Permission.MANAGE, found.id)
    return found.id


async def _keep_an_owner(unit: Unit, scope: Scope, collection_id: UUID, leaving: UUID) -> None:
    """Keeps a collection from being left without an owner; an administrator may leave it so."""
    if scope.may(Permission.EVERY):
        return
    await unit.collections.lock(collection_id)  # of two who take each other out, the second sees that
    owners = {one.principal.id for one in await unit.grants.list(collection_id) if one.role is CollectionRole.OWNER}
    if owners == {leaving}:
        raise Conflict("They are the last owner of the collection.", hint="Make somebody else its owner first.")
