from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from kaynak.domain import Message, ModelEvent, ModelSettings


class LanguageModel(Protocol):
    """One model of one provider, or several of which the first that answers does."""

    name: str
    """``provider:model``."""

    context_tokens: int
    """How many tokens the question, the passages and the answer may have together."""

    def stream(self, messages: Sequence[Message], settings: ModelSettings) -> AsyncGenerator[ModelEvent, None]:
        """Yields the answer as it comes, and `ModelFinished` last.

        Closing the generator ends the request at the provider.

        Raises:
            ModelUnavailable: It does not answer now, or stopped in the middle (`StreamTruncated`). A stream that
                ends without the provider's own mark of the end is such a stop, however complete it looks.
            ModelRefused: It will never take this request.
            BudgetExceeded: A limit on spending is reached; nothing was asked.
        """
        ...
