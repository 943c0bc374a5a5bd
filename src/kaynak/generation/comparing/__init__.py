"""Two texts held against each other: words, numbers, dates, names, negations, opposites."""

from kaynak.generation.comparing.comparison import NAMES, Comparison, Fault, compare
from kaynak.generation.comparing.synonyms import synonyms
from kaynak.generation.comparing.words import Reading, read

__all__ = ["NAMES", "Comparison", "Fault", "Reading", "compare", "read", "synonyms"]
