"""What a model directory says about itself, in the layout of sentence-transformers and transformers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from kaynak.domain import Misconfigured

ACTIVATIONS = frozenset({"gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "tanh", "identity"})
_ROBERTA = frozenset({"roberta", "xlm-roberta", "camembert"})
_SUPPORTED = _ROBERTA | {"bert"}
_DENSE_ACTIVATIONS = {"Tanh": "tanh", "Identity": "identity", "ReLU": "relu", "GELU": "gelu"}
_READABLE = "Choose a directory of a BERT or XLM-RoBERTa embedding model."


class Pooling(StrEnum):
    """How token vectors become one vector, by sentence-transformers' names."""

    MEAN = "mean"
    CLS = "cls"
    MAX = "max"
    LAST = "lasttoken"


@dataclass(frozen=True, slots=True)
class Dense:
    """A layer after pooling."""

    weights: Path
    activation: str


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """An embedding model as its directory describes it.

    Attributes:
        directory: Where it lies.
        model_type: ``bert``, ``roberta``, ``xlm-roberta`` or ``camembert``.
        layers: Transformer layers.
        heads: Attention heads.
        hidden: Size of token vectors.
        activation: One of `ACTIVATIONS`.
        epsilon: Of layer normalisation.
        position_offset: Row of the position table that the first token uses.
        padding_id: Token id of padding.
        max_tokens: Longest input, special tokens included.
        pooling: One or more; several are concatenated in this order.
        dense: Layers after pooling.
        prompts: Prefix by kind; ``query`` and ``document``.
        weights: Files of safetensors, or of torch; empty when `graph` is given.
        graph: ONNX or OpenVINO IR file with the whole encoder, when there are
            no safetensors.
        lowercase: Whether the tokenizer must lower texts first.
    """

    directory: Path
    model_type: str
    layers: int
    heads: int
    hidden: int
    activation: str
    epsilon: float
    position_offset: int
    padding_id: int
    max_tokens: int
    pooling: tuple[Pooling, ...]
    dense: tuple[Dense, ...]
    weights: tuple[Path, ...]
    graph: Path | None
    prompts: Mapping[str, str] = field(default_factory=dict)
    lowercase: bool = False

    @property
    def name(self) -> str:
        """For messages and logs."""
        return self.directory.name


def read_spec(directory: Path) -> ModelSpec:
    """Reads the description of the model in ``directory``.

    Raises:
        Misconfigured: It is not a model that can be loaded; the message says what it is instead.
    """
    modules = _modules(directory)
    body = _body(directory, modules)
    config = _json(body / "config.json", required=True)
    model_type = str(config.get("model_type", "unknown"))
    if model_type not in _SUPPORTED:
        named = ", ".join(config.get("architectures") or []) or model_type
        raise Misconfigured(
            f"{directory.name} is a model of architecture {named}, which is not supported.", hint=_READABLE
        )
    _refuse_variants(directory, config)
    weights = _weights(body)
    graph = None if weights else _graph(body)
    if not weights and graph is None:
        weights = torch_weights(body)
    if not weights and graph is None:
        raise Misconfigured(
            f"{directory.name} has no weights: no safetensors, ONNX, OpenVINO or torch file.",
            hint="Fetch the model again, or convert its weights to safetensors.",
        )
    padding = int(config.get("pad_token_id") or 0)
    offset = padding + 1 if model_type in _ROBERTA else 0
    own = _json(body / "sentence_bert_config.json")
    positions = int(_need(directory, config, "max_position_embeddings")) - offset
    return ModelSpec(
        directory=directory,
        model_type=model_type,
        layers=int(_need(directory, config, "num_hidden_layers")),
        heads=int(_need(directory, config, "num_attention_heads")),
        hidden=int(_need(directory, config, "hidden_size")),
        activation=_activation(directory, str(config.get("hidden_act", "gelu"))),
        epsilon=float(config.get("layer_norm_eps", 1e-12)),
        position_offset=offset,
        padding_id=padding,
        max_tokens=min(positions, int(own.get("max_seq_length") or positions)),
        pooling=_pooling(directory, modules),
        dense=_dense(directory, modules),
        weights=weights,
        graph=graph,
        prompts=_prompts(directory),
        lowercase=bool(own.get("do_lower_case")),
    )


def _json(path: Path, *, required: bool = False) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if required:
            raise Misconfigured(
                f"{path.parent} has no {path.name}: it is not a model directory.", hint=_READABLE
            ) from None
        return {}
    except (OSError, ValueError) as exc:
        raise Misconfigured(f"{path} cannot be read: {exc}", hint="Fetch the model again.") from exc
    if not isinstance(content, dict):
        raise Misconfigured(f"{path} is not a JSON object.", hint="Fetch the model again.")
    return content


def _need(directory: Path, config: Mapping[str, Any], key: str) -> Any:
    if not isinstance(config.get(key), int):
        raise Misconfigured(f"The config.json of {directory.name} has no number {key}.", hint=_READABLE)
    return config[key]


def _refuse_variants(directory: Path, config: Mapping[str, Any]) -> None:
    position = config.get("position_embedding_type") or "absolute"
    if position != "absolute":
        raise Misconfigured(f"{directory.name} has {position} positions, which are not supported.", hint=_READABLE)
    if config.get("is_decoder"):
        raise Misconfigured(f"{directory.name} is a decoder, which is not supported.", hint=_READABLE)


def _modules(directory: Path) -> list[tuple[str, Path]]:
    """Returns (class name, folder) of the pipeline's steps."""
    path = directory / "modules.json"
    if not path.exists():
        return [("Transformer", directory)]
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return [
            (str(entry["type"]).rpartition(".")[2], directory / str(entry["path"]))
            for entry in sorted(entries, key=lambda entry: int(entry["idx"]))
        ]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise Misconfigured(f"{path} cannot be read: {exc}", hint="Fetch the model again.") from exc


def _body(directory: Path, modules: list[tuple[str, Path]]) -> Path:
    unknown = sorted({kind for kind, _ in modules} - {"Transformer", "Pooling", "Dense", "Normalize"})
    first = modules[0][0] if modules else "nothing"
    if unknown or first != "Transformer":
        raise Misconfigured(
            f"{directory.name} has steps that are not supported: {', '.join(unknown) or first}.",
            hint=_READABLE,
        )
    return modules[0][1]


def _activation(directory: Path, name: str) -> str:
    if name not in ACTIVATIONS:
        raise Misconfigured(f"{directory.name} uses the activation {name}, which is not supported.", hint=_READABLE)
    return name


def _weights(body: Path) -> tuple[Path, ...]:
    single = body / "model.safetensors"
    if single.is_file():
        return (single,)
    index = _json(body / "model.safetensors.index.json").get("weight_map", {})
    return tuple(body / name for name in sorted(set(index.values())))


def torch_weights(body: Path) -> tuple[Path, ...]:
    """Returns the files in which torch has saved the weights; none if there are none."""
    single = body / "pytorch_model.bin"
    if single.is_file():
        return (single,)
    index = _json(body / "pytorch_model.bin.index.json").get("weight_map", {})
    return tuple(body / name for name in sorted(set(index.values())))


def _graph(body: Path) -> Path | None:
    for pattern in ("openvino_model.xml", "openvino/openvino_model.xml", "model.onnx", "onnx/model.onnx"):
        if (body / pattern).is_file():
            return body / pattern
    return None


def _pooling(directory: Path, modules: list[tuple[str, Path]]) -> tuple[Pooling, ...]:
    folders = [folder for kind, folder in modules if kind == "Pooling"]
    config = _json(folders[0] / "config.json", required=True) if folders else {}
    if isinstance(config.get("pooling_mode"), str):
        wanted = {config["pooling_mode"]}
    else:
        wanted = {key for key, value in config.items() if key.startswith("pooling_mode_") and value is True}
    by_name = {
        "pooling_mode_cls_token": Pooling.CLS,
        "pooling_mode_max_tokens": Pooling.MAX,
        "pooling_mode_mean_tokens": Pooling.MEAN,
        "pooling_mode_lasttoken": Pooling.LAST,
    } | {kind.value: kind for kind in Pooling}
    if unknown := sorted(wanted - by_name.keys()):
        raise Misconfigured(f"{directory.name} pools by {', '.join(unknown)}, which is not supported.", hint=_READABLE)
    return tuple(dict.fromkeys(kind for name, kind in by_name.items() if name in wanted)) or (Pooling.MEAN,)


def _dense(directory: Path, modules: list[tuple[str, Path]]) -> tuple[Dense, ...]:
    layers = []
    for kind, folder in modules:
        if kind != "Dense":
            continue
        config = _json(folder / "config.json", required=True)
        function = str(config.get("activation_function", "torch.nn.modules.activation.Tanh")).rpartition(".")[2]
        if function not in _DENSE_ACTIVATIONS:
            raise Misconfigured(f"{directory.name} uses {function}, which is not supported.", hint=_READABLE)
        if not (folder / "model.safetensors").is_file():
            raise Misconfigured(
                f"{directory.name} has no {folder.name}/model.safetensors.",
                hint="Fetch the model again, or convert its weights to safetensors.",
            )
        layers.append(Dense(folder / "model.safetensors", _DENSE_ACTIVATIONS[function]))
    return tuple(layers)


def _prompts(directory: Path) -> dict[str, str]:
    prompts = _json(directory / "config_sentence_transformers.json").get("prompts") or {}
    document = prompts.get("document") or prompts.get("passage") or ""
    found = {"query": str(prompts.get("query") or ""), "document": str(document)}
    return {kind: prompt for kind, prompt in found.items() if prompt}
