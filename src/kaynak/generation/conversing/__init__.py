"""Conversations: follow-up questions made to stand alone, and answers that are kept while they are written."""

from kaynak.generation.conversing.beginning import NEWEST, Newest
from kaynak.generation.conversing.conversations import Conversations
from kaynak.generation.conversing.exporting import as_markdown, exported
from kaynak.generation.conversing.options import TurnOptions, TurnSettings
from kaynak.generation.conversing.remembering import MemoryLimits
from kaynak.generation.conversing.turns import TurnEvent, Turns

__all__ = [
    "NEWEST",
    "Conversations",
    "MemoryLimits",
    "Newest",
    "TurnEvent",
    "TurnOptions",
    "TurnSettings",
    "Turns",
    "as_markdown",
    "exported",
]
