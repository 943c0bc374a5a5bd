"""A collection moves from store to store while clients search it and one adds to it.

Each hop is what people do: build, verify, switch, remove the one before last. Real documents, a real server on the
loopback address, eight clients and one that uploads in processes of their own. What is counted: searches that failed or
were degraded, texts that were embedded again, documents that are missing or there twice, recall against exact search.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from common import machine, percentile
from kaynak.api import create_app
from kaynak.app import Kaynak
from kaynak.logs import configure_logs
from kaynak.settings import LogSettings, Settings
from search_http import SETS, corpus, queries

INDEXES = "/v1/collections/tour/indexes"
CLIENTS = 8


class Embedded:
    """Counts the documents that a model embeds."""

    def __init__(self, embedder: Any) -> None:
        self.texts = 0
        self._embed = embedder.embed
        embedder.embed = self.embed

    async def embed(self, texts: Sequence[str], kind: str) -> Any:
        """See `Embedder`."""
        self.texts += len(texts) if kind == "document" else 0
        return await self._embed(texts, kind)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[Kaynak, str]]:
    """Yields an installation and the address at which it is served, with a worker."""
    settings = Settings(data_dir=folder, log=LogSettings(level="ERROR"), _env_file=None)  # type: ignore[call-arg]
    configure_logs("ERROR", "json")
    async with Kaynak.open(settings, worker=True) as kaynak:
        server = uvicorn.Server(uvicorn.Config(create_app(kaynak), port=0, log_level="error", lifespan="off"))
        stop = asyncio.Event()
        tasks = [asyncio.create_task(server.serve()), asyncio.create_task(kaynak.worker.run(stop))]
        while not server.started:
            await asyncio.sleep(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield kaynak, f"http://127.0.0.1:{port}"
        finally:
            stop.set()
            server.should_exit = True
            await asyncio.gather(*tasks)


async def load(url: str, name: str) -> None:
    """Searches with eight clients and adds a document each second, until standard input ends; prints counts."""
    stop = asyncio.Event()
    asyncio.get_running_loop().run_in_executor(None, lambda: (sys.stdin.read(), stop.set()))
    said: dict[str, Any] = {"latencies": [], "failed": [], "degraded": [], "added": []}
    texts = itertools.cycle(queries())

    async def search(client: httpx.AsyncClient) -> None:
        while not stop.is_set():
            begin = time.perf_counter()
            try:
                answer = await client.post("/v1/search", json={"query": next(texts), "collections": ["tour"]})
                found = answer.json()
                if answer.status_code != httpx.codes.OK or not found["hits"]:
                    said["failed"].append(answer.text[:300])
                elif found["degraded"]:
                    said["degraded"].append(found["degraded"])
            except httpx.HTTPError as error:
                said["failed"].append(repr(error))
            said["latencies"].append((time.perf_counter() - begin) * 1000)

    async def add(client: httpx.AsyncClient) -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            text = f"Note {number} on the way to {name}: the caravan rests at well {number} before the next store."
            body = {"documents": [{"external_id": f"to-{name}-{number}", "text": text}]}
            answer = await client.post("/v1/collections/tour/documents/batch", json=body)
            if answer.is_success:
                said["added"].append(f"to-{name}-{number}")
            else:
                said["failed"].append(answer.text[:300])
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1)

    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        await asyncio.gather(*(search(client) for _ in range(CLIENTS)), add(client))
    print(json.dumps(said))


async def asked(client: httpx.AsyncClient, method: str, path: str, **body: Any) -> Any:
    """Returns the answer to a request that must succeed."""
    answer = await client.request(method, path, **body)
    if answer.is_error:
        raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
    return answer.json() if answer.content else None


async def hop(client: httpx.AsyncClient, engine: str, before: int, url: str) -> tuple[int, list[str]]:
    """Moves the collection to another engine beside clients; prints a row, returns generation and documents added."""
    command = [sys.executable, str(Path(__file__)), "--load", url, engine]
    clients = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    await asyncio.sleep(2)
    begin = time.perf_counter()
    made = await asked(client, "POST", INDEXES, json={"dense": {"name": engine}})
    path = f"{INDEXES}/{made['id']}"
    while (now := await asked(client, "GET", path))["state"] == "building":
        await asyncio.sleep(0.2)
    built = time.perf_counter() - begin
    verdict = await asked(client, "POST", f"{path}/verify", json={})
    if not verdict["passed"]:
        raise RuntimeError(f"{engine} did not pass: {[one for one in verdict['checks'] if not one['passed']]}")
    begin = time.perf_counter()
    await asked(client, "POST", f"{path}/switch", json={})
    switched = time.perf_counter() - begin
    await asyncio.sleep(3)
    await asked(client, "DELETE", f"{INDEXES}/{before}")
    await asyncio.sleep(1)
    output, _ = await clients.communicate(b"")
    said = json.loads(output)
    recall = next(one["value"] for one in verdict["checks"] if one["name"] == "recall")
    times = said["latencies"]
    print(
        f"| {engine} | {now['chunks']:,} | {built:.1f} | {now['chunks'] / built:,.0f} | {recall:.3f} | {switched:.2f} |"
        f" {len(times):,} | {len(said['failed'])} | {len(said['degraded'])} | {percentile(times, 0.5):.0f} |"
        f" {percentile(times, 0.99):.0f} | {len(said['added'])} |",
        flush=True,
    )
    for problem in [*said["failed"][:3], *said["degraded"][:3]]:
        print(f"<!-- {problem} -->", flush=True)
    return made["id"], said["added"]


async def filled(client: httpx.AsyncClient, wanted: int) -> int:
    """Fills the collection with real documents up to about ``wanted`` passages, and returns how many documents."""
    await asked(client, "POST", "/v1/collections", json={"name": "tour"})
    rows = [
        {"external_id": f"{name}-{row['id']}", "text": f"{row['title']}\n\n{row['text']}"}
        for name in SETS
        for row in corpus(name)
        if row["text"].strip()
    ]
    sent = 0
    while sent < len(rows):
        batch = rows[sent : sent + 500]
        answer = await asked(client, "POST", "/v1/collections/tour/documents/batch", json={"documents": batch})
        sent += len(batch)
        while (await asked(client, "GET", f"/v1/jobs/{answer['job']['id']}"))["state"] in ("queued", "running"):
            await asyncio.sleep(0.3)
        if (await asked(client, "GET", "/v1/collections/tour"))["chunks"] >= wanted:
            break
    return sent


async def tour(engines: Sequence[str], wanted: int, folder: Path) -> None:
    """Goes from engine to engine, and says what was counted."""
    async with served(folder) as (kaynak, url), httpx.AsyncClient(base_url=url, timeout=600) as client:
        documents = await filled(client, wanted)
        counter = Embedded(await kaynak.embedders.get(kaynak.settings.embedding.model))
        (first,) = (await asked(client, "GET", INDEXES))["items"]
        print(f"{machine()}; {documents:,} documents, {first['chunks']:,} passages\n")
        print(
            "| to | passages | built (s) | passages/s | recall@10 | switch (s) | searches | failed | degraded |"
            " p50 ms | p99 ms | added |\n|" + " --- |" * 12
        )
        before, added = first["id"], []
        for engine in engines:
            before, more = await hop(client, engine, before, url)
            added += more
        unique = len(added)
        while (await asked(client, "GET", "/v1/jobs?state=queued"))["items"]:
            await asyncio.sleep(0.2)
        found = await asked(client, "GET", "/v1/collections/tour")
        doctor = await asked(client, "GET", "/v1/doctor")
        print(f"\nembedded during the tour: {counter.texts} texts, {unique} of them new")
        print(f"documents: {found['documents']:,} of {documents + unique:,}")
        print(
            f"doctor: {'healthy' if doctor['healthy'] else doctor['findings']};"
            f" looked at {', '.join(doctor['checked'])}"
        )


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", default="qdrant,milvus,faiss,pgvector", help="in this order")
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--data-dir", type=Path, help="an empty directory; default: a temporary one")
    parser.add_argument("--load", nargs=2, metavar=("URL", "NAME"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.load:
        asyncio.run(load(*given.load))
        return
    with tempfile.TemporaryDirectory(prefix="kaynak-tour-") as scratch:
        asyncio.run(tour(given.engines.split(","), given.passages, given.data_dir or Path(scratch)))


if __name__ == "__main__":
    main()
