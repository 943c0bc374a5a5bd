from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """What goes wrong with one request. Those that are no error to a careful reader are marked *harmless*."""

    CUT_MIDWAY = "cut-midway"
    """The body ends cleanly after half of the text."""
    CUT_BEFORE_END = "cut-before-end"
    """The body ends cleanly after all of the text: only the mark of the end is missing."""
    EMPTY_BODY = "empty-body"
    """Status 200, and a body of nothing."""
    CLOSED = "closed"
    """The connection is closed in the middle of the text, without the end of the body."""
    RESET = "reset"
    """The connection is reset in the middle of the text."""
    ERROR_FRAME = "error-frame"
    """An error as a frame of the stream, after half of the text."""
    ERROR_UNDER_200 = "error-under-200"
    """Status 200 whose body is an error."""
    GARBAGE = "garbage"
    """A frame that is not JSON, after half of the text."""
    LONG_LINE = "long-line"
    """A line that does not end: several megabytes of it."""
    STALL = "stall"
    """Half of the text, then nothing, on an open connection."""
    HANG = "hang"
    """The request is taken and nothing is ever answered."""
    PINGS = "pings"
    """Signs of life but never a word, on an open connection."""
    RATE_LIMITED = "rate-limited"
    """429 with what the provider says about when to come back."""
    NO_CREDIT = "no-credit"
    """The account has no money left."""
    OVERLOADED = "overloaded"
    """503, or 529 where the provider has that."""
    BAD_GATEWAY = "bad-gateway"
    """502 with a page of HTML, as a proxy gives it."""
    UNAUTHORIZED = "unauthorized"
    """401, whatever the key."""
    NO_SUCH_MODEL = "no-such-model"
    """404."""
    SETTING_REFUSED = "setting-refused"
    """400 that names the temperature, if the request has one; else a normal answer."""
    FILTERED = "filtered"
    """The provider's filter ends the answer in the middle of the text."""
    LENGTH = "length"
    """The answer ends in the middle of the text because the allowed tokens are used up."""
    NO_USAGE = "no-usage"
    """*Harmless*: tokens are not counted."""
    SPLIT_UTF8 = "split-utf8"
    """*Harmless*: every byte arrives alone."""
    CRLF = "crlf"
    """*Harmless*: lines end with CR LF."""
    COMMENTS = "comments"
    """*Harmless*: comments, blank lines and pings between the frames."""
    EMPTY_CHOICES = "empty-choices"
    """*Harmless*: frames that have no choices, or no text."""
    SLOW = "slow"
    """*Harmless*: fifty milliseconds between words."""

    @property
    def harmless(self) -> bool:
        """Whether the answer is whole all the same."""
        return self in _HARMLESS


_HARMLESS = frozenset({Fault.NO_USAGE, Fault.SPLIT_UTF8, Fault.CRLF, Fault.COMMENTS, Fault.EMPTY_CHOICES, Fault.SLOW})
