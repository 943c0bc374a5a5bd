"""`kaynak secrets rotate` over services that remember what they were asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kaynak.catalog import Rotation
from kaynak.domain import OWNER


class Secrets:
    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def rotate(self, scope: Any) -> Rotation:
        self.asked.append(scope)
        return Rotation(2, 1, 1)


class Signing:
    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def rotate(self, by: Any, *, distrust: bool) -> None:
        self.asked.append((by, distrust))


@pytest.fixture
def signing(services: Any) -> Signing:
    services.identity.signing = Signing()
    return services.identity.signing


@pytest.fixture
def secrets(services: Any) -> Secrets:
    services.secrets = Secrets()
    return services.secrets


def test_it_says_what_was_done_and_where_the_new_key_is(kaynak, secrets):
    done = kaynak("secrets", "rotate")
    assert done.exit_code == 0
    assert "2 data keys" in done.stdout
    assert "1 secrets could not be read" in done.stderr
    assert "secret.key" in done.stderr
    assert secrets.asked == [OWNER]


def test_with_a_key_in_the_environment(kaynak, secrets, monkeypatch):
    monkeypatch.setenv("KAYNAK_SECRET_KEY", "k" * 40)
    done = kaynak("secrets", "rotate", "--json")
    assert json.loads(done.stdout) == {"data_keys": 2, "secrets": 1, "unreadable": 1, "file": None}
    assert "k" * 40 not in kaynak("secrets", "rotate").output


def test_the_key_that_signs(kaynak, secrets, signing):
    done = kaynak("secrets", "rotate", "--signing")
    assert done.exit_code == 0
    assert "until they run out" in done.stderr
    done = kaynak("secrets", "rotate", "--signing", "--distrust")
    assert "No token from before" in done.stderr
    done = kaynak("secrets", "rotate", "--signing", "--distrust", "--json")
    assert json.loads(done.stdout) == {"signing_key": "new", "distrusted": True}
    assert signing.asked == [(OWNER, False), (OWNER, True), (OWNER, True)]
    assert kaynak("secrets", "rotate", "--distrust").exit_code == 2
    assert secrets.asked == []
