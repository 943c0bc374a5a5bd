"""What the benchmarks share: the data sets, a product on a scratch directory, and memory of a process tree."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
KAYNAK = str(Path(sys.executable).with_name("kaynak"))


def corpus(name: str) -> list[dict[str, str]]:
    """Returns the documents of a retrieval set: ``id``, ``title``, ``text``."""
    folder = DATA / name
    packed = folder / "corpus.jsonl.gz"
    with gzip.open(packed, "rt") if packed.exists() else (folder / "corpus.jsonl").open() as lines:
        return [json.loads(line) for line in lines]


def machine() -> str:
    """Returns the machine in words, for the head of a table."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} × {names[0]}, Python {platform.python_version()}"


def tree_memory(pid: int, *, own: bool = True) -> dict[str, float]:
    """Returns MB of proportional memory (PSS: shared pages counted once) by program in the tree under ``pid``.

    Args:
        pid: Of the top of the tree.
        own: Whether the top is part of it.
    """
    found: dict[str, float] = {}
    for current in _tree(pid):
        if current == pid and not own:
            continue
        with contextlib.suppress(OSError):
            name = Path(f"/proc/{current}/comm").read_text().strip()
            for line in Path(f"/proc/{current}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    found[name] = found.get(name, 0.0) + int(line.split()[1]) / 1024
    return found


def tree_cpu(pid: int) -> float:
    """Returns the processor time, in ms, of all threads that live now in the tree under ``pid``."""
    spent = 0
    for current in _tree(pid):
        for thread in Path(f"/proc/{current}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                spent += int(thread.read_text().split()[0])
    return spent / 1e6


def _tree(pid: int) -> Iterator[int]:
    """Yields the process ids of the tree under ``pid``."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = entry.read_text().rsplit(")", 1)[1].split()
            children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    queue = [pid]
    while queue:
        current = queue.pop()
        queue += children.get(current, [])
        yield current


def postmaster(data_dir: Path) -> int | None:
    """Returns the process id of the embedded PostgreSQL, which is its own process tree."""
    for file in data_dir.rglob("postmaster.pid"):
        return int(file.read_text().split()[0])
    return None


def server_memory(server: subprocess.Popen[bytes], data_dir: Path) -> dict[str, float]:
    """Returns MB by program of a server and its embedded PostgreSQL."""
    memory = tree_memory(server.pid)
    database = postmaster(data_dir)
    for name, amount in (tree_memory(database) if database else {}).items():
        memory.setdefault(name, amount)
    return memory


@contextlib.contextmanager
def running_server(**environment: str) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes], Path]]:
    """Yields a client, the process, and the data directory of ``kaynak up`` on a free port."""
    with tempfile.TemporaryDirectory(prefix="kaynak-bench-") as scratch, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        env = {
            **os.environ,
            "KAYNAK_DATA_DIR": environment.pop("KAYNAK_DATA_DIR", scratch),
            "KAYNAK_PORT": str(port),
            "KAYNAK_LOG__LEVEL": "WARNING",
            **environment,
        }
        server = subprocess.Popen([KAYNAK, "up"], env=env, stdout=subprocess.DEVNULL)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600) as client:
                wait_ready(client, server)
                yield client, server, Path(env["KAYNAK_DATA_DIR"])
        finally:
            server.terminate()
            server.wait(60)


def wait_ready(client: httpx.Client, server: subprocess.Popen[bytes], seconds: float = 120) -> None:
    """Returns when the server is ready.

    Raises:
        RuntimeError: It ended, or the time is up.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if client.get("/ready").status_code == httpx.codes.OK:
                return
        time.sleep(0.02)
    raise RuntimeError(f"kaynak up did not become ready (exit code {server.poll()})")


def upload(client: httpx.Client, collection: str, documents: list[dict[str, object]], size: int = 500) -> float:
    """Uploads text documents in batches, waits until all are searchable, and returns the seconds it took."""
    if client.get(f"/v1/collections/{collection}").status_code == httpx.codes.NOT_FOUND:
        client.post("/v1/collections", json={"name": collection}).raise_for_status()
    begin = time.perf_counter()
    jobs = []
    for start in range(0, len(documents), size):
        batch = {"documents": documents[start : start + size]}
        answer = client.post(f"/v1/collections/{collection}/documents/batch", json=batch).raise_for_status().json()
        if answer["job"] is not None:  # None: all of it is there already
            jobs.append(answer["job"]["id"])
    for job in jobs:
        while (state := client.get(f"/v1/jobs/{job}").raise_for_status().json())["state"] in (
            "queued",
            "running",
        ):
            time.sleep(0.25)  # asking costs the server as much as a document
        if state["state"] != "succeeded":
            raise RuntimeError(f"job {job} ended {state['state']}: {state['error']}")
    return time.perf_counter() - begin


def percentile(values: list[float], share: float) -> float:
    """Returns the value below which ``share`` of the values lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
