"""The built-in answerer: it quotes, and never writes a word of its own."""

from kaynak.generation.extractive.answerability import ANSWERED, HOPELESS
from kaynak.generation.extractive.answerer import ExtractiveAnswerer
from kaynak.generation.extractive.scoring import Answerability

__all__ = ["ANSWERED", "HOPELESS", "Answerability", "ExtractiveAnswerer"]
