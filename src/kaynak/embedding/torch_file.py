"""Tensors out of files that torch has saved, without torch, and without running what such a file may hold.

The file is a zip whose ``data.pkl`` is a pickle of the names and shapes, and whose other entries are the numbers. The
unpickler here knows the four functions that a plain dictionary of tensors needs, replaced by ones that only write down
what they were given. Anything else a pickle may ask for is refused before it is called.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MOST_PICKLE = 16 * 1024 * 1024
_LOCAL_HEADER = 30
_STORAGES = {
    "DoubleStorage": ("F64", 8),
    "FloatStorage": ("F32", 4),
    "HalfStorage": ("F16", 2),
    "BFloat16Storage": ("BF16", 2),
    "LongStorage": ("I64", 8),
    "IntStorage": ("I32", 4),
    "ByteStorage": ("U8", 1),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """Where the numbers of a tensor are in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Kind:
    dtype: str
    size: int


@dataclass(frozen=True, slots=True)
class _Storage:
    kind: _Kind
    key: str


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]


def read_entries(path: Path) -> Iterator[Entry]:
    """Yields the tensors of the dictionary in ``path``.

    Raises:
        ValueError: It is no file of torch's, or holds more than a dictionary of tensors.
        OSError: It cannot be read.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            infos = {info.filename.partition("/")[2]: info for info in archive.infolist()}
            if "data.pkl" not in infos or infos["data.pkl"].file_size > _MOST_PICKLE:
                raise ValueError("it is not a file of torch's")
            if "byteorder" in infos and archive.read(infos["byteorder"]).strip() not in (b"little", b""):
                raise ValueError("its numbers are in big-endian order")
            content = _Unpickler(io.BytesIO(archive.read(infos["data.pkl"]))).load()
            if not isinstance(content, dict):
                raise ValueError("it does not hold a dictionary of tensors")
            for name, tensor in content.items():
                if isinstance(tensor, _Tensor):
                    yield _entry(file, infos, str(name), tensor)
    except (zipfile.BadZipFile, pickle.UnpicklingError, KeyError, EOFError, IndexError, AttributeError) as exc:
        raise ValueError(f"it is not a file of torch's: {exc}") from exc
    except (TypeError, struct.error, NotImplementedError) as exc:
        raise ValueError(f"it holds more than tensors: {exc}") from exc


def _entry(file: Any, infos: dict[str, zipfile.ZipInfo], name: str, tensor: _Tensor) -> Entry:
    info = infos[f"data/{tensor.storage.key}"]
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError("its numbers are compressed")
    # The name and the padding of an entry may be of another length here than in the directory at the end.
    file.seek(info.header_offset)
    header = file.read(_LOCAL_HEADER)
    name_size, extra_size = struct.unpack("<HH", header[26:30])
    begin = info.header_offset + _LOCAL_HEADER + name_size + extra_size
    size = tensor.storage.kind.size
    start = begin + tensor.offset * size
    end = start + math.prod(tensor.shape) * size
    if not begin <= start <= end <= begin + info.file_size:
        raise ValueError("a tensor lies outside its numbers")
    return Entry(name, tensor.storage.kind.dtype, tensor.shape, start, end)


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> _Tensor:
    sizes = tuple(int(size) for size in shape)
    steps: list[int] = []
    plain = 1
    for size in reversed(sizes):
        steps.insert(0, plain)
        plain *= size
    if not isinstance(storage, _Storage) or int(offset) < 0 or min(sizes, default=0) < 0:
        raise pickle.UnpicklingError("a tensor without numbers")
    if any(size > 1 and int(step) != want for size, step, want in zip(sizes, stride, steps, strict=True)):
        raise ValueError("a tensor is a view of another one")
    return _Tensor(storage, int(offset), sizes)


def _rebuild_parameter(tensor: Any, *_: Any) -> Any:
    return tensor


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _rebuild_parameter
        if module == "torch" and name in _STORAGES:
            return _Kind(*_STORAGES[name])
        raise pickle.UnpicklingError(f"it asks for {module}.{name}"[:120])

    def persistent_load(self, pid: Any) -> _Storage:
        what, kind, key, *_ = pid
        if what != "storage" or not isinstance(kind, _Kind):
            raise pickle.UnpicklingError("it asks for something that is no storage")
        return _Storage(kind, str(key))
