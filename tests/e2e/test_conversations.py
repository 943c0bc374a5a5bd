"""Conversations with real servers and terminals, and a local server in the place of a model's provider."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from kaynak import Client
from kaynak.domain import Message, Role
from kaynak.testing.folders import quick_folder
from kaynak.testing.models import Fault, ModelServer, ThreadedModelServer

KAYNAK = [sys.executable, "-c", "from kaynak.cli.main import main; main()"]
MODEL = "openai:test-model"
FIRST = "Everyone in Turkey has 26 days of paid leave a year [1]."
ANSWER = " ".join([FIRST] + ["It is granted in whole days and may be carried over [1]."] * 12)


def reply(messages: Sequence[Message]) -> str:
    """Rewrites follow-ups about Turkey, and answers everything else."""
    if messages[0].role is Role.SYSTEM and "search engine" in messages[0].content:
        return "How much paid leave is there in Turkey?"
    return ANSWER


@pytest.fixture
def provider() -> Iterator[ModelServer]:
    with ThreadedModelServer(ModelServer(reply=reply)) as server:
        yield server


@pytest.fixture(scope="module")
def prepared() -> Iterator[Path]:
    """A data directory with a handbook in it, to be copied: to make one takes longer than most of these tests."""
    folder = Path(tempfile.mkdtemp(prefix="ke-", dir=quick_folder()))
    folder.chmod(0o755)  # the database's account passes through
    (folder / "leave.md").write_text(
        "# Leave\n\nEveryone in Turkey has 26 days of paid leave a year. It is granted in whole days and may be "
        "carried over.\n\nEveryone in Germany has 30 days of paid leave a year.\n"
    )
    command = [*KAYNAK, "--data-dir", folder / "data", "add", folder / "leave.md", "-c", "handbook"]
    subprocess.run(command, check=True, capture_output=True, cwd=folder, timeout=120)
    yield folder / "data"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def environment(provider: ModelServer, prepared: Path) -> Iterator[dict[str, str]]:
    folder = Path(tempfile.mkdtemp(prefix="ke-", dir=quick_folder()))
    folder.chmod(0o755)
    subprocess.run(["cp", "-a", prepared, folder / "data"], check=True)  # with its owners
    yield {**os.environ, **provider.environment(), "KAYNAK_DATA_DIR": str(folder / "data"), "TERM": "dumb"}
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def kaynak(environment: dict[str, str], tmp_path: Path) -> Callable[..., Any]:
    def run(*words: object, stdin: str | None = None) -> Any:
        done = subprocess.run(
            [*KAYNAK, *map(str, words)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=tmp_path,
            env=environment,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


class Server:
    def __init__(self, environment: dict[str, str], cwd: Path) -> None:
        self.process = subprocess.Popen(
            [*KAYNAK, "up", "--port", "0", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env=environment,
        )
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        self.http = httpx.Client(base_url=json.loads(line)["url"], timeout=60)

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.communicate(timeout=60)
        self.http.close()


@pytest.fixture
def up(kaynak: Any, environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[[], Server]]:
    started: list[Server] = []

    def start() -> Server:
        started.append(Server(environment, tmp_path))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.end(signal.SIGTERM)
        server.http.close()


def begin(server: Server, **more: Any) -> str:
    made = server.http.post(
        "/v1/conversations", json={"collections": ["handbook"], "answering": {"model": MODEL}, **more}
    )
    assert made.status_code == 201, made.text
    return made.json()["id"]


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.05)
    return found


def events(lines: Iterator[str]) -> Iterator[tuple[str, str, Any]]:
    fields: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield fields["id"], fields["event"], json.loads(fields["data"])
            fields = {}


@pytest.mark.untraced
def test_a_server_killed_while_it_streams_leaves_a_readable_conversation(
    up: Callable[[], Server], provider: ModelServer
) -> None:
    server = up()
    conversation = begin(server)
    messages = f"/v1/conversations/{conversation}/messages"
    whole = server.http.post(messages, json={"question": "How much paid leave is there in Germany?"})
    assert whole.status_code == 201, whole.text
    assert whole.json()["state"] == "complete"
    provider.delay = 0.1
    with server.http.stream(
        "POST", messages, json={"question": "And in Turkey?"}, headers={"Accept": "text/event-stream"}
    ) as response:
        seen = events(response.iter_lines())
        begun = next(data for _, name, data in seen if name == "status")
        asked = next(data["detail"] for _, name, data in seen if name == "status" and data["stage"] == "searching")
        assert asked == "How much paid leave is there in Turkey?"
        assert any(name == "verdict" for _, name, _ in seen)
        path = f"{messages}/{begun['message_id']}"
        saved = until(
            lambda: (
                (found := httpx.get(server.http.base_url.join(path)).json())["content"]
                and found["answer"]["citations"]
                and found
            )
        )
        assert saved["state"] == "writing"
        server.end(signal.SIGKILL)

    server = up()
    kept = until(lambda: (found := server.http.get(path).json())["state"] != "writing" and found)
    assert (kept["state"], kept["asked"]) == ("partial", "How much paid leave is there in Turkey?")
    assert kept["content"].startswith("Everyone in Turkey has 26 days")
    assert kept["content"] != ANSWER
    assert "26 days" in kept["answer"]["citations"][0]["quote"]
    assert "process" in kept["error"]
    listed = server.http.get(messages).json()["items"]
    assert [message["state"] for message in listed] == ["complete", "complete", "complete", "partial"]
    text = server.http.get(f"/v1/conversations/{conversation}/export?format=markdown").text
    assert "This answer is partial" in text
    provider.delay = 0
    went_on = server.http.post(messages, json={"question": "And in Turkey?"})
    assert (went_on.status_code, went_on.json()["state"]) == (201, "complete")


@pytest.mark.untraced
def test_a_dropped_connection_is_taken_up_again(up: Callable[[], Server], provider: ModelServer) -> None:
    server = up()
    messages = f"/v1/conversations/{begin(server)}/messages"
    provider.delay = 0.02
    body = {"question": "How much paid leave is there in Turkey?"}
    seen: list[tuple[str, str, Any]] = []
    with server.http.stream("POST", messages, json=body, headers={"Accept": "text/event-stream"}) as response:
        stream = response.headers["x-stream-id"]
        for event in events(response.iter_lines()):
            seen.append(event)
            if event[1] == "verdict":
                break
    with server.http.stream("GET", f"/v1/streams/{stream}", headers={"Last-Event-ID": seen[-1][0]}) as response:
        seen += list(events(response.iter_lines()))
    assert [int(number.rpartition(":")[2]) for number, _, _ in seen] == list(range(1, len(seen) + 1))
    text = "".join(data["text"] for _, name, data in seen if name == "delta")
    assert (seen[-1][1], seen[-1][2]["text"]) == ("done", text)
    kept = server.http.get(f"{messages}/{seen[0][2]['message_id']}").json()
    assert (kept["state"], kept["content"]) == ("complete", text)


@pytest.mark.untraced
@pytest.mark.parametrize("fault", [Fault.CUT_MIDWAY, Fault.CUT_BEFORE_END, Fault.ERROR_FRAME])
def test_what_a_provider_cuts_off_is_never_a_complete_answer(
    up: Callable[[], Server], provider: ModelServer, fault: Fault
) -> None:
    server = up()
    messages = f"/v1/conversations/{begin(server)}/messages"
    provider.fault = fault
    question = {"question": "How much paid leave is there in Turkey?"}
    refused = server.http.post(messages, json=question)
    assert refused.status_code == 503, refused.text
    _, kept = server.http.get(messages).json()["items"]
    assert kept["state"] in ("partial", "failed")
    assert kept["error"] == refused.json()["detail"]
    assert kept["answer"] is None or kept["answer"]["partial"]


@pytest.mark.untraced
def test_an_answer_is_stopped_by_a_command_beside_the_server_or_by_its_end(
    up: Callable[[], Server], provider: ModelServer
) -> None:
    server = up()
    conversation = begin(server)
    messages = f"/v1/conversations/{conversation}/messages"
    provider.delay = 0.1
    headers = {"Accept": "text/event-stream"}
    question = {"question": "How much paid leave is there in Turkey?"}
    with server.http.stream("POST", messages, json=question, headers=headers) as response:
        seen = events(response.iter_lines())
        begun = next(seen)[2]
        assert any(name == "verdict" for _, name, _ in seen)
        base = server.http.base_url
        stopped = httpx.post(base.join(f"{messages}/{begun['message_id']}/stop"), timeout=60).json()
        rest = list(seen)
    assert (stopped["state"], rest[-1][1], rest[-1][2]["partial"]) == ("partial", "done", True)
    # A server that is told to end keeps what it was writing.
    with server.http.stream("POST", messages, json=question, headers=headers) as response:
        seen = events(response.iter_lines())
        begun = next(seen)[2]
        assert any(name == "verdict" for _, name, _ in seen)
        server.process.send_signal(signal.SIGTERM)
        list(seen)
    server.process.communicate(timeout=60)
    provider.delay = 0
    kept = up().http.get(f"{messages}/{begun['message_id']}").json()
    assert (kept["state"], kept["content"][:19]) == ("partial", "Everyone in Turkey ")


def test_the_client_follows_up(up: Callable[[], Server], provider: ModelServer) -> None:
    with Client(str(up().http.base_url)) as client:
        conversation = client.begin_conversation("handbook")
        first = client.ask_in(conversation.id, "How much paid leave is there in Germany?", model="extractive")
        assert "30 days" in first.answer.citations[0].quote
        seen = list(client.ask_in_stream(conversation.id, "And in Turkey?", model="extractive"))
        assert "26 days" in seen[-1].answer.citations[0].quote
        again = client.answer_again(conversation.id, first.id, model=MODEL)
        assert (again.answer.model, again.content.startswith(FIRST[:40])) == (MODEL, True)
        assert [message.role for message in client.messages(conversation.id)].count(Role.ASSISTANT) == 3
        assert client.message(conversation.id, first.id) == first == client.stop_answer(conversation.id, first.id)
        assert client.update_conversation(conversation.id, title="Leave").title == "Leave"
        assert [match.snippet for match in client.find_conversations("LEAVE")]
        assert [found.id for found in client.conversations()] == [client.conversation(conversation.id).id]
        assert client.export_conversation(conversation.id).startswith("# Leave")
        client.delete_conversation(conversation.id)
        assert list(client.conversations()) == []


class Terminal:
    """A person at a terminal."""

    def __init__(self, words: Sequence[str], environment: dict[str, str], cwd: Path) -> None:
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.chdir(cwd)
            os.execvpe(KAYNAK[0], [*KAYNAK, *words], environment)
        self._read = b""

    @property
    def shown(self) -> str:
        return self._read.decode(errors="replace").replace("\r", "")

    def wait_for(self, text: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < end, self.shown
            if select.select([self._fd], [], [], 0.2)[0]:
                self._read += os.read(self._fd, 65536)

    def has(self, text: str) -> bool:
        """Whether it is shown now, or within a second."""
        while text not in self.shown and select.select([self._fd], [], [], 1.0)[0]:
            self._read += os.read(self._fd, 65536)
        return text in self.shown

    def type(self, text: str) -> None:
        self._read = b""
        os.write(self._fd, text.encode())

    def end(self) -> int:
        try:
            while select.select([self._fd], [], [], 30)[0] and (data := os.read(self._fd, 65536)):
                self._read += data
        except OSError:
            pass  # the other side is gone
        os.close(self._fd)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


def test_a_chat_on_a_terminal(
    kaynak: Callable[..., Any], environment: dict[str, str], provider: ModelServer, tmp_path: Path
) -> None:
    terminal = Terminal(["chat", "-c", "handbook", "--model", MODEL], environment, tmp_path)
    terminal.wait_for("› ")
    # An interrupt between the prompt and the wait for a key is noticed by Python with the next key only.
    until(lambda: terminal.type("\x03") or terminal.has("/quit"))
    provider.delay = 0.1
    terminal.type("How much paid leave is there in Turkey?\n")
    terminal.wait_for("26 days of paid leave a year")
    terminal.type("\x03")
    terminal.wait_for("what is there is kept")
    terminal.wait_for("› ")
    provider.delay = 0
    terminal.type("And in Turkey?\n")
    terminal.wait_for("characters")
    terminal.wait_for("› ")
    terminal.type("/list\n")
    terminal.wait_for("2. And in Turkey?")
    assert "(partial: It was stopped.)" in terminal.shown
    terminal.type("/quit\n")
    assert terminal.end() == 0, terminal.shown
    assert "kaynak chat --continue" in terminal.shown
    shown = json.loads(kaynak("conversations", "show", "last", "--json").stdout)
    assert [message["state"] for message in shown["messages"]] == ["complete", "partial", "complete", "complete"]
    assert shown["messages"][1]["content"].startswith(FIRST.partition(" [")[0])
    history = Path(environment["KAYNAK_DATA_DIR"]) / "chat_history"
    assert "And in Turkey?" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0
