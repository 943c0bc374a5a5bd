"""A real but tiny BGE-M3 in the layout of its hub, with random weights; its torch files are written without torch."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kaynak.testing.tiny_model import write_tiny_model

_STORAGES = {"float32": b"FloatStorage", "float16": b"HalfStorage", "int64": b"LongStorage"}


def write_tiny_m3(
    directory: Path,
    *,
    weights: Literal["safetensors", "torch"] = "torch",
    heads: Literal["safetensors", "torch"] = "torch",
    max_tokens: int = 32,
    seed: int = 0,
) -> Path:
    """Writes a model as BAAI/bge-m3 lies in its hub: pytorch_model.bin, sparse_linear.pt and colbert_linear.pt.

    Args:
        directory: Made if it is not there.
        weights: Format of the encoder.
        heads: Format of the heads.
        max_tokens: Longest input, special tokens included.
        seed: Of the weights.

    Returns:
        ``directory``.
    """
    from safetensors.numpy import load_file, save_file

    hidden = 32
    write_tiny_model(
        directory, model_type="xlm-roberta", pooling="cls", hidden=hidden, max_tokens=max_tokens, seed=seed
    )
    if weights == "torch":
        plain = directory / "model.safetensors"
        write_torch_file(directory / "pytorch_model.bin", load_file(plain))
        plain.unlink()
    random = np.random.default_rng(seed + 7)
    for name, size in (("sparse_linear", 1), ("colbert_linear", hidden)):
        tensors = {
            "weight": random.standard_normal((size, hidden), dtype=np.float32) / 4,
            "bias": random.standard_normal(size, dtype=np.float32) / 4,
        }
        if heads == "torch":
            write_torch_file(directory / f"{name}.pt", tensors)
        else:
            save_file(tensors, directory / f"{name}.safetensors")
    return directory


def write_torch_file(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Writes what ``torch.save`` writes for a dictionary of tensors."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", pickled(tensors))
        archive.writestr("archive/byteorder", b"little")
        for at, tensor in enumerate(tensors.values()):
            archive.writestr(f"archive/data/{at}", np.ascontiguousarray(tensor).tobytes())
        archive.writestr("archive/version", b"3\n")


def pickled(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Returns the pickle of such a file, instruction by instruction: torch's own classes are not here to be pickled."""
    ordered = b"ccollections\nOrderedDict\n)R"
    parts = [b"\x80\x02", ordered]
    for at, (name, tensor) in enumerate(tensors.items()):
        strides = [step // tensor.itemsize for step in tensor.copy(order="C").strides]
        storage = b"(" + _text("storage") + b"ctorch\n" + _STORAGES[tensor.dtype.name] + b"\n" + _text(str(at))
        storage += _text("cpu") + _number(tensor.size) + b"tQ"
        sizes = b"(" + b"".join(map(_number, tensor.shape)) + b"t(" + b"".join(map(_number, strides)) + b"t"
        built = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + _number(0) + sizes + b"\x89" + ordered + b"tR"
        parts.append(_text(name) + built + b"s")
    return b"".join([*parts, b"."])


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def _number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)
