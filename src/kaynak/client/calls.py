"""A call of the API as data, so that the two clients differ in nothing but ``await``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypedDict, TypeVar, Unpack
from urllib.parse import quote

from kaynak.client.decoding import decode
from kaynak.domain import Answering, PartSpec

ResultT = TypeVar("ResultT")

LONG_SECONDS = 3600.0
"""For answers that take as long as there is much to look at."""


@dataclass(frozen=True, slots=True)
class Call(Generic[ResultT]):
    """One request and how to read its answer.

    Attributes:
        method: HTTP method.
        path: From the root of the server.
        result: From the decoded JSON (None for 204), or from the bytes, to the result.
        params: Query parameters.
        body: JSON body.
        safe: Whether asking twice does no harm, so that it may be repeated after a fault.
        seconds: For the answer, where it takes longer than others; None: as the client was told.
        binary: Whether the answer is read as bytes, not as JSON.
    """

    method: str
    path: str
    result: Callable[[Any], ResultT]
    params: Mapping[str, str | int] | None = None
    body: object = None
    safe: bool = True
    seconds: float | None = None
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[ResultT]):
    """One page of a list."""

    items: tuple[ResultT, ...]
    next: str | None


def as_(kind: type[ResultT]) -> Callable[[Any], ResultT]:
    """Reads an answer as ``kind``."""
    return lambda value: decode(kind, value)


def nothing(_: Any) -> None:
    """Reads an answer that says nothing."""
    return


def given(**values: Any) -> dict[str, Any]:
    """Returns what is not None; the rest is left to the server."""
    return {name: value for name, value in values.items() if value is not None}


def names_of(collections: str | Sequence[str]) -> list[str]:
    """Returns the names of one or more collections."""
    return [collections] if isinstance(collections, str) else list(collections)


class Parts(TypedDict, total=False):
    """The parts of a generation that may be chosen; those that are left out are chosen by the server.

    Attributes:
        chunker: How text is cut.
        embedder: The embedding model.
        dense: The vector engine.
        lexical: The word engine.
    """

    chunker: PartSpec | None
    embedder: PartSpec | None
    dense: PartSpec | None
    lexical: PartSpec | None


def parts_of(**parts: Unpack[Parts]) -> dict[str, object]:
    """Returns parts as a body has them."""
    return {name: {"name": part.name, "params": dict(part.params)} for name, part in given(**parts).items()}


def answering_of(answering: Answering | None) -> dict[str, Any] | None:
    """Returns how answers are to be written, as a body has it."""
    if answering is None:
        return None
    chosen = asdict(answering)
    return given(**chosen.pop("settings"), **chosen)


def collection_path(name: str) -> str:
    """Returns the address of a collection."""
    return f"/v1/collections/{quote(name, safe='')}"


def pages(path: str, kind: type[ResultT], after: str | None, params: Mapping[str, str | int]) -> Call[Page[ResultT]]:
    """The page of a list that begins after ``after``."""

    def read(value: Any) -> Page[ResultT]:
        return Page(tuple(decode(kind, item) for item in value["items"]), value["next"])

    return Call("GET", path, read, params={**params, **given(after=after)})


def sign_in(email: str, password: str) -> Call[dict[str, object]]:
    """Signs in."""

    def read(value: Any) -> dict[str, object]:
        return {name: value[name] for name in ("access_token", "refresh_token")}

    return Call("POST", "/v1/auth/sign-in", read, body={"email": email, "password": password}, safe=False)


def sign_out(refresh_token: str | None) -> Call[None]:
    """Ends the session of a refresh token, or else of the access token."""
    return Call("POST", "/v1/auth/sign-out", nothing, body=given(refresh_token=refresh_token))


def resumed(event: str) -> Call[None]:
    """Takes up the stream of which ``event`` was the last one that was read."""
    return Call("GET", f"/v1/streams/{quote(event.partition(':')[0], safe='')}", nothing)
