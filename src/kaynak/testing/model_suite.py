from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from kaynak.domain import (
    CallOutcome,
    FinishReason,
    KaynakError,
    Message,
    ModelEvent,
    ModelFinished,
    ModelRefused,
    ModelSettings,
    ModelUnavailable,
    ModelWaiting,
    ModelWarning,
    Reasoning,
    Role,
    StreamTruncated,
    TextDelta,
)
from kaynak.generation.models import LanguageModel, ModelsConfig
from kaynak.testing.models import KEY, Fault, ModelServer
from kaynak.testing.models.room import ModelRoom, model_room

REPLY = "Yılda yirmi altı gün ücretli izin vardır 😀, 東京でも同じです [1]."
PROMPT = [
    Message(Role.SYSTEM, "Answer from the sources."),
    Message(Role.USER, "Hello."),
    Message(Role.ASSISTANT, "Hello, what do you want to know?"),
    Message(Role.USER, "Kaç gün izin var? 🤔"),
]

_BROKEN_OFF = [
    Fault.CUT_MIDWAY,
    Fault.CUT_BEFORE_END,
    Fault.CLOSED,
    Fault.RESET,
    Fault.ERROR_FRAME,
    Fault.GARBAGE,
    Fault.LONG_LINE,
    Fault.STALL,
]
_TRIED_AGAIN = [
    Fault.EMPTY_BODY,
    Fault.ERROR_UNDER_200,
    Fault.RATE_LIMITED,
    Fault.OVERLOADED,
    Fault.BAD_GATEWAY,
]
_SILENT = [Fault.HANG, Fault.PINGS]
_REFUSED = [Fault.NO_CREDIT, Fault.UNAUTHORIZED, Fault.NO_SUCH_MODEL]
_ENDED_EARLY = {Fault.LENGTH: FinishReason.LENGTH, Fault.FILTERED: FinishReason.FILTERED}
_HARMLESS = [fault for fault in Fault if fault.harmless]

_Body = Callable[[ModelRoom, LanguageModel], Coroutine[Any, Any, None]]


class Heard:
    """What came of one request."""

    def __init__(self) -> None:
        self.events: list[ModelEvent] = []
        self.error: KaynakError | None = None

    @property
    def text(self) -> str:
        """The answer as far as it came."""
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    @property
    def finished(self) -> ModelFinished | None:
        """The last event, if it is the end."""
        last = self.events[-1] if self.events else None
        return last if isinstance(last, ModelFinished) else None

    def of(self, kind: type[ModelEvent]) -> list[ModelEvent]:
        """Returns the events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]


async def listen(model: LanguageModel, settings: ModelSettings | None = None) -> Heard:
    """Returns everything that comes of asking ``model``."""
    heard = Heard()
    try:
        async for event in model.stream(PROMPT, settings or ModelSettings()):
            heard.events.append(event)
    except KaynakError as error:
        heard.error = error
    return heard


class LanguageModelSuite:
    """What every provider must do. Subclasses give a fixture ``provider``: its name."""

    retry_seconds: tuple[float, float] = (0.0, 0.05)
    """What the provider's own words on when to come back amount to, from and to, in these tests."""
    config = ModelsConfig(retries=1, first_wait_seconds=0.02, breaker_failures=100)

    def _with(self, provider: str, body: _Body, **server: Any) -> None:
        # Only where it is silence that is tested, little is waited for: other tests must pass on a busy machine.
        config = self.config
        if server.get("fault") in {Fault.HANG, Fault.PINGS}:
            config = replace(config, first_token_seconds=0.3)
        elif server.get("fault") is Fault.STALL:
            config = replace(config, idle_seconds=0.3)

        async def run() -> None:
            async with model_room(ModelServer(**{"reply": REPLY, **server}), config) as room:
                await body(room, await room.model(provider))

        asyncio.run(run())

    def test_an_answer_comes_whole_with_its_tokens(self, provider: str) -> None:
        """Text, reason, name and usage are the provider's; the end comes last and once."""

        async def body(room: ModelRoom, model: LanguageModel) -> None:
            heard = await listen(model)
            assert heard.error is None
            assert heard.text == REPLY
            assert heard.finished is not None
            assert len(heard.of(ModelFinished)) == 1
            assert (heard.finished.reason, heard.finished.model) == (FinishReason.STOP, f"{provider}:test-model")
            assert heard.finished.usage is not None
            prompt = sum(len(message.content.split()) for message in PROMPT)
            assert (heard.finished.usage.input, heard.finished.usage.output) == (prompt, len(REPLY.split()))
            assert len(heard.of(TextDelta)) > 1, "it did not come as it was written"
            assert all(event.text for event in heard.of(TextDelta) if isinstance(event, TextDelta))

        self._with(provider, body)

    def test_the_prompt_arrives_as_it_is(self, provider: str) -> None:
        """Roles and texts are kept; nothing is set that was not asked for."""

        async def body(room: ModelRoom, model: LanguageModel) -> None:
            await listen(model)
            (chat,) = room.server.chats
            assert list(chat.messages) == PROMPT
            assert chat.streamed
            assert not chat.settings.keys() - {"max_tokens"}, "one format requires a length"

        self._with(provider, body)

    def test_settings_arrive(self, provider: str) -> None:
        """Each under the provider's own name."""

        async def body(room: ModelRoom, model: LanguageModel) -> None:
            heard = await listen(model, ModelSettings(0.25, 321, Reasoning.MEDIUM))
            assert heard.text == REPLY
            (chat,) = room.server.chats
            assert chat.settings["temperature"] == 0.25
            assert chat.settings["max_tokens"] == 321
            assert chat.settings["reasoning"] in {"medium", 8192}
            assert not heard.of(ModelWarning)

        self._with(provider, body)

    @pytest.mark.parametrize("setting", ["temperature", "max_tokens", "reasoning"])
    def test_a_refused_setting_is_left_out_and_said(self, provider: str, setting: str) -> None:
        """The answer comes all the same; the next request does without from the start."""

        async def body(room: ModelRoom, model: LanguageModel) -> None:
            wished = ModelSettings(
                temperature=0.1 if setting == "temperature" else None,
                max_tokens=99_999 if setting == "max_tokens" else None,
                reasoning=Reasoning.HIGH if setting == "reasoning" else None,
            )
            for requests in (2, 3):
                heard = await listen(model, wished)
                assert heard.text == REPLY, heard.error
                assert len(heard.of(ModelWarning)) == 1
                assert len(room.server.chats) == requests

        self._with(provider, body, refuses=[setting])

    @pytest.mark.parametrize("fault", _HARMLESS)
    def test_harmless_turns_change_nothing(self, provider: str, fault: Fault) -> None:
        """The answer is whole, to the character."""

        async def body(room: ModelRoom, model: LanguageModel) -> None:
            heard = await listen(model)
            assert heard.error is None
            assert heard.text == REPLY
            assert heard.finished is not None
            assert (heard.finished.usage is None) is (fault is Fault.NO_USAGE)
            (call,) = room.ledger.calls
            assert call.outcome is CallOutcome.COMPLETE
            assert call.input_tokens
            assert call.estimated is (fault is Fault.NO_USAGE)

        self._with(provider, body, fault=fault)

    @pytest.mark.parametrize("fault", _BROKEN_OFF)
    def test_what_breaks_off_is_never_a_whole_answer(self, provider: str, fault: Fault) -> None:
        """What came is the beginning of the answer; then comes an error, and no end. It is not asked again."""

        async def body(room: ModelRoom, model: LanguageModel) -> None:
            heard = await listen(model)
            assert isinstance(heard.error, StreamTruncated)
            assert heard.error.hint
            assert heard.finished is None
            assert REPLY.startswith(heard.text)
            assert heard.text or fault is Fault.RESET  # a reset may overtake what was sent before it
            tries = len(room.server.chats)
            assert tries == 1 or not heard.text
            call = room.ledger.calls[-1]
            assert (call.outcome, call.error, call.estimated) == (CallOutcome.FAILED, "stream-truncated", True)
            assert call.input_tokens

        self._with(provider, body, fault=fault)

    @pytest.mark.parametrize("fault", _TRIED_AGAIN)
    def test_what_passes_is_tried_again(self, provider: str, fault: Fault) -> None:
        """Before the first word: the caller sees a pause and then the whole answer."""

        async def body(room: ModelRoom, model: LanguageModel) -> None:
            heard = await listen(model)
            assert heard.error is None
            assert heard.text == REPLY
            (waiting,) = heard.of(ModelWaiting)
            assert isinstance(waiting, ModelWaiting)
            assert waiting.reason
            if fault is Fault.RATE_LIMITED:
                least, most = self.retry_seconds
                assert least <= waiting.seconds <= most
            assert [call.outcome for call in room.ledger.calls] == [CallOutcome.FAILED, CallOutcome.COMPLETE]

        self._with(provider, body, faults=[fault])

    @pytest.mark.parametrize("fault", _TRIED_AGAIN)
    def test_what_does_not_pass_is_an_error_in_the_end(self, provider: str, fault: Fault) -> None:
        """After the allowed tries."""

        async def body(room: ModelRoom, model: LanguageModel) -> None:
            heard = await listen(model)
            assert isinstance(heard.error, ModelUnavailable)
            assert heard.error.hint
            assert not heard.text
            assert len(room.server.chats) == 2

        self._with(provider, body, fault=fault)

    @pytest.mark.parametrize("fault", _SILENT)
    def test_silence_is_not_waited_for_for_ever(self, provider: str, fault: Fault) -> None:
        """Nor tried again: it would take that long again."""

        async def body(room: ModelRoom, model: LanguageModel) -> None:
            heard = await listen(model)
            assert isinstance(heard.error, ModelUnavailable)
            assert not heard.text
            (received,) = [request for request in room.server.requests if request.chat]
            await received.ended.wait()
            assert received.abandoned

        self._with(provider, body, fault=fault)

    @pytest.mark.parametrize("fault", _REFUSED)
    def test_a_refusal_is_not_tried_again(self, provider: str, fault: Fault) -> None:
        """It says what to do, and never shows the key."""

        async def body(room: ModelRoom, model: LanguageModel) -> None:
            heard = await listen(model)
            assert isinstance(heard.error, ModelRefused)
            assert heard.error.hint
            assert KEY not in f"{heard.error.message} {heard.error.hint}"
            assert len(room.server.chats) == 1
            (call,) = room.ledger.calls
            assert call.outcome is CallOutcome.FAILED
            assert call.cost == 0

        self._with(provider, body, fault=fault)

    @pytest.mark.parametrize("fault", list(_ENDED_EARLY))
    def test_the_reason_of_an_early_end_is_told(self, provider: str, fault: Fault) -> None:
        """An answer that the provider ended itself is whole in its way."""

        async def body(room: ModelRoom, model: LanguageModel) -> None:
            heard = await listen(model)
            assert heard.finished is not None
            assert heard.finished.reason is _ENDED_EARLY[fault]
            assert REPLY.startswith(heard.text)
            assert heard.text != REPLY

        if provider == "ollama" and fault is Fault.FILTERED:
            pytest.skip("Ollama has no filter")
        self._with(provider, body, fault=fault)

    def test_closing_the_stream_closes_the_connection(self, provider: str) -> None:
        """The provider stops working, and what came is written down as stopped."""

        async def body(room: ModelRoom, model: LanguageModel) -> None:
            async with aclosing(model.stream(PROMPT, ModelSettings())) as events:
                async for event in events:
                    if isinstance(event, TextDelta):
                        break
            received = next(request for request in room.server.requests if request.chat)
            await received.ended.wait()
            assert received.abandoned
            (call,) = room.ledger.calls
            assert call.outcome is CallOutcome.STOPPED
            assert call.estimated
            assert call.input_tokens

        self._with(provider, body, fault=Fault.STALL)

    def test_cancelling_the_caller_closes_the_connection(self, provider: str) -> None:
        """Whether or not a word has come."""
        arrived = asyncio.Event()

        def reply(messages: Sequence[Message]) -> str:
            arrived.set()
            return REPLY

        async def body(room: ModelRoom, model: LanguageModel) -> None:
            asking = asyncio.create_task(listen(model))
            await arrived.wait()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            received = next(request for request in room.server.requests if request.chat)
            await received.ended.wait()
            assert received.abandoned

        self._with(provider, body, fault=Fault.HANG, reply=reply)

    def test_many_at_once_are_not_mixed_up(self, provider: str) -> None:
        """Each caller gets the answer to his question."""

        async def body(room: ModelRoom, model: LanguageModel) -> None:
            async def ask(number: int) -> str:
                messages = [Message(Role.USER, f"question {number}")]
                events = [event async for event in model.stream(messages, ModelSettings())]
                assert isinstance(events[-1], ModelFinished)
                return "".join(event.text for event in events if isinstance(event, TextDelta))

            found = await asyncio.gather(*(ask(number) for number in range(40)))
            assert found == [f"an answer to question {number} ✓" for number in range(40)]

        self._with(provider, body, reply=lambda messages: f"an answer to {messages[-1].content} ✓", delay=0.002)

    def test_a_provider_that_is_away_is_unavailable(self, provider: str) -> None:
        """Nothing listens at its address."""

        async def run() -> None:
            async with model_room(ModelServer(), self.config) as room:
                model = await room.model(provider)
                await room.server.__aexit__(None, None, None)
                heard = await listen(model)
                assert type(heard.error) is ModelUnavailable
                assert heard.error.hint

        asyncio.run(run())
