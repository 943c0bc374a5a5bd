"""Secrets do not reach the log, whoever logs them."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from kaynak.identity.secrets_shown import KEY_PREFIX
from kaynak.logs import configure_logs
from kaynak.masking import MASK, mask_secrets, masked_text

SECRET = "hunter2hunter2hunter2"
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def _undo() -> Iterator[None]:
    yield
    structlog.reset_defaults()


FIELDS = {
    "authorization": f"Bearer {SECRET}",
    "Cookie": f"session={SECRET}",
    "password": SECRET,
    "new_password": SECRET,
    "api_key": SECRET,
    "client_secret": SECRET,
    "refresh_token": SECRET,
    "token": SECRET,
    "key": SECRET,
    "headers": {"Authorization": SECRET, "X-API-Key": SECRET, "Accept": "*/*"},
    "raw_headers": [(b"authorization", SECRET.encode()), ("set-cookie", SECRET), (b"host", b"a")],
    "url": f"postgresql://kaynak:{SECRET}@db/kaynak?sslmode=require",
    "body": f'{{"email": "a@example.org", "password": "{SECRET}"}}',
    "form": f"user=a&password={SECRET}&next=/",
    "dump": f"GET / HTTP/1.1\r\nAuthorization: Basic {SECRET}\r\nHost: a",
    "deep": {"a": [{"b": {"secret": SECRET}}]},
    "ours": f"the key {KEY_PREFIX}{SECRET} was refused",
    "theirs": f"sk-{SECRET} and hf_{SECRET}",
}


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("name", FIELDS)
def test_neither_by_name_nor_by_looks(capsys, form, name):
    configure_logs("DEBUG", form)
    structlog.get_logger("kaynak.test").info("something", **{name: FIELDS[name]})
    shown = capsys.readouterr().err
    assert "something" in shown
    assert SECRET not in shown
    assert MASK in shown


def test_libraries_and_tracebacks_are_masked_too(capsys):
    configure_logs("DEBUG", "json")
    logging.getLogger("some.library").warning("sent Authorization: Bearer %s", SECRET)
    logging.getLogger("some.library").warning("a token: %s", JWT)
    try:
        raise ValueError(f"cannot connect to redis://:{SECRET}@cache:6379/0 with {KEY_PREFIX}{SECRET}")
    except ValueError:
        structlog.get_logger("kaynak.test").exception("it_broke")
    shown = capsys.readouterr().err
    assert "redis://" in shown
    assert "it_broke" in shown
    assert SECRET not in shown
    assert JWT not in shown


def test_what_is_no_secret_is_left_alone():
    event = {
        "event": "request",
        "path": "/v1/keys",
        "tokens": 123,
        "prompt_tokens": 7,
        "keys": 3,
        "kid": "abc",
        "token": None,
        "ms": 1.5,
        "detail": "The key of the installation cannot be read: /srv/secret.key.",
        "url": "https://example.org/a?q=1",
        "names": ["a", "b"],
    }
    assert mask_secrets(None, "info", dict(event)) == event


@given(st.text(max_size=300))
def test_no_text_breaks_it(text):
    assert isinstance(masked_text(text), str)
    assert SECRET not in masked_text(f"{text}\nAuthorization: Bearer {SECRET}\n{text}")


def test_a_long_text_takes_no_long_time():
    for piece in ("key=", "://a", "Bearer ", "eyJ", "password:", "cookie:"):
        assert masked_text(piece * 20_000)
