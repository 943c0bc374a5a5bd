from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Found = TypeVar("Found")


class Together(Generic[Asked, Found]):
    """Has those who wait for the same kind of search carried by one.

    For each search milvus-lite looks at all rows in Python, however many vectors it is asked about; and as only one
    thread of a process runs Python at a time, searches beside each other would each be as slow as all of them. So one
    runs at a time, and takes along whoever waits for the like of it.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, tuple[list[Asked], Future[Sequence[Found]]]] = {}
        self._changing = threading.Lock()
        self._turn = threading.Lock()

    def ask(self, kind: Hashable, one: Asked, work: Callable[[list[Asked]], Sequence[Found]]) -> Found:
        """Returns what ``work`` finds for ``one``. It begins after this was called, so that it sees all that was there.

        Args:
            kind: Those of one kind can be asked together.
            one: What is looked for.
            work: Finds something for each, in order.
        """
        with self._changing:
            leads = kind not in self._waiting
            all_of_them, found = self._waiting.setdefault(kind, ([], Future()))
            place = len(all_of_them)
            all_of_them.append(one)
        if leads:
            with self._turn:
                with self._changing:
                    del self._waiting[kind]
                try:
                    found.set_result(work(all_of_them))
                except BaseException as exc:
                    found.set_exception(exc)
        return found.result()[place]
