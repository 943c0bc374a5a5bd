"""With whom collections and documents are shared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Literal, TypeAlias
from uuid import UUID

from kaynak.domain.access import CollectionRole


class PrincipalKind(StrEnum):
    """What something can be shared with."""

    PERSON = "person"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or a group.

    Attributes:
        id: Stable identity.
        kind: Which of the two.
        name: The e-mail address of a person, the name of a group.
    """

    id: UUID
    kind: PrincipalKind
    name: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person or a group is to a collection.

    Attributes:
        principal: Who.
        role: What.
        created_at: UTC, of the grant or of its latest change.
    """

    principal: Principal
    role: CollectionRole
    created_at: datetime


class _Unchanged(Enum):
    UNCHANGED = "unchanged"


UNCHANGED = _Unchanged.UNCHANGED
"""Where None means something, and what is there is to stay."""
Unchanged: TypeAlias = Literal[_Unchanged.UNCHANGED]
