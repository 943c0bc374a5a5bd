"""A thousand answers streamed at once: none lost, none mixed up, memory flat afterwards; and what we add to a model.

A server as of ``kaynak up`` answers from the medline set; the model is the test double of `kaynak.testing.models`, a
process of its own that writes a word now and then, slowly enough that the last stream begins ``--seconds`` before the
first one ends. Each question carries a number that its answer must begin and end with, and each stream is checked:
every event by its place and content, the pieces put together are the answer, nothing of another one. The load is run
twice, so that what the second one leaves behind can be told from what the first one has warmed up.

While all streams are open, and before, one client asks a model that does not hesitate: the time from the passages to
the first character is what we add, with the round trip to the double in it.

With ``--conversations`` each question is asked in a conversation of its own, whose answer is saved while it is written.

    python benchmarks/streams.py --streams 1000 --seconds 60 --rounds 2
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from common import DATA, corpus, machine, percentile, running_server, server_memory, upload
from kaynak.domain import Message
from kaynak.testing.models import ModelServer

SET = "medline"
MODEL = "openai:test-model"
QUICK = "openrouter:test-model"
WORDS = 60
AROUND = 14
"""Words of an answer beside those of its passage."""
SLACK_SECONDS = 20.0
PLAIN, CONVERSATIONS = "plain", "conversations"
KEPT_SECONDS = 125.0
"""Ended streams can be read for two minutes; after them their memory is free."""


def reply(messages: Sequence[Message]) -> str:
    """Returns an answer that quotes the best passage, between two sentences with the number of the question."""
    content = messages[-1].content
    found = re.search(r"\(number (\d+)\)\s*$", content)
    number = found[1] if found else "0"
    first = content.partition("\n")[2].partition("\n")[0]
    passage = json.loads(first)["text"] if first.startswith("{") else ""
    words = passage.replace(".", "").split()[:WORDS]
    sentences = [" ".join(words[at : at + 12]) for at in range(0, len(words), 12)]
    quoted = " ".join(f"{one[:1].upper()}{one[1:]} [1]." for one in sentences)
    filling = " ".join(["And so on."] * ((WORDS - len(words)) // 3))
    return " ".join(f"Answer {number} begins here [1]. {quoted} {filling} Answer {number} ends here [1].".split())


async def serve_models(delay: float) -> None:
    """Serves the double until standard input is closed."""
    async with ModelServer(reply=reply, delay=delay) as server:
        print(json.dumps(server.environment()), flush=True)
        await asyncio.to_thread(sys.stdin.read)


@dataclass
class Read:
    """What became of one stream; moments are of one clock for all processes.

    Attributes:
        fault: What was wrong with it; None for nothing.
        begun: When it was asked for.
        first: When its first event came.
        sources: When its passages came.
        token: When its first character came.
        ended: When it ended.
        waited: Whether it was told to wait for its turn.
        sentences: Of the answer.
        cited: Those with a citation.
    """

    fault: str | None = None
    begun: float = 0.0
    first: float = 0.0
    sources: float = 0.0
    token: float = 0.0
    ended: float = 0.0
    waited: bool = False
    sentences: int = 0
    cited: int = 0
    events: list[tuple[str, Any]] = field(default_factory=list)


async def read_stream(client: httpx.AsyncClient, asking: str, model: str, question: str, number: int) -> Read:
    """Reads the stream of one answer to its end, and checks it."""
    body = {"question": f"{question} (number {number})", "model": model, "limit": 3}
    wanted: dict[str, Any] = {"collections": ["bench"]}
    path, ids = "/v1/ask", list[int]()
    read = Read()
    try:
        if asking == CONVERSATIONS:
            made = (await client.post("/v1/conversations", json=wanted)).raise_for_status()
            path = f"/v1/conversations/{made.json()['id']}/messages"
        else:
            body |= wanted
        read.begun = time.monotonic()
        async with client.stream("POST", path, json=body, headers={"Accept": "text/event-stream"}) as response:
            if response.status_code != httpx.codes.OK:
                read.fault = f"refused: {response.status_code}"
                return read
            async for name, number_of, value in events_of(response):
                now = time.monotonic()
                read.first = read.first or now
                read.sources = read.sources or (now if name == "sources" else 0.0)
                read.token = read.token or (now if name == "delta" else 0.0)
                read.waited = read.waited or value.get("stage") == "waiting"
                ids.append(number_of)
                read.events.append((name, value))
    except httpx.HTTPError as error:
        read.fault = f"cut off: {type(error).__name__}"
        return read
    read.ended = time.monotonic()
    read.fault = "lost: ids" if ids != list(range(1, len(ids) + 1)) else wrong(read, number)
    read.events = []
    return read


async def events_of(response: httpx.Response) -> AsyncIterator[tuple[str, int, dict[str, Any]]]:
    """Yields name, number and data of each event."""
    name, number = "", 0
    async for line in response.aiter_lines():
        field_, _, value = line.partition(": ")
        if field_ == "id":
            number = int(value.rpartition(":")[2])
        elif field_ == "event":
            name = value
        elif field_ == "data":
            yield name, number, json.loads(value)


def wrong(read: Read, number: int) -> str | None:
    """Returns what is wrong with the events of an answer, one by one and together."""
    text, verdicts, cited, hits = "", list[dict[str, Any]](), list[dict[str, Any]](), None
    for at, (name, value) in enumerate(read.events):
        last = at == len(read.events) - 1
        if name == "error":
            return f"failed: {value['title']}"
        if (name == "done") is not last or (name in ("delta", "verdict", "citation") and hits is None):
            return f"lost: “{name}” out of place"
        if name == "sources":
            if hits is not None:
                return "mixed up: sources twice"
            hits = value["hits"]
        elif name == "delta":
            text += value["text"]
        elif name == "citation":
            cited.append(value)
        elif name == "verdict":
            if value["index"] != len(verdicts):
                return "lost: a verdict"
            verdicts.append(value["sentence"])
    answer = read.events[-1][1] if read.events else {}
    read.sentences, read.cited = len(verdicts), sum(bool(one["markers"]) for one in verdicts)
    if (text, verdicts, cited, hits) != tuple(answer.get(one) for one in ("text", "sentences", "citations", "hits")):
        return "lost: the events are not the answer"
    numbers = set(re.findall(r"Answer (\d+) (?:begins|ends) here", text))
    ends = re.match(rf"Answer {number} begins here", text) and re.search(rf"Answer {number} ends here\S* *\S*$", text)
    if numbers != {str(number)} or not ends or not str(answer["question"]).endswith(f"(number {number})"):
        return "mixed up: another number"
    return None


async def load(url: str, asking: str, model: str, first: int, streams: int, ramp: float, together: int) -> list[Read]:
    """Returns what became of each of ``streams``, begun evenly over ``ramp`` seconds, ``together`` at once."""
    rows = [json.loads(line)["text"] for line in (DATA / SET / "queries.jsonl").open()]
    random.Random(7).shuffle(rows)
    gate = asyncio.Semaphore(together)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(120), limits=limits) as client:

        async def one(at: int) -> Read:
            await asyncio.sleep(ramp * at / streams)
            async with gate:
                return await read_stream(client, asking, model, rows[at % len(rows)], first + at)

        return list(await asyncio.gather(*(one(at) for at in range(streams))))


class Process:
    """This program again, in a process of its own that prints JSON."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, __file__, *map(str, arguments)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        self._in, self._out = self._process.stdin, self._process.stdout

    def line(self) -> Any:
        """Returns what it prints next."""
        return json.loads(self._out.readline())

    def close(self) -> None:
        """Ends it."""
        self._in.close()
        self._process.wait(10)
        self._out.close()


class Load(Process):
    """`load` in a process of its own; numbers of questions are never used twice, so that no answer is remembered."""

    numbers = 1
    asking = PLAIN

    def __init__(self, url: str, model: str, streams: int, ramp: float = 0.0, together: int = 100_000) -> None:
        super().__init__("--load", url, Load.asking, model, Load.numbers, streams, ramp, together)
        Load.numbers += streams

    def reads(self) -> list[Read]:
        """Waits for its end, and returns what became of the streams."""
        found = [Read(**one) for one in self.line()]
        self.close()
        return found


def open_at_once(reads: Sequence[Read]) -> tuple[int, float]:
    """Returns how many streams were between their passages and their end at once, at most, and for how long."""
    good = [one for one in reads if one.ended]
    steps = sorted([(one.sources, 1) for one in good] + [(one.ended, -1) for one in good])
    now = most = 0
    since = lasted = 0.0
    for moment, step in steps:
        if now == most and step < 0:
            lasted = max(lasted, moment - since)
        now += step
        if now > most:
            most, since, lasted = now, moment, 0.0
    return most, lasted


class Resident:
    """The resident memory of one process, looked at twice a second by a thread of its own.

    Attributes:
        most: MB, at most, since `again`.
    """

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._ending = threading.Event()
        self.most = 0.0
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def now(self) -> float:
        """Returns MB."""
        return int(self._status.read_text().partition("VmRSS:")[2].split()[0]) / 1024

    def again(self) -> None:
        """Forgets the peak."""
        self.most = 0.0

    def close(self) -> None:
        """Ends the thread."""
        self._ending.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ending.wait(0.5):
            self.most = max(self.most, self.now())


def first_tokens(what: str, reads: Sequence[Read]) -> float:
    """Prints what we add between the passages and the first character, and returns its median in ms."""
    good = [one for one in reads if not one.fault]
    added = [(one.token - one.sources) * 1000 for one in good]
    looked = [(one.sources - one.begun) * 1000 for one in good]
    print(f"| {what}: from the question to the passages p50 | {percentile(looked, 0.5):.0f} ms |")
    print(f"| … from the passages to the first character p50, p95, p99 | {percentile(added, 0.5):.1f}, "
          f"{percentile(added, 0.95):.1f}, {percentile(added, 0.99):.1f} ms ({len(good)} of {len(reads)}) |",
          flush=True)  # fmt: skip
    return percentile(added, 0.5)


def told(memory: dict[str, float]) -> str:
    """Returns MB by program."""
    parts = ", ".join(f"{name} {amount:.0f}" for name, amount in sorted(memory.items(), key=lambda one: -one[1]))
    return f"{sum(memory.values()):.0f} MB ({parts})"


def measure(options: argparse.Namespace, documents: list[dict[str, object]]) -> None:
    """Prints what became of the streams, what we add to a model, and the memory before, while and after."""
    slow = Process("--models", (options.ramp + options.seconds + SLACK_SECONDS) / (WORDS + AROUND))
    quick = Process("--models", 0.0)
    environment = slow.line()
    environment |= {name: value for name, value in quick.line().items() if name.startswith("OPENROUTER")}
    with running_server(**environment) as (client, server, data_dir):
        upload(client, "bench", documents)
        url = str(client.base_url)
        Load(url, QUICK, 100, together=8).reads()  # what is loaded at the first question is not what is measured
        alone = first_tokens("one at a time", Load(url, QUICK, options.questions, together=1).reads())
        first_tokens("eight at a time", Load(url, QUICK, options.questions, together=8).reads())
        print(f"| memory before, PSS | {told(server_memory(server, data_dir))} |", flush=True)
        resident = Resident(server.pid)
        rounds = [f"before {resident.now():.0f}"]
        for at in range(1, options.rounds + 1):
            resident.again()
            running = Load(url, MODEL, options.streams, options.ramp)
            time.sleep(options.ramp + options.seconds / 3)  # all are open, if they could be
            probes = Load(url, QUICK, options.probes, together=1).reads()
            memory = server_memory(server, data_dir)
            say(f"round {at}", running.reads())
            beside = first_tokens("beside them, one at a time", probes)
            print(f"| … more than alone, p50 | {beside - alone:.1f} ms |")
            print(f"| memory while they are open, PSS | {told(memory)} |")
            print(f"| … right after | {told(server_memory(server, data_dir))} |", flush=True)
            time.sleep(options.kept)
            print(f"| … {options.kept:.0f} s later | {told(server_memory(server, data_dir))} |", flush=True)
            rounds.append(f"peak of round {at} {resident.most:.0f}, after it {resident.now():.0f}")
        print(f"| RSS of the server, MB | {'; '.join(rounds)} |", flush=True)
        resident.close()
        assert client.get("/ready").status_code == httpx.codes.OK
    slow.close()
    quick.close()


def say(what: str, reads: Sequence[Read]) -> None:
    """Prints what became of the streams."""
    faults = [one.fault for one in reads if one.fault]
    kinds = {kind: faults.count(kind) for kind in sorted(set(faults))}
    lost, mixed = (sum(fault.startswith(kind) for fault in faults) for kind in ("lost", "mixed up"))
    most, lasted = open_at_once(reads)
    begun = [one.begun for one in reads]
    silent = [one.first - one.begun for one in reads if one.first]
    waited = sum(one.waited for one in reads)
    whole = [one for one in reads if not one.fault]
    print(f"| {what}: streams, begun within | {len(reads)}, {max(begun) - min(begun):.0f} s |")
    print(f"| open at the same time, for | {most}, {lasted:.0f} s |")
    others = len(faults) - lost - mixed
    print(f"| lost, mixed up, cut off or refused or failed | {lost}, {mixed}, {others} {kinds or ''} |")
    print(f"| first event after p50, p95, most | {percentile(silent, 0.5):.2f}, {percentile(silent, 0.95):.2f}, "
          f"{max(silent, default=0):.2f} s; {waited} were told to wait for their turn |")  # fmt: skip
    print(
        f"| sentences, cited | {sum(one.sentences for one in whole)}, {sum(one.cited for one in whole)} |", flush=True
    )


def main() -> None:
    """Prints a Markdown table."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--streams", type=int, default=1000)
    arguments.add_argument("--seconds", type=float, default=60, help="that all are to be open together")
    arguments.add_argument("--ramp", type=float, default=60, help="seconds within which they begin")
    arguments.add_argument("--rounds", type=int, default=2, help="how often")
    arguments.add_argument("--conversations", action="store_true", help="each in a conversation of its own")
    arguments.add_argument("--kept", type=float, default=KEPT_SECONDS, help="seconds to wait after each")
    arguments.add_argument("--questions", type=int, default=200, help="for the time to the first token")
    arguments.add_argument("--probes", type=int, default=100, help="the same, while the streams are open")
    arguments.add_argument("--documents", type=int, help="of the set; default: all")
    arguments.add_argument("--load", nargs=7, help=argparse.SUPPRESS)
    arguments.add_argument("--models", type=float, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.models is not None:
        asyncio.run(serve_models(options.models))
        return
    if options.load:
        url, asking, model, first, streams, ramp, together = options.load
        reads = asyncio.run(load(url, asking, model, int(first), int(streams), float(ramp), int(together)))
        print(json.dumps([asdict(one) for one in reads]))
        return
    Load.asking = CONVERSATIONS if options.conversations else PLAIN
    documents: list[dict[str, object]] = [
        {"external_id": one["id"], "text": one["text"], "title": one["title"]} for one in corpus(SET) if one["text"]
    ][: options.documents]
    print(f"{machine()}\n\n| | |\n| --- | --- |", flush=True)
    measure(options, documents)


if __name__ == "__main__":
    main()
