"""What it costs a search over HTTP that somebody is signed in: with a session, with an API key, and without accounts.

The same server, documents and queries; without accounts the person at the machine is asked for nothing. Each
caller asks in turn, so that what else the machine does meets all of them. At the end many sign in at once, while one
goes on searching.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import subprocess
import tempfile
import time

import httpx

from common import KAYNAK, machine, percentile, running_server, upload
from search_http import Client, passages, queries

PASSWORD = "three unrelated words"
EMAIL = "root@example.org"


async def latencies(url: str, tokens: dict[str, str], rounds: int) -> dict[str, list[float]]:
    """Returns milliseconds of searches by caller."""
    texts = itertools.cycle(queries())
    found: dict[str, list[float]] = {name: [] for name in tokens}
    clients = {name: Client(url, token) for name, token in tokens.items()}
    for client in clients.values():
        await client.__aenter__()
    for turn, (at, (name, client)) in itertools.product(range(rounds), enumerate(clients.items())):
        # A query of each caller's own: nothing is remembered of the one before.
        body = json.dumps({"query": f"{next(texts)} {turn}{'?' * at}", "collections": ["bench"], "limit": 10}).encode()
        begin = time.perf_counter()
        status, _, answer = await client.search(body)
        if status != 200:
            raise RuntimeError(f"{name}: {status} {answer[:200]!r}")
        if turn >= rounds // 10:
            found[name].append((time.perf_counter() - begin) * 1000)
    for client in clients.values():
        await client.__aexit__()
    return found


async def beside_sign_ins(url: str, token: str, count: int) -> tuple[list[float], float]:
    """Returns milliseconds of searches while people sign in, all at once, and the seconds that takes."""

    async def sign_in(client: httpx.AsyncClient) -> None:
        (await client.post("/v1/auth/sign-in", json={"email": EMAIL, "password": PASSWORD})).raise_for_status()

    times: list[float] = []
    texts = itertools.cycle(queries())
    limits = httpx.Limits(max_connections=count)
    async with Client(url, token) as searching, httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        begun = time.perf_counter()
        signing = asyncio.gather(*(sign_in(client) for _ in range(count)))
        while not signing.done():
            body = json.dumps({"query": f"{next(texts)} {len(times)}!", "collections": ["bench"], "limit": 10}).encode()
            begin = time.perf_counter()
            status, _, answer = await searching.search(body)
            if status != 200:
                raise RuntimeError(f"{status} {answer[:200]!r}")
            times.append((time.perf_counter() - begin) * 1000)
        await signing
        return times, time.perf_counter() - begun


def report(found: dict[str, list[float]]) -> None:
    """Prints a row for each caller."""
    for name, times in found.items():
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        print(f"| {name} | {p50:.2f} | {p99:.2f} | {statistics.mean(times):.2f} |", flush=True)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=600)
    parser.add_argument("--sign-ins", type=int, default=200)
    given = parser.parse_args()
    free = {f"KAYNAK_RATES__{name}": "0" for name in ("GENERAL", "ASK", "UPLOAD", "KEY", "ADDRESS", "SIGN_IN")}
    print(f"{machine()}; {given.documents:,} passages\n\n| caller | p50 ms | p99 ms | mean ms |\n|" + " --- |" * 4)
    with tempfile.TemporaryDirectory(prefix="kaynak-bench-") as folder:
        with running_server(KAYNAK_DATA_DIR=folder, **free) as (client, _, _):
            upload(client, "bench", passages(given.documents))
            report(asyncio.run(latencies(str(client.base_url), {"without accounts": ""}, given.rounds)))
        command = [KAYNAK, "--data-dir", folder, "users", "add", EMAIL, "--admin"]
        subprocess.run(command, input=PASSWORD.encode() + b"\n", check=True, env=os.environ, stdout=subprocess.DEVNULL)
        with running_server(KAYNAK_DATA_DIR=folder, **free) as (client, _, _):
            signed = client.post("/v1/auth/sign-in", json={"email": EMAIL, "password": PASSWORD}).raise_for_status()
            session = signed.json()["access_token"]
            made = client.post(
                "/v1/me/keys",
                json={"name": "bench", "permissions": ["documents.read"]},
                headers={"Authorization": f"Bearer {session}"},
            ).raise_for_status()
            tokens: dict[str, str] = {
                "session": f"Authorization: Bearer {session}",
                "API key": f"X-API-Key: {made.json()['secret']}",
            }
            report(asyncio.run(latencies(str(client.base_url), tokens, given.rounds)))
            times, took = asyncio.run(beside_sign_ins(str(client.base_url), tokens["session"], given.sign_ins))
            report({f"session, beside {given.sign_ins} sign-ins in {took:.1f} s": times})


if __name__ == "__main__":
    main()
