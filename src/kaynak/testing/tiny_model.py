"""Real but tiny models, with random weights, for tests that need a model directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

_WORDS = "the a cat dog sat on mat river stone of and in is red green blue big small ran far".split()  # noqa: SIM905
_LETTERS = "abcdefghijklmnopqrstuvwxyzçğıöşü0123456789.,!?'-"

Tensors = dict[str, NDArray[np.float32]]


def write_tiny_model(
    directory: Path,
    *,
    model_type: Literal["bert", "xlm-roberta"] = "bert",
    pooling: str = "mean",
    layers: int = 2,
    hidden: int = 32,
    heads: int = 4,
    max_tokens: int = 32,
    dense: int | None = None,
    prompts: Mapping[str, str] | None = None,
    prefix: str = "",
    config: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Path:
    """Writes a model in the layout of sentence-transformers.

    Args:
        directory: Made if it is not there.
        model_type: ``bert`` has a WordPiece tokenizer, ``xlm-roberta`` a Unigram one.
        pooling: sentence-transformers' name: ``mean_tokens``, ``cls_token``, ``max_tokens``, ``lasttoken``.
        layers: Transformer layers.
        hidden: Units; a multiple of ``heads``.
        heads: Attention heads.
        max_tokens: Longest input, special tokens included.
        dense: Size of a layer after pooling, if there is to be one.
        prompts: By kind.
        prefix: Before the names of tensors, such as ``bert.``.
        config: Overrides of config.json.
        seed: Of the weights.

    Returns:
        ``directory``.
    """
    from safetensors.numpy import save_file

    directory.mkdir(parents=True, exist_ok=True)
    roberta = model_type != "bert"
    vocabulary = _write_tokenizer(directory, roberta=roberta)
    positions = max_tokens + (2 if roberta else 0)
    described = {
        "model_type": model_type,
        "architectures": ["XLMRobertaModel" if roberta else "BertModel"],
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5 if roberta else 1e-12,
        "max_position_embeddings": positions,
        "pad_token_id": 1 if roberta else 0,
    }
    _write(directory / "config.json", described | dict(config or {}))
    random = np.random.default_rng(seed)
    tensors = _tensors(random, vocabulary, positions, hidden, layers, types=1 if roberta else 2)
    save_file({prefix + name: value for name, value in tensors.items()}, directory / "model.safetensors")
    modules = ["Transformer", "Pooling"]
    _write(directory / "1_Pooling" / "config.json", {f"pooling_mode_{_full(pooling)}": True})
    if dense is not None:
        modules.append("Dense")
        _write(directory / "2_Dense" / "config.json", {"activation_function": "torch.nn.modules.activation.Tanh"})
        layer = {"linear.weight": _normal(random, dense, hidden), "linear.bias": _normal(random, dense)}
        save_file(layer, directory / "2_Dense" / "model.safetensors")
    steps = [
        {"idx": at, "path": "" if not at else f"{at}_{name}", "type": f"sentence_transformers.models.{name}"}
        for at, name in enumerate([*modules, "Normalize"])
    ]
    _write(directory / "modules.json", steps)
    _write(directory / "sentence_bert_config.json", {"max_seq_length": max_tokens, "do_lower_case": False})
    _write(directory / "config_sentence_transformers.json", {"prompts": dict(prompts or {})})
    return directory


def _full(pooling: str) -> str:
    return {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens"}.get(pooling, pooling)


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def _write_tokenizer(directory: Path, *, roberta: bool) -> int:
    """Writes ``tokenizer.json`` and returns the size of the vocabulary."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    if roberta:
        pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *("▁" + word for word in _WORDS), *_LETTERS]
        scores = [(piece, -float(at) / 10) for at, piece in enumerate(pieces)]
        tokenizer = Tokenizer(models.Unigram(scores, unk_id=3))
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        frame, ids = "<s> $A </s>", [("<s>", 0), ("</s>", 2)]
    else:
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *_WORDS]
        pieces += [letter for letter in _LETTERS if letter not in pieces] + ["##" + letter for letter in _LETTERS]
        words = {piece: at for at, piece in enumerate(pieces)}
        tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))  # noqa: S106 - a token of text
        tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=False)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        frame, ids = "[CLS] $A [SEP]", [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(single=frame, special_tokens=ids)
    tokenizer.save(str(directory / "tokenizer.json"))
    return len(pieces)


def _tensors(
    random: np.random.Generator, vocabulary: int, positions: int, hidden: int, layers: int, *, types: int
) -> Tensors:
    tensors: Tensors = {
        "embeddings.word_embeddings.weight": _normal(random, vocabulary, hidden),
        "embeddings.position_embeddings.weight": _normal(random, positions, hidden),
        "embeddings.token_type_embeddings.weight": _normal(random, types, hidden),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(layers):
        base = f"encoder.layer.{layer}."
        sizes = {
            "attention.self.query": (hidden, hidden),
            "attention.self.key": (hidden, hidden),
            "attention.self.value": (hidden, hidden),
            "attention.output.dense": (hidden, hidden),
            "intermediate.dense": (2 * hidden, hidden),
            "output.dense": (hidden, 2 * hidden),
        }
        for name, (rows, columns) in sizes.items():
            tensors[f"{base}{name}.weight"] = _normal(random, rows, columns) / np.float32(2)
            tensors[f"{base}{name}.bias"] = _normal(random, rows)
        norms += [f"{base}attention.output.LayerNorm", f"{base}output.LayerNorm"]
    for name in norms:
        tensors[f"{name}.weight"] = 1 + _normal(random, hidden) / np.float32(4)
        tensors[f"{name}.bias"] = _normal(random, hidden) / np.float32(4)
    return tensors


def _normal(random: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return random.standard_normal(shape, dtype=np.float32) * np.float32(0.5)
