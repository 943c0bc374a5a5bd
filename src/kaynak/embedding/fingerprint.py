"""What makes two models' vectors interchangeable."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from kaynak.embedding.spec import ModelSpec

_PIECE = 1024 * 1024


def fingerprint_of(spec: ModelSpec, tokenizer: str) -> str:
    """Returns a digest of the weights and of all that shapes the vectors: 32 hexadecimal digits.

    Every byte of the weights counts (0.1 s for 90 MB). The precision does not: vectors in bf16 and f32 have a
    cosine of .9999 and more, which moves no ranking, and a catalog must survive a move to another CPU.
    Neither does the runtime, for the same reason.
    """
    digest = hashlib.blake2b(digest_size=16)
    files = [*spec.weights, *(dense.weights for dense in spec.dense)]
    if spec.graph is not None:
        files += [spec.graph, *sorted(spec.graph.parent.glob(f"{spec.graph.stem}*.bin"))]
        files += sorted(spec.graph.parent.glob(f"{spec.graph.name}*data"))
    for path in files:
        _add_file(digest, path)
    described = {
        "tokenizer": tokenizer,
        "pooling": [kind.value for kind in spec.pooling],
        "dense": [dense.activation for dense in spec.dense],
        "prompts": dict(sorted(spec.prompts.items())),
        "max_tokens": spec.max_tokens,
        "architecture": [
            spec.model_type,
            spec.layers,
            spec.heads,
            spec.hidden,
            spec.activation,
            spec.epsilon,
        ],
        "position_offset": spec.position_offset,
    }
    digest.update(json.dumps(described, sort_keys=True).encode())
    return digest.hexdigest()


def _add_file(digest: hashlib.blake2b, path: Path) -> None:
    digest.update(path.stat().st_size.to_bytes(8, "little"))
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
