"""Real servers in processes of their own: damage that would end a process, and two that want one directory."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from kaynak.testing.folders import quick_folder

UP = [sys.executable, "-c", "from kaynak.cli.main import main; main()", "up", "--port", "0", "--json"]
QUERY = {"query": "steps of the lighthouse", "collections": ["c"]}


@pytest.fixture
def data_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="kf-", dir=quick_folder()))
    folder.chmod(0o755)  # the database's account passes through
    yield folder / "data"
    shutil.rmtree(folder, ignore_errors=True)


def launched(data_dir: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "KAYNAK_DATA_DIR": str(data_dir), "KAYNAK_LOG__LEVEL": "ERROR"}
    return subprocess.Popen(
        UP, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=data_dir.parent, env=environment
    )


def ended(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
    process.send_signal(number)
    process.communicate(timeout=40)
    return process.returncode


@contextmanager
def serving(data_dir: Path) -> Iterator[httpx.Client]:
    process = launched(data_dir)
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        with httpx.Client(base_url=json.loads(line)["url"], timeout=60) as client:
            yield client
        assert process.poll() is None, "the server has died"
        assert ended(process) == 0
    finally:
        if process.poll() is None:
            ended(process, signal.SIGKILL)


def add(client: httpx.Client, external_id: str, text: str) -> None:
    answer = client.post("/v1/collections/c/documents", json={"external_id": external_id, "text": text})
    assert answer.status_code == 202, answer.text
    stream = client.get(f"/v1/jobs/{answer.json()['job']['id']}/events").text
    assert '"state":"succeeded"' in stream.strip().split("\n\n")[-1]


def whole(client: httpx.Client) -> None:
    until = time.monotonic() + 60
    while True:
        answer = client.post("/v1/search", json={**QUERY, "mode": "lexical"})
        assert answer.status_code in {200, 503}, answer.text
        found: dict[str, Any] = answer.json()
        if answer.status_code == 200 and not found["degraded"] and found["hits"]:
            assert found["hits"][0]["external_id"] == "anchor"
            return
        assert time.monotonic() < until, found
        time.sleep(0.1)


@pytest.mark.untraced
def test_of_two_servers_started_at_once_one_serves_and_the_other_says_so(data_dir: Path) -> None:
    """On an empty directory both would make a database."""
    both = [launched(data_dir), launched(data_dir)]
    try:
        said = [(process, json.loads(process.stdout.readline() or "{}")) for process in both]
        (winner, url), *_ = [(process, one["url"]) for process, one in said if "url" in one]
        ((loser, refusal),) = [(process, one) for process, one in said if "url" not in one]
        loser.communicate(timeout=30)
        problem = refusal["error"]
        assert (loser.returncode, problem["type"]) == (78, "urn:kaynak:error:data-directory-in-use")
        assert f"process {winner.pid}" in problem["detail"]
        assert problem["hint"]
        with httpx.Client(base_url=url, timeout=60) as client:
            assert client.get("/ready").status_code == 200
        assert ended(winner) == 0
    finally:
        for process in both:
            if process.poll() is None:
                ended(process, signal.SIGKILL)


@pytest.mark.untraced
def test_indexes_deleted_and_damaged_under_a_running_server(data_dir: Path) -> None:
    root = data_dir / "indexes" / "tantivy"
    with serving(data_dir) as client:
        assert client.post("/v1/collections", json={"name": "c"}).status_code == 201
        add(client, "anchor", "The lighthouse keeper counts forty-two steps on the staircase.")
        whole(client)
        (index,) = [folder for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
        shutil.rmtree(root)
        whole(client)
        add(client, "after", "Afterwards the zebras graze on the meadow.")
        for file in [*index.glob("*.term"), *index.glob("*.idx"), *index.glob("*.fast")]:
            with file.open("r+b") as damaged:  # in place: the server has it mapped
                damaged.write(b"\xa5" * file.stat().st_size)
        # Mapped pages are not read again at every search; what is new makes the server look at all of it.
        add(client, "later", "Later the geese cross the frozen pond.")
        whole(client)
        found = client.post("/v1/search", json={"query": "grazing zebras", "collections": ["c"]}).json()
        assert found["hits"][0]["external_id"] == "after"

    # Damaged while nobody runs, and cut: the next start notices.
    for file in index.glob("*.store"):
        file.unlink()
    for file in index.glob("*.idx"):
        os.truncate(file, file.stat().st_size // 2)
    with serving(data_dir) as client:
        whole(client)
        documents = client.get("/v1/collections/c/documents").json()["items"]
        assert {document["external_id"] for document in documents} == {"anchor", "after", "later"}
