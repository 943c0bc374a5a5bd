from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kaynak.domain import Misconfigured
from kaynak.remote import KeyOf, Service
from kaynak.reranking.protocol import Reranker

_SERVICES: Mapping[str, Service] = {
    "cohere": Service(
        "cohere", "Cohere", "https://api.cohere.com", needs_key=True, key_env=("COHERE_API_KEY", "CO_API_KEY")
    ),
    "jina": Service("jina", "Jina", "https://api.jina.ai", needs_key=True, key_env=("JINA_API_KEY",)),
}


async def _no_key(_: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class RerankerOptions:
    """What the composition root knows of re-rankers.

    Attributes:
        keys: Gives the key of a service by its name.
        urls: Addresses of services that are not where they usually are, by name.
        seconds: Most time for one request.
    """

    keys: KeyOf = _no_key
    urls: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 5.0


async def open_reranker(name: str, options: RerankerOptions = RerankerOptions()) -> Reranker:
    """Returns the re-ranker of that name. Directories are loaded off the event loop; services are asked when used.

    Args:
        name: ``cross:DIRECTORY``, ``colbert:DIRECTORY``, ``cohere:MODEL``, ``jina:MODEL`` or ``tei:URL``.
        options: Keys and patience.

    Raises:
        Misconfigured: There is none of that name, or it cannot be loaded.
    """
    kind, _, rest = name.partition(":")
    if kind in ("cross", "colbert") and rest:
        from kaynak.reranking.local import CrossReranker, LateReranker

        return await (CrossReranker if kind == "cross" else LateReranker).load(_directory(rest))
    if kind in (*_SERVICES, "tei") and rest:
        return _hosted(name, kind, rest, options)
    raise Misconfigured(
        f"There is no re-ranker “{name[:80]}”.",
        hint="There are: cross:DIRECTORY, colbert:DIRECTORY, cohere:MODEL, jina:MODEL and tei:URL.",
    )


def _directory(text: str) -> Path:
    directory = Path(text).expanduser()
    if not directory.is_dir():
        raise Misconfigured(f"“{text[:200]}” is not a directory.", hint="Name the directory of a model.")
    return directory


def _hosted(name: str, kind: str, rest: str, options: RerankerOptions) -> Reranker:
    from kaynak.remote.exchange import Exchange  # only those who use it need the client
    from kaynak.reranking.hosted import HostedReranker, RerankWire

    if kind == "tei":
        if not rest.startswith(("http://", "https://")):
            raise Misconfigured(f"“{rest[:200]}” is not an address.", hint="Name it as tei:http://host:8080.")
        service = Service("tei", "The re-ranker at " + rest, rest, key_env=("TEI_API_KEY",))
    else:
        known = _SERVICES[kind]
        url = options.urls.get(kind, known.url).rstrip("/").removesuffix("/v1").removesuffix("/v2")
        service = Service(kind, known.title, url, needs_key=True, key_env=known.key_env)
    wire = RerankWire(kind)
    return HostedReranker(name, wire, rest, service, options.keys, Exchange(), seconds=options.seconds)
