from __future__ import annotations

import re

from kaynak.generation.citing.pieces import Held, Piece, Text

_MOST_TAG, _MOST_COMMENT = 1000, 4000
_ALL = """
a abbr acronym address animate applet area article aside audio b base basefont bdi bdo bgsound big blink blockquote
body br button canvas caption center cite code col colgroup command content data datalist dd del details dfn dialog dir
div dl dt element em embed fieldset figcaption figure font footer foreignobject form frame frameset g h1 h2 h3 h4 h5 h6
head header hgroup hr html i iframe image img input ins isindex kbd keygen label legend li link listing main map mark
marquee math menu menuitem meta meter nav nobr noembed noframes noscript object ol optgroup option output p param path
picture plaintext portal pre progress q rb rect rp rt rtc ruby s samp script search section select set shadow slot small
source spacer span strike strong style sub summary sup svg table tbody td template text textarea tfoot th thead think
thinking time title tr track tt u ul use var video wbr xmp
"""
_ELEMENTS = frozenset(_ALL.split())
_NAME = re.compile(r"</?([A-Za-z][A-Za-z0-9-]*)")
_LINK = re.compile(r"<((?:https?|ftp)://[^\s<>]*|mailto:[^\s<>]*|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+)>", re.I)
_BREAK = re.compile(r"</?br\b", re.I)


class TagStripper(Held):
    """Takes HTML out of prose: tags go, what stands between them stays, comments go whole.

    What only looks like a tag (``if i<n and n>3``) stays, set apart so that no renderer takes it for one; see
    `LinkGuard`.
    """

    special = "<"

    def take(self, text: str, at: int, *, final: bool) -> tuple[int, list[Piece]] | None:
        """See `Held`."""
        if len(text) - at < 4 and not final:
            # Too short to tell a comment; but what is no beginning of anything need not wait.
            return None if len(text) - at < 2 or _begins(text[at + 1]) else (0, [])
        if text.startswith("<!--", at):
            return self._upto("-->", text, at, _MOST_COMMENT, final)
        if not _begins(text[at + 1 : at + 2]):
            return 0, []
        return self._tag(text, at, final)

    def _tag(self, text: str, at: int, final: bool) -> tuple[int, list[Piece]] | None:
        end = next((place for place in range(at + 1, min(len(text), at + _MOST_TAG)) if text[place] in "<>"), -1)
        if end < 0:
            return None if len(text) - at < _MOST_TAG and not final else (0, [])
        if text[end] == "<":
            return 0, []
        tag = text[at : end + 1]
        if link := _LINK.fullmatch(tag):
            return len(tag), [Text(link[1])]
        name = _NAME.match(tag)
        if tag[1] in "!?" or (name and name[1].lower() in _ELEMENTS):
            return len(tag), [Text(" ")] if _BREAK.match(tag) else self.gap()
        return 0, []

    def _upto(self, end: str, text: str, at: int, most: int, final: bool) -> tuple[int, list[Piece]] | None:
        found = text.find(end, at, at + most)
        if found >= 0:
            return found + len(end) - at, self.gap()
        return None if len(text) - at < most and not final else (0, [])


def _begins(char: str) -> bool:
    return char.isascii() and (char.isalpha() or char in "/!?") and char != ""
