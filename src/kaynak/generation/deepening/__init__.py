"""How hard to look for passages: quickly, normally, or deeply, with or without a model that helps."""

from kaynak.generation.deepening.budget import Limits
from kaynak.generation.deepening.finder import DepthFinder

__all__ = ["DepthFinder", "Limits"]
