from __future__ import annotations

import pytest

from kaynak.engines import sizes as sizes_module


def test_sizes_of_filters_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = sizes_module.Sizes()
    for number in range(sizes_module._REMEMBERED + 10):
        sizes.note((f"g{number}", "text", None), large=True)
    last = (f"g{sizes_module._REMEMBERED + 9}", "text", None)
    assert sizes.large(("g0", "text", None)) is None
    assert sizes.large(last) is True
    sizes.note(last, large=False)
    assert sizes.large(last) is False
    sizes.note(("g1", "text", None), large=True)
    sizes.written("g1")
    sizes.written(last[0])
    assert sizes.large(last) is None
    assert sizes.large(("g1", "text", None)) is True
    # Of few points that have a picture, all are compared, however many have a text.
    assert sizes.large(("g1", "picture", None)) is None
    monkeypatch.setattr(sizes_module, "_SECONDS", {True: -1.0, False: -1.0})
    sizes.note(("g1", "text", None), large=True)
    assert sizes.large(("g1", "text", None)) is None
