"""What can be set, by subject."""

from __future__ import annotations

import ipaddress
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator


class ParsingSettings(BaseModel):
    """What one file may use."""

    memory_mb: int = Field(1024, ge=128, description="Memory of a parsing process above its resting size, MB.")
    cpu_seconds: int = Field(120, ge=1, description="CPU time for one file.")
    wall_seconds: int = Field(300, ge=1, description="Wall time for one file.")
    processes: int = Field(1, ge=1, le=64, description="Parsing processes per worker.")
    ocr: Literal["auto", "off"] = Field("auto", description="auto: read scanned pages if the extra is installed.")


class LimitSettings(BaseModel):
    """What one request may ask, and all together."""

    upload_mb: int = Field(1024, ge=1, description="Largest file, and largest upload request, MB.")
    request_documents: int = Field(1000, ge=1, description="Documents in one upload request.")
    head_seconds: float = Field(20, gt=0, description="Most time for the head of a request to come.")
    idle_seconds: float = Field(
        60,
        gt=0,
        description="Most time in which a client sends nothing of its request, or takes nothing of its answer.",
    )
    connections: int = Field(
        8192, ge=0, description="Open connections; a few more are kept for this machine. 0: as many as come."
    )
    address_connections: int = Field(
        512,
        ge=0,
        description="Open connections from one address (of IPv6 from one /64) that is neither this machine nor a "
        "trusted proxy. 0: as many as come.",
    )
    query_chars: int = Field(8192, ge=16, description="Longest query.")
    page_size: int = Field(200, ge=1, le=10_000, description="Most results in one page of a list or search.")
    searches: int = Field(8, ge=1, le=256, description="Searches at a time; the others wait their turn.")
    waiting: int = Field(5000, ge=0, description="Searches or questions that may wait; more are refused (503).")


class UrlSettings(BaseModel):
    """Documents from addresses of the web."""

    allow: bool = Field(False, description="Let everyone who may add documents add them from addresses of the web.")
    private: tuple[str, ...] = Field(
        (), description="Networks that are not public and may be fetched from all the same, as a JSON list."
    )
    mb: int = Field(64, ge=1, description="Largest document from an address, MB.")
    seconds: float = Field(60, gt=0, description="Most time to fetch one.")

    @field_validator("private")
    @classmethod
    def _networks(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return checked_networks(given)


class RateSettings(BaseModel):
    """How often somebody may ask; 0: as often as they like.

    Counted in Redis if there is one. Nothing is counted where nobody has to sign in.
    """

    general: int = Field(60, ge=0, description="Requests of a person in a minute, beside questions and uploads.")
    ask: int = Field(30, ge=0, description="Questions of a person in a minute.")
    upload: int = Field(60, ge=0, description="Uploads of a person in a minute.")
    key: int = Field(60, ge=0, description="Requests with one API key in a minute, of all kinds.")
    address: int = Field(60, ge=0, description="Requests in a minute of an address from which nobody is signed in.")
    sign_in: int = Field(20, ge=0, description="Tries to sign in in a minute, of an address and to an account.")


class PromptSettings(BaseModel):
    """What is put before texts."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field("", description="Before queries.")
    document: str = Field("", description="Before passages.")


class EmbeddingSettings(BaseModel):
    """Embedding models, and how those of this machine run."""

    model: str = Field(
        "minilm",
        description="Default model of new collections: a name, a model directory, or provider:model; see "
        "docs/embedders.",
    )
    precision: Literal["auto", "bf16", "f32"] = Field("auto", description="auto: bf16 where the CPU has it.")
    threads: int = Field(0, ge=0, description="Threads of the model; 0 for all cores.")
    runtime: Literal["auto", "openvino", "onnx"] = Field("auto", description="Which library runs the model.")
    batch: int = Field(
        32, ge=1, le=1024, description="Texts of sixteen tokens in one batch; longer ones share it with fewer."
    )
    tei_urls: tuple[str, ...] = Field(
        (), description="Servers of Text Embeddings Inference, for models named tei:MODEL, as a JSON list."
    )
    prompts: dict[str, PromptSettings] = Field(
        {}, description="What hosted models want before texts, by their name, as JSON; see docs/embedders."
    )
    seconds: float = Field(60, gt=0, description="Most time for one request to a hosted model.")
    query_seconds: float = Field(10, gt=0, description="The same while somebody waits for a search.")


class SearchSettings(BaseModel):
    """How passages are found."""

    reranker: str | None = Field(
        None,
        pattern=r"^(cross|colbert|cohere|jina|tei):\S.*$",
        description="What puts the first 50 passages in a better order: cross:DIRECTORY, colbert:DIRECTORY, "
        "cohere:MODEL, jina:MODEL, tei:URL; unset: nothing.",
    )
    reranker_seconds: float = Field(5, gt=0, description="Most time for that; then they stay as they were found.")


class PgVectorSettings(BaseModel):
    """pgvector, as a vector store."""

    build_mb: int = Field(
        2048,
        ge=128,
        description="Memory that the database may take while it builds a graph, MB; it takes what it needs, "
        "about 1.6 GB for a million vectors of 384 dimensions.",
    )


_PREFIX = r"^[a-z][a-z0-9]{0,30}$"
_PREFIX_MEANS = "Begins the names of all that is kept there: a different one for each installation on a shared server."


class QdrantSettings(BaseModel):
    """Qdrant, as a vector store."""

    url: str | None = Field(
        None, pattern=r"^https?://\S+$", description="Server or cluster; unset: the embedded engine, in files."
    )
    api_key: SecretStr | None = Field(None, description="If it wants one.")
    shards: int | None = Field(None, ge=1, description="Shards of new indexes; unset: as the cluster likes.")
    replicas: int = Field(1, ge=1, description="Copies of each shard of new indexes.")
    write_consistency: int = Field(1, ge=1, description="Copies that must have a write before it counts.")
    seconds: float = Field(30, gt=0, description="Most time for one request.")
    prefix: str = Field("kaynak", pattern=_PREFIX, description=_PREFIX_MEANS)


class MilvusSettings(BaseModel):
    """Milvus, as a vector store."""

    uri: str | None = Field(
        None, pattern=r"^https?://\S+$", description="Server or cluster; unset: the embedded engine, in files."
    )
    token: SecretStr | None = Field(None, description="user:password, or an API key.")
    database: str = Field("default", description="Database on the server.")
    shards: int = Field(1, ge=1, description="Shards of new indexes.")
    replicas: int = Field(1, ge=1, description="Copies of new indexes in memory.")
    seconds: float = Field(30, gt=0, description="Most time for one request.")
    prefix: str = Field("kaynak", pattern=_PREFIX, description=_PREFIX_MEANS)


class ArangoSettings(BaseModel):
    """ArangoDB, as a vector store."""

    url: str | None = Field(None, pattern=r"^https?://\S+$", description="Server or coordinator; unset: none.")
    user: str = Field("root", description="User of the database.")
    password: SecretStr | None = Field(None, description="Of the user.")
    database: str = Field("_system", description="Database on the server; it must exist.")
    shards: int = Field(1, ge=1, description="Shards of new indexes.")
    replicas: int = Field(1, ge=1, description="Copies of each shard of new indexes.")
    write_consistency: int = Field(1, ge=1, description="Copies that must have a write before it counts.")
    seconds: float = Field(30, gt=0, description="Most time for one request.")
    prefix: str = Field("kaynak", pattern=_PREFIX, description=_PREFIX_MEANS)


class PriceSettings(BaseModel):
    """US dollars for a million tokens."""

    model_config = ConfigDict(extra="forbid")

    input: float = Field(ge=0, description="Of the prompt.")
    output: float = Field(ge=0, description="Of the answer.")
    cached: float | None = Field(None, ge=0, description="Of the part of the prompt that the provider has cached.")


class ProviderSettings(BaseModel):
    """A provider of language models; of a built-in one, what is different."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(None, pattern=r"^https?://\S+$", description="Base of its addresses, such as https://…/v1.")
    title: str | None = Field(None, description="Name for people.")
    wire: Literal["openai", "anthropic", "gemini", "ollama"] | None = Field(None, description="Format it speaks.")
    auth: Literal["authorization", "api-key", "x-api-key", "x-goog-api-key", "none"] | None = Field(
        None, description="Header that carries the key."
    )
    key_env: tuple[str, ...] | None = Field(None, description="Environment variables that may hold its key.")
    headers: dict[str, SecretStr] | None = Field(None, description="Sent with every request.")
    quirks: tuple[Literal["max-completion-tokens", "nested-reasoning", "deployments", "reason-ends"], ...] | None = (
        Field(None, description="Where it leaves the format.")
    )
    price: PriceSettings | None = Field(None, description="Of all of its models.")
    context_tokens: int | None = Field(None, ge=512, description="Most tokens of prompt and answer together.")
    api_version: str | None = Field(None, description="Dated version of Azure's API; unset: v1.")
    models: tuple[str, ...] | None = Field(None, description="Its models, if it lists none.")


class ModelsSettings(BaseModel):
    """Language models, named provider:model."""

    default: str = Field("extractive", description="Model that answers; extractive quotes and needs none.")
    fallbacks: tuple[str, ...] = Field((), description="Models to ask in order when one is away, as a JSON list.")
    verifier: str = Field(
        "built-in", description="What checks the sentences of models: built-in, nli:DIRECTORY, provider:model, off."
    )
    guard: bool = Field(False, description="Do not ask a model where the passages clearly do not answer.")
    providers: dict[str, ProviderSettings] = Field(
        {}, description="Further providers, and changes of the built-in ones, as JSON; see docs/providers."
    )
    connect_seconds: float = Field(10, gt=0, description="Most time to reach a provider.")
    first_token_seconds: float = Field(120, gt=0, description="Most time until an answer begins.")
    idle_seconds: float = Field(60, gt=0, description="Most time between two pieces of an answer.")
    retries: int = Field(2, ge=0, le=10, description="Further tries while nothing of the answer has come.")
    retry_seconds: float = Field(30, ge=0, description="Most time spent waiting between tries, all together.")
    breaker_failures: int = Field(5, ge=1, description="Failures in a row after which a provider is left alone.")
    breaker_seconds: float = Field(30, gt=0, description="For how long it is left alone.")


class CacheSettings(BaseModel):
    """What is remembered as long as nothing it depends on changes."""

    answers: bool = Field(True, description="Remember answers.")
    searches: bool = Field(False, description="Remember what searches found; new ones read the catalog once more.")
    seconds: float = Field(3600, gt=0, description="For how long.")
    memory_mb: int = Field(64, ge=1, description="Most memory, where there is no Redis, MB.")
    semantic: bool = Field(False, description="Answer questions that ask the same in other words from memory, too.")
    semantic_threshold: float = Field(
        0.95, ge=0.5, le=1, description="Least similarity (cosine) of two questions that ask the same."
    )


class DeepSettings(BaseModel):
    """What a deep look for passages may take, beside its searches."""

    steps: int = Field(4, ge=0, le=50, description="Times that a model may choose what to look at next.")
    tokens: int = Field(24_000, ge=0, description="Tokens of all calls of a model while it looks.")
    seconds: float = Field(45, gt=0, description="After which nothing new is begun.")


class AuthSettings(BaseModel):
    """How people sign in."""

    access_minutes: int = Field(15, ge=1, le=24 * 60, description="For how long an access token is valid.")
    refresh_days: int = Field(30, ge=1, le=365, description="For how long a session lasts that is not used.")
    algorithm: Literal["EdDSA", "HS256"] = Field("EdDSA", description="How access tokens are signed.")
    issuer: str = Field("kaynak", min_length=1, max_length=200, description="Who access tokens say they come from.")
    key_days: int = Field(30, ge=1, le=3650, description="After what time a new key signs access tokens.")
    hashing_threads: int = Field(1, ge=1, le=64, description="Passwords that are checked at the same time.")


class OidcSettings(BaseModel):
    """A provider of OpenID Connect."""

    issuer: str | None = Field(
        None, pattern=r"^https?://\S+$", description="Provider of OpenID Connect, as it names itself; unset: none."
    )
    client_id: str | None = Field(None, description="Our name at the provider.")
    client_secret: SecretStr | None = Field(
        None, description="Our secret at the provider; unset: that of “kaynak secrets set oidc”, or PKCE alone."
    )
    scopes: tuple[str, ...] = Field(("openid", "email", "profile"), description="What is asked of it, as a JSON list.")
    groups_claim: str = Field("groups", description="Claim that lists somebody's groups.")
    redirect_url: str | None = Field(
        None, pattern=r"^https?://\S+$", description="Our /v1/auth/oidc/callback, where a proxy changes our name."
    )
    sign_up: bool = Field(True, description="Whoever the provider knows gets an account, as a member.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.issuer is None) != (self.client_id is None):
            raise ValueError("issuer and client_id belong together")
        if "openid" not in self.scopes:
            raise ValueError("scopes must have openid")
        return self


class LogSettings(BaseModel):
    """Logs, on standard error."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level shown.")
    format: Literal["auto", "json", "text"] = Field("auto", description="auto: text on a terminal, else JSON.")


def checked_networks(given: tuple[str, ...]) -> tuple[str, ...]:
    """Returns ``given``.

    Raises:
        ValueError: One is not an address with the length of its prefix.
    """
    for one in given:
        ipaddress.ip_network(one, strict=False)
    return given
