"""Services on other machines: how they are asked, and what it means when they do not answer.

What needs the HTTP client is imported from its module, by those who ask: `kaynak.remote.exchange`,
`kaynak.remote.connecting`.
"""

from kaynak.remote.failing import Away, TextTooLong, failure
from kaynak.remote.saying import TRANSIENT, Said, duration, later, meant, said, shown, too_long
from kaynak.remote.service import BEARER, NO_KEY, Ask, KeyOf, Service

__all__ = [
    "BEARER",
    "NO_KEY",
    "TRANSIENT",
    "Ask",
    "Away",
    "KeyOf",
    "Said",
    "Service",
    "TextTooLong",
    "duration",
    "failure",
    "later",
    "meant",
    "said",
    "shown",
    "too_long",
]
