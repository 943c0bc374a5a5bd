"""As much of the library sentence-transformers (version 5) as is used, without torch: strict about how it is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kaynak.testing.models.listing import vector_of


class Tensor:
    """A tensor that may be on another device: NumPy gets at it as torch documents, and not otherwise."""

    def __init__(self, values: NDArray[np.float32], *, attached: bool = True, device: str = "cuda") -> None:
        self._values = values
        self._attached = attached
        self._device = device

    def detach(self) -> Tensor:
        """Returns it without its gradient."""
        return Tensor(self._values, attached=False, device=self._device)

    def cpu(self) -> Tensor:
        """Returns it in the memory of the CPU."""
        return Tensor(self._values, attached=self._attached, device="cpu")

    def float(self) -> Tensor:
        """Returns it as float32."""
        return self

    def numpy(self) -> NDArray[np.float32]:
        """Returns the array; raises where torch would."""
        if self._attached:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if self._device != "cpu":
            raise TypeError("can't convert cuda:0 device type tensor to numpy.")
        return self._values


class Pooling:
    """A step of the model."""

    def get_config_dict(self) -> dict[str, Any]:
        """Returns its configuration."""
        return {"word_embedding_dimension": 48, "pooling_mode_mean_tokens": True}


class _HubTokenizer:
    def __init__(self, tokenizer: Any) -> None:
        self.backend_tokenizer = tokenizer


class SentenceTransformer:
    """See the library.

    Args:
        name: “broken” cannot be loaded; what begins with “prompted” has prompts.
    """

    def __init__(self, model_name_or_path: str) -> None:
        if model_name_or_path == "broken":
            raise OSError("broken is not a local folder and is not a valid model identifier")
        self.prompts: Mapping[str, str] = {"query": "", "document": ""}
        if model_name_or_path.startswith("prompted"):
            self.prompts = {"query": "query: ", "passage": "passage: "}
        self.default_prompt_name: str | None = None
        self.max_seq_length: int | None = 128
        self.weights = np.ones((2, 3), np.float32)
        self.calls: list[tuple[list[str], str | None]] = []
        self.fails = False
        self.tokenizer: Any = None if model_name_or_path.endswith("slow") else _HubTokenizer(_tokenizer())

    def __iter__(self) -> Iterator[Any]:
        """Yields the steps."""
        return iter([Pooling()])

    def state_dict(self) -> dict[str, Tensor]:
        """Returns the weights."""
        return {"0.weight": Tensor(self.weights)}

    def encode(
        self,
        sentences: str | Sequence[str],
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        *,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        normalize_embeddings: bool = False,
    ) -> NDArray[np.float32]:
        """Returns vectors that depend on prompt and text alone."""
        assert isinstance(sentences, list), "a single string would give a single vector"
        assert all(isinstance(one, str) for one in sentences)
        assert convert_to_numpy, "a tensor may be on another device"
        if prompt_name is not None and prompt_name not in self.prompts:
            raise ValueError(f"Prompt name '{prompt_name}' not found in the configured prompts dictionary.")
        if self.fails:
            raise RuntimeError("CUDA out of memory.")
        self.calls.append((sentences, prompt_name))
        before = prompt or self.prompts.get(prompt_name or "", "")
        words = [" ".join((before + one).split()[: self.max_seq_length or 512]) for one in sentences]
        scale = np.float32(1.0 if normalize_embeddings else 2.0)
        return np.stack([vector_of(one, 48) * scale for one in words])


def module() -> ModuleType:
    """Returns the library, for ``sys.modules``."""
    library = ModuleType("sentence_transformers")
    library.SentenceTransformer = SentenceTransformer  # type: ignore[attr-defined]
    return library


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "cat": 3, "the": 4}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))  # noqa: S106 - a token of text
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return tokenizer
