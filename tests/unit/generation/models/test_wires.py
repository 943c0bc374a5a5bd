"""What is sent, and what is read from streams that are cut anywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaynak.domain import FinishReason, Message, ModelRefused, ModelSettings, Reasoning, Role, TokenUsage
from kaynak.generation.models.frames import Frame
from kaynak.generation.models.providers import BUILT_IN, Provider, Quirk, WireName
from kaynak.generation.models.wires import WIRES, Call
from kaynak.generation.models.wires.protocol import NotAFrame, StreamError
from kaynak.testing.models.exchange import Answered, Chat
from kaynak.testing.models.server import FORMATS

PROVIDERS = {provider.name: provider for provider in BUILT_IN}
REPLY = ["Yılda", " yirmi", " altı", " gün", " 😀", " [1]."]
USER = Message(Role.USER, "q")
FIELDS = [
    "choices",
    "delta",
    "content",
    "usage",
    "error",
    "message",
    "type",
    "text",
    "candidates",
    "parts",
    "finishReason",
    "done",
    "usageMetadata",
    "prompt_tokens",
    "finish_reason",
    "promptFeedback",
    "model",
]


def body_of(provider: str) -> bytes:
    """A whole stream as the local server sends it."""
    chat = Chat("m", (USER,), streamed=True)
    script = FORMATS[provider].script(chat, Answered(REPLY, TokenUsage(5, 6)))
    return b"".join([*script.opening, *script.words, *script.closing, *script.end])


def read(provider: Provider, chunks: list[bytes]) -> tuple[str, Any]:
    wire = WIRES[provider.wire]
    reader, decoder = wire.reader(), wire.decoder(provider)
    text = ""
    for frames in [*(reader.feed(chunk) for chunk in chunks), reader.finish()]:
        for frame in frames:
            try:
                text += decoder.feed(frame) or ""
            except NotAFrame:
                return text, decoder
    return text, decoder


def call(provider: str, model: str = "m", messages: tuple[Message, ...] = (USER,), **wished: Any) -> Call:
    return Call(PROVIDERS[provider], model, messages, ModelSettings(**wished), context_tokens=32768)


def body(request: Call) -> dict[str, Any]:
    return WIRES[request.provider.wire].request(request).body


@pytest.mark.parametrize("name", PROVIDERS)
@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, 10_000), sizes=st.lists(st.integers(1, 200), min_size=1, max_size=20))
def test_a_stream_is_whole_only_with_its_end(name, cut, sizes):
    whole = body_of(name)
    cut %= len(whole) + 1
    chunks, at = [], 0
    while at < cut:
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(whole[at : min(at + size, cut)])
        at += size
    text, decoder = read(PROVIDERS[name], chunks)
    assert "".join(REPLY).startswith(text)
    if decoder.ended:
        # Only what cannot change the answer may be missing: blank lines, and ends of lines.
        assert not whole[cut:].strip()
        assert text == "".join(REPLY)
        assert decoder.reason is FinishReason.STOP
    if cut == len(whole):
        assert decoder.ended
        assert decoder.usage == TokenUsage(5, 6)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(WIRES)),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(FIELDS),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ),
)
def test_no_frame_breaks_a_decoder(wire, document):
    decoder = WIRES[wire].decoder(PROVIDERS["openai"])
    try:
        text = decoder.feed(Frame(json.dumps(document).encode()))
    except (NotAFrame, StreamError):
        return
    assert text is None or isinstance(text, str)


def test_done_without_a_reason_is_no_end():
    decoder = WIRES[WireName.OPENAI].decoder(PROVIDERS["openai"])
    decoder.feed(Frame(b'{"choices": [{"delta": {"content": "half"}}]}'))
    decoder.feed(Frame(b"[DONE]"))
    assert not decoder.ended


def test_a_provider_may_end_with_its_reason():
    provider = replace(PROVIDERS["openai"], quirks=frozenset({Quirk.REASON_ENDS}))
    decoder = WIRES[WireName.OPENAI].decoder(provider)
    decoder.feed(Frame(b'{"choices": [{"delta": {"content": "all"}, "finish_reason": "stop"}]}'))
    assert decoder.ended


def test_an_error_as_finish_reason_is_an_error():
    decoder = WIRES[WireName.OPENAI].decoder(PROVIDERS["openrouter"])
    with pytest.raises(StreamError):
        decoder.feed(Frame(b'{"choices": [{"delta": {}, "finish_reason": "error"}]}'))


@pytest.mark.parametrize(
    ("wire", "frame"),
    [
        (WireName.OPENAI, {"choices": [{"delta": {"reasoning_content": "hm"}}]}),
        (WireName.OPENAI, {"choices": [{"delta": {"reasoning": "hm"}}]}),
        (WireName.ANTHROPIC, {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}}),
        (WireName.GEMINI, {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}]}}]}),
        (WireName.OLLAMA, {"message": {"content": "", "thinking": "hm"}, "done": False}),
    ],
)
def test_thoughts_are_signs_of_life_and_no_text(wire, frame):
    assert WIRES[wire].decoder(PROVIDERS["openai"]).feed(Frame(json.dumps(frame).encode())) == ""


@pytest.mark.parametrize(
    ("reason", "ends"),
    [("STOP", "stop"), ("MAX_TOKENS", "length"), ("SAFETY", "filtered"), ("RECITATION", "filtered"), ("OTHER", None)],
)
def test_reasons_of_gemini(reason, ends):
    decoder = WIRES[WireName.GEMINI].decoder(PROVIDERS["gemini"])
    frame = Frame(json.dumps({"candidates": [{"finishReason": reason}]}).encode())
    if ends is None:
        with pytest.raises(StreamError):
            decoder.feed(frame)
    else:
        decoder.feed(frame)
        assert (decoder.ended, decoder.reason) == (True, FinishReason(ends))


def test_cached_and_thought_tokens_are_counted():
    anthropic = WIRES[WireName.ANTHROPIC].decoder(PROVIDERS["anthropic"])
    usage = {"input_tokens": 10, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 5, "output_tokens": 1}
    anthropic.feed(Frame(json.dumps({"type": "message_start", "message": {"usage": usage}}).encode()))
    anthropic.feed(Frame(b'{"type": "message_delta", "delta": {}, "usage": {"output_tokens": 70}}'))
    assert anthropic.usage == TokenUsage(45, 70, 30)
    gemini = WIRES[WireName.GEMINI].decoder(PROVIDERS["gemini"])
    counts = {
        "promptTokenCount": 40,
        "candidatesTokenCount": 7,
        "thoughtsTokenCount": 100,
        "cachedContentTokenCount": 9,
    }
    gemini.feed(Frame(json.dumps({"usageMetadata": counts}).encode()))
    assert gemini.usage == TokenUsage(40, 107, 9)


def test_each_provider_has_its_own_names_for_settings():
    wished = {"temperature": 0.0, "max_tokens": 9, "reasoning": Reasoning.LOW}
    assert body(call("openai", **wished)) | {"max_completion_tokens": 9, "reasoning_effort": "low"} == body(
        call("openai", **wished)
    )
    assert body(call("huggingface", **wished))["max_tokens"] == 9
    assert body(call("openrouter", **wished))["reasoning"] == {"effort": "low"}
    assert body(call("anthropic", **wished))["output_config"] == {"effort": "low"}
    old, new = call("gemini", "gemini-2.5-flash", **wished), call("gemini", "gemini-3-pro", **wished)
    assert body(old)["generationConfig"]["thinkingConfig"] == {"thinkingBudget": 1024}
    assert body(new)["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "low"}
    assert body(new)["generationConfig"]["temperature"] == 0.0
    assert body(call("ollama", **wished))["think"] == "low"
    only_on = replace(call("ollama", **wished), thinking=(True, False))
    assert body(only_on)["think"] is True


def test_azure_addresses_name_the_deployment():
    v1 = call("azure", "my deployment")
    wire = WIRES[WireName.OPENAI]
    assert wire.request(v1).path == "/openai/v1/chat/completions"
    dated = replace(v1, provider=replace(v1.provider, api_version="2024-10-21"))
    path = "/openai/deployments/my%20deployment/chat/completions?api-version=2024-10-21"
    assert wire.request(dated).path == path
    assert wire.listing(dated.provider) == "/openai/models?api-version=2024-10-21"


def test_a_model_name_cannot_leave_its_place_in_an_address():
    path = WIRES[WireName.GEMINI].request(call("gemini", "x/../../y?z")).path
    assert path == "/v1beta/models/x%2F..%2F..%2Fy%3Fz:streamGenerateContent?alt=sse"


def test_neighbours_of_one_role_are_joined_where_they_must_take_turns():
    messages = (Message(Role.SYSTEM, "s"), USER, Message(Role.USER, "r"), Message(Role.ASSISTANT, "a"), USER)
    sent = body(call("anthropic", messages=messages))
    assert sent["messages"] == [
        {"role": "user", "content": "q\n\nr"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "q"},
    ]
    assert sent["system"] == "s"


@pytest.mark.parametrize(("words", "size"), [(10, 4096), (4000, 8192), (9000, 16384), (15000, 32768)])
def test_the_context_of_ollama_follows_the_prompt_in_few_sizes(words, size):
    request = call("ollama", messages=(Message(Role.USER, "word " * words),))
    assert body(request)["options"]["num_ctx"] in {size, min(size * 2, 32768)}


def test_a_prompt_that_ollama_would_cut_is_refused():
    with pytest.raises(ModelRefused, match="tokens"):
        body(call("ollama", messages=(Message(Role.USER, "word " * 30_000),)))


def test_lists_of_models_are_read():
    wire = WIRES[WireName.GEMINI]
    listed = wire.listed(
        {"models": [{"name": "models/a", "supportedGenerationMethods": ["generateContent"]}, {"name": "models/emb"}]}
    )
    assert [model.name for model in listed] == ["a"]
    (entry,) = WIRES[WireName.OPENAI].listed({"data": [{"id": "x", "pricing": {"prompt": "-1", "completion": "-1"}}]})
    assert entry.price is None
