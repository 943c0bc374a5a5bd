from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from kaynak.domain.access import COLLECTION_PERMISSIONS, Permission
from kaynak.domain.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Scope:
    """Who asks, and what they may do. Required by type wherever documents are read; the catalog gate enforces it.

    Made once for each request. Where a set may be None, None means every one.

    Attributes:
        subject: A stable name of the person, also where a key of theirs is used: ``owner``, ``user:…``.
        collections: Ids of the collections that may be read.
        editable: Of those, the ones whose documents may be added, changed and deleted.
        managed: Of those, the ones that may be shared, renamed and deleted.
        principals: The ids that lists of readers may name: the person, their groups, and the collections they own
            (whoever owns a collection reads all of its documents); None: lists of readers do not bind.
        permissions: What may be done everywhere.
        key: The API key that was used; None where the person came by themselves.
    """

    subject: str
    collections: frozenset[UUID] | None = frozenset()
    editable: frozenset[UUID] | None = frozenset()
    managed: frozenset[UUID] | None = frozenset()
    principals: frozenset[UUID] | None = frozenset()
    permissions: frozenset[Permission] = frozenset()
    key: UUID | None = None

    @property
    def person(self) -> UUID | None:
        """Who it is; None for the local owner."""
        kind, _, identity = self.subject.partition(":")
        return UUID(identity) if kind == "user" else None

    @property
    def sees_all(self) -> bool:
        """Whether every document of every collection may be read."""
        return self.collections is None and self.principals is None

    def held(self, permission: Permission) -> frozenset[UUID] | None:
        """Returns the collections in which that may be done; None: in every one."""
        return {
            Permission.READ: self.collections,
            Permission.WRITE: self.editable,
            Permission.MANAGE: self.managed,
        }[permission]

    def owning(self, collection: UUID) -> Scope:
        """Returns the scope of who has just become the owner of ``collection``."""
        sets = (self.collections, self.editable, self.managed, self.principals)
        own = (None if one is None else one | {collection} for one in sets)
        collections, editable, managed, principals = own
        return replace(self, collections=collections, editable=editable, managed=managed, principals=principals)

    def allows(self, collection: UUID, permission: Permission = Permission.READ) -> bool:
        """Returns whether that may be done in ``collection``."""
        held = self.held(permission)
        return held is None or collection in held

    def may(self, permission: Permission) -> bool:
        """Returns whether that may be done everywhere."""
        return permission in self.permissions

    def require(self, permission: Permission, collection: UUID | None = None) -> None:
        """Lets pass who may do that.

        Args:
            permission: What is about to be done.
            collection: Where, for the permissions that are held in a collection. It is one that the caller may read:
                what one may not read does not exist, and is not found before it is asked what may be done there.

        Raises:
            Forbidden: They may not.
        """
        if permission in COLLECTION_PERMISSIONS:
            allowed = collection is not None and self.allows(collection, permission)
        else:
            allowed = self.may(permission)
        if not allowed:
            where = "in this collection" if collection is not None else "here"
            raise Forbidden(
                f"You may not do that {where}: it needs the permission {permission.value}.",
                hint="Ask an owner of the collection." if collection is not None else "Ask an administrator.",
            )


OWNER = Scope("owner", None, None, None, None, frozenset(Permission))
"""The local owner: a laptop without accounts, and whoever runs commands on the data directory."""

STRANGER = Scope("nobody")
"""Who did not say who they are, where that is not asked for: they see nothing."""
