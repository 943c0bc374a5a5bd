"""The database ends without warning, during searches and during ingestion: nothing is lost, all goes on by itself."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from kaynak.testing.folders import quick_folder

DOCUMENTS = 60


@pytest.fixture(scope="module")
def embedded(open_service, tmp_path_factory, without_ocr) -> Iterator[Any]:
    """A Kaynak with a database of its own, which may be killed."""
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="kf-", dir=quick_folder()))
    folder.chmod(0o755)  # the server's account passes through
    with open_service(folder / "data", None) as service:
        yield service
    shutil.rmtree(folder, ignore_errors=True)


async def postmaster(service: Any) -> int:
    """Returns the process that is the database now; waits while there is none."""
    while True:
        for file in service.settings.data_dir.glob("postgres/*/postmaster.pid"):
            with suppress(OSError, IndexError):  # just being removed, or written
                return int(file.read_text().split()[0])
        await asyncio.sleep(0.05)  # the loop that restarts the server is the one that waits here


async def end_database(service: Any, number: int) -> int:
    pid = await postmaster(service)
    os.kill(pid, number)
    return pid


async def started_again(service: Any, before: int) -> None:
    async with asyncio.timeout(60):
        while await postmaster(service) == before or (await service.asked("GET", "/ready")).status_code != 200:
            await asyncio.sleep(0.1)


# SIGINT is an orderly restart by an administrator: sessions are ended, and new ones refused for a moment.
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_searches_go_on_when_the_database_was_restarted(embedded, number: int) -> None:
    name = embedded.collection()
    body = {"query": "steps of the lighthouse", "collections": [name]}
    statuses: list[int] = []

    async def asking(stop: asyncio.Event) -> None:
        while not stop.is_set():
            answer = await embedded.asked("POST", "/v1/search", json=body)
            statuses.append(answer.status_code)
            if answer.status_code == 200 and not answer.json()["degraded"]:
                assert answer.json()["hits"][0]["external_id"] == "anchor.txt"
            elif answer.status_code == 503:
                assert answer.headers["retry-after"]
            else:
                assert answer.status_code == 200
            await asyncio.sleep(0.01)

    async def scenario() -> None:
        stop = asyncio.Event()
        askers = [asyncio.create_task(asking(stop)) for _ in range(4)]
        await asyncio.sleep(0.3)
        before = await end_database(embedded, number)
        await started_again(embedded, before)
        answered = len(statuses)
        while len(statuses) < answered + 20:
            await asyncio.sleep(0.05)
        stop.set()
        await asyncio.gather(*askers)

    embedded.run(scenario())
    assert set(statuses) <= {200, 503}
    assert set(statuses[-8:]) == {200}
    embedded.works(name)


def test_ingestion_goes_on_when_the_database_was_restarted(embedded) -> None:
    name = embedded.collection()
    path = f"/v1/collections/{name}/documents"
    documents = [
        {"external_id": f"d{number}", "text": f"Shelf {number} holds the chronicle of year {1400 + number}.\n\n" * 3}
        for number in range(DOCUMENTS)
    ]
    begun = embedded.ask("POST", f"{path}/batch", json={"documents": documents})
    job = begun.json()["job"]["id"]
    jobs = [job]

    async def scenario() -> None:
        for _ in range(2):
            before = await end_database(embedded, signal.SIGKILL)
            # Uploads in between are taken or refused, and those that were taken are there in the end.
            answer = await embedded.asked("POST", path, json={"external_id": "between", "text": "A heron in between."})
            assert answer.status_code in {200, 202, 503}
            if answer.status_code == 202:
                jobs.append(answer.json()["job"]["id"])
            await started_again(embedded, before)
        async with asyncio.timeout(90):
            for number in jobs:
                while (await embedded.asked("GET", f"/v1/jobs/{number}")).json().get("state") != "succeeded":
                    await asyncio.sleep(0.1)

    embedded.run(scenario(), timeout=150)
    kept = {"anchor.txt"} | {one["external_id"] for one in documents} | ({"between"} if len(jobs) > 1 else set())
    assert sorted(embedded.documents(name)) == sorted(kept)
    for number in (0, DOCUMENTS // 2, DOCUMENTS - 1):
        hits = embedded.found(name, f"chronicle of year {1400 + number}", mode="lexical")
        assert hits[0]["external_id"] == f"d{number}"
    counts = embedded.ask("GET", f"/v1/collections/{name}").json()
    assert counts["documents"] == len(kept)
    embedded.works(name)
