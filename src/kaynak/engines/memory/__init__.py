"""The reference engines: exact, in memory, gone with the process. Tests compare the others with them."""

from kaynak.engines.memory.dense import MemoryDense
from kaynak.engines.memory.lexical import MemoryLexical

__all__ = ["MemoryDense", "MemoryLexical"]
