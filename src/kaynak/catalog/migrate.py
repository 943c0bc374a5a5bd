"""Migrations, run from code. They lie inside the package, see ``migrations/versions``.

Alembic is imported when there is something to migrate: every start asks where the database is, and for that a fifth
of a second of imports is too much.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from kaynak.domain import Misconfigured

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

SCHEMA = "kaynak"
_LOCK = 0x6B61796E616B  # "kaynak"; one migration at a time per database
_FOLDER = Path(__file__).parent / "migrations"


def script_directory() -> ScriptDirectory:
    """Returns the migrations as Alembic sees them."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


@cache
def head_migration() -> str | None:
    """Returns the migration that this code wants the database to be at: files are named by number, in order."""
    return max((path.name.partition("_")[0] for path in (_FOLDER / "versions").glob("[0-9]*_*.py")), default=None)


async def migrate(engine: AsyncEngine, target: str) -> None:
    """Moves the database to ``target`` in one transaction: up, or down if it lies below.

    Others who migrate at the same time wait, and then find nothing to do.

    Raises:
        Misconfigured: The database was migrated by a newer Kaynak.
    """
    async with engine.begin() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        await connection.run_sync(_run, target)


async def current(engine: AsyncEngine) -> str | None:
    """Returns the migration that the database is at; None for an empty one."""
    async with engine.connect() as connection:
        return await connection.run_sync(_current)


def _run(connection: Connection, target: str) -> None:
    from alembic import command

    scripts = script_directory()
    now = _current(connection)
    known = {script.revision for script in scripts.walk_revisions()}
    if now is not None and now not in known:
        raise Misconfigured(f"The database was migrated by a newer Kaynak (to {now}).", hint="Upgrade Kaynak.")
    config = _config()
    config.attributes["connection"] = connection
    if target == "base" or (now is not None and target in _below(scripts, now)):
        command.downgrade(config, target)
    else:
        command.upgrade(config, target)


def _below(scripts: ScriptDirectory, revision: str) -> set[str]:
    return {script.revision for script in scripts.iterate_revisions(revision, "base")} - {revision}


def _current(connection: Connection) -> str | None:
    there = connection.execute(text("SELECT to_regclass(:table) IS NOT NULL"), {"table": f"{SCHEMA}.alembic_version"})
    if not there.scalar_one():
        return None
    return connection.execute(text(f"SELECT max(version_num) FROM {SCHEMA}.alembic_version")).scalar_one_or_none()  # noqa: S608


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config
