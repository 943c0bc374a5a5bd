"""Answers that are remembered as long as nothing they depend on changes."""

from kaynak.generation.caching.answers import Asking, CachedAsker
from kaynak.generation.caching.likeness import Likeness

__all__ = ["Asking", "CachedAsker", "Likeness"]
