"""The error tree. Every failure a person can meet is one of these, and says what to do.

KaynakError
├── InvalidRequest           422  the request cannot mean anything
│   ├── InvalidFilter        422
│   ├── InvalidQuery         422
│   ├── UrlRefused           422  not an address that is asked for
│   └── WeakPassword         422
├── Unauthenticated          401  it is not known who asks
│   └── SignInFailed         401
├── Forbidden                403  the caller may see it, and may not do this to it
├── RateLimited              429  too many requests; says when to come again
├── NotFound                 404  does not exist, or not for this caller
│   ├── CollectionNotFound
│   ├── DocumentNotFound
│   ├── GenerationNotFound
│   ├── JobNotFound
│   ├── ConversationNotFound
│   └── MessageNotFound
├── Conflict                 409
│   └── CollectionExists
├── TooLarge                 413
├── UnreadableDocument       422  these bytes have no text that we can get at
├── Unsupported              422  an engine or format cannot do this; never ignored in silence
├── Misconfigured            500  raised at start, before anything is served
│   └── DataDirectoryInUse
├── ModelRefused             422  the provider will never take this request as it is
├── BudgetExceeded           402  a limit on spending is reached
├── StorageFull              507
├── UrlFailed                502  an address on the web gave no document
├── Unavailable              503  a dependency is away; the same request may succeed later
│   ├── Busy                      too many wait for their turn
│   ├── CatalogUnavailable
│   ├── EngineUnavailable
│   ├── EmbedderUnavailable
│   │   └── UnsoundEmbedding
│   ├── RerankerUnavailable
│   ├── ModelUnavailable
│   │   └── StreamTruncated
│   └── RevisionTimeout
└── CorruptIndex             503  a derived index is damaged; it is rebuilt from the catalog
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class KaynakError(Exception):
    """Base of all errors that are meant for a person.

    Args:
        message: What happened, one sentence, without secrets or document text.
        hint: What to do about it, one sentence.
    """

    type: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong"
    status: ClassVar[int] = 500
    transient: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidRequest(KaynakError):
    """The request cannot mean anything."""

    type, title, status = "invalid-request", "The request is not valid", 422


class InvalidFilter(InvalidRequest):
    """The filter is malformed; the message names the place."""

    type, title = "invalid-filter", "The filter is not valid"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint or 'Filters look like {"team": "hr", "year": {"$gte": 2024}}.')


class InvalidQuery(InvalidRequest):
    """The query is empty, too long, or not text."""

    type, title = "invalid-query", "The query is not valid"


class WeakPassword(InvalidRequest):
    """The password is too short, too common, or made of what is known about its person."""

    type, title = "weak-password", "The password is too weak"


class UrlRefused(InvalidRequest):
    """The address is not one of the web, or leads to where Kaynak does not go."""

    type, title = "url-refused", "The address is not asked for"


class UrlFailed(KaynakError):
    """The address does not answer, or not with a document."""

    type, title, status = "url-failed", "The address cannot be fetched", 502


class Unauthenticated(KaynakError):
    """Nobody is signed in, or what was shown to prove it is not valid any more."""

    type, title, status = "unauthenticated", "Not signed in", 401


class SignInFailed(Unauthenticated):
    """The two do not belong together; which of them is wrong is not said."""

    type, title = "sign-in-failed", "Signing in failed"


class Forbidden(KaynakError):
    """The caller may see it, and may not do this to it."""

    type, title, status = "forbidden", "Not allowed", 403


class RateLimited(KaynakError):
    """Too many requests of one person, key or address.

    Args:
        message: What happened.
        retry_after: Seconds after which the same request would pass.
        hint: What to do about it.
    """

    type, title, status, transient = "rate-limited", "Too many requests", 429, True

    def __init__(self, message: str, *, retry_after: float, hint: str | None = None) -> None:
        super().__init__(message, hint=hint or "Come again after the seconds in Retry-After.")
        self.retry_after = retry_after


class NotFound(KaynakError):
    """It does not exist, or not for this caller: the two look the same."""

    type, title, status = "not-found", "Not found", 404


class CollectionNotFound(NotFound):
    """No such collection."""

    type, title = "collection-not-found", "No such collection"


class GenerationNotFound(NotFound):
    """There is no such index generation."""

    type, title = "generation-not-found", "No such index generation"


class DocumentNotFound(NotFound):
    """No such document."""

    type, title = "document-not-found", "No such document"


class JobNotFound(NotFound):
    """No such job."""

    type, title = "job-not-found", "No such job"


class ConversationNotFound(NotFound):
    """No such conversation; one of somebody else looks the same."""

    type, title = "conversation-not-found", "No such conversation"


class MessageNotFound(NotFound):
    """The conversation has no such message."""

    type, title = "message-not-found", "No such message"


class Conflict(KaynakError):
    """The state of things does not allow it now."""

    type, title, status = "conflict", "Conflict", 409


class CollectionExists(Conflict):
    """A collection of that name exists."""

    type, title = "collection-exists", "The collection exists"


class TooLarge(KaynakError):
    """More bytes, items or characters than the settings allow."""

    type, title, status = "too-large", "Too large", 413


class UnreadableReason(StrEnum):
    """Why a file gave no text; stable codes for scripts."""

    EMPTY = "empty"
    ENCRYPTED = "encrypted"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105 - a reason code
    CORRUPT = "corrupt"
    UNSUPPORTED_FORMAT = "unsupported-format"
    NEEDS_OCR = "needs-ocr"
    NO_TEXT = "no-text"
    TOO_COMPLEX = "too-complex"
    """It asked for more memory, time, pages or nesting than the limits allow."""
    UNSAFE_ARCHIVE = "unsafe-archive"


class UnreadableDocument(KaynakError):
    """The bytes have no text that we can get at. Permanent: never retried."""

    type, title, status = "unreadable-document", "The document cannot be read", 422

    def __init__(self, reason: UnreadableReason, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class Unsupported(KaynakError):
    """A part cannot do what was asked of it; it says so instead of ignoring it."""

    type, title, status = "unsupported", "Not supported here", 422


class Misconfigured(KaynakError):
    """The settings cannot work; found at start."""

    type, title, status = "misconfigured", "The settings cannot work", 500


class DataDirectoryInUse(Misconfigured):
    """Another server runs on the same data directory."""

    type, title = "data-directory-in-use", "The data directory is in use"


class ModelRefused(KaynakError):
    """The provider will never take this request: no valid key, no such model, too long, filtered, no credit."""

    type, title, status = "model-refused", "The model refuses", 422


class BudgetExceeded(KaynakError):
    """A limit on spending is reached."""

    type, title, status = "budget-exceeded", "The budget is spent", 402


class StorageFull(KaynakError):
    """The disk under the blob store or an index is full."""

    type, title, status, transient = "storage-full", "No space left", 507, True


class Unavailable(KaynakError):
    """A dependency is away; the same request may succeed later."""

    type, title, status, transient = "unavailable", "Temporarily unavailable", 503, True


class Busy(Unavailable):
    """Too many requests wait for their turn already.

    Attributes:
        retry_after: Seconds after which to ask again.
    """

    type = "busy"

    def __init__(self, message: str, *, hint: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class CatalogUnavailable(Unavailable):
    """PostgreSQL does not answer."""

    type = "catalog-unavailable"


class EngineUnavailable(Unavailable):
    """An index engine does not answer."""

    type = "engine-unavailable"


class EmbedderUnavailable(Unavailable):
    """An embedding model does not answer.

    Attributes:
        retry_after: Seconds after which its provider wants to be asked again; None if it did not say.
    """

    type = "embedder-unavailable"

    def __init__(self, message: str, *, hint: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class UnsoundEmbedding(EmbedderUnavailable):
    """An embedding model answers, but what it gives of some text are no numbers, or only zeros."""


class RerankerUnavailable(Unavailable):
    """A re-ranker does not answer.

    Attributes:
        retry_after: Seconds after which its provider wants to be asked again; None if it did not say.
    """

    type = "reranker-unavailable"

    def __init__(self, message: str, *, hint: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class ModelUnavailable(Unavailable):
    """A language model does not answer: away, overloaded, out of quota for now, or too slow.

    Attributes:
        retry_after: Seconds after which the provider wants to be asked again; None if it did not say.
    """

    type = "model-unavailable"

    def __init__(self, message: str, *, hint: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class StreamTruncated(ModelUnavailable):
    """A model's answer broke off before its end; what came of it is not a whole answer."""

    type = "stream-truncated"


class RevisionTimeout(Unavailable):
    """The indexes did not reach ``min_revision`` in time."""

    type, title = "revision-timeout", "The index is still catching up"


class CorruptIndex(KaynakError):
    """A derived index is damaged. The follower drops and rebuilds it from the catalog."""

    type, title, status, transient = "corrupt-index", "An index is being rebuilt", 503, True
