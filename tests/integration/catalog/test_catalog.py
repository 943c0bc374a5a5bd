from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from kaynak.catalog import Catalog, EmbeddedPostgres
from kaynak.catalog.engine import create_readers
from kaynak.domain import OWNER, CatalogUnavailable, CollectionNotFound, InvalidRequest, Misconfigured, StorageFull
from kaynak.testing.folders import quick_folder

pytestmark = pytest.mark.anyio
DEBIAN = Path("/usr/lib/postgresql/15/bin")


async def test_only_the_end_of_the_block_commits(catalog) -> None:
    async with catalog.begin() as unit:
        await unit.connection.execute(text("CREATE TABLE t (n int)"))

    async def fail() -> None:
        async with catalog.begin() as unit:
            await unit.connection.execute(text("INSERT INTO t VALUES (1)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with catalog.read() as unit:
        assert (await unit.connection.execute(text("SELECT count(*) FROM t"))).scalar_one() == 0


async def test_a_reader_cannot_write_and_leaves_no_trace(catalog) -> None:
    with pytest.raises(Exception, match="read-only transaction"):
        async with catalog.read() as unit:
            await unit.connection.execute(text("CREATE TABLE t (n int)"))
    for _ in range(10):  # the same connections write again
        async with catalog.begin() as unit:
            await unit.connection.execute(text("CREATE TABLE IF NOT EXISTS t (n int)"))


async def test_more_tasks_than_connections(database_url) -> None:
    catalog = await Catalog.open(database_url, pool_size=2)

    async def work() -> int:
        async with catalog.read() as unit:
            return (await unit.connection.execute(text("SELECT 1"))).scalar_one()

    assert sum(await asyncio.gather(*(work() for _ in range(50)))) == 50
    await catalog.close()


async def test_urls_that_cannot_be(database_url) -> None:
    for url in ("", "mysql://x", "postgresql://host:port/x"):
        with pytest.raises((Misconfigured, CatalogUnavailable)):
            await Catalog.open(url)
    with pytest.raises(CatalogUnavailable):
        await Catalog.open("postgresql://kaynak@/kaynak?host=/nowhere")
    with pytest.raises(CatalogUnavailable):
        await Catalog.open("postgresql://kaynak@127.0.0.1:1/kaynak")
    with pytest.raises(Misconfigured, match="no_such_database"):
        await Catalog.open(database_url.replace("/test_", "/no_such_database_"))
    with pytest.raises(Misconfigured):
        await Catalog.open(database_url.replace("postgres@", "somebody_else@"))


async def test_connections_that_the_server_closed_are_not_handed_out(catalog) -> None:
    for _ in range(3):
        async with catalog.read() as one, catalog.read() as two:
            await one.connection.execute(text("SELECT 1"))
            await two.connection.execute(text("SELECT 1"))
        with psycopg.connect(catalog.url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await catalog.ping()


async def test_a_connection_that_breaks_in_the_middle_is_said_to_be_away(catalog) -> None:

    async def fail() -> None:
        async with catalog.begin() as unit:
            pid = (await unit.connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            with psycopg.connect(catalog.url, autocommit=True) as admin:
                admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            await unit.connection.execute(text("SELECT 1"))

    with pytest.raises(CatalogUnavailable):
        await fail()
    await catalog.ping()


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("53100", StorageFull),
        ("57P03", CatalogUnavailable),
        ("40P01", CatalogUnavailable),
        ("08006", CatalogUnavailable),
        ("53300", CatalogUnavailable),
        ("25006", CatalogUnavailable),
        ("42501", Misconfigured),
        ("22021", InvalidRequest),
    ],
)
async def test_what_the_server_says_becomes_ours(catalog, state, error) -> None:
    with pytest.raises(error):
        async with catalog.begin() as unit:
            await unit.connection.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$"))


async def test_defects_stay_defects(catalog) -> None:
    with pytest.raises(Exception, match="nonsense") as caught:
        async with catalog.begin() as unit:
            await unit.connection.execute(text("SELECT nonsense"))
    assert not isinstance(caught.value, CatalogUnavailable)


async def test_a_restart_of_the_server_costs_no_more_than_the_request_in_flight() -> None:
    folder = Path(tempfile.mkdtemp(prefix="kr-", dir=quick_folder()))
    folder.chmod(0o755)
    server = EmbeddedPostgres.start(folder)
    catalog = await Catalog.open(server.url)
    try:
        await catalog.migrate()
        os.kill(server.pid or 0, signal.SIGKILL)
        while server.pid is not None:
            await asyncio.sleep(0.01)
        with pytest.raises(CatalogUnavailable):
            await catalog.ping()
        await asyncio.to_thread(server.ensure_running)
        await catalog.ping()
        assert await catalog.current_migration() is not None
    finally:
        await catalog.close()
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def debian_server() -> Iterator[str]:
    """A plain server of the least version we take, without pgvector."""
    if not (DEBIAN / "initdb").exists() or os.geteuid() != 0:
        pytest.skip("needs Debian's postgresql-15 and root")
    folder = Path(tempfile.mkdtemp(prefix="kd-", dir=quick_folder()))
    subprocess.run(["chown", "nobody", folder], check=True)

    def run(*command: object) -> None:
        subprocess.run([str(part) for part in command], user="nobody", cwd="/", check=True, capture_output=True)

    run(DEBIAN / "initdb", "-D", folder / "d", "-U", "postgres", "-A", "trust", "--no-sync")
    run(DEBIAN / "pg_ctl", "-w", "-D", folder / "d", "-o", f"-h '' -k {folder}", "-l", folder / "log", "start")
    yield f"postgresql://postgres@/postgres?host={folder}"
    run(DEBIAN / "pg_ctl", "-w", "-D", folder / "d", "-m", "immediate", "stop")
    subprocess.run(["rm", "-rf", folder], check=True)


async def test_a_server_without_pgvector_is_refused_with_advice(debian_server) -> None:
    with pytest.raises(Misconfigured, match="no pgvector") as caught:
        await Catalog.open(debian_server)
    assert "Install pgvector" in (caught.value.hint or "")


async def test_an_unprivileged_user_is_told_what_is_missing(catalog) -> None:
    await catalog.migrate("base")
    with psycopg.connect(catalog.url, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS weak")
        admin.execute("CREATE ROLE weak LOGIN")
        admin.execute("GRANT weak TO postgres")
    weak = await Catalog.open(catalog.url + "&options=-crole%3Dweak")
    with pytest.raises(Misconfigured, match="permission denied"):
        await weak.migrate()
    await weak.close()


async def test_without_readers_of_their_own_reads_still_cannot_write(database_url, monkeypatch) -> None:
    """A pooler may refuse or swallow the option that makes connections read-only."""

    async def none(_url, _pool_size):
        return None

    monkeypatch.setattr("kaynak.catalog.catalog.create_readers", none)
    catalog = await Catalog.open(database_url)
    try:
        async with catalog.read() as unit:
            assert (await unit.connection.execute(text("SELECT 1"))).scalar_one() == 1
        with pytest.raises(Exception, match="read-only transaction"):
            async with catalog.read() as unit:
                await unit.collections.create("mine")
        async with catalog.begin() as unit:
            await unit.collections.create("mine")
    finally:
        await catalog.close()


async def test_options_of_the_address_are_kept(database_url) -> None:
    shown = text("SELECT current_setting('work_mem'), current_setting('default_transaction_read_only')")
    catalog = await Catalog.open(database_url + "&options=-c%20work_mem%3D3MB")
    try:
        async with catalog.read() as unit:
            assert tuple((await unit.connection.execute(shown)).one()) == ("3MB", "on")
        async with catalog.begin() as unit:
            assert tuple((await unit.connection.execute(shown)).one()) == ("3MB", "off")
    finally:
        await catalog.close()


@pytest.mark.parametrize("answer", ["off", None])
async def test_connections_that_could_write_are_not_taken_for_readers(database_url, monkeypatch, answer) -> None:
    """The option is swallowed, or refused as pgbouncer does."""
    connect = psycopg.AsyncConnection.connect

    async def through_a_pooler(conninfo, **options):
        given = psycopg.conninfo.conninfo_to_dict(conninfo)
        if given.pop("options", None) and answer is None:
            raise psycopg.OperationalError("FATAL:  unsupported startup parameter: options")
        return await connect(psycopg.conninfo.make_conninfo(**given), **options)

    monkeypatch.setattr(psycopg.AsyncConnection, "connect", through_a_pooler)
    assert await create_readers(database_url, 2) is None


@pytest.mark.parametrize(("direct", "prepared"), [(True, 1), (False, 0)])
async def test_statements_are_prepared_where_nothing_is_in_between(database_url, monkeypatch, direct, prepared) -> None:
    """Behind a pooler the next statement may meet another server connection."""
    if not direct:  # poolers make up the process id
        monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", property(lambda _: 4_000_001))
    catalog = await Catalog.open(database_url)
    try:
        async with catalog.read() as unit:
            for _ in range(2):
                with pytest.raises(CollectionNotFound):
                    await unit.collections.get(OWNER, "none")
            known = await unit.connection.execute(text("SELECT count(*) FROM pg_prepared_statements"))
            assert known.scalar_one() == prepared
        async with catalog.begin() as unit:
            with pytest.raises(CollectionNotFound):
                await unit.collections.get(OWNER, "none")
            known = await unit.connection.execute(text("SELECT count(*) FROM pg_prepared_statements"))
            assert known.scalar_one() == 0
    finally:
        await catalog.close()
