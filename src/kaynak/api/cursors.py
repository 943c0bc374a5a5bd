"""Opaque page cursors: where the last page ended, with the kind of list it belongs to."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from uuid import UUID

import orjson

from kaynak.domain import InvalidRequest

MAX_CURSOR = 2048


def encode(kind: str, position: str | int | UUID) -> str:
    """Returns the cursor that continues a list of ``kind`` after ``position``."""
    return base64.urlsafe_b64encode(orjson.dumps([kind, position])).decode().rstrip("=")


def text_after(kind: str, cursor: str | None) -> str | None:
    """Returns the position as text.

    Raises:
        InvalidRequest: It is not a cursor of such a list.
    """
    position = _decode(kind, cursor)
    if position is not None and not isinstance(position, str):
        raise _invalid()
    return position


def number_after(kind: str, cursor: str | None) -> int | None:
    """Returns the position as a number from 0.

    Raises:
        InvalidRequest: It is not a cursor of such a list.
    """
    position = _decode(kind, cursor)
    if position is None:
        return None
    if isinstance(position, bool) or not isinstance(position, int) or not 0 <= position < 2**63:
        raise _invalid()
    return position


def id_after(kind: str, cursor: str | None) -> UUID | None:
    """Returns the position as an id.

    Raises:
        InvalidRequest: It is not a cursor of such a list.
    """
    position = text_after(kind, cursor)
    if position is None:
        return None
    try:
        return UUID(position)
    except ValueError as exc:
        raise _invalid() from exc


def moment(time: datetime, identity: UUID) -> str:
    """Returns the position of an item in a list that goes by time."""
    return f"{time.isoformat()}|{identity}"


def moment_after(kind: str, cursor: str | None) -> tuple[datetime, UUID] | None:
    """Returns the position as `moment` made it.

    Raises:
        InvalidRequest: It is not a cursor of such a list.
    """
    position = text_after(kind, cursor)
    if position is None:
        return None
    time, _, identity = position.partition("|")
    try:
        found = datetime.fromisoformat(time), UUID(identity)
    except ValueError as exc:
        raise _invalid() from exc
    if found[0].tzinfo is None:
        raise _invalid()
    return found


def _decode(kind: str, cursor: str | None) -> object:
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, UnicodeError) as exc:
        raise _invalid() from exc
    if len(cursor) > MAX_CURSOR or not isinstance(found, list) or len(found) != 2 or found[0] != kind:
        raise _invalid()
    if isinstance(found[1], str) and "\x00" in found[1]:
        raise _invalid()
    position: object = found[1]
    return position


def _invalid() -> InvalidRequest:
    return InvalidRequest(
        "The cursor does not belong to this list.", hint="Use the value of “next” from the page before."
    )
