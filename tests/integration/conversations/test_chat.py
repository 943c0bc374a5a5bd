"""`kaynak chat` and `kaynak conversations` in this process, over a real catalog and a scripted asker."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from kaynak.catalog import Catalog
from kaynak.cli.main import app
from kaynak.domain import ModelUnavailable
from kaynak.testing.world import World

_ROOM = Path(__file__).with_name("conftest.py")


class Collections:
    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    async def get(self, scope: Any, name: str) -> Any:
        async with self.catalog.read() as unit:
            return await unit.collections.get(scope, name)

    async def list(self, scope: Any, *, after: str | None, limit: int) -> Any:
        async with self.catalog.read() as unit:
            return await unit.collections.list(scope, after=after, limit=limit)


class Commands:
    def __init__(self, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        spec = importlib.util.spec_from_file_location("conversations_room", _ROOM)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "conversations_room", module)  # dataclasses look themselves up there
        spec.loader.exec_module(module)
        self.asker = module.ScriptedAsker()

        @asynccontextmanager
        async def opened(settings: Any, *, worker: bool = False) -> Any:
            catalog = await Catalog.open(url, pool_size=4)
            room = module.Room(catalog, World(catalog, folder / "locks"))
            room.turns._asker = self.asker
            try:
                yield SimpleNamespace(
                    settings=settings,
                    collections=Collections(catalog),
                    conversations=room.conversations,
                    turns=room.turns,
                )
            finally:
                await catalog.close()

        patched = ModuleType("kaynak.app")
        patched.Kaynak = SimpleNamespace(open=opened)
        monkeypatch.setitem(sys.modules, "kaynak.app", patched)
        monkeypatch.setenv("KAYNAK_DATA_DIR", str(folder))

        async def fill() -> None:
            catalog = await Catalog.open(url, pool_size=2)
            world = World(catalog, folder / "locks")
            await world.collection("handbook")
            await world.collection("wiki")
            await catalog.close()

        asyncio.run(fill())

    def __call__(self, *words: str, lines: str = "", code: int = 0) -> Any:
        done = CliRunner().invoke(app, words, input=lines)
        assert done.exit_code == code, (done.output, done.stderr, done.exception)
        return done

    def json(self, *words: str, **more: Any) -> Any:
        return json.loads(self(*words, "--json", **more).stdout)


@pytest.fixture
def kaynak(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(database_url, tmp_path, monkeypatch)


def test_each_line_is_a_question(kaynak: Commands) -> None:
    done = kaynak("chat", "-c", "handbook", lines="How much leave is there in Germany?\n\nAnd in Turkey?\n")
    assert done.stdout.count("› ") == 2
    assert done.stdout.count("It is 26 days. [1] All have it. [2]") == 2
    assert "A · handbook/a.md · version 1, characters 0–3" in done.stdout
    assert [request.search.query for request in kaynak.asker.heard] == [
        "How much leave is there in Germany?",
        "How much leave is there in Turkey?",
    ]
    (kept,) = kaynak.json("conversations", "list")["items"]
    assert (kept["title"], kept["collections"]) == ("How much leave is there in Germany?", ["handbook"])


def test_answers_as_json_lines(kaynak: Commands) -> None:
    done = kaynak("chat", "-c", "handbook", "--json", lines="How much leave?\nFor whom?\n")
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert (first["state"], second["state"]) == ("complete", "complete")
    assert second["answer"]["citations"][0]["quote"] == "26 "


def test_commands_of_a_chat(kaynak: Commands, tmp_path: Path) -> None:
    file, data = tmp_path / "out.md", tmp_path / "out.json"
    lines = [
        *("/help", "/sources", "How much leave is there?", "Is there a canteen?", "/list", "/branch 1", "Who has it?"),
        *(
            "/list",
            "/again",
            "/sources",
            f"/export {file}",
            f"/export {data}",
            "/export",
            "/branch 0",
            "Anything else?",
        ),
        *("/list", "/new wiki", "What is a wiki?", "/quit", "never asked"),
    ]
    done = kaynak("chat", "-c", "handbook", lines="\n".join(lines))
    assert "Ctrl-C stops an answer" in done.stdout
    assert "The last answer has no sources." in done.stderr
    assert "1. How much leave is there?\n2. Is there a canteen?\n" in done.stdout
    assert "1. How much leave is there?\n2. Who has it?\n" in done.stdout
    assert "\n1. Anything else?\n" in done.stdout
    assert "never asked" not in done.stdout
    text = file.read_text()
    assert "## Who has it?" in text
    assert "canteen" not in text
    assert text in done.stdout + "\n"
    written = json.loads(data.read_text())
    assert len(written["messages"]) == 7  # three questions, and two answers to the last of them
    wiki, handbook = kaynak.json("conversations", "list")["items"]
    assert (wiki["collections"], handbook["collections"]) == (["wiki"], ["handbook"])
    # Of this branch: what "/branch 1" left out is not part of it.
    shown = kaynak("conversations", "show", handbook["id"]).stdout
    assert "Anything else?" in shown
    assert "canteen" not in shown


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/nonsense", "no command /nonsense"),
        ("/branch x", "number of a question"),
        ("/branch 7", "number of a question"),
        ("/again", "no question yet"),
        ("/export", "nothing to export"),
        ("/new nowhere", "no collection “nowhere”"),
    ],
)
def test_what_cannot_be_done_is_said_and_the_chat_goes_on(kaynak: Commands, line: str, said: str) -> None:
    done = kaynak("chat", "-c", "handbook", lines=f"{line}\nHow much leave?\n", code=1)
    assert said in done.stderr
    assert "It is 26 days. [1]" in done.stdout


def test_failures_are_said_and_what_was_there_is_kept(kaynak: Commands) -> None:
    kaynak.asker.fault = ModelUnavailable("The model is away.", hint="Try again.")
    done = kaynak("chat", "-c", "handbook", lines="How much leave?\n", code=1)
    assert "It is 26 days. [1]" in done.stdout
    assert "The model is away." in done.stderr
    assert "(partial: The model is away.)" in kaynak("conversations", "show", "last").stdout
    done = kaynak("chat", "-c", "handbook", "--json", lines="How much leave?\n", code=1)
    assert json.loads(done.stdout)["error"]["type"] == "urn:kaynak:error:model-unavailable"


def test_going_on(kaynak: Commands) -> None:
    kaynak("chat", "-c", "handbook", "--model", "extractive", lines="How much leave is there in Germany?\n")
    kaynak("chat", "--continue", "last", lines="And in Turkey?\n")
    (kept,) = kaynak.json("conversations", "list")["items"]
    assert kept["answering"]["model"] == "extractive"
    assert kaynak.asker.heard[-1].search.query == "How much leave is there in Turkey?"
    kaynak("chat", "--continue", kept["id"], "--depth", "deep", lines="And in Denmark?\n/list\n")
    whole = kaynak.json("conversations", "show", kept["id"])
    assert whole["conversation"]["answering"]["depth"] == "deep"
    assert len(whole["messages"]) == 6
    kaynak("chat", "--continue", "nonsense", code=2)
    kaynak("chat", "-c", "nowhere", code=3)


def test_conversations_from_the_command_line(kaynak: Commands, tmp_path: Path) -> None:
    assert "No conversations yet" in kaynak("conversations", "list").stderr
    kaynak("conversations", "show", "last", code=3)
    kaynak("chat", "-c", "handbook", lines="Yıllık izin kaç gün?\n")
    kaynak("chat", "-c", "wiki", lines="What is a wiki?\n")
    newest = kaynak.json("conversations", "list", "--limit", "1")
    assert (newest["items"][0]["title"], newest["more"]) == ("What is a wiki?", True)
    (match,) = kaynak.json("conversations", "search", "YILLIK", "izin")["items"]
    number = match["conversation"]["id"]
    assert match["snippet"] == "Yıllık izin kaç gün?"
    assert "Nothing found." in kaynak("conversations", "search", "zebra").stderr
    assert "“Leave in Turkey”" in kaynak("conversations", "rename", number, "Leave", "in", "Turkey").stdout
    assert kaynak.json("conversations", "rename", number, "İzin")["title"] == "İzin"
    assert kaynak("conversations", "export", number).stdout.startswith("# İzin\n")
    exported = kaynak.json("conversations", "export", number)
    assert [message["role"] for message in exported["messages"]] == ["user", "assistant"]
    file = tmp_path / "c.json"
    kaynak("conversations", "export", number, "--format", "json", "-o", str(file))
    assert json.loads(file.read_text()) == exported
    kaynak("conversations", "export", number, "-o", str(tmp_path), code=2)
    kaynak("conversations", "delete", number, lines="n\n", code=1)
    assert "Deleted “İzin”." in kaynak("conversations", "delete", number, "--yes").stdout
    kaynak("conversations", "show", number, code=3)
    kaynak("conversations", "show", "nonsense", code=2)
