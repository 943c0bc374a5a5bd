"""From passages to an answer in which every sentence is borne out by a quote."""

from kaynak.generation.asker import Asker
from kaynak.generation.audited import AuditedAsker
from kaynak.generation.choosing import Answerings, CatalogAnswerings, Choice
from kaynak.generation.extractive import ExtractiveAnswerer
from kaynak.generation.finding import SearchFinder
from kaynak.generation.protocol import Answerer, Finder, Found, Guard, Models, Quote, Written
from kaynak.generation.streams import Stream, StreamLimits, Streams
from kaynak.generation.writing import ModelWriter

__all__ = [
    "Answerer",
    "Answerings",
    "Asker",
    "AuditedAsker",
    "CatalogAnswerings",
    "Choice",
    "ExtractiveAnswerer",
    "Finder",
    "Found",
    "Guard",
    "ModelWriter",
    "Models",
    "Quote",
    "SearchFinder",
    "Stream",
    "StreamLimits",
    "Streams",
    "Written",
]
