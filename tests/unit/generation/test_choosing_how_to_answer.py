from __future__ import annotations

import pytest

from kaynak.domain import (
    Answering,
    AskRequest,
    CitationPolicy,
    Depth,
    InvalidRequest,
    ModelSettings,
    Reasoning,
    SearchRequest,
)
from kaynak.generation.choosing import choose

SEARCH = SearchRequest("x", ("a", "b"))


def chosen(*collections, default=None, **asked):
    return choose(AskRequest(SEARCH, **asked), collections, default or Answering())


def test_without_a_word_the_built_in_quotes():
    choice = chosen()
    assert (choice.models, choice.quoting, choice.policy, choice.depth) == (
        (),
        True,
        CitationPolicy.MARK,
        Depth.NORMAL,
    )


def test_the_caller_is_heard_before_the_collection_and_that_before_the_settings():
    default = Answering("p:default", ("p:spare",), ModelSettings(0.1, 100, Reasoning.LOW), None, Depth.QUICK)
    collection = Answering("p:collection", (), ModelSettings(0.2))
    choice = chosen(Answering(), collection, default=default, settings=ModelSettings(max_tokens=7))
    assert choice.models == ("p:collection",)
    assert choice.settings == ModelSettings(0.2, 7, Reasoning.LOW)
    assert choice.depth is Depth.QUICK
    assert not choice.quoting
    assert chosen(collection, default=default, model="p:asked").models == ("p:asked",)
    assert chosen(default=default).models == ("p:default", "p:spare")
    assert chosen(default=default, fallbacks=("p:other",)).models == ("p:default", "p:other")
    assert chosen(collection, model="extractive").models == ()


def test_quotes_can_stand_in_when_no_model_answers_but_nothing_stands_behind_them():
    choice = chosen(model="p:m", fallbacks=("p:n", "extractive"))
    assert (choice.models, choice.quoting) == (("p:m", "p:n"), True)
    with pytest.raises(InvalidRequest):
        chosen(model="p:m", fallbacks=("extractive", "p:n"))
    assert chosen(default=Answering("extractive", ("p:n",))).models == ()


def test_no_caller_loosens_what_a_collection_demands():
    refuse, drop = Answering(policy=CitationPolicy.REFUSE), Answering(policy=CitationPolicy.DROP)
    assert chosen(drop, policy=CitationPolicy.MARK).policy is CitationPolicy.DROP
    assert chosen(drop, refuse).policy is CitationPolicy.REFUSE
    assert chosen(drop, policy=CitationPolicy.REFUSE).policy is CitationPolicy.REFUSE
    assert chosen(default=drop).policy is CitationPolicy.DROP
    assert chosen(default=drop, policy=CitationPolicy.MARK).policy is CitationPolicy.MARK
