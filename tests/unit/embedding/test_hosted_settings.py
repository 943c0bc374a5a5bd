"""Hosted models as the settings want them."""

from __future__ import annotations

import pytest

from kaynak.configured_models import hosted_of, key_of
from kaynak.domain import Misconfigured
from kaynak.embedding import Wire
from kaynak.settings import Settings
from kaynak.testing.models.room import MemoryKeys

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "OLLAMA_HOST", "HF_BASE_URL", "GEMINI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "k1")
    monkeypatch.setenv("JINA_API_KEY", " k2 ")
    return Settings(
        data_dir=tmp_path,
        models={
            "providers": {
                "vllm": {"url": "http://gpu:8000/v1", "context_tokens": 4096, "price": {"input": 1, "output": 2}}
            }
        },
        embedding={"tei_urls": ["http://gpu:8080"], "prompts": {"vllm:e5": {"query": "query: "}}},
    )


async def test_providers_of_language_models_embed_too(settings):
    keys = key_of(settings, MemoryKeys({"OPENAI_API_KEY": "k1"}))
    options = hosted_of(settings, keys)
    assert set(options.providers) == {"openai", "azure", "openrouter", "gemini", "ollama", "huggingface", "vllm"}
    assert options.providers["azure"].deployments
    assert options.providers["azure"].service.auth == "api-key"
    assert options.providers["huggingface"].wire is Wire.HUGGINGFACE
    assert options.providers["huggingface"].service.url == "https://router.huggingface.co"
    vllm = options.providers["vllm"]
    assert (vllm.wire, vllm.max_tokens, vllm.price, vllm.service.needs_key) == (Wire.OPENAI, 4096, 1.0, False)
    assert options.tei[0].url == "http://gpu:8080"
    assert options.prompts["vllm:e5"] == {"query": "query: ", "document": ""}
    assert await keys("openai") == "k1"
    assert await keys("jina") == "k2"
    assert await keys("tei") is None


async def test_a_stored_key_that_cannot_be_read_is_told(settings):
    memory = MemoryKeys({})
    memory._stored = {"openai": None}
    memory._until = float("inf")
    with pytest.raises(Misconfigured, match="encrypted"):
        await key_of(settings, memory)("openai")
