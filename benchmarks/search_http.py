"""Hybrid search over HTTP at 100,000 passages: latency with one client, throughput with 16, share of each stage.

The passages are real sentences of the public sets beside the checkout, regrouped into new documents until there are
enough; queries are the sets' own, none asked twice. The clients run in a process of their own on the same machine, so
on two cores they compete with the server: they speak HTTP over plain sockets, and what they cost is told.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

from common import DATA, corpus, machine, percentile, postmaster, running_server, server_memory, tree_cpu, upload

SETS = ("scifact", "medline", "cranfield", "cisi", "pubmedqa_l", "adi")


def passages(count: int) -> list[dict[str, object]]:
    """Returns ``count`` short documents of two real sentences each, the same ones in every run."""
    pattern = re.compile(r"(?<=[.!?])\s+")
    sentences = [part for name in SETS for row in corpus(name) for part in pattern.split(row["text"]) if len(part) > 40]
    pick = random.Random(7)
    years = range(1990, 2026)
    return [
        {
            "external_id": f"doc-{number}",
            "text": " ".join(pick.sample(sentences, 2)),
            "metadata": {"year": pick.choice(years), "tenth": number % 10, "hundredth": number % 100},
        }
        for number in range(count)
    ]


def queries() -> list[str]:
    """Returns the queries of all sets, shuffled, the same in every run."""
    rows = [json.loads(line)["text"] for name in SETS for line in (DATA / name / "queries.jsonl").open()]
    random.Random(7).shuffle(rows)
    return [row for row in rows if len(row) < 400]


class Client:
    """One connection that is kept, and as little else as can be: the processor is shared with the server."""

    def __init__(self, url: str, credentials: str = "") -> None:
        self._host, self._port = url.split("//")[1].rsplit(":", 1)
        self._shown = f"{credentials}\r\n" if credentials else ""

    async def __aenter__(self) -> Client:
        self._reader, self._writer = await asyncio.open_connection(self._host, int(self._port))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def search(self, body: bytes) -> tuple[int, str, bytes]:
        """Returns status, server timing and body of the answer."""
        head = f"POST /v1/search HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n{self._shown}"
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        answer = await self._reader.readexactly(int(fields["content-length"]))
        return int(lines[0].split()[1]), fields.get("server-timing", ""), answer


def asked(run: int) -> Iterator[str]:
    """Yields queries without end, each once in all runs.

    Each round and each run end them otherwise, which means the same, but is another query to every cache.
    """
    texts = list(dict.fromkeys(text.rstrip(" ?!") for text in queries()))
    for turn in itertools.count():
        for text in texts:
            yield f"{text} {'?' * turn}{'!' * run}".strip()


async def load(url: str, clients: int, seconds: float, run: int) -> dict[str, object]:
    """Returns latencies (ms), errors, stage times and own processor time of clients asking query after query."""
    texts = asked(run)
    latencies, errors = [], 0
    stages: dict[str, list[float]] = defaultdict(list)
    until = time.perf_counter() + seconds
    spent = time.process_time()

    async def one() -> None:
        nonlocal errors
        async with Client(url) as client:
            while time.perf_counter() < until:
                body = json.dumps({"query": next(texts), "collections": ["bench"], "limit": 10}).encode()
                begin = time.perf_counter()
                status, timing, answer = await client.search(body)
                latencies.append((time.perf_counter() - begin) * 1000)
                errors += status != HTTPStatus.OK or b'"hits":[{' not in answer
                for name, took in re.findall(r"([\w-]+);dur=([\d.]+)", timing):
                    stages[name].append(float(took))

    await asyncio.gather(*(one() for _ in range(clients)))
    cpu = (time.process_time() - spent) * 1000
    means = {name: statistics.mean(values) for name, values in stages.items()}
    return {"latencies": latencies, "errors": errors, "stages": means, "cpu": cpu}


def measure(url: str, clients: int, seconds: float, run: int) -> dict[str, object]:
    """Runs `load` in a process of its own."""
    command = [sys.executable, str(Path(__file__)), "--load", url, str(clients), str(seconds), str(run)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # type: ignore[no-any-return]


def report(url: str, clients: int, seconds: float, roots: dict[str, int], run: int) -> None:
    """Prints one row, and below it where the time went.

    Args:
        url: Of the server.
        clients: How many.
        seconds: How long.
        roots: Process trees of the server, by name.
        run: Number of the run; two are used up, one for warming up.
    """
    measure(url, clients, 3, run)
    before = {name: tree_cpu(pid) for name, pid in roots.items()}
    result = measure(url, clients, seconds, run + 1)
    times: list[float] = result["latencies"]  # type: ignore[assignment]
    p50, p95, p99 = (percentile(times, share) for share in (0.5, 0.95, 0.99))
    print(f"| {clients} | {p50:.1f} | {p95:.1f} | {p99:.1f} | {len(times) / seconds:.0f} | {result['errors']} |")
    stages: dict[str, float] = result["stages"]  # type: ignore[assignment]
    breakdown = ", ".join(f"{name} {spent:.2f}" for name, spent in stages.items())
    print(f"<!-- mean ms by stage, {clients} clients: {breakdown} -->")
    cpu = {name: tree_cpu(pid) - before[name] for name, pid in roots.items()} | {"clients": float(str(result["cpu"]))}
    shares = ", ".join(f"{name} {spent / len(times):.2f}" for name, spent in cpu.items())
    print(f"<!-- processor ms per search: {shares} -->")


def main() -> None:
    """Prints a Markdown table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--passages", type=int, default=100_000)
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--data-dir", help="keep the loaded data there, and use what is there already")
    arguments.add_argument("--load", nargs=4, metavar=("URL", "CLIENTS", "SECONDS", "RUN"), help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.load:
        url, clients, seconds, run = options.load
        json.dump(asyncio.run(load(url, int(clients), float(seconds), int(run))), sys.stdout)
        return
    kept = {"KAYNAK_DATA_DIR": options.data_dir} if options.data_dir else {}
    with running_server(**kept) as (client, server, data_dir):
        known = client.get("/v1/collections/bench")
        if not known.is_success or known.json()["documents"] < options.passages:
            print(f"Loaded in {upload(client, 'bench', passages(options.passages)):.0f} s\n")
        found = client.get("/v1/collections/bench").raise_for_status().json()
        print(f"Hybrid search over HTTP, {found['chunks']} passages, {machine()}\n")
        print("| clients | p50 ms | p95 ms | p99 ms | requests/s | errors |")
        print("| --- | --- | --- | --- | --- | --- |")
        database = postmaster(data_dir)
        roots = {"kaynak": server.pid} | ({"postgres": database} if database else {})
        for number, clients in enumerate((1, 16)):
            report(str(client.base_url), clients, options.seconds, roots, 2 * number)
        memory = server_memory(server, data_dir)
        print(f"\nMemory of the process tree under load: {sum(memory.values()):.0f} MB (PSS)")


if __name__ == "__main__":
    main()
