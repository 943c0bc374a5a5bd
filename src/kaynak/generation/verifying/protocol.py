from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kaynak.domain import Verdict


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a verifier says of one sentence.

    Attributes:
        verdict: Never ``uncited``: that is known without a verifier.
        score: How well it is borne out, in [0, 1].
        reasons: Why it is not better, for people: ``“14 days” is not in the source``.
    """

    verdict: Verdict
    score: float
    reasons: tuple[str, ...] = ()


class Verifier(Protocol):
    """Checks sentences of an answer against the passages they cite."""

    name: str
    """``built-in``, or the model that judges."""

    async def verify(self, sentence: str, evidence: Sequence[str], *, question: str = "") -> Judgement:
        """Returns whether ``evidence`` bears ``sentence`` out.

        Args:
            sentence: Without markers.
            evidence: The quotes it cites, each with some text around it; at least one.
            question: What the answer is to: “Yes.” means nothing without it.

        Raises:
            Unavailable: A model it needs does not answer.
        """
        ...
