"""Settings for people to look at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import (
    DotEnvSettingsSource,
    EnvSettingsSource,
    TomlConfigSettingsSource,
)

from kaynak.settings.loading import Settings


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """One setting as it is in force.

    Attributes:
        name: Dotted, as in ``kaynak.toml``: ``log.level``.
        variable: Environment variable: ``KAYNAK_LOG__LEVEL``.
        value: For people and JSON; secrets masked.
        origin: ``default``, ``kaynak.toml``, ``.env``, ``environment`` or ``argument``.
        default: For people; empty where it depends on the machine.
        description: What it does.
    """

    name: str
    variable: str
    value: str | int | float | bool | list[str] | None
    origin: str
    default: str
    description: str


def effective_settings(settings: Settings, **arguments: Any) -> list[EffectiveSetting]:
    """Returns every setting with its origin, in the order of the class.

    Args:
        settings: As loaded.
        arguments: Those that were given to `load_settings`.
    """
    sources = [
        ("argument", arguments),
        ("environment", EnvSettingsSource(Settings)()),
        (".env", DotEnvSettingsSource(Settings)()),
        ("kaynak.toml", TomlConfigSettingsSource(Settings)()),
    ]
    found = []
    for path, field, value in _leaves(settings, ()):
        origin = next((name for name, values in sources if _has(values, path)), "default")
        variable = "KAYNAK_" + "__".join(path).upper()
        default = "" if field.default_factory or field.is_required() else _shown_default(field.default)
        found.append(
            EffectiveSetting(".".join(path), variable, _shown(value), origin, default, field.description or "")
        )
    return found


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Returns variables that begin with ``KAYNAK_`` and mean nothing: likely misspelt."""
    known = {"KAYNAK_" + "__".join(path).upper() for path, _, _ in _leaves(Settings.model_construct(), ())}
    known |= {f"KAYNAK_{name.upper()}" for name in Settings.model_fields} | {"KAYNAK_COLLECTION", "KAYNAK_PASSWORD"}
    return sorted(
        name
        for name in environment
        if name.upper().startswith("KAYNAK_") and name.upper() not in known and not name.upper().startswith(_EXPLODED)
    )


_EXPLODED = "KAYNAK_MODELS__PROVIDERS__"
"""What follows are names that people choose: ``KAYNAK_MODELS__PROVIDERS__VLLM__URL``."""


def _leaves(model: BaseModel, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], FieldInfo, object]]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name, None)
        if isinstance(value, BaseModel):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), field, value


def _has(values: object, path: tuple[str, ...]) -> bool:
    for step in path:
        if not isinstance(values, Mapping) or step not in values:
            return False
        values = values[step]
    return True


def _shown(value: object) -> str | int | float | bool | list[str] | None:
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        return _mask(secret) if "://" in secret else "********"
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return [_mask(str(name)) for name in value]
    if isinstance(value, tuple | list):
        return [_mask(str(item)) for item in value]
    return _mask(str(value))


def _shown_default(value: object) -> str:
    if value is None:
        return "unset"
    return json.dumps(list(value)) if isinstance(value, tuple) else str(value)


def _mask(text: str) -> str:
    """Returns ``text`` with the password of a URL replaced, in its authority and in its query."""
    masked = re.sub(r"(://[^:/@\s]*):\S*@", r"\1:********@", text)
    return re.sub(r"(?i)([?&](?:password|sslpassword|token)=)[^&\s]*", r"\1********", masked)
