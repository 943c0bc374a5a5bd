"""Searches that wait for the same are carried by one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("pymilvus", reason="the extra milvus is not installed")

from kaynak.engines.milvus.together import Together


class Work:
    """Doubles numbers; the first call waits until it is let go on."""

    def __init__(self, waiting: int) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.calls: list[list[int]] = []
        self._all_here = threading.Barrier(waiting + 1)

    def ask(self, together: Together[int, int], kind: str, one: int) -> int:
        self._all_here.wait(5)
        return together.ask(kind, one, self)

    def __call__(self, numbers: list[int]) -> list[int]:
        self.calls.append(list(numbers))
        self.begun.set()
        assert self.go_on.wait(5)
        if -1 in numbers:
            raise ValueError("no such number")
        return [2 * one for one in numbers]

    def all_asked(self) -> None:
        self._all_here.wait(5)


def waits(together: Together[int, int], number: int) -> bool:
    return sum(len(numbers) for numbers, _ in together._waiting.values()) == number


def until_waiting(together: Together[int, int], number: int) -> None:
    end = threading.Event()
    for _ in range(500):
        if waits(together, number):
            return
        end.wait(0.01)
    raise AssertionError("they never waited")


def test_one_carries_those_who_wait_for_the_same() -> None:
    together: Together[int, int] = Together()
    work = Work(6)
    with ThreadPoolExecutor(7) as threads:
        first = threads.submit(together.ask, "a", 1, work)
        assert work.begun.wait(5)
        rest = [threads.submit(work.ask, together, kind, one) for kind, one in zip("aaaaab", range(2, 8), strict=True)]
        work.all_asked()
        until_waiting(together, 6)
        work.go_on.set()
        assert first.result(5) == 2
        assert [one.result(5) for one in rest] == [4, 6, 8, 10, 12, 14]
    assert sorted(map(sorted, work.calls)) == [[1], [2, 3, 4, 5, 6], [7]]


def test_all_are_told_of_an_error_and_the_next_is_asked_anew() -> None:
    together: Together[int, int] = Together()
    work = Work(2)
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(together.ask, "a", 1, work)
        assert work.begun.wait(5)
        rest = [threads.submit(work.ask, together, "a", one) for one in (2, -1)]
        work.all_asked()
        until_waiting(together, 2)
        work.go_on.set()
        assert first.result(5) == 2
        for one in rest:
            with pytest.raises(ValueError, match="no such number"):
                one.result(5)
    assert together.ask("a", 4, work) == 8
