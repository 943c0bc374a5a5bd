"""What it means here when a provider of language models does not answer."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kaynak.domain import KaynakError, ModelRefused, ModelUnavailable
from kaynak.generation.models.providers import Provider
from kaynak.remote import TRANSIENT, Said, duration, later, meant, said, shown, too_long

__all__ = ["Said", "duration", "failure", "said"]


class RateLimited(ModelUnavailable):
    """The provider is well, but has had enough of us for now."""


class TooSlow(ModelUnavailable):
    """Nothing came within the time that is allowed; trying again would take that long again."""


class CircuitOpen(ModelUnavailable):
    """The provider failed so often just now that it is left alone for a while."""


class SettingRefused(ModelRefused):
    """The model does not take some settings of the request.

    Attributes:
        settings: Their names.
    """

    def __init__(self, message: str, settings: frozenset[str]) -> None:
        super().__init__(message, hint="Leave the setting out, or ask another model.")
        self.settings = settings


def failure(
    provider: Provider,
    status: int,
    headers: Mapping[str, str],
    error: Said,
    *,
    key: str | None = None,
    settings: Mapping[str, tuple[str, ...]] | None = None,
) -> KaynakError:
    """Returns what the error means.

    Args:
        provider: Who says it.
        status: Of the answer; 200 if it came as its body, or within the stream.
        headers: By lower-case name.
        error: What was said.
        key: Never shown, should the provider repeat it.
        settings: Settings that were sent, and the words that name them in messages of the provider.
    """
    status = meant(status, error)
    words = shown(error.message, key)
    tail = f": {words}" if words else f" ({status})."
    if status in {400, 404, 422} and settings:
        refused = frozenset(name for name, names in settings.items() if _names(error, names))
        if refused:
            return SettingRefused(f"{provider.title} refuses a setting{tail}", refused)
    if status == 401 or "API_KEY_INVALID" in error.codes:
        return ModelRefused(f"{provider.title} does not accept the key.", hint=key_hint(provider))
    if status == 402:
        return ModelRefused(
            f"The account at {provider.title} has no credit{tail}", hint="Add credit, or ask another model."
        )
    if status == 403:
        return ModelRefused(f"{provider.title} forbids it{tail}", hint="Check what the key and the account may do.")
    if status == 404:
        return ModelRefused(
            f"{provider.title} has no such model{tail}", hint=f"See its models: kaynak models show {provider.name}"
        )
    if status == 413 or too_long(error):
        return ModelRefused(f"The request is too long for the model{tail}", hint="Ask a model with a larger context.")
    if status == 429:
        after = later(headers, error)
        return RateLimited(
            f"{provider.title} is busy{tail}", hint="Wait a little, or name fallbacks.", retry_after=after
        )
    if status in TRANSIENT or status >= 500:
        return ModelUnavailable(
            f"{provider.title} does not answer now{tail}", hint="Try again.", retry_after=later(headers, error)
        )
    if 300 <= status < 400:
        return ModelRefused(
            f"The address of {provider.title} leads elsewhere ({status}).", hint=f"Correct it; see {provider.page}."
        )
    return ModelRefused(f"{provider.title} refuses the request{tail}", hint=f"See {provider.page}.")


def key_hint(provider: Provider) -> str:
    """Returns what to do about a key that is missing or wrong."""
    variable = f"Set {provider.key_env[0]}, or store" if provider.key_env else "Store"
    return f"{variable} a key: kaynak models set-key {provider.name}"


def _names(error: Said, names: tuple[str, ...]) -> bool:
    if error.parameter:
        return error.parameter.partition(".")[0] in names or error.parameter in names
    message = error.message.lower()
    return any(re.search(rf"(?<![a-z_]){re.escape(name.lower())}(?![a-z])", message) for name in names)
