"""True and false statements about passages, made by rule."""

from statements.corruptions import CORRUPTIONS, corrupted
from statements.declaratives import declared, reworded

__all__ = ["CORRUPTIONS", "corrupted", "declared", "reworded"]
