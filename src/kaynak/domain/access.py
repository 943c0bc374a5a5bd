"""Who may do what: permissions, and the roles that bundle them. The tables begin with these, and are in force."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """One thing that somebody may do. The first three are held in a collection, the others everywhere."""

    READ = "documents.read"
    """Search it, ask it, and read its documents."""
    WRITE = "documents.write"
    """Add, change and delete its documents; see its jobs."""
    MANAGE = "collection.manage"
    """Rename, describe and delete it, say how it is answered from, and share it."""
    CREATE = "collections.create"
    """Make collections, and own those."""
    EVERY = "collections.every"
    """Do all of that in every collection, whoever may read a document."""
    PEOPLE = "people.manage"
    """Invite, change and remove people and groups, and end their sessions and keys."""
    SETTINGS = "settings.manage"
    """Keep keys of providers, set budgets, and see what everybody spends."""
    AUDIT = "audit.read"
    """Read, export and verify the audit log."""


class CollectionRole(StrEnum):
    """What somebody is to a collection."""

    VIEWER = "viewer"
    EDITOR = "editor"
    OWNER = "owner"


class GlobalRole(StrEnum):
    """What somebody is to the installation."""

    MEMBER = "member"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


COLLECTION_PERMISSIONS: Final = (Permission.READ, Permission.WRITE, Permission.MANAGE)

ROLES: Final[Mapping[CollectionRole | GlobalRole, frozenset[Permission]]] = {
    CollectionRole.VIEWER: frozenset({Permission.READ}),
    CollectionRole.EDITOR: frozenset({Permission.READ, Permission.WRITE}),
    CollectionRole.OWNER: frozenset(COLLECTION_PERMISSIONS),
    GlobalRole.MEMBER: frozenset({Permission.CREATE}),
    GlobalRole.AUDITOR: frozenset({Permission.AUDIT}),
    GlobalRole.ADMINISTRATOR: frozenset(Permission) - frozenset(COLLECTION_PERMISSIONS),
}
"""What each role may do in a new installation."""
