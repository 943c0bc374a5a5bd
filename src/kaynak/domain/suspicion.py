"""Text in a document that seems to speak to a model, and not to a reader. A hint for people: nothing rests on it."""

from __future__ import annotations

import re

_GAP = r"[^.!?\n]{0,40}?"
_ORDER = re.compile(
    rf"\b(?:ignore|disregard|forget|override|bypass|do not follow)\b{_GAP}"
    r"\b(?:previous|prior|above|earlier|preceding|your|all|any|these|those|system)\b[^.!?\n]{0,30}?"
    r"\b(?:instructions?|prompts?|rules|guidelines|directives|restrictions|safeguards)\b"
    r"|\b(?:önceki|yukarıdaki|tüm|bütün|verilen|sistem)\b[^.!?\n]{0,30}?\b(?:talimat|komut|kural|yönerge|istem)\w*"
    rf"{_GAP}\b(?:yok say|görmezden gel|unut|dikkate alma|uyma|geçersiz)\w*"
    rf"|\b(?:ignorier|vergiss|missacht)\w*{_GAP}\b(?:anweisung|regel|vorgabe)\w*"
    rf"|\b(?:ignore[zr]?|oublie[zr]?)\b{_GAP}\b(?:instructions?|consignes?|règles?) "
    r"(?:précédent|antérieur|ci-dessus)\w*"
    rf"|\b(?:ignora|olvida|omite)\w*\b{_GAP}\b(?:instrucciones|reglas|órdenes)\b"
    r"|\b(?:istruzioni|instruções) (?:precedenti|anteriores)\b"
    r"|忽略(?:之前|以上|先前|所有)|以前の指示|игнорируй\w*|تجاهل (?:التعليمات|جميع)",
    re.IGNORECASE,
)
_ROLE = re.compile(
    r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id)|\[/?INST\]|<</?SYS>>"
    r"|^\s*#{2,}\s*(?:system|instructions?|new instructions?)\s*:?\s*$"
    r"|[\"']role[\"']\s*:\s*[\"'](?:system|assistant|developer)[\"']"
    r"|</?(?:passages?|system|system[-_ ]prompt|instructions?|context|documents?)>"
    r"|\b(?:BEGIN|END) (?:OF )?(?:SYSTEM|PROMPT|CONTEXT|PASSAGES|INSTRUCTIONS)\b"
    r"|\bsystem (?:prompt|override|message)\s*[:=]",
    re.IGNORECASE | re.MULTILINE,
)
_ADDRESS = re.compile(
    r"\b(?:note|attention|message|instructions?|warning|important)\b[^.!?\n]{0,12}\b(?:to|for)\s+"
    r"(?:all\s+|any\s+|the\s+)?"
    r"(?:AIs?|LLMs?|(?:large )?language models?|AI (?:assistants?|agents?|models?)|assistants?|chatbots?)\b"
    r"|\bif you are an? (?:AI|LLM|language model)\b|\byou are now (?:an?|in|the)\b"
    r"|\bfrom now on,? you (?:are|will|must|shall)\b|\b(?:artık sen bir|bundan (?:böyle|sonra) sen)\b"
    r"|\byapay zek[aâ]\w*[^.!?\n]{0,20}\b(?:dikkat|not|talimat)\b",
    re.IGNORECASE,
)
_LEAK = re.compile(
    r"!\[[^\]\n]{0,80}\]\(\s*https?://[^)\s]{0,300}[?&=]|<img\b[^>]{0,200}\bsrc\s*=\s*[\"']?https?://[^>\s]{0,200}[?&]"
    rf"|\b(?:append|include|insert|send|add|put|encode)\b{_GAP}\b(?:question|conversation|history|prompt|secret|password|"
    rf"answer|key)\b{_GAP}\b(?:url|link|image|address|https?)\b",
    re.IGNORECASE,
)
_UNSEEN = re.compile("[\U000e0000-\U000e007f]|[\u200b\u2060\u2061-\u2064]{3}|[\u202a-\u202e\u2066-\u2069]")
_OF_ORDERS = """
ignor disregard forget overrid bypass talimat komut kural yönerge istem vergiss missacht oublie olvida omite
istruzioni instruções 忽略 以前の指示 игнор تجاهل
"""
_TAGS = ("passage", "system", "instruction", "context", "document")
_PARTS = ("system", "prompt", "context", "passages", "instructions")
_OF_ROLES = (
    *("<|", "inst]", "sys>>", "##", '"role', "'role", "system prompt", "system override", "system message"),
    *(f"{begin}{tag}" for begin in ("<", "</") for tag in _TAGS),
    *(f"{edge} {of}{part}" for edge in ("begin", "end") for of in ("", "of ") for part in _PARTS),
)
_OF_ADDRESSES = (" ai ", " ai.", " ai,", " ai:", " ais", "an ai", "llm", "language model", "assistant", "chatbot")
_REASONS = (
    ((*_OF_ORDERS.split(), "do not follow"), _ORDER, "it tells a model to disregard its instructions"),
    (_OF_ROLES, _ROLE, "it imitates the messages between a system and a model"),
    (
        (*_OF_ADDRESSES, "you are now", "from now on", "artık sen", "bundan ", "yapay zek"),
        _ADDRESS,
        "it speaks to a model and not to a reader",
    ),
    (("http", "url", "](", "<img"), _LEAK, "it wants data put into an address"),
)
"""What must stand in a text, in small letters, before it is worth looking for the pattern; and what that means."""


def suspicions(text: str) -> tuple[str, ...]:
    """Returns why ``text`` looks as if it were meant to steer a model, in parts of sentences; empty if it does not."""
    folded = text.lower()
    found = [reason for hints, pattern, reason in _REASONS if _has_one(folded, hints) and pattern.search(text)]
    if not text.isascii() and _UNSEEN.search(text):
        found.append("it has characters that nobody sees")
    return tuple(found)


def _has_one(folded: str, hints: tuple[str, ...]) -> bool:
    for hint in hints:  # noqa: SIM110 - a generator costs more than the look
        if hint in folded:
            return True
    return False
