from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from kaynak.catalog import EmbeddedPostgres
from kaynak.catalog.embedded.postmaster import Postmaster
from kaynak.domain import CatalogUnavailable, Misconfigured
from kaynak.testing.folders import quick_folder

USE = """
import sys, time
from pathlib import Path
from kaynak.catalog import EmbeddedPostgres
import psycopg
server = EmbeddedPostgres.start(Path(sys.argv[1]))
with psycopg.connect(server.url, autocommit=True) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS t (n int)") if sys.argv[2] == "make" else None
    connection.execute("INSERT INTO t VALUES (1)")
print(server.pid, flush=True)
if sys.argv[2] == "wait":
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A data directory after its first start; making one takes a second."""
    folder = Path(tempfile.mkdtemp(prefix="ke-", dir=quick_folder()))
    folder.chmod(0o755)
    server = EmbeddedPostgres.start(folder)
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE t (n int)")
    server.stop()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def data_dir(made: Path, empty_dir: Path) -> Path:
    subprocess.run(["cp", "-a", made / "postgres", empty_dir], check=True)
    return empty_dir


@pytest.fixture
def empty_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ke-", dir=quick_folder()))
    folder.chmod(0o755)
    yield folder
    found = Postmaster.read(folder / "postgres" / "cluster")
    if found and found.alive:
        os.kill(found.pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def use() -> Iterator[Callable[[Path, str], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(data_dir: Path, how: str) -> subprocess.Popen[str]:
        started.append(_use(data_dir, how))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _use(data_dir: Path, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", USE, str(data_dir), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return next(line.strip() for line in process.stdout if line.strip().isdigit())  # logs are in between


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def rows(server: EmbeddedPostgres) -> int:
    with psycopg.connect(server.url) as connection:
        found = connection.execute("SELECT count(*) FROM t").fetchone()
    assert found is not None
    return found[0]


def test_processes_share_one_server_and_the_last_one_stops_it(data_dir: Path, use) -> None:
    server = EmbeddedPostgres.start(data_dir)
    others = [use(data_dir, "wait") for _ in range(2)]
    assert {said(other) for other in others} == {str(server.pid)}
    pid = server.pid
    server.stop()
    server.stop()
    assert Postmaster.read(data_dir / "postgres" / "cluster").alive
    others[0].kill()  # a killed process counts as gone
    others[0].communicate()
    assert Postmaster.read(data_dir / "postgres" / "cluster").pid == pid
    others[1].communicate("")
    assert Postmaster.read(data_dir / "postgres" / "cluster") is None


def test_two_handles_in_one_process_count_as_two(data_dir: Path) -> None:
    first = EmbeddedPostgres.start(data_dir)
    second = EmbeddedPostgres.start(data_dir)
    assert first.pid == second.pid
    first.stop()
    assert second.pid is not None
    second.stop()
    assert second.pid is None


def test_many_processes_start_at_once(data_dir: Path, use) -> None:
    processes = [use(data_dir, "wait") for _ in range(4)]
    assert len({said(process) for process in processes}) == 1
    for process in processes:
        process.communicate("")
    assert Postmaster.read(data_dir / "postgres" / "cluster") is None


def test_when_all_are_killed_the_next_start_finds_the_server(data_dir: Path, use) -> None:
    process = use(data_dir, "wait")
    pid = int(said(process))
    process.kill()
    process.communicate()
    server = EmbeddedPostgres.start(data_dir)
    assert server.pid == pid
    assert rows(server) == 1
    server.stop()
    assert server.pid is None


def test_what_was_committed_survives_a_killed_server(data_dir: Path) -> None:
    server = EmbeddedPostgres.start(data_dir)
    connection = psycopg.connect(server.url, autocommit=True)
    connection.execute("INSERT INTO t SELECT generate_series(1, 1000)")
    connection.execute("BEGIN")
    connection.execute("INSERT INTO t SELECT generate_series(1, 1000)")
    os.kill(server.pid or 0, signal.SIGKILL)
    wait_until(lambda: server.pid is None)
    assert server.ensure_running()
    assert not server.ensure_running()
    assert rows(server) == 1000
    connection.close()
    server.stop()
    assert not server.ensure_running()  # who left does not start it again


def test_a_keeper_starts_it_again(data_dir: Path) -> None:
    server = EmbeddedPostgres.start(data_dir)
    first = server.pid

    async def run() -> None:
        keeper = asyncio.create_task(server.keep_running(0.01))
        os.kill(first or 0, signal.SIGKILL)
        while server.pid in {None, first}:
            await asyncio.sleep(0.02)
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)

    asyncio.run(asyncio.wait_for(run(), 30))
    psycopg.connect(server.url, connect_timeout=20).close()
    server.stop()


def test_a_stale_pid_file_of_another_process_is_no_obstacle(data_dir: Path) -> None:
    server = EmbeddedPostgres.start(data_dir)
    server.stop()
    bystander = subprocess.Popen(["sleep", "60"])  # its number is where the server's was
    try:
        pid_file = data_dir / "postgres" / "cluster" / "postmaster.pid"
        pid_file.write_text(f"{bystander.pid}\n{pid_file.parent}\n1700000000\n5432\n/nowhere\n\n 1 2\nready\n")
        server = EmbeddedPostgres.start(data_dir)
        assert server.pid != bystander.pid
        server.stop()
        pid_file.write_text("")  # cut off by a power failure
        EmbeddedPostgres.start(data_dir).stop()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_an_interrupted_first_start_is_done_again(empty_dir: Path) -> None:
    half = empty_dir / "postgres" / "cluster.new"
    half.mkdir(parents=True)
    (half / "base").write_text("half")
    server = EmbeddedPostgres.start(empty_dir)
    assert not half.exists()
    server.stop()


def test_only_the_owner_gets_to_the_socket(data_dir: Path) -> None:
    server = EmbeddedPostgres.start(data_dir)
    home = data_dir / "postgres"
    owner = home.stat().st_uid
    for folder in (home, server.socket_directory, home / "cluster", home / "logs"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.stat().st_uid == owner
    socket = server.socket_directory / ".s.PGSQL.5432"
    assert stat.S_IMODE(socket.stat().st_mode) & 0o077 == 0
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW dynamic_shared_memory_type").fetchone() == ("mmap",)
        assert connection.execute("SELECT current_schema()").fetchone() == ("public",)
    if os.geteuid() == 0:
        entry = pwd.getpwnam("nobody")
        tried = subprocess.run(
            ["ls", str(server.socket_directory)], user=entry.pw_uid, group=entry.pw_gid, extra_groups=[],
            capture_output=True, check=False,
        )  # fmt: skip
        assert tried.returncode != 0
    server.stop()


def test_another_account_is_refused_even_with_the_socket_open(data_dir: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs another account")
    server = EmbeddedPostgres.start(data_dir)
    for path in (data_dir / "postgres", server.socket_directory, server.socket_directory / ".s.PGSQL.5432"):
        path.chmod(0o777)
    entry = pwd.getpwnam("nobody")
    psql = next(Path(p) for p in [shutil.which("psql") or "/nowhere"])
    if not psql.exists():
        pytest.skip("needs psql")
    tried = subprocess.run(
        [psql, server.url, "-c", "SELECT 1"], user=entry.pw_uid, group=entry.pw_gid, extra_groups=[],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Peer authentication failed" in tried.stderr
    server.stop()


def test_a_long_path_gets_a_short_private_socket(empty_dir: Path) -> None:
    deep = empty_dir / ("d" * 60) / ("e" * 60)
    server = EmbeddedPostgres.start(deep)
    assert len(str(server.socket_directory)) < 60
    assert stat.S_IMODE(server.socket_directory.stat().st_mode) == 0o700
    psycopg.connect(server.url).close()
    folder = server.socket_directory
    again = EmbeddedPostgres.start(deep)
    assert again.url == server.url
    again.stop()
    server.stop()
    folder.chmod(0o755)  # as if someone else had laid it out for us
    with pytest.raises(Misconfigured, match="belongs to someone else"):
        EmbeddedPostgres.start(deep)
    folder.rmdir()


def test_a_private_home_lets_only_the_server_pass(empty_dir: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root runs the server under another account")
    home = empty_dir / "private home"
    home.mkdir(mode=0o700)
    server = EmbeddedPostgres.start(home / "kaynak")
    psycopg.connect(server.url).close()
    server.stop()
    nobody = pwd.getpwnam("nobody")
    tried = subprocess.run(
        ["ls", str(home / "kaynak")], user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[],
        capture_output=True, check=False,
    )  # fmt: skip
    assert tried.returncode != 0
    assert not stat.S_IMODE(home.stat().st_mode) & 0o007


def test_directories_that_cannot_carry_a_server_are_refused(empty_dir: Path) -> None:
    (empty_dir / "file").write_text("")
    with pytest.raises(Misconfigured, match="cannot be used"):
        EmbeddedPostgres.start(empty_dir / "file" / "sub")
    cluster = empty_dir / "a" / "postgres" / "cluster"
    cluster.mkdir(parents=True)
    (cluster / "something").write_text("")
    with pytest.raises(Misconfigured, match="no database"):
        EmbeddedPostgres.start(empty_dir / "a")
    (cluster / "PG_VERSION").write_text("16\n")
    with pytest.raises(Misconfigured, match="of PostgreSQL 16"):
        EmbeddedPostgres.start(empty_dir / "a")


def test_a_start_that_fails_says_why(data_dir: Path) -> None:
    server = EmbeddedPostgres.start(data_dir)
    server.stop()
    auto = data_dir / "postgres" / "cluster" / "postgresql.auto.conf"
    auto.write_text("shared_buffers = '900TB'\n")
    with pytest.raises(CatalogUnavailable, match="does not start"):
        EmbeddedPostgres.start(data_dir)
    auto.write_text("")
    EmbeddedPostgres.start(data_dir).stop()
