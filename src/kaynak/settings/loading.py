"""The settings, from arguments, the environment, ``.env`` and ``kaynak.toml``."""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from kaynak.domain import Misconfigured
from kaynak.settings.sections import (
    ArangoSettings,
    AuthSettings,
    CacheSettings,
    DeepSettings,
    EmbeddingSettings,
    LimitSettings,
    LogSettings,
    MilvusSettings,
    ModelsSettings,
    OidcSettings,
    ParsingSettings,
    PgVectorSettings,
    QdrantSettings,
    RateSettings,
    SearchSettings,
    UrlSettings,
    checked_networks,
)


class Settings(BaseSettings):
    """All settings. Read once, at an entry point.

    Later wins: defaults, ``kaynak.toml``, ``.env``, environment (``KAYNAK_LOG__LEVEL=DEBUG``), arguments.
    """

    model_config = SettingsConfigDict(
        env_prefix="KAYNAK_",
        env_nested_delimiter="__",
        env_file=".env",
        toml_file="kaynak.toml",
        extra="ignore",
        frozen=True,
    )

    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("kaynak", appauthor=False)),
        description="Everything Kaynak keeps: database, originals, indexes.",
    )
    database_url: SecretStr | None = Field(
        None, description="PostgreSQL ≥ 15 with pgvector (postgresql://…); unset: the embedded one."
    )
    redis_url: SecretStr | None = Field(
        None, description="Redis for caches and rates (redis://…, rediss://…, unix://…); unset: in this process."
    )
    host: str = Field("127.0.0.1", description="Address to serve on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to serve on; 0 picks a free one.")
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Further Host names to answer to, as a JSON list; loopback names always work."
    )
    trusted_proxies: tuple[str, ...] = Field(
        (),
        description="Addresses and networks of reverse proxies, as a JSON list: only they may say in X-Forwarded-For "
        "and X-Forwarded-Proto who asks, and how.",
    )
    cors_origins: tuple[str, ...] = Field(
        (),
        description="Web pages of other origins (https://app.example.org) that may call the API with tokens of their "
        "own, as a JSON list.",
    )
    worker_jobs: int = Field(1, ge=1, le=64, description="Jobs one worker runs at a time.")
    secret_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="Key of the installation: encrypts the keys of stored secrets, signs what is in Redis. "
        "Unset: kept in the data directory.",
    )
    old_secret_key: SecretStr | None = Field(
        None, min_length=32, description="The one before, until “kaynak secrets rotate” is done."
    )
    metrics_token: SecretStr | None = Field(
        None, min_length=20, description="What may be shown in place of an account to read /metrics, and nothing else."
    )
    auth: AuthSettings = Field(AuthSettings(), description="Signing in.")
    oidc: OidcSettings = Field(OidcSettings(), description="Signing in with OpenID Connect.")
    log: LogSettings = Field(LogSettings(), description="Logs.")
    parsing: ParsingSettings = Field(ParsingSettings(), description="Parsing.")
    embedding: EmbeddingSettings = Field(EmbeddingSettings(), description="Embedding.")
    search: SearchSettings = Field(SearchSettings(), description="Searching.")
    pgvector: PgVectorSettings = Field(PgVectorSettings(), description="pgvector.")
    qdrant: QdrantSettings = Field(QdrantSettings(), description="Qdrant.")
    milvus: MilvusSettings = Field(MilvusSettings(), description="Milvus.")
    arangodb: ArangoSettings = Field(ArangoSettings(), description="ArangoDB.")
    limits: LimitSettings = Field(LimitSettings(), description="Limits.")
    rates: RateSettings = Field(RateSettings(), description="How often somebody may ask.")
    urls: UrlSettings = Field(UrlSettings(), description="Documents from addresses of the web.")
    cache: CacheSettings = Field(CacheSettings(), description="Caches.")
    deep: DeepSettings = Field(DeepSettings(), description="Looking deeply.")
    models: ModelsSettings = Field(ModelsSettings(), description="Language models.")

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return checked_networks(given)

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for one in given:
            if not re.fullmatch(r"https?://[^/\s*@]+", one):
                raise ValueError(f"“{one}” is not an origin such as https://app.example.org")
        return given

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Adds ``kaynak.toml`` below the environment."""
        toml = TomlConfigSettingsSource(settings_cls)
        return init_settings, env_settings, dotenv_settings, file_secret_settings, toml

    def model_post_init(self, context: Any, /) -> None:
        """Makes the data directory absolute, so that a change of directory does not move it."""
        object.__setattr__(self, "data_dir", self.data_dir.expanduser().resolve())

    @property
    def private(self) -> bool:
        """Whether only this machine is meant to reach the server: by address, and by all names it answers to."""
        return all(_is_own(host) for host in (self.host, *self.allowed_hosts))


def _is_own(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def load_settings(**arguments: Any) -> Settings:
    """Returns the settings, with ``arguments`` above every other source.

    Raises:
        Misconfigured: A value or a file is not valid; the message names it.
    """
    try:
        _refuse_gone()
        return Settings(**arguments)
    except ValidationError as exc:
        fault = exc.errors(include_input=False, include_url=False)[0]
        name = "__".join(str(part) for part in fault["loc"]).upper()
        raise Misconfigured(
            f"The setting KAYNAK_{name} is not valid: {fault['msg']}.",
            hint="See docs/configuration.md; “kaynak config” shows where each value comes from.",
        ) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise Misconfigured("kaynak.toml is not valid TOML.", hint=str(exc)) from exc
    except SettingsError as exc:
        raise Misconfigured("A setting is not valid JSON.", hint=str(exc)) from exc


def _refuse_gone() -> None:
    """Raises `Misconfigured` for a setting of old: to ignore it in silence would change what it meant."""
    variables = {name.upper() for name in outer_environment()}
    if "KAYNAK_ALLOW_REMOTE" in variables or "allow_remote" in TomlConfigSettingsSource(Settings)():
        raise Misconfigured(
            "The setting KAYNAK_ALLOW_REMOTE is gone: others are served as soon as there is an administrator.",
            hint="Remove it, and add an administrator: kaynak users add --admin EMAIL",
        )


def outer_environment() -> dict[str, str]:
    """Returns the environment variables, with those of ``.env`` below them: keys of providers have names of their own.

    Settings of ours are read by `load_settings`, not from here.
    """
    from dotenv import dotenv_values

    found = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    return {**found, **os.environ}
