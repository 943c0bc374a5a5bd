"""Search: lexical and dense at once, fused, through the catalog's gate, with the reasons on request."""

from kaynak.retrieval.admission import Admission, QueuedSearcher, Steered
from kaynak.retrieval.audited import AuditedSearcher, looked_up
from kaynak.retrieval.cached import CachedSearcher, Looking, Searching, plausible
from kaynak.retrieval.feedback import Feedback
from kaynak.retrieval.moments import Moment, Moments
from kaynak.retrieval.reranked import RerankedSearcher
from kaynak.retrieval.searcher import Searcher
from kaynak.retrieval.sides import Vector
from kaynak.retrieval.spelling import pieces_per_word
from kaynak.retrieval.verifying import TestQuestion, Verifier

__all__ = [
    "Admission",
    "AuditedSearcher",
    "CachedSearcher",
    "Feedback",
    "Looking",
    "Moment",
    "Moments",
    "QueuedSearcher",
    "RerankedSearcher",
    "Searcher",
    "Searching",
    "Steered",
    "TestQuestion",
    "Vector",
    "Verifier",
    "looked_up",
    "pieces_per_word",
    "plausible",
]
