from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ModelsConfig:
    """How models are asked. The composition root fills it from the settings.

    Attributes:
        providers: Fields of `Provider` by name: changes of the built-in ones, and new ones.
        environment: Environment variables with keys and addresses.
        connect_seconds: Most time to reach a provider.
        first_token_seconds: Most time to the first sign of an answer.
        idle_seconds: Most time between two pieces of an answer.
        retries: Further tries after the first, as long as nothing of the answer has come.
        first_wait_seconds: Before the second try, where the provider does not say; doubled each time.
        retry_seconds: Most time that is spent waiting between tries, all together.
        breaker_failures: Failures in a row after which a provider is left alone.
        breaker_seconds: For how long.
    """

    providers: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    connect_seconds: float = 10.0
    first_token_seconds: float = 120.0
    idle_seconds: float = 60.0
    retries: int = 2
    first_wait_seconds: float = 0.5
    retry_seconds: float = 30.0
    breaker_failures: int = 5
    breaker_seconds: float = 30.0
