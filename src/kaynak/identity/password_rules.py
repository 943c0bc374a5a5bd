"""Which passwords are good enough: long enough, and not among the first that anybody would try (NIST SP 800-63B)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Final

from kaynak.domain import WeakPassword

LEAST: Final = 8
MOST: Final = 256
_SURE: Final = 20
"""From this length on, decoration around a common word may be a password in itself."""
_LEET: Final = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"})
_LETTERS: Final = re.compile(r"[^a-z]+")
_EDGES: Final = re.compile(r"^[^a-z]+|[^a-z]+$")
_LEAST_PART: Final = 4
_RUNS: Final = (
    "01234567890123456789",
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "qazwsxedcrfvtgbyhnujm",
    "1q2w3e4r5t6y7u8i9o0p",
    "!@#$%^&*()",
)
"""Keys and letters that follow each other, forwards and backwards."""


def check_password(password: str, *, about: Iterable[str] = ()) -> None:
    """Lets a new password pass that is long, not common, and not made of what is known about its person.

    No kinds of characters are asked for: that makes passwords hard to remember and easy to foresee.

    Args:
        password: As typed.
        about: The person's address and name.

    Raises:
        WeakPassword: It is not good enough; the message says why.
    """
    if len(password) < LEAST:
        raise WeakPassword(f"The password has fewer than {LEAST} characters.", hint="Several words are a good one.")
    if len(password) > MOST:
        raise WeakPassword(f"The password has more than {MOST} characters.", hint="Take a shorter one.")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in password):
        raise WeakPassword("The password has characters that cannot be typed.")
    plain = _plain(password)
    if _is_common(plain):
        raise WeakPassword(
            "The password is among the first that anybody would try.", hint="Several words without relation are better."
        )
    # What is left beside one's own name must be a password by itself.
    rest = plain
    for part in sorted(_parts(about), key=len, reverse=True):
        rest = rest.replace(part, "")
    if rest != plain and sum(char.isalnum() for char in rest) < LEAST:
        raise WeakPassword("The password is made of your name or address.", hint="Take words that are not about you.")


def _is_common(plain: str) -> bool:
    if len(set(plain)) <= 3 or _is_run(plain):
        return True
    for half in range(1, len(plain) // 2 + 1):
        whole, rest = divmod(len(plain), half)
        if (
            rest == 0
            and whole > 1
            and plain[:half] * whole == plain
            and (half < _LEAST_PART or _common_word(plain[:half]))
        ):
            return True
    return len(plain) < _SURE and _common_word(plain)


def _common_word(plain: str) -> bool:
    for spelt in (plain, plain.translate(_LEET), _EDGES.sub("", plain).translate(_LEET)):
        bare = _EDGES.sub("", spelt)
        if bare in _words() or _LETTERS.sub("", spelt) in _words() or _is_run(bare):
            return True
        # Two of them, side by side, are two guesses.
        if any(bare[:cut] in _words() and bare[cut:] in _words() for cut in range(3, len(bare) - 2)):
            return True
    # Without letters it is a number: a telephone's, a date.
    return not any(char.isalpha() for char in plain)


@cache
def _words() -> frozenset[str]:
    """Returns the words that people make bad passwords of, in English and Turkish, without their decoration."""
    return frozenset(files("kaynak.identity").joinpath("common_words.txt").read_text(encoding="ascii").split())


def _is_run(text: str) -> bool:
    """Returns whether keys or letters that follow each other make up the text."""
    return len(text) >= _LEAST_PART and any(text in run or text in run[::-1] for run in _RUNS)


def _plain(text: str) -> str:
    """Returns the text in small letters without accents: şifre is sifre to whoever guesses."""
    split = unicodedata.normalize("NFKD", text.casefold().replace("ı", "i"))
    return "".join(char for char in split if not unicodedata.combining(char))


def _parts(about: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for text in about:
        name, _, host = _plain(text).partition("@")
        found |= {name, *re.split(r"[^a-z0-9]+", name)}
        if host:
            found.add(host.split(".")[0])
    return {part for part in found if len(part) >= _LEAST_PART}
