from __future__ import annotations

import asyncio
import subprocess
import sys

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

import kaynak.catalog.people_tables  # noqa: F401 - registers its tables
from kaynak.catalog import Catalog
from kaynak.catalog.migrate import head_migration, script_directory
from kaynak.catalog.tables import metadata
from kaynak.domain import ROLES, GenerationSpec, Misconfigured, PartSpec

pytestmark = pytest.mark.anyio


async def objects(catalog: Catalog) -> set[str]:
    async with catalog.read() as unit:
        found = await unit.connection.execute(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'kaynak'::regnamespace) "
                "UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE 'procrastinate%' "
                "UNION ALL SELECT typname FROM pg_type WHERE typname LIKE 'procrastinate%'"
            )
        )
        return set(found.scalars())


async def test_models_and_migrations_agree(catalog: Catalog) -> None:
    def compare(connection):
        options = {
            "include_schemas": True,
            "version_table_schema": "kaynak",
            "compare_server_default": True,
            "include_name": lambda name, kind, _: name == "kaynak" if kind == "schema" else True,
        }
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    async with catalog.read() as unit:
        assert await unit.connection.run_sync(compare) == []


async def test_what_is_asked_at_every_start_needs_no_alembic(catalog: Catalog) -> None:
    assert head_migration() == script_directory().get_current_head()
    assert await catalog.current_migration() == head_migration()
    asked = "import sys; from kaynak.catalog import head_migration; head_migration(); print('alembic' in sys.modules)"
    ran = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", asked], capture_output=True, check=True)
    assert ran.stdout == b"False\n"


async def test_down_and_up_again_gives_the_same(catalog: Catalog) -> None:
    before = await objects(catalog)
    await catalog.migrate("base")
    assert await catalog.current_migration() is None
    assert await objects(catalog) == {"alembic_version", "alembic_version_pkc"}
    await catalog.migrate()
    assert await catalog.current_migration() == script_directory().get_current_head()
    assert await objects(catalog) == before


async def test_stepping_back_from_learnt_weights_leaves_words(catalog: Catalog) -> None:
    spec = GenerationSpec(lexical=PartSpec("qdrant", {"weights": "model", "on_disk": True}))
    async with catalog.begin() as unit:
        identity = await unit.collections.create("handbook", "", None)
        await unit.generations.create(identity, spec, "cut", "vectors", 2, weights_fingerprint="weights")
        for fingerprint in ("vectors", "weights"):
            await unit.embeddings.save(fingerprint, {b"text": np.ones(2, np.float32)})
    await catalog.migrate("0004")
    async with catalog.read() as unit:
        left = await unit.connection.execute(text("SELECT embedder_fingerprint FROM kaynak.embeddings"))
        assert list(left.scalars()) == ["vectors"]
    await catalog.migrate()
    async with catalog.read() as unit:
        generation = await unit.generations.active(identity)
    assert generation.spec.lexical == PartSpec("qdrant", {"on_disk": True})
    assert generation.weights_fingerprint is None


@pytest.mark.parametrize("revision", [one.revision for one in script_directory().walk_revisions() if one.down_revision])
async def test_each_step_down_and_up_again_gives_the_same(catalog: Catalog, revision: str) -> None:
    async def columns() -> set[tuple[str, str]]:
        async with catalog.read() as unit:
            sql = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'kaynak'"
            return {(row.table_name, row.column_name) for row in await unit.connection.execute(text(sql))}

    await catalog.migrate(revision)
    before = await objects(catalog), await columns()
    below = script_directory().get_revision(revision).down_revision
    await catalog.migrate(str(below))
    assert await catalog.current_migration() == below
    await catalog.migrate(revision)
    assert (await objects(catalog), await columns()) == before


async def test_many_processes_may_migrate_at_once(catalog: Catalog) -> None:
    await catalog.migrate("base")
    others = [await Catalog.open(catalog.url, pool_size=1) for _ in range(4)]
    await asyncio.gather(*(other.migrate() for other in others))
    assert await catalog.current_migration() == script_directory().get_current_head()
    for other in others:
        await other.close()


async def test_a_database_of_a_newer_version_is_left_alone(catalog: Catalog) -> None:
    async with catalog.begin() as unit:
        await unit.connection.execute(text("UPDATE kaynak.alembic_version SET version_num = '9999'"))
    with pytest.raises(Misconfigured, match="newer"):
        await catalog.migrate()


async def test_roles_begin_with_what_the_domain_says(catalog: Catalog) -> None:
    async with catalog.read() as unit:
        found = await unit.connection.execute(text("SELECT role, permission FROM kaynak.role_permissions"))
        held = {(row.role, row.permission) for row in found}
    assert held == {(role.value, one.value) for role, all_ in ROLES.items() for one in all_}
