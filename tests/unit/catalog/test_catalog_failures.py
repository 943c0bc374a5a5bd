from __future__ import annotations

import psycopg
import pytest
import sqlalchemy.exc

from kaynak.catalog import translated
from kaynak.domain import CatalogUnavailable, InvalidRequest, Misconfigured


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        (sqlalchemy.exc.TimeoutError("pool"), CatalogUnavailable),
        (psycopg.OperationalError("server closed the connection unexpectedly"), CatalogUnavailable),
        (psycopg.OperationalError('connection failed: FATAL:  database "x" does not exist'), Misconfigured),
        (psycopg.OperationalError("FATAL:  password authentication failed for user"), Misconfigured),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), InvalidRequest),
        (psycopg.errors.DeadlockDetected(), CatalogUnavailable),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"), InvalidRequest),
        (ConnectionResetError(), CatalogUnavailable),
        (TimeoutError(), CatalogUnavailable),
    ],
)
def test_foreign_errors_become_ours(foreign: Exception, ours: type[Exception]) -> None:
    with pytest.raises(ours) as caught, translated():
        raise foreign
    assert caught.value.__cause__ is foreign


@pytest.mark.parametrize(
    "defect", [psycopg.errors.UndefinedTable(), OSError(5, "io"), KeyError("x"), psycopg.errors.UniqueViolation()]
)
def test_defects_stay_what_they_are(defect: Exception) -> None:
    with pytest.raises(type(defect)) as caught, translated():
        raise defect
    assert caught.value is defect
