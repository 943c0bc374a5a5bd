"""Which text format a text is in."""

from __future__ import annotations

import json
import re
from pathlib import PurePath
from typing import Final

from kaynak.parsing import media

_BY_EXTENSION: Final = {
    ".md": media.MARKDOWN,
    ".markdown": media.MARKDOWN,
    ".mdown": media.MARKDOWN,
    ".mkd": media.MARKDOWN,
    ".mdx": media.MARKDOWN,
    ".qmd": media.MARKDOWN,
    ".rmd": media.MARKDOWN,
    ".html": media.HTML,
    ".htm": media.HTML,
    ".xhtml": media.HTML,
    ".csv": media.CSV,
    ".tsv": media.TSV,
    ".tab": media.TSV,
    ".eml": media.EML,
    ".adoc": media.ASCIIDOC,
    ".asciidoc": media.ASCIIDOC,
    ".asc": media.ASCIIDOC,
    ".rst": media.RST,
    ".rest": media.RST,
    ".org": media.ORG,
}
_BY_CLAIM: Final = {
    media.MARKDOWN: media.MARKDOWN,
    "text/x-markdown": media.MARKDOWN,
    media.HTML: media.HTML,
    media.CSV: media.CSV,
    media.TSV: media.TSV,
    media.EML: media.EML,
    media.ASCIIDOC: media.ASCIIDOC,
    media.RST: media.RST,
    media.ORG: media.ORG,
}
_HTML_START = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.I)
_PROLOGUE = re.compile(r"\A(?:\s*(?:<\?.*?\?>|<!--.*?-->))+\s*", re.S)
_HTML_TAGS = re.compile(r"<(?:p|div|table|br|h[1-6]|ul|ol|li|span|a|b|i|img|meta|title|center|font)\b[^<>]*>", re.I)
_HTML_END = re.compile(r"</(?:p|div|table|h[1-6]|ul|ol|li|span|a|title|body|html)\s*>", re.I)
_MAIL_HEADER = re.compile(
    r"(?:from|to|subject|date|received|message-id|return-path|mime-version|content-type|delivered-to|cc|reply-to"
    r"|content-transfer-encoding|x-[\w-]+|dkim-signature|arc-[\w-]+|user-agent|sender|bcc|in-reply-to"
    r"|references|list-[\w-]+|thread-[\w-]+|authentication-results)\s*:",
    re.I,
)
_MAIL_PROOF = re.compile(r"^(?:mime-version|received|message-id|return-path)\s*:", re.I | re.M)
_MAIL_PLAIN = re.compile(r"^(?:from|to|subject|date)\s*:", re.I | re.M)
_FIELD = re.compile(r"[!-9;-~]+:(?:[ \t]|$)|[ \t]+\S")
_CUE = re.compile(r"^(?:\d+:)?\d{1,2}:\d{2}[.,]\d{3}[ \t]+-->[ \t]+(?:\d+:)?\d{1,2}:\d{2}[.,]\d{3}", re.M)
_MARKDOWN = (
    (("# ",), re.compile(r"^#{1,6} +\S", re.M)),
    (("```", "~~~"), re.compile(r"^(?:```|~~~)", re.M)),
    (("](",), re.compile(r"(?<!!)\[[^\]\n]{1,200}\]\((?:https?:|/|#|\.|mailto:)[^)\n]*\)")),
    (("|",), re.compile(r"^\s*\|(?:\s*:?-+:?\s*\|)+\s*$", re.M)),
    (("**",), re.compile(r"(?:^|\s)\*\*[^*\s][^*\n]*\*\*", re.M)),
)
"""One of the signs must be in a text before its pattern is worth a look: most texts have none of them."""
_ORG = re.compile(r"^#\+(?:title|author|begin_\w+|options|startup|date):?", re.I | re.M)
_RST = re.compile(r"^\.\. (?:\w+::|_[\w -]+:|contents::|toctree::)", re.M)
_ADOC = re.compile(r"^(?:= \S.*\n(?:\S.*\n)?:[\w-]+:|\[source[,\]]|include::\S+\[)", re.M)


def text_type(sample: str, name: str, claimed: str | None = None, *, whole: bool = True) -> str:
    """Returns the media type of a text.

    Args:
        sample: The text or its beginning.
        name: Its extension is a tie-breaker.
        claimed: A tie-breaker after the name.
        whole: Whether the sample is the whole text.
    """
    start = sample.lstrip("\ufeff \t\r\n\x00")
    marked = _mail_or_cues(start, sample) or _marked_up(start, whole)
    if marked:
        return marked
    hint = _BY_EXTENSION.get(PurePath(name).suffix.lower()) or _BY_CLAIM.get(
        (claimed or "").partition(";")[0].strip().lower()
    )
    if hint in {media.CSV, media.TSV}:
        return hint
    if hint == media.HTML:
        return hint if "<" in sample else media.TEXT
    if hint == media.EML:
        return hint if re.match(r"[!-9;-~]+:[ \t]*\S", start) else media.TEXT
    return hint or _by_habit(sample, start)


def _marked_up(start: str, whole: bool) -> str | None:
    if start[:1] in "{[":
        return _json_type(start, whole)
    if start.startswith("<?xml"):
        body = _PROLOGUE.sub("", start[:40_000])
        return media.HTML if _HTML_START.match(body) else media.XML
    if start.startswith("<"):
        bare = _PROLOGUE.sub("", start[:40_000])
        if _HTML_START.match(bare) or (_HTML_TAGS.match(bare) and _HTML_START.search(bare[:4000])):
            return media.HTML
        if _HTML_TAGS.match(bare) and (_HTML_END.search(bare) or len(_HTML_TAGS.findall(bare)) > 2):
            return media.HTML
        if re.match(r"<(?:!DOCTYPE\s|[A-Za-z_][\w.-]*(?::[\w.-]+)?(?:\s[^<>]*)?/?>)", bare) and (
            not whole or "</" in bare or bare.endswith("/>")
        ):
            return media.XML
        return None
    early = _HTML_START.search(start[:2000]) if "<" in start else None
    return media.HTML if early and _HTML_END.search(start) and len(_HTML_TAGS.findall(start)) > 2 else None


def _json_type(start: str, whole: bool) -> str | None:
    first, _, rest = start.partition("\n")
    if _is_json(first):
        following = rest.lstrip()
        if following[:1] in ("{", "[") and _is_json(following.partition("\n")[0].rstrip()):
            return media.JSONL
        if not following:
            return _json_document(start)
    if whole:
        return _json_document(start) if _is_json(start) else None
    return _json_document(start) if re.match(r'\{\s*"|\[\s*(?:[\[{"\d-]|true|false|null|\])', start) else None


def _json_document(start: str) -> str:
    keys = re.search(r'"cells"\s*:\s*\[', start) and re.search(r'"(?:nbformat|cell_type)"\s*:', start)
    return media.NOTEBOOK if keys else media.JSON


def _is_json(text: str) -> bool:
    if len(text) > 200_000:
        return bool(re.match(r'\{\s*"|\[', text)) and text.rstrip()[-1:] in "}]"
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _mail_or_cues(start: str, sample: str) -> str | None:
    if start.startswith("WEBVTT"):
        return media.VTT
    cue = "-->" in sample and _CUE.search(sample[:4000])
    if cue and re.match(r"\d+\s*\n", start) and start.find("-->") < 200:
        return media.SRT
    first = start.partition("\n")[0]
    if re.match(r"From \S+.*\d{4}", first) or _MAIL_HEADER.match(first):
        headers = re.split(r"\r?\n\r?\n", start, maxsplit=1)[0]
        lines = [line for line in headers.splitlines()[:200] if line.strip()]
        if first.startswith("From "):
            lines = lines[1:]
        proper = all(_FIELD.match(line) for line in lines[:20])
        proof = bool(_MAIL_PROOF.search(headers)) + len(set(map(str.lower, _MAIL_PLAIN.findall(headers))))
        if proper and proof >= 2:
            return media.EML
    return None


def _by_habit(sample: str, start: str) -> str:
    """Guesses from how people write; every guess still reads well if it is wrong."""
    if "#+" in sample and _ORG.search(sample):
        return media.ORG
    if ".. " in sample and _RST.search(sample):
        return media.RST
    if any(sign in sample for sign in ("\n:", "[source", "include::")) and _ADOC.search(sample):
        return media.ASCIIDOC
    if sum(any(sign in sample for sign in signs) and bool(found.search(sample)) for signs, found in _MARKDOWN) >= 2 or (
        start.startswith("# ") and len(re.findall(r"^#{1,6} +\S", sample, re.M)) >= 2
    ):
        return media.MARKDOWN
    lines = [line for line in sample.splitlines()[:50] if line.strip()]
    for mark, media_type in (("\t", media.TSV), (",", media.CSV), (";", media.CSV)):
        counts = [line.count(mark) for line in lines]
        if len(lines) >= 3 and counts[0] >= 2 and counts.count(counts[0]) == len(counts) and _wordless(lines, mark):
            return media_type
    return media.TEXT


def _wordless(lines: list[str], mark: str) -> bool:
    """Whether the stretches between marks are cells rather than clauses of sentences."""
    cells = [cell for line in lines for cell in line.split(mark)]
    return sum(len(cell.split()) for cell in cells) <= 4 * len(cells)
