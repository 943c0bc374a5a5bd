from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Generic, TypeVar

from kaynak.engines.options import EngineOptions
from kaynak.engines.protocol import DenseEngine, Engine, LexicalEngine
from kaynak.engines.registry import DENSE_ENGINES, LEXICAL_ENGINES, dense_engine, lexical_engine

E = TypeVar("E", bound=Engine)


class Opening(Mapping[str, E], Generic[E]):
    """Engines by name, each opened when it is first asked for, and kept. Thread-safe.

    Args:
        names: Of those there are.
        make: Returns a new one; what it raises is raised by whoever asks.
    """

    def __init__(self, names: tuple[str, ...], make: Callable[[str], E]) -> None:
        self._names = names
        self._make = make
        self._opened: dict[str, E] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> E:
        if name not in self._names:
            raise KeyError(name)
        with self._lock:
            if name not in self._opened:
                self._opened[name] = self._make(name)
            return self._opened[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    async def close(self) -> None:
        """Closes those that were opened."""
        async with AsyncExitStack() as closing:
            while self._opened:
                _, engine = self._opened.popitem()
                closing.push_async_callback(engine.close)


class Engines:
    """All engines there are.

    Args:
        options: What they have to be told.

    Attributes:
        dense: Dense engines.
        lexical: Lexical engines.
    """

    def __init__(self, options: EngineOptions) -> None:
        self.dense: Opening[DenseEngine] = Opening(DENSE_ENGINES, lambda name: dense_engine(name, options))
        self.lexical: Opening[LexicalEngine] = Opening(LEXICAL_ENGINES, lambda name: lexical_engine(name, options))

    async def close(self) -> None:
        """Closes those that were opened."""
        try:
            await self.dense.close()
        finally:
            await self.lexical.close()
