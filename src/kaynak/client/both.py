"""Methods that are written once, as calls, and that both clients have: one returns the result, the other awaits it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, Generic, ParamSpec, TypeVar, overload

from kaynak.client.calls import Call
from kaynak.client.transports import AsyncTransport, Transport

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


class Both(Generic[P, ResultT]):
    """A method of `Client` and of `AsyncClient`.

    Args:
        call: Makes the call; its parameters and its docstring are the method's.
    """

    def __init__(self, call: Callable[P, Call[ResultT]]) -> None:
        self._call = call
        self.__doc__ = call.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Callable[P, Call[ResultT]]: ...

    @overload
    def __get__(self, client: Transport, owner: type) -> Callable[P, ResultT]: ...

    @overload
    def __get__(self, client: AsyncTransport, owner: type) -> Callable[P, Coroutine[Any, Any, ResultT]]: ...

    def __get__(self, client: Any, owner: type) -> Any:
        if client is None:
            return self._call

        @functools.wraps(self._call)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client._run(self._call(*args, **kwargs))

        return method
