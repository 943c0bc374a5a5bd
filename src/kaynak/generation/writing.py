from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from kaynak.domain import (
    AnswerCompleted,
    AnswerEvent,
    FinishReason,
    ModelEvent,
    ModelFinished,
    ModelWarning,
    StatusChanged,
    TextDelta,
    UsageReported,
)
from kaynak.generation.citing.supporting import Embedders, Support
from kaynak.generation.drafting import Draft, Drafted
from kaynak.generation.judging import Judge
from kaynak.generation.models import LanguageModel
from kaynak.generation.prompting import Prompt, build_prompt
from kaynak.generation.quoting import say_not_found
from kaynak.generation.stopping import until
from kaynak.generation.turn import Turn
from kaynak.generation.verifying import Verifier

ChooseVerifier = Callable[[Turn], Awaitable[Verifier | None]]

_CUT = {
    FinishReason.LENGTH: "The answer was cut off: it had reached its longest allowed length.",
    FinishReason.FILTERED: "The answer was cut off by the provider's content filter.",
}


@dataclass(slots=True)
class _End:
    """How the writing of an answer ended, and what was said by the way."""

    notes: list[str]
    finished: ModelFinished | None = None
    cut: FinishReason | None = None


@dataclass(frozen=True, slots=True)
class ModelWriter:
    """Has answers written by a language model, and sees to it that each sentence has its source.

    Attributes:
        verifier: Checks sentences against what they cite; None to leave them unchecked.
        verifiers: Chooses the verifier of each answer instead.
        embedders: To find quotes by their meaning where words say little; None to go by words.
    """

    verifier: Verifier | None = None
    embedders: Embedders | None = None
    verifiers: ChooseVerifier | None = None

    async def write(
        self, turn: Turn, model: LanguageModel, notes: tuple[str, ...] = ()
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Yields the answer as it is written, and the whole of it last.

        Args:
            turn: The question and what was found for it.
            model: Writes.
            notes: What the reader should know besides.

        Raises:
            KaynakError: As `LanguageModel.stream`; then the answer is not whole, whatever was shown of it.
        """
        settings = turn.choice.settings
        prompt = build_prompt(turn.question, turn.hits, turn.request.history, settings, model.context_tokens)
        verifier = await self.verifiers(turn) if self.verifiers is not None else self.verifier
        draft = self._draft(turn, prompt, verifier)
        end = _End([*notes, *_left_out(prompt)])
        yield StatusChanged("writing", model.name)
        try:
            async with aclosing(until(turn.stop, model.stream(prompt.messages, settings))) as events:
                async for shown in _read(events, draft, end):
                    yield shown
            async for shown in draft.finish():
                yield shown
        finally:
            draft.close()
        name, usage, cost = model.name, None, None
        if end.finished is not None:
            name, usage, cost = end.finished.model, end.finished.usage, end.finished.cost
            yield UsageReported(name, usage, cost)
            if cut := _CUT.get(end.finished.reason):
                end.notes.append(cut)
                end.cut = end.finished.reason
        said = (*end.notes, *draft.notes)
        partial = end.cut is not None or (end.finished is None and not draft.refused)
        if not draft.text and not partial:
            async for event in say_not_found(turn, name, said, usage=usage, cost=cost):
                yield event
            return
        found = not draft.refused and any(one.markers or one.verdict is not None for one in draft.sentences)
        answer = turn.answer(
            draft.text,
            tuple(draft.sentences),
            draft.citations.all,
            found=found,
            model=name,
            notes=said,
            usage=usage,
            cost=cost,
            partial=partial,
            cut=end.cut,
        )
        yield AnswerCompleted(answer)

    def _draft(self, turn: Turn, prompt: Prompt, verifier: Verifier | None) -> Draft:
        return Draft(
            turn.hits,
            prompt.labels,
            support=Support(turn.hits, self.embedders),
            judge=Judge(turn.hits, verifier, turn.question),
            pages=turn.pages,
            policy=turn.choice.policy,
            question=turn.question,
        )


async def _read(events: AsyncGenerator[ModelEvent, None], draft: Draft, end: _End) -> AsyncGenerator[Drafted, None]:
    """Yields what can be shown of what a model writes, and notes how it ends."""
    async for event in events:
        match event:
            case TextDelta(text):
                async for shown in draft.feed(text):
                    yield shown
            case ModelWarning(message):
                end.notes.append(message)
            case ModelFinished():
                end.finished = event
        if draft.refused:
            return


def _left_out(prompt: Prompt) -> list[str]:
    said = []
    if prompt.left_out:
        said.append(f"{prompt.left_out} of the passages had no room in what the model can read.")
    if prompt.shortened:
        said.append("The best passage was too long for the model, and was cut.")
    return said
