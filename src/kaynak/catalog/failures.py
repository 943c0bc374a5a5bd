"""Where errors of PostgreSQL and its drivers become ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
import psycopg.errors
import sqlalchemy.exc

from kaynak.domain import CatalogUnavailable, InvalidRequest, KaynakError, Misconfigured, StorageFull

# SQLSTATE, whole or its class of two letters. Deadlocks and lost races count as away: a retry succeeds.
_AWAY = ("08", "40", "53", "55P03", "57P", "57014", "58")
_FULL = ("53100",)
_UNREPRESENTABLE = ("22021", "22P05", "22P02", "22003", "22023", "22032", "54000", "54001")
_REFUSED = ("28", "3D000", "42501")


@contextlib.contextmanager
def translated(*, writing: bool = False) -> Iterator[None]:
    """Raises foreign errors of the block as ours; those that are defects stay as they are.

    Args:
        writing: Whether the block may write: then a read-only server is a standby, and away for us.
    """
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, psycopg.Error) as exc:
        ours = translate(exc)
        if ours is None and writing and _state(exc) == "25006":
            ours = _away()
        if ours is None:
            raise
        raise ours from exc
    except UnicodeEncodeError as exc:  # what was typed in no encoding of this machine
        raise InvalidRequest("The request has a character that is not text (a lone surrogate).") from exc
    except OSError as exc:  # the socket's folder is gone, or a name does not resolve
        if isinstance(exc, TimeoutError | ConnectionError):
            raise _away() from exc
        raise


def translate(exc: BaseException) -> KaynakError | None:
    """Returns what ``exc`` means for a person; None if it is a defect of ours."""
    if isinstance(exc, sqlalchemy.exc.TimeoutError):
        return CatalogUnavailable("All database connections are busy.", hint="Try again.")
    lost = isinstance(exc, sqlalchemy.exc.DBAPIError) and exc.connection_invalidated
    cause = exc.orig if isinstance(exc, sqlalchemy.exc.DBAPIError) else exc
    state = _state(exc)
    if state.startswith(_FULL):
        return StorageFull("There is no space for the database.", hint="Free some space on its disk.")
    if state.startswith(_REFUSED):
        return Misconfigured(
            f"The database refuses: {_first_line(cause)}",
            hint="Check user, password and database name in KAYNAK_DATABASE_URL; the user must own the database.",
        )
    if state.startswith(_UNREPRESENTABLE) or (isinstance(cause, psycopg.DataError) and not state):
        return InvalidRequest("The request has a value that the database cannot hold.")
    if lost or state.startswith(_AWAY):
        return _away()
    if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError) and not state:
        return _refused_before_start(cause) or _away()
    return None


def _state(exc: BaseException) -> str:
    cause = exc.orig if isinstance(exc, sqlalchemy.exc.DBAPIError) else exc
    return getattr(cause, "sqlstate", None) or ""


def _away() -> CatalogUnavailable:
    return CatalogUnavailable("The database does not answer.", hint="Try again; if it lasts, see its logs.")


def _refused_before_start(cause: BaseException) -> Misconfigured | None:
    """Libpq gives failures of the log-in no SQLSTATE; PostgreSQL's words for them are stable."""
    said = _first_line(cause)
    for sign in ("authentication failed", "does not exist", "no pg_hba.conf entry", "no password supplied"):
        if sign in said and "FATAL" in said:
            return Misconfigured(
                f"The database refuses: {said.rpartition('FATAL:')[2].strip()}",
                hint="Check user, password and database name in KAYNAK_DATABASE_URL.",
            )
    return None


def _first_line(cause: BaseException | None) -> str:
    return str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
