from __future__ import annotations

from types import SimpleNamespace

import pytest

from kaynak.domain import Misconfigured, ModelRefused
from kaynak.generation.checking import Checking
from kaynak.generation.verifying import Verifiers
from kaynak.testing.fake_embedder import FakeEmbedder
from kaynak.testing.tiny_classifier import write_tiny_classifier

pytestmark = pytest.mark.anyio

TURN = SimpleNamespace(
    request=SimpleNamespace(search=SimpleNamespace(collections=("handbook",))), scope=SimpleNamespace(subject="ayse")
)


class Models:
    """Gives a judge, and remembers on whose behalf; or has no key."""

    def __init__(self, error=None):
        self.error = error
        self.asked = []

    async def get(self, names, *, owner, collection, purpose):
        self.asked.append((tuple(names), owner, collection, purpose))
        if self.error:
            raise self.error
        return SimpleNamespace(name=names[0])


async def embedder():
    return FakeEmbedder()


async def test_the_judge_is_asked_on_behalf_of_whoever_asks():
    models = Models()
    checking = Checking(Verifiers(embedder), models, "house:judge")
    await checking.ready()
    assert models.asked == []
    assert (await checking.verifier(TURN)).name == "house:judge"
    assert models.asked == [(("house:judge",), "ayse", "handbook", "judge")]


async def test_without_its_model_the_built_in_checks():
    checking = Checking(Verifiers(embedder), Models(ModelRefused("No key.")), "house:judge")
    assert (await checking.verifier(TURN)).name == "built-in"


async def test_what_is_here_is_ready_at_start_and_what_is_not_is_said_then(tmp_path):
    verifiers = Verifiers(embedder)
    assert await Checking(verifiers, Models(), "off").verifier(TURN) is None
    directory = write_tiny_classifier(tmp_path / "nli")
    checking = Checking(verifiers, Models(), f"nli:{directory}")
    await checking.ready()
    assert (await checking.verifier(TURN)).name == "nli"
    for name in ("nonsense", f"nli:{tmp_path / 'nowhere'}"):
        with pytest.raises(Misconfigured):
            await Checking(verifiers, Models(), name).ready()
    await verifiers.close()
