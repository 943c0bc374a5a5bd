"""Every provider against the suite of language models, each fault of the local server included."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kaynak.testing.model_suite import LanguageModelSuite


class TestOpenAI(LanguageModelSuite):
    retry_seconds = (0.03, 0.04)  # x-ratelimit-reset-requests: 30ms

    @pytest.fixture
    def provider(self) -> str:
        return "openai"


class TestAnthropic(LanguageModelSuite):
    retry_seconds = (0, 0)  # retry-after: 0

    @pytest.fixture
    def provider(self) -> str:
        return "anthropic"


class TestGemini(LanguageModelSuite):
    retry_seconds = (0.02, 0.03)  # RetryInfo in the body

    @pytest.fixture
    def provider(self) -> str:
        return "gemini"


class TestAzure(LanguageModelSuite):
    retry_seconds = (0.02, 0.03)  # retry-after-ms before retry-after

    @pytest.fixture
    def provider(self) -> str:
        return "azure"


class TestAzureDated(TestAzure):
    config = replace(LanguageModelSuite.config, environment={"AZURE_OPENAI_API_VERSION": "2024-10-21"})


class TestOllama(LanguageModelSuite):
    retry_seconds = (0.01, 0.02)  # it does not say: our own back-off

    @pytest.fixture
    def provider(self) -> str:
        return "ollama"


class TestOpenRouter(LanguageModelSuite):
    retry_seconds = (0, 0)

    @pytest.fixture
    def provider(self) -> str:
        return "openrouter"


class TestHuggingFace(LanguageModelSuite):
    retry_seconds = (0, 0)

    @pytest.fixture
    def provider(self) -> str:
        return "huggingface"
