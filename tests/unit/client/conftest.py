"""A real server on loopback over the in-memory services of the API tests."""

from __future__ import annotations

import importlib.util
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from kaynak import Client
from kaynak.api import create_app
from kaynak.logs import configure_logs

_FAKES = Path(__file__).parents[1] / "api" / "conftest.py"


@pytest.fixture(scope="session")
def fakes() -> Any:
    spec = importlib.util.spec_from_file_location("kaynak_api_fakes", _FAKES)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def services(fakes: Any, tmp_path: Path) -> Any:
    return fakes.Services(tmp_path)


@pytest.fixture(scope="session")
def running(fakes: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str]]:
    configure_logs("ERROR", "json")
    app = create_app(fakes.Services(tmp_path_factory.mktemp("unused")))
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield app, f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    listener.close()


@pytest.fixture
def base_url(running: tuple[Any, str], services: Any) -> str:
    app, url = running
    app.state.kaynak = services
    return url


@pytest.fixture
def client(base_url: str) -> Iterator[Client]:
    with Client(base_url) as opened:
        yield opened
