from __future__ import annotations

import json
from uuid import UUID, uuid4

import httpx
import pytest

from kaynak import Client
from kaynak.client import events, retrying
from kaynak.client.decoding import decode
from kaynak.client.failures import error_of
from kaynak.domain import (
    AnswerCompleted,
    Collection,
    EngineUnavailable,
    Job,
    KaynakError,
    NotFound,
    RateLimited,
    SearchResult,
    StreamTruncated,
    TextWritten,
    Unavailable,
    UnreadableDocument,
    UnreadableReason,
)

EMPTY = {"hits": [], "more": False, "revisions": {}, "degraded": [], "took_ms": 1.0, "trace": None}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(retrying, "LONGEST_WAIT", 0.01)


def client_of(*answers):
    """A client whose server gives ``answers`` in turn; an exception is raised instead."""
    left = list(answers)
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        given = left.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    return Client("http://kaynak", transport=httpx.MockTransport(answer)), seen


def busy(**headers):
    body = {"type": "urn:kaynak:error:engine-unavailable", "detail": "away", "status": 503}
    return httpx.Response(503, json=body, headers={"Retry-After": "1", **headers})


def test_a_busy_server_is_asked_again():
    client, seen = client_of(busy(), busy(), httpx.Response(200, json=EMPTY))
    assert client.search("x", "c").hits == ()
    assert len(seen) == 3


def test_patience_ends():
    client, seen = client_of(*[busy()] * 9)
    with pytest.raises(EngineUnavailable):
        client.search("x", "c")
    assert len(seen) == retrying.ATTEMPTS


def test_what_does_harm_twice_is_not_repeated():
    client, seen = client_of(busy())
    with pytest.raises(EngineUnavailable):
        client.create_collection("c")
    client, seen = client_of(httpx.ReadError("cut"))
    with pytest.raises(Unavailable):
        client.delete_collection("c")
    assert len(seen) == 1


def test_a_connection_never_made_is_tried_again_for_everything():
    client, seen = client_of(httpx.ConnectError("no"), httpx.Response(204))
    client.delete_collection("c")
    assert len(seen) == 2


def test_a_slow_server_is_said_to_be_slow():
    client, _ = client_of(*[httpx.ReadTimeout("slow")] * 9)
    with pytest.raises(Unavailable, match="in time"):
        client.search("x", "c")


def test_a_stream_that_is_cut_off_is_an_error_not_an_answer():
    body = b'event: sources\ndata: {"hits": []}\n\n'
    client, _ = client_of(httpx.Response(200, content=body))
    with pytest.raises(Unavailable, match="ended before"):
        list(client.ask_stream("x", "c"))


def test_events_survive_any_cut_of_their_bytes():
    body = ': hi\n\nevent: a\ndata: {"x": "ü\u2028"}\n\nevent: b\ndata: 1\n\n'.encode()
    for size in (1, 2, 3, 7, 1000):
        parser = events.EventParser()
        found = [e for i in range(0, len(body), size) for e in parser.feed(body[i : i + size])]
        assert found == [("a", {"x": "ü\u2028"}), ("b", 1)]
    assert events.AnswerEvents().read("novelty", {}) is None


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (404, b"", NotFound),
        (404, b"<html>", NotFound),
        (404, b"[1]", NotFound),
        (418, b"{}", KaynakError),
        (503, b"", Unavailable),
        (503, json.dumps({"type": "urn:kaynak:error:unavailable"}).encode(), Unavailable),
        (422, json.dumps({"type": "urn:kaynak:error:unheard-of"}).encode(), KaynakError),
    ],
)
def test_every_answer_becomes_an_error(status, content, kind):
    assert isinstance(error_of(status, content), kind)


def test_an_unreadable_document_keeps_its_reason():
    body = {"type": "urn:kaynak:error:unreadable-document", "reason": "encrypted", "detail": "locked"}
    error = error_of(422, json.dumps(body).encode())
    assert isinstance(error, UnreadableDocument)
    assert error.reason is UnreadableReason.ENCRYPTED
    error = error_of(422, json.dumps({**body, "reason": "new"}).encode())
    assert error.reason is UnreadableReason.CORRUPT


def test_fields_of_a_newer_server_are_ignored_and_missing_ones_are_an_error():
    assert decode(SearchResult, {**EMPTY, "novelty": 1}).took_ms == 1.0
    with pytest.raises(KaynakError):
        decode(Collection, {"id": str(uuid4())})
    with pytest.raises(KaynakError):
        decode(Job, {"id": "not-a-uuid"})


def test_a_watch_that_lost_its_connection_takes_it_up_again(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    number = str(uuid4())
    job = {
        "id": number,
        "kind": "ingest",
        "collection": "c",
        "state": "running",
        "stages": [{"name": "parse", "done": 1, "total": 2}],
        "counts": {"added": 1},
        "attempts": 1,
        "cancel_requested": False,
        "error": None,
        "created_at": "2026-11-20T12:00:00Z",
        "started_at": None,
        "finished_at": None,
    }

    def event(name, **changes):
        return f"event: {name}\ndata: {json.dumps({**job, **changes})}\n\n".encode()

    client, seen = client_of(
        httpx.Response(200, content=event("progress")),
        httpx.ReadError("cut"),
        httpx.Response(200, content=event("done", state="succeeded", novelty=1)),
    )
    states = [found.state.value for found in client.watch(UUID(number))]
    assert states == ["running", "succeeded"]
    assert len(seen) == 3


ANSWER = {
    "question": "x",
    "text": "Both.",
    "sentences": [],
    "citations": [],
    "found": True,
    "model": "m",
    "hits": [],
    "degraded": [],
    "took_ms": 1.0,
}
EVENTS = [("sources", {"hits": []}), ("delta", {"text": "Bo"}), ("delta", {"text": "th."}), ("done", ANSWER)]
FRAMES = [
    f"id: s1:{number}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode()
    for number, (name, data) in enumerate(EVENTS, 1)
]


class Breaking(httpx.SyncByteStream):
    """Sends some bytes, and then the connection is lost."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts

    def __iter__(self):
        yield from self.parts
        raise httpx.ReadError("cut")


def test_a_lost_stream_is_taken_up_where_it_was():
    client, seen = client_of(
        httpx.Response(200, stream=Breaking(*FRAMES[:2], FRAMES[2][:20])),
        httpx.ConnectError("no"),
        httpx.Response(200, stream=Breaking(FRAMES[2])),
        httpx.Response(200, content=FRAMES[3]),
    )
    found = list(client.ask_stream("x", "c"))
    assert "".join(event.text for event in found if isinstance(event, TextWritten)) == "Both."
    assert isinstance(found[-1], AnswerCompleted)
    assert [(request.method, request.url.path) for request in seen] == [("POST", "/v1/ask")] + [
        ("GET", "/v1/streams/s1")
    ] * 3
    assert [request.headers.get("last-event-id") for request in seen] == [None, "s1:2", "s1:2", "s1:3"]


def test_a_stream_that_is_gone_or_never_comes_back_is_cut_off():
    gone = httpx.Response(404, json={"type": "urn:kaynak:error:not-found", "detail": "gone", "status": 404})
    client, _ = client_of(httpx.Response(200, stream=Breaking(*FRAMES[:2])), gone)
    with pytest.raises(Unavailable, match="ended before"):
        list(client.ask_stream("x", "c"))
    client, seen = client_of(httpx.Response(200, content=FRAMES[0]), *[httpx.ConnectError("no")] * 9)
    with pytest.raises(Unavailable):
        list(client.ask_stream("x", "c"))
    assert len(seen) == retrying.ATTEMPTS + 1


def test_an_error_that_the_server_sends_is_no_lost_connection():
    error = {"type": "urn:kaynak:error:stream-truncated", "detail": "The model broke off.", "status": 503}
    frame = f"id: s1:2\nevent: error\ndata: {json.dumps(error)}\n\n".encode()
    client, seen = client_of(httpx.Response(200, content=FRAMES[0] + frame))
    with pytest.raises(StreamTruncated):
        list(client.ask_stream("x", "c"))
    assert len(seen) == 1


@pytest.mark.parametrize("content", [b"<html>a proxy</html>", b"[]", b'{"items": 5}', b"5", b"{}"])
def test_an_answer_that_is_not_kaynaks_is_an_error_of_ours(content):
    for ask in (
        lambda client: list(client.collections()),
        lambda client: client.collection("a"),
        lambda client: client.indexes("a"),
        lambda client: client.sign_in("a@b.org", "p"),
    ):
        client, _ = client_of(httpx.Response(200, content=content))
        with client, pytest.raises(KaynakError, match="not"):
            ask(client)


def test_when_to_come_again_is_told_as_the_server_said_it():
    problem = {"type": "urn:kaynak:error:rate-limited", "title": "x", "status": 429, "detail": "x"}
    answers = [httpx.Response(429, json=problem, headers={"Retry-After": "17"}) for _ in range(4)]
    client, _ = client_of(*answers)
    with client, pytest.raises(RateLimited) as refused:
        client.collection("a")
    assert refused.value.retry_after == 17


def test_a_pause_that_is_no_number_is_not_waited_for():
    client, seen = client_of(httpx.Response(503, headers=[(b"Retry-After", b"\xb2")]), httpx.Response(200, json=EMPTY))
    with client:
        client.search("q", "c")
    assert len(seen) == 2
