"""What providers say, and what it means."""

from __future__ import annotations

import datetime
from email.utils import format_datetime
from typing import Any

import pytest

from kaynak.domain import ModelRefused, ModelUnavailable
from kaynak.generation.models.failures import (
    RateLimited,
    Said,
    SettingRefused,
    duration,
    failure,
    said,
)
from kaynak.generation.models.providers import BUILT_IN

PROVIDERS = {provider.name: provider for provider in BUILT_IN}
OPENAI = PROVIDERS["openai"]
RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
TEMPERATURE = {"temperature": ("temperature",)}


def meant(status: int, document: Any, headers: dict[str, str] | None = None, **more: Any) -> Any:
    return failure(OPENAI, status, headers or {}, said(document) or Said(), **more)


@pytest.mark.parametrize(
    ("status", "document", "kind", "words"),
    [
        (401, {"error": {"message": "no", "code": "invalid_api_key"}}, ModelRefused, "key"),
        (
            400,
            {"error": {"status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}},
            ModelRefused,
            "key",
        ),
        (402, {"error": {"code": 402, "message": "Insufficient credits"}}, ModelRefused, "credit"),
        (429, {"error": {"code": "insufficient_quota", "message": "quota"}}, ModelRefused, "credit"),
        (403, {"error": {"message": "region"}}, ModelRefused, "forbids"),
        (404, {"error": "model 'x' not found"}, ModelRefused, "no such model"),
        (413, {"type": "error", "error": {"type": "request_too_large", "message": "big"}}, ModelRefused, "too long"),
        (400, {"error": {"message": "maximum context length is 8192"}}, ModelRefused, "too long"),
        (400, {"error": {"message": "prompt is too long: 9 > 8"}}, ModelRefused, "too long"),
        (422, {"detail": [{"msg": "field required"}]}, ModelRefused, "field required"),
        (301, None, ModelRefused, "elsewhere"),
        (429, {"error": {"message": "slow down"}}, RateLimited, "busy"),
        (529, {"type": "error", "error": {"type": "overloaded_error"}}, ModelUnavailable, "not answer now"),
        (500, None, ModelUnavailable, "500"),
        (502, "<html>", ModelUnavailable, "502"),
        (408, None, ModelUnavailable, "408"),
        # As the body of a 200, or a frame of a stream:
        (200, {"error": {"code": 429, "message": "upstream"}}, RateLimited, "upstream"),
        (200, {"error": {"code": "502", "message": "upstream"}}, ModelUnavailable, "upstream"),
        (200, {"type": "error", "error": {"type": "overloaded_error", "message": "o"}}, ModelUnavailable, "o"),
        (200, {"error": {"type": "invalid_request_error", "message": "bad"}}, ModelRefused, "bad"),
        (200, {"error": {"status": "RESOURCE_EXHAUSTED"}}, RateLimited, "busy"),
        (200, {"error": "llama runner process has terminated"}, ModelUnavailable, "llama runner"),
        (200, {"error": {}}, ModelUnavailable, "not answer"),
    ],
)
def test_statuses_and_codes_have_a_meaning(status, document, kind, words):
    error = meant(status, document)
    assert type(error) is kind
    assert words in error.message
    assert error.hint


@pytest.mark.parametrize(
    "document", [None, [], "x", {"choices": []}, {"detail": ""}, {"choices": [], "detail": "x"}, {"error": None}]
)
def test_what_is_no_error_is_none(document):
    assert said(document) is None


@pytest.mark.parametrize(
    ("headers", "document", "seconds"),
    [
        ({"retry-after": "7"}, None, 7),
        ({"retry-after": "1.5"}, None, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, None, 0.25),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2s"}, None, 62),
        ({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "8h"}, None, None),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, None, 360),
        ({}, {"error": {"code": 429, "details": [RETRY_INFO]}}, 34.5),
        ({"retry-after": "nonsense"}, None, None),
        ({"retry-after": "-5"}, None, None),
        ({}, None, None),
    ],
)
def test_when_to_come_back(headers, document, seconds):
    assert meant(429, document, headers).retry_after == seconds


def test_when_to_come_back_as_a_date():
    then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    after = meant(503, None, {"retry-after": format_datetime(then, usegmt=True)}).retry_after
    assert 3500 < after <= 3600
    past = meant(503, None, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"})
    assert past.retry_after == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("12ms", 0.012), ("9s", 9), ("6m0s", 360), ("1h1m1s", 3661), ("0.5s", 0.5), ("3", 3), ("", None), ("soon", None)],
)
def test_durations(text, seconds):
    assert duration(text) == (pytest.approx(seconds) if seconds is not None else None)


@pytest.mark.parametrize(
    "document",
    [
        {"error": {"param": "temperature", "message": "Unsupported value"}},
        {"error": {"message": "`temperature` is deprecated for this model."}},
        {"detail": "Unsupported parameter: temperature"},
        {"error": {"message": "Unsupported parameter: 'temperature' is not supported with this model."}},
    ],
)
def test_a_refused_setting_is_recognised(document):
    error = meant(400, document, settings=TEMPERATURE)
    assert isinstance(error, SettingRefused)
    assert error.settings == {"temperature"}


@pytest.mark.parametrize(
    "document",
    [
        {"error": {"param": "messages", "message": "temperature of the sea"}},
        {"error": {"message": "my_temperature is wrong"}},
        {"error": {"message": "messages: at least one is required"}},
    ],
)
def test_other_faults_are_not_taken_for_a_setting(document):
    assert type(meant(400, document, settings=TEMPERATURE)) is ModelRefused


def test_keys_are_never_repeated():
    message = "Incorrect API key provided: sk-proj-abcdefgh12345678. my-own-secret is not right"
    error = meant(400, {"error": {"message": message}}, key="my-own-secret")
    assert "abcdefgh" not in error.message
    assert "my-own-secret" not in error.message


def test_long_and_strange_messages_are_cut_to_a_line():
    error = meant(400, {"error": {"message": "line\nbreak \x1b[31m" + "x" * 1000}})
    assert "\n" not in error.message
    assert "\x1b" not in error.message
    assert len(error.message) < 400
