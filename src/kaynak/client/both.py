"""Methods that are written once, as calls, and that both clients have: one returns what the other awaits or yields."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from kaynak.client.async_transport import AsyncTransport
from kaynak.client.calls import Call, Page
from kaynak.client.transport import Transport

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


class Listed(Generic[P, ResultT]):
    """A method of `Client` and of `AsyncClient` that yields a list, page after page.

    Args:
        page: Makes the call for the page after its first argument; its other parameters and its docstring are the
            method's.
    """

    def __init__(self, page: Callable[Concatenate[str | None, P], Call[Page[ResultT]]]) -> None:
        self._page = page
        self.__doc__ = page.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Callable[Concatenate[str | None, P], Call[Page[ResultT]]]: ...

    @overload
    def __get__(self, client: Transport, owner: type) -> Callable[P, Iterator[ResultT]]: ...

    @overload
    def __get__(self, client: AsyncTransport, owner: type) -> Callable[P, AsyncIterator[ResultT]]: ...

    def __get__(self, client: Any, owner: type) -> Any:
        if client is None:
            return self._page

        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client._all(lambda after: self._page(after, *args, **kwargs))

        functools.update_wrapper(method, self._page)
        whole = inspect.signature(self._page)
        method.__signature__ = whole.replace(parameters=list(whole.parameters.values())[1:])  # type: ignore[attr-defined]
        return method
