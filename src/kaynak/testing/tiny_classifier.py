"""Real but tiny classifiers of pairs, with random weights, for tests that need a model directory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from kaynak.testing.tiny_model import write_tiny_model


def write_tiny_classifier(
    directory: Path,
    *,
    model_type: Literal["bert", "xlm-roberta"] = "bert",
    labels: Sequence[str] = ("contradiction", "neutral", "entailment"),
    bias: Sequence[float] | None = None,
    max_tokens: int = 32,
    seed: int = 0,
) -> Path:
    """Writes a model for sequence classification in the layout of transformers.

    Args:
        directory: Made if it is not there.
        model_type: ``bert`` has its head on a pooler, ``xlm-roberta`` a layer of its own.
        labels: The classes.
        bias: Added to the score of each class; a large one makes it win whatever is asked.
        max_tokens: Longest pair, special tokens included.
        seed: Of the weights.

    Returns:
        ``directory``.
    """
    from safetensors.numpy import load_file, save_file

    hidden = 32
    write_tiny_model(directory, model_type=model_type, hidden=hidden, max_tokens=max_tokens, seed=seed)
    for left_over in ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"):
        (directory / left_over).unlink()
    random = np.random.default_rng(seed + 1)
    inner, last = ("bert.pooler.dense", "classifier")
    if model_type != "bert":
        inner, last = "classifier.dense", "classifier.out_proj"
    prefix = "bert." if model_type == "bert" else "roberta."
    tensors = {prefix + name: value for name, value in load_file(directory / "model.safetensors").items()}
    tensors[f"{inner}.weight"] = random.standard_normal((hidden, hidden), dtype=np.float32) / 4
    tensors[f"{inner}.bias"] = random.standard_normal(hidden, dtype=np.float32) / 4
    tensors[f"{last}.weight"] = random.standard_normal((len(labels), hidden), dtype=np.float32) / 4
    tensors[f"{last}.bias"] = np.array(bias if bias is not None else [0.0] * len(labels), dtype=np.float32)
    save_file(tensors, directory / "model.safetensors")
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    config["id2label"] = {str(at): label for at, label in enumerate(labels)}
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return directory
