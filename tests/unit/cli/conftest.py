"""The command line over the in-memory services of the API tests, in this process."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from kaynak.cli import command
from kaynak.cli.main import app

_FAKES = Path(__file__).parents[1] / "api" / "conftest.py"


class Worker:
    failure: Exception | None = None

    async def run(self, stop: asyncio.Event) -> None:
        if self.failure is not None:
            raise self.failure
        await stop.wait()


@pytest.fixture(scope="session")
def fakes() -> Any:
    spec = importlib.util.spec_from_file_location("kaynak_cli_fakes", _FAKES)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def services(fakes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The services that every command of the test opens."""
    opened = fakes.Services(tmp_path)
    opened.worker = Worker()

    @asynccontextmanager
    async def open_services(settings: Any, *, worker: bool = False) -> Any:
        yield opened

    module = ModuleType("kaynak.app")

    async def migrate(settings: Any) -> str:
        return "0001"

    module.Kaynak = SimpleNamespace(open=open_services)
    module.migrate = migrate
    monkeypatch.setitem(sys.modules, "kaynak.app", module)
    return opened


@pytest.fixture
def kaynak(services: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs a command line; with ``--json`` the result has ``document``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAYNAK_DATA_DIR", str(tmp_path / "data"))

    def run(*words: object, stdin: bytes | None = None) -> Any:
        command.invocation.arguments.clear()
        result = CliRunner().invoke(app, [str(word) for word in words], input=stdin)
        if "--json" in words and result.stdout:  # a usage error is for people
            result.document = json.loads(result.stdout)
        return result

    yield run
    structlog.reset_defaults()
