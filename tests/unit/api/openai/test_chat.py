from __future__ import annotations

import asyncio
import json

import pytest

from kaynak.api import sse
from kaynak.domain import (
    BudgetExceeded,
    CitationPolicy,
    CollectionNotFound,
    Depth,
    FinishReason,
    ModelRefused,
    ModelSettings,
    ModelUnavailable,
    Reasoning,
    Role,
    SearchMode,
    StreamTruncated,
    TokenUsage,
)


def test_a_completion_has_the_answer_with_its_citations(dialect):
    body = dialect.chat("How long is leave?").json()
    assert (body["object"], body["model"]) == ("chat.completion", "kaynak/handbook")
    (choice,) = body["choices"]
    assert (choice["index"], choice["finish_reason"]) == (0, "stop")
    message = choice["message"]
    assert (message["role"], message["content"]) == ("assistant", "Leave is 26 days. [1] It lapses in June. [1][2][3]")
    quoted = [message["content"][one["url_citation"]["start_index"] : one["url_citation"]["end_index"]]
              for one in message["annotations"]]  # fmt: skip
    assert quoted == ["Leave is 26 days. [1]", *["It lapses in June. [1][2][3]"] * 3]
    details = message["kaynak"]
    assert [one["url_citation"]["url"] for one in message["annotations"]] == [
        details["citations"][at]["url"] for at in (0, 0, 1, 2)
    ]
    first = details["citations"][0]
    assert first["url"] == f"http://127.0.0.1:8000/v1/citations/{first['version_id']}?start=7&end=15"
    assert message["annotations"][0]["url_citation"]["title"] == "Title 1, p. 3"
    assert [one["verdict"] for one in details["sentences"]] == ["supported", "partly"]
    assert body["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def test_a_stream_is_the_same_completion_in_chunks(dialect):
    whole = dialect.chat("How long is leave?").json()["choices"][0]["message"]
    *chunks, end = dialect.chunks("How long is leave?")
    assert end == "[DONE]"
    assert len({(chunk["id"], chunk["created"], chunk["object"]) for chunk in chunks}) == 1
    assert all(chunk["object"] == "chat.completion.chunk" and "usage" not in chunk for chunk in chunks)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0]["role"] == "assistant"
    assert "".join(delta.get("content", "") for delta in deltas) == whole["content"]
    annotations = [one for delta in deltas for one in delta.get("annotations", ())]
    places = [(one["url_citation"]["start_index"], one["url_citation"]["title"]) for one in annotations]
    assert places == [
        (one["url_citation"]["start_index"], one["url_citation"]["title"]) for one in whole["annotations"]
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert deltas[-1]["kaynak"]["found"] is True


def test_usage_comes_last_when_it_is_asked_for(dialect, asker):
    asker.model, asker.usage = "openai:gpt", TokenUsage(100, 20, cached=40)
    *chunks, last, end = dialect.chunks("How long?", stream_options={"include_usage": True})
    assert end == "[DONE]"
    assert all(chunk["usage"] is None and chunk["choices"] for chunk in chunks)
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 120
    assert last["usage"]["prompt_tokens_details"] == {"cached_tokens": 40}


def test_usage_that_nobody_knows_is_not_made_up(dialect, asker):
    asker.model = "openai:gpt"
    assert dialect.chat("How long?").json()["usage"] is None


def test_what_is_asked_reaches_the_asker(dialect, asker):
    dialect.chat(
        {"role": "system", "content": "Answer in one short sentence."},
        "What is leave?",
        {"role": "assistant", "content": "Leave is 26 days. [1]", "refusal": None},
        {"role": "user", "content": [{"type": "text", "text": one} for one in ("Who grants ", "parental leave?")]},
        model="kaynak/handbook+policies@openrouter:meta/llama-4:free",
        temperature=0.3,
        max_tokens=99,
        max_completion_tokens=50,
        reasoning_effort="minimal",
        kaynak={"filter": {"team": "hr"}, "limit": 4, "mode": "lexical", "depth": "deep", "policy": "drop",
                "fallbacks": ["extractive"]},
    )  # fmt: skip
    (request,) = asker.asked
    assert request.search.query == "Who grants parental leave?"
    assert request.search.collections == ("handbook", "policies")
    assert (request.search.limit, request.search.mode) == (4, SearchMode.LEXICAL)
    assert request.search.filter is not None
    assert request.model == "openrouter:meta/llama-4:free"
    assert request.fallbacks == ("extractive",)
    assert (request.policy, request.depth) == (CitationPolicy.DROP, Depth.DEEP)
    assert request.settings == ModelSettings(0.3, 50, Reasoning.LOW)
    # Wishes are said by the person; nothing of the caller's is in the system role.
    assert [message.role for message in request.history] == [Role.USER, Role.ASSISTANT, Role.USER]
    assert request.history[-1].content.endswith("Answer in one short sentence.")
    assert "how they are cited" in request.history[-1].content


def test_wishes_that_fill_books_are_cut_and_named(dialect, asker):
    answer = dialect.chat({"role": "system", "content": "Be brief. " * 1000}, "Leave?")
    assert len(asker.asked[0].history[0].content) < 5000
    ignored = answer.json()["choices"][0]["message"]["kaynak"]["ignored"]
    assert "system messages beyond 4,000 characters" in ignored


def test_a_follow_up_is_looked_for_as_it_is_meant(dialect, asker):
    dialect.chat(
        "How many days of leave are there in Germany?",
        {"role": "assistant", "content": "There are 26. [1]"},
        "And in Turkey?",
    )
    assert "leave" in asker.asked[0].search.query
    assert "Turkey" in asker.asked[0].search.query


def test_what_changes_nothing_is_named(dialect, asker):
    answer = dialect.chat(
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Leave?", "name": "ada", "cache_control": {"type": "ephemeral"}},
        top_p=0.5,
        seed=7,
        stop=["\n"],
        temperature=1,
        tool_choice="none",
        tools=[],
        n=1,
        response_format={"type": "text"},
        user="ada",
        made_up=1,
        logprobs=False,
        store=None,
    )
    ignored = answer.json()["choices"][0]["message"]["kaynak"]["ignored"]
    assert set(ignored) == {
        "made_up", "response_format", "seed", "stop", "tool_choice", "top_p", "user",
        "messages[1].cache_control", "messages[0]", "temperature",
    }  # fmt: skip
    asker.model = "openai:gpt"
    ignored = dialect.chat("Leave?", temperature=1, seed=1).json()["choices"][0]["message"]["kaynak"]["ignored"]
    assert ignored == ["seed"]


def test_a_field_that_is_not_as_openai_has_it_is_ignored(dialect):
    answer = dialect.chat("Leave?", modalities=5)
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["kaynak"]["ignored"] == ["modalities"]


@pytest.mark.parametrize(
    ("rest", "param"),
    [
        ({"n": 2}, "n"),
        ({"n": 0}, "n"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"functions": [{}]}, "functions"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0]"),
    ],
)
def test_what_would_be_missed_is_refused(dialect, error_of, asker, rest, param):
    error = error_of(dialect.chat("Leave?", **rest), 400)
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, "unsupported_parameter")
    assert asker.asked == []


@pytest.mark.parametrize(
    ("rest", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "Leave?"}, "messages"),
        ({"messages": [{"content": "Leave?"}]}, "messages.0.role"),
        ({"temperature": 9}, "temperature"),
        ({"temperature": "warm"}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"model": None}, "model"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"kaynak": {"limt": 1}}, "kaynak.limt"),
        ({"kaynak": {"limit": 10_000}}, "kaynak.limit"),
    ],
)
def test_what_cannot_be_is_refused_with_its_name(dialect, error_of, rest, param):
    error = error_of(dialect.chat("Leave?", **rest), 400)
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


@pytest.mark.parametrize("question", ["", "   ", "x" * 9000])
def test_a_question_that_is_none_is_refused(dialect, error_of, question):
    assert error_of(dialect.chat(question), 400)["code"] == "invalid_query"


def test_a_body_that_is_no_json_is_refused_in_the_dialect(dialect):
    async def send():
        import httpx

        transport = httpx.ASGITransport(dialect.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.post("/v1/chat/completions", content=b"{", headers={"content-type": "application/json"})

    answer = asyncio.run(send())
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    "name",
    ["gpt-5", "kaynak/", "kaynak/UPPER", "kaynak/a+", "kaynak/a@", "handbook", "kaynak/a+ä"],
)
def test_a_name_that_stands_for_nothing_is_no_model(dialect, error_of, name):
    error = error_of(dialect.chat("Leave?", model=name), 404)
    assert (error["code"], error["param"]) == ("model_not_found", "model")


@pytest.mark.parametrize(
    ("failure", "status", "kind", "code"),
    [
        (CollectionNotFound("There is none."), 404, "invalid_request_error", "model_not_found"),
        (ModelRefused("No key.", hint="Set one."), 400, "invalid_request_error", "model_refused"),
        (BudgetExceeded("The budget is spent."), 429, "insufficient_quota", "insufficient_quota"),
        (ModelUnavailable("Away."), 503, "server_error", "model_unavailable"),
        (RuntimeError("a secret"), 500, "server_error", "internal"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_before_the_first_word_has_its_status(dialect, asker, error_of, failure, status, kind, code, stream):
    asker.fail_before = failure
    answer = dialect.chat("Leave?", stream=stream)
    error = error_of(answer, status)
    assert (error["type"], error["code"]) == (kind, code)
    assert "secret" not in answer.text
    assert asker.closed == 1
    if status == 429:
        assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("failure", [StreamTruncated("The model stopped in the middle."), RuntimeError("a secret")])
def test_a_failure_in_the_middle_ends_the_stream_with_an_error_and_no_done(dialect, asker, failure):
    asker.fail_after = failure
    chunks = dialect.chunks("Leave?")
    assert "[DONE]" not in chunks
    assert chunks[-1]["error"]["type"] == "server_error"
    assert "secret" not in json.dumps(chunks)
    assert asker.closed == 1


def test_a_question_that_waits_for_its_turn_does_not_lie_silent(dialect, asker, monkeypatch):
    whole = dialect.chunks("Leave?")
    monkeypatch.setattr(sse, "HEARTBEAT_SECONDS", 0.05)
    asker.wait_before = 0.3
    answer = dialect.chat("Leave?", stream=True)
    comments, _, rest = answer.text.partition("data: ")
    assert comments.count(": still here\n\n") > 2
    assert rest.count("data: ") == len(whole) - 1
    assert answer.text.endswith("data: [DONE]\n\n")
    # It has begun: what fails from now on has no status of its own any more.
    asker.fail_before = ModelUnavailable("Away.")
    answer = dialect.chat("Leave?", stream=True)
    assert answer.status_code == 200
    assert json.loads(answer.text.partition("data: ")[2])["error"]["code"] == "model_unavailable"
    assert asker.closed == len(asker.asked) == 3


@pytest.mark.parametrize(
    ("cut", "said"), [(None, "length"), (FinishReason.LENGTH, "length"), (FinishReason.FILTERED, "content_filter")]
)
def test_an_answer_that_was_cut_says_why(dialect, asker, cut, said):
    asker.partial, asker.cut = True, cut
    assert dialect.chat("Leave?").json()["choices"][0]["finish_reason"] == said
    chunks = dialect.chunks("Leave?")
    assert chunks[-2]["choices"][0]["finish_reason"] == said


def test_a_caller_who_leaves_ends_the_answer(dialect, asker):
    """The application is driven as a server does it: the connection goes while the answer is being written."""

    async def leave() -> None:
        asker.hang = asyncio.Event()
        body = json.dumps(
            {"model": "kaynak/handbook", "stream": True, "messages": [{"role": "user", "content": "Leave?"}]}
        ).encode()
        unread, gone = [body], asyncio.Event()

        async def receive():
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            if b"26 days" in message.get("body", b""):
                gone.set()

        headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "raw_path": b"", "root_path": "",
                 "query_string": b"", "headers": headers, "scheme": "http", "server": ("127.0.0.1", 80),
                 "asgi": {"spec_version": "2.3"}}  # fmt: skip
        await asyncio.wait_for(dialect.app(scope, receive, send), 10)

    asyncio.run(leave())
    assert asker.closed == 1
