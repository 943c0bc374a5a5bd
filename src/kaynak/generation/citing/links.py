from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from kaynak.generation.citing.pieces import Held, Kind, Piece, Text

_MOST_TEXT, _MOST_URL, _MOST_DEPTH = 300, 2048, 32
_SCHEMES = ("http://", "https://", "ftp://", "mailto:", "www.")
_FIRST = "".join(sorted({scheme[0] for scheme in _SCHEMES} | {scheme[0].upper() for scheme in _SCHEMES}))
_BODY = r"""[^\s<>"`\[\]{}|\\^【】（）「」。、，；！？]"""
_URL = re.compile(rf"(?:(?:https?|ftp)://|mailto:|www\.){_BODY}{{1,{_MOST_URL}}}", re.I)
_SLASHES = re.compile(rf"""(?<=["'(=])//(?=[\w.-]*\.\w){_BODY}+""")
_DEFINITION = re.compile(r"[\s>*+\-\d.)]*\[[^\]\n]*\]$")
_ADDRESS_LAST = re.compile(r"(?:https?://|ftp://|mailto:|www\.)\S*$", re.I)
_PARENTHESES = re.compile(r"[()\n]")
_TAG_BEGIN = re.compile(r"[A-Za-z/!?]")


def urls_of(texts: Iterable[str]) -> frozenset[str]:
    """Returns the addresses that stand in ``texts``."""
    return frozenset(_trimmed(found[0]) for text in texts for found in _URL.finditer(text))


class LinkGuard(Held):
    """Lets through only what cannot send anything anywhere: no pictures, and no address that the sources have not.

    A model that a document has taken over can put what it was told into an address; whoever shows the answer then
    fetches the picture, or the reader follows the link. Addresses are compared whole and to the letter, since
    anything appended to one that is known would be just that. What looks like the beginning of HTML, of a link or of
    a definition, after all that, is set apart by a space.

    Args:
        known: Addresses that may be shown: see `urls_of`.
        instead: What is shown in the place of another address.

    Attributes:
        removed: How many addresses and pictures were taken out.
    """

    special = "[!<(:" + _FIRST

    def __init__(self, known: Collection[str], instead: str) -> None:
        super().__init__()
        self._known = known
        self._instead = instead
        self._line = ""
        self._code = ""
        self._kind = Kind.INLINE
        self.removed = 0

    def feed(self, piece: Piece) -> Iterator[Piece]:
        """See `Stage`."""
        if isinstance(piece, Text) and piece.kind is not Kind.PROSE:
            yield from self._run(final=True)
            yield from self._after_address()
            yield from self._in_code(piece)
            return
        yield from self._end_of_code()
        yield from super().feed(piece)

    def passing(self, piece: Piece) -> Iterator[Piece]:
        """See `Held`."""
        yield from self._after_address()
        yield from super().passing(piece)

    def _after_address(self) -> Iterator[Piece]:
        """Keeps what follows an address from becoming a part of it."""
        if _ADDRESS_LAST.search(self._line):
            yield self.noted(Text(" "))

    def finish(self) -> Iterator[Piece]:
        """See `Stage`."""
        yield from self._end_of_code()
        yield from super().finish()

    def noted(self, piece: Piece) -> Piece:
        """See `Held`."""
        shown = piece.text if isinstance(piece, Text) else "[0]"
        self._line = (self._line + shown).rpartition("\n")[2][-_MOST_TEXT:]
        return super().noted(piece)

    def take(self, text: str, at: int, *, final: bool) -> tuple[int, list[Piece]] | None:
        """See `Held`."""
        match text[at]:
            case "!":
                return self._picture(text, at, final)
            case "[":
                return self._link(text, at, final)
            case "<":
                return self._less(text, at, final)
            case "(":
                return (1, [Text(" (")]) if self._last == "]" else (0, [])
            case ":":
                return (1, [Text(" :")]) if _DEFINITION.match(self._line) else (0, [])
            case _:
                return self._address(text, at, final)

    def _picture(self, text: str, at: int, final: bool) -> tuple[int, list[Piece]] | None:
        if at + 1 == len(text):
            return None if not final else (0, [])
        if text[at + 1] != "[":
            return 0, []
        taken = self._link(text, at + 1, final)
        if taken is None:
            return None
        length, pieces = taken
        if not length:
            return 1, [Text("! ")]  # never a picture, whatever follows
        self.removed += any(isinstance(piece, Text) and piece.text.startswith("[") for piece in pieces)
        return length + 1, pieces

    def _link(self, text: str, at: int, final: bool) -> tuple[int, list[Piece]] | None:
        closing = next((n for n in range(at + 1, min(len(text), at + _MOST_TEXT)) if text[n] in "[]\n"), -1)
        if closing < 0:
            return None if len(text) - at < _MOST_TEXT and not final else (0, [])
        if text[closing] != "]":
            return 0, []
        if closing + 1 == len(text):
            return None if not final else (0, [])
        if text[closing + 1] != "(":
            return 0, []
        end = _closing_parenthesis(text, closing + 1)
        if end is None:
            return None if len(text) - closing < _MOST_URL and not final else (0, [])
        if end < 0:
            return 0, []
        shown = text[at + 1 : closing]
        address = text[closing + 2 : end].strip().partition(" ")[0].strip("<>")
        if address in self._known:
            return end + 1 - at, [Text(f"[{self._cleaned(shown)}]({address})")]
        self.removed += 1
        return end + 1 - at, [Text(self._cleaned(shown))] if shown else self.gap()

    def _less(self, text: str, at: int, final: bool) -> tuple[int, list[Piece]] | None:
        if at + 1 == len(text):
            return None if not final else (0, [])
        return (1, [Text("< ")]) if _TAG_BEGIN.match(text[at + 1]) else (0, [])

    def _address(self, text: str, at: int, final: bool) -> tuple[int, list[Piece]] | None:
        ahead = text[at : at + 8].lower()
        if not any(ahead.startswith(scheme) for scheme in _SCHEMES):
            waits = not final and any(scheme.startswith(ahead) for scheme in _SCHEMES)
            return None if waits else (0, [])
        found = _URL.match(text, at)
        if found is None:
            return None if not final and at + len(ahead) == len(text) else (0, [])
        if found.end() == len(text) and len(found[0]) < _MOST_URL and not final:
            return None
        address = _trimmed(found[0])
        # Renderers take more for a part of an address than we do; nothing may be appended to one.
        following = text[at + len(address) : at + len(address) + 1]
        apart = " " if following and not following.isspace() and following not in "<.,;:!?'*_~)" else ""
        return len(address), [Text(self._allowed(address) + apart)]

    def _allowed(self, address: str) -> str:
        if address in self._known:
            return address
        self.removed += 1
        return self._instead

    def _cleaned(self, text: str) -> str:
        """Returns text that stood in a link, without addresses and tags."""
        text = _URL.sub(lambda found: self._allowed(found[0]), text)
        return re.sub(r"<(?=[A-Za-z/!?])", "< ", text)

    def _in_code(self, piece: Text) -> Iterator[Piece]:
        """Looks at code line by line: an address is none of its business either."""
        if self._code and self._kind is not piece.kind:
            yield from self._end_of_code()
        self._kind = piece.kind
        whole, newline, self._code = (self._code + piece.text).rpartition("\n")
        if newline:
            yield self.noted(Text(self._without(whole) + newline, piece.kind))

    def _end_of_code(self) -> Iterator[Piece]:
        rest, self._code = self._code, ""
        if rest:
            yield self.noted(Text(self._without(rest), self._kind))

    def _without(self, code: str) -> str:
        # Nor is a picture: what is code here may be none for who shows the answer.
        code = _URL.sub(lambda found: self._in_code_allowed(found[0]), code).replace("![", "! [")
        return _SLASHES.sub(lambda found: self._in_code_allowed(found[0]), code)

    def _in_code_allowed(self, address: str) -> str:
        trimmed = _trimmed(address)
        return self._allowed(trimmed) + address[len(trimmed) :]


def _trimmed(address: str) -> str:
    """Returns the address without the punctuation of the sentence around it."""
    while address:
        bare = address.rstrip(".,;:!?'*_~")
        if bare.endswith(")") and bare.count(")") > bare.count("("):
            bare = bare[:-1]
        if bare == address:
            return address
        address = bare
    return address


def _closing_parenthesis(text: str, at: int) -> int | None:
    """Returns where the parenthesis at ``at`` is closed; None if not yet, -1 if never."""
    depth = 0
    for found in _PARENTHESES.finditer(text, at, at + _MOST_URL):
        if found[0] == "\n" or depth > _MOST_DEPTH:
            return -1
        depth += 1 if found[0] == "(" else -1
        if not depth:
            return found.start()
    return None
