from __future__ import annotations

import base64

import numpy as np
import pytest

MODEL = "kaynak/minilm"


def test_texts_become_unit_vectors_in_their_order(dialect):
    body = dialect("POST", "/v1/embeddings", {"model": MODEL, "input": ["leave", "lunch", "leave"]}).json()
    assert (body["object"], body["model"]) == ("list", MODEL)
    assert [one["index"] for one in body["data"]] == [0, 1, 2]
    vectors = np.array([one["embedding"] for one in body["data"]])
    assert vectors.shape == (3, 16)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert (vectors[0] == vectors[2]).all()
    assert body["usage"]["prompt_tokens"] == body["usage"]["total_tokens"] > 0


def test_base64_is_the_same_numbers(dialect):
    asked = {"model": MODEL, "input": "leave"}
    plain = dialect("POST", "/v1/embeddings", asked).json()["data"][0]["embedding"]
    coded = dialect("POST", "/v1/embeddings", {**asked, "encoding_format": "base64"}).json()["data"][0]["embedding"]
    assert np.frombuffer(base64.b64decode(coded), "<f4").tolist() == pytest.approx(plain)


def test_a_text_that_is_too_long_is_refused_unless_it_may_be_cut(dialect, error_of):
    asked = {"model": MODEL, "input": ["short", "word " * 5000]}
    error = error_of(dialect("POST", "/v1/embeddings", asked), 400)
    assert error["param"] == "input[1]"
    assert dialect("POST", "/v1/embeddings", {**asked, "truncate": True}).status_code == 200


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"input": []}, "input"),
        ({"input": ""}, "input[0]"),
        ({"input": ["a", " "]}, "input[1]"),
        ({"input": ["a", 3.5]}, "input[1]"),
        ({"input": [1, 2, 3]}, "input"),
        ({"input": [[1, 2], [3]]}, "input"),
        ({"input": {"a": 1}}, "input"),
        ({"input": None}, "input"),
        ({"input": ["a"] * 3000}, "input"),
        ({"dimensions": 8}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_input_that_cannot_be_embedded_is_refused(dialect, error_of, change, param):
    error = error_of(dialect("POST", "/v1/embeddings", {"model": MODEL, "input": "a", **change}), 400)
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


def test_its_own_number_of_dimensions_may_be_said(dialect):
    assert dialect("POST", "/v1/embeddings", {"model": MODEL, "input": "a", "dimensions": 16}).status_code == 200


@pytest.mark.parametrize("name", ["kaynak/handbook", "kaynak//etc", "kaynak/../../etc", "minilm", "/etc"])
def test_only_models_of_the_installation_embed(dialect, error_of, name):
    assert error_of(dialect("POST", "/v1/embeddings", {"model": name, "input": "a"}), 404)["code"] == "model_not_found"


def test_collections_and_embedding_models_are_listed(dialect):
    body = dialect("GET", "/v1/models").json()
    assert body["object"] == "list"
    assert [one["id"] for one in body["data"]] == ["kaynak/handbook", "kaynak/policies", MODEL]
    assert {one["object"] for one in body["data"]} == {"model"}
    assert body["data"][0]["created"] > 1_700_000_000
    assert body["data"][0]["kaynak"]["description"] == "About handbook."


def test_many_collections_are_listed_whole(dialect):
    names = [f"c{number:04}" for number in range(401)]
    dialect.services.collections.names = names
    listed = [one["id"] for one in dialect("GET", "/v1/models").json()["data"]]
    assert listed == [f"kaynak/{name}" for name in names] + [MODEL]
    dialect.services.collections.names = names[:400]
    assert len(dialect("GET", "/v1/models").json()["data"]) == 401
    dialect.services.collections.names = []
    assert [one["id"] for one in dialect("GET", "/v1/models").json()["data"]] == [MODEL]


@pytest.mark.parametrize(
    "name",
    ["kaynak/handbook", "kaynak%2Fhandbook", "kaynak/handbook+policies", "kaynak/policies@openai:a/b", MODEL],
)
def test_a_model_is_shown_by_its_name_slashes_and_all(dialect, name):
    answer = dialect("GET", f"/v1/models/{name}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["id"] == name.replace("%2F", "/")


@pytest.mark.parametrize("name", ["kaynak/nothing", "gpt-5", "kaynak/handbook+nothing", "kaynak/"])
def test_a_model_that_is_not_there_is_not_found(dialect, error_of, name):
    assert error_of(dialect("GET", f"/v1/models/{name}"), 404)["code"] == "model_not_found"
