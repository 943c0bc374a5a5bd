"""The installed command in processes of its own, on data directories of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kaynak import Client
from kaynak.testing.folders import quick_folder

pytestmark = pytest.mark.untraced
KAYNAK = [sys.executable, "-c", "from kaynak.cli.main import main; main()"]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A short path: the database's socket lies below it."""
    folder = Path(tempfile.mkdtemp(prefix="ke-", dir=quick_folder()))
    folder.chmod(0o755)  # the server's account passes through
    yield folder / "data"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def kaynak(data_dir: Path, tmp_path: Path) -> Callable[..., Any]:
    def run(*words: object, stdin: str | None = None) -> Any:
        done = subprocess.run(
            [*KAYNAK, *map(str, words)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=tmp_path,
            env={**os.environ, "KAYNAK_DATA_DIR": str(data_dir)},
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        done.document = json.loads(done.stdout) if "--json" in words else None
        return done

    return run


class Server:
    def __init__(self, data_dir: Path, cwd: Path) -> None:
        self.process = subprocess.Popen(
            [*KAYNAK, "up", "--port", "0", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env={**os.environ, "KAYNAK_DATA_DIR": str(data_dir)},
        )
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        self.url = json.loads(line)["url"]

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode


@pytest.fixture
def up(data_dir: Path, tmp_path: Path) -> Iterator[Callable[[], Server]]:
    started: list[Server] = []

    def start() -> Server:
        started.append(Server(data_dir, tmp_path))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.end(signal.SIGKILL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "documents"
    (root / "sub").mkdir(parents=True)
    (root / "leave.md").write_text("# Leave\n\nEveryone has 26 days of paid leave a year.\n")
    (root / "sub" / "lunch.md").write_text("# Lunch\n\nLunch is served at noon in the canteen.\n")
    (root / "empty.txt").touch()
    return root


@pytest.mark.slow
def test_add_search_ask_remove(kaynak, folder):
    added = kaynak("add", folder, "-c", "handbook", "--json")
    assert added.returncode == 1, added.stderr  # one file is empty
    assert (added.document["added"], added.document["failed"], added.document["created"]) == (2, 1, True)
    assert added.document["failures"][0]["error_code"] == "empty"
    (folder / "empty.txt").unlink()
    again = kaynak("add", folder, "-c", "handbook", "--json")
    assert (again.returncode, again.document["unchanged"]) == (0, 2)
    (folder / "leave.md").write_text("# Leave\n\nEveryone has 30 days of paid leave a year.\n")
    assert kaynak("add", folder, "-c", "handbook", "--json").document["updated"] == 1

    found = kaynak("search", "paid leave", "-c", "handbook", "--json")
    assert found.returncode == 0
    assert found.document["hits"][0]["external_id"] == "leave.md"
    answer = kaynak("ask", "How many days of paid leave are there?", "-c", "handbook", "--json")
    assert answer.returncode == 0, answer.stdout
    assert "30 days" in answer.document["citations"][0]["quote"]

    assert kaynak("docs", "rm", "leave.md", "-c", "handbook").returncode == 0
    gone = kaynak("search", "26 days of paid leave", "-c", "handbook", "--json")
    assert all(hit["external_id"] != "leave.md" for hit in gone.document["hits"])
    missing = kaynak("docs", "show", "leave.md", "-c", "handbook", "--json")
    assert (missing.returncode, missing.document["error"]["status"]) == (3, 404)
    assert kaynak("collections", "rm", "handbook", "--yes", "--json").document["documents"] == 1
    assert kaynak("collections", "list", "--json").document == {"items": []}


def test_a_server_its_commands_and_its_end(kaynak, up, folder):
    server = up()
    with Client(server.url) as client:
        assert client.healthy()
        client.create_collection("handbook")
        job = client.wait(client.add_files("handbook", [folder / "leave.md"]))
        assert job.state.value == "succeeded"
        # A command beside the server, on the same data, and what it did is seen by the server.
        assert kaynak("add", folder / "sub", "-c", "handbook").returncode == 0
        assert {document.external_id for document in client.documents("handbook")} == {"leave.md", "lunch.md"}
        second = kaynak("up", "--port", "0", "--json")
        assert second.returncode == 78
        assert second.document["error"]["type"] == "urn:kaynak:error:data-directory-in-use"
        assert server.url in second.document["error"]["detail"]
        page = httpx.get(f"{server.url}/docs")
        assert page.status_code == 200
    assert server.end(signal.SIGTERM) == 0


def test_a_killed_server_starts_again_and_finishes_its_work(kaynak, up, tmp_path):
    server = up()
    with Client(server.url) as client:
        client.create_collection("c")
        texts = [(f"{n}.txt", f"Text number {n} about the number {n}.".encode()) for n in range(200)]
        submission = client.add_files("c", texts)
        server.end(signal.SIGKILL)
    server = up()
    with Client(server.url) as client:
        deadline = time.monotonic() + 60
        while not client.job(submission.job.id).state.final and time.monotonic() < deadline:
            time.sleep(0.2)
        job = client.job(submission.job.id)
        assert job.state.value == "succeeded", job
        assert client.collection("c").documents == 200
    assert server.end(signal.SIGINT) == 0


def test_help_is_quick_because_nothing_heavy_is_imported():
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom kaynak.cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "heavy = {'fastapi', 'sqlalchemy', 'openvino', 'numpy', 'tantivy', 'pydantic', 'httpx', 'rich.progress'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.slow
def test_an_interrupted_add_cancels_what_waits_and_goes_on_when_typed_again(kaynak, data_dir, tmp_path):
    root = tmp_path / "many"
    root.mkdir()
    for n in range(150):
        (root / f"{n}.txt").write_text(f"Text number {n}. " * 40)
    process = subprocess.Popen(
        [*KAYNAK, "add", str(root), "-c", "c"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "KAYNAK_DATA_DIR": str(data_dir)},
    )
    assert "Created" in process.stderr.readline()
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert "run the same command again" in err
    states = {job["state"] for job in kaynak("jobs", "list", "--json").document["items"]}
    assert states <= {"cancelled", "succeeded"}
    again = kaynak("add", root, "-c", "c", "--json")
    assert again.returncode == 0, again.stdout
    assert again.document["failed"] == again.document["cancelled"] == 0
    assert kaynak("collections", "show", "c", "--json").document["documents"] == 150


def test_words_move_to_milvus(kaynak, folder):
    pytest.importorskip("milvus_lite", reason="the extra milvus-embedded is not installed")
    (folder / "empty.txt").unlink()
    assert kaynak("add", folder, "-c", "handbook").returncode == 0
    built = kaynak("index", "build", "handbook", "--lexical", "milvus", "--json")
    assert built.returncode == 0, built.stderr
    assert kaynak("index", "switch", "handbook", built.document["id"], "--force").returncode == 0
    found = kaynak("search", "paid leave", "-c", "handbook", "--mode", "lexical", "--json")
    assert [hit["external_id"] for hit in found.document["hits"]] == ["leave.md"]
