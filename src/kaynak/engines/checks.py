"""Rules on arguments that all engines share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np

from kaynak.domain import OF_THE_MODEL, WEIGHTS, InvalidRequest, Unsupported
from kaynak.engines.protocol import DenseSpec, Entry, LexicalSpec, Point, Vector, VectorField

MAX_LIMIT = 10_000
MAX_TOKEN = 2**32 - 1
LEAST_WEIGHT, MOST_WEIGHT = 2.0**-24, 65_504.0
"""What a float16 can hold."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


def check_name(name: str) -> str:
    """Returns ``name`` if it can name an index or a vector field.

    Raises:
        InvalidRequest: It cannot.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest(f"“{name[:60]}” cannot name an index or a vector field.")
    return name


def check_limit(limit: int) -> int:
    """Returns ``limit`` if it is between 1 and `MAX_LIMIT`.

    Raises:
        InvalidRequest: It is not.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidRequest(f"The limit must be between 1 and {MAX_LIMIT:,}, not {limit}.")
    return limit


def check_params(spec: DenseSpec | LexicalSpec, known: Sequence[str]) -> None:
    """Refuses parameters that an engine does not know, as they would be ignored.

    Raises:
        Unsupported: There is one.
    """
    unknown = sorted(set(spec.params) - set(known))
    if unknown:
        allowed = ", ".join(known) or "none"
        raise Unsupported(f"Unknown index parameters: {', '.join(unknown)}.", hint=f"Known here: {allowed}.")


def check_fields(spec: DenseSpec) -> None:
    """Checks names and dimensions of the vector fields.

    Raises:
        InvalidRequest: One is malformed, or there is none, or a name stands twice.
    """
    names = [check_name(one.name) for one in spec.fields]
    if not names or len(set(names)) != len(names):
        raise InvalidRequest("A dense index needs vector fields with different names.")
    if any(one.dimensions < 1 for one in spec.fields):
        raise InvalidRequest("A vector field needs at least one dimension.")


def pick_field(fields: Sequence[VectorField], name: str | None) -> VectorField:
    """Returns the named field, or the only one.

    Raises:
        InvalidRequest: There is none of that name, or several and no name.
    """
    if name is None and len(fields) == 1:
        return fields[0]
    for one in fields:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in fields)
    raise InvalidRequest(f"Name one of the vector fields: {known}.")


def check_vector(vector: Vector, field: VectorField) -> Vector:
    """Returns the vector as contiguous float32.

    Raises:
        InvalidRequest: Its shape is not ``(dimensions,)`` or a number in it is not finite.
    """
    array = np.ascontiguousarray(vector, dtype=np.float32)
    if array.shape != (field.dimensions,):
        raise InvalidRequest(f"A vector of “{field.name}” has {field.dimensions} numbers, not {array.shape}.")
    if np.count_nonzero(np.isfinite(array)) < len(array):  # several times as fast as all()
        raise InvalidRequest(f"A vector of “{field.name}” has a number that is not finite.")
    return array


def check_numbers(vector: Vector, field: VectorField) -> list[float]:
    """Returns the vector as a list; otherwise as `check_vector`, in half the time."""
    numbers: list[float] = np.asarray(vector, dtype=np.float32).tolist()
    # The sum of some thousand floats of 32 bits is within the range of 64, so that it is finite if they are.
    if np.shape(vector) != (field.dimensions,) or not isfinite(sum(numbers)):
        check_vector(vector, field)
    return numbers


def check_points(points: Sequence[Point], fields: Sequence[VectorField]) -> None:
    """Checks the vectors of points.

    Raises:
        InvalidRequest: A vector is malformed or of no field, or a point has none.
    """
    if all(len(one.vectors) == len(fields) for one in points) and all(_well_formed(points, one) for one in fields):
        return
    known = {field.name: field for field in fields}
    for point in points:
        if not point.vectors:
            raise InvalidRequest(f"Point {point.id} has no vector.")
        for name, vector in point.vectors.items():
            check_vector(vector, pick_field(fields, name) if name not in known else known[name])


def _well_formed(points: Sequence[Point], field: VectorField) -> bool:
    """Returns whether all vectors of a field are beyond doubt. Together that costs next to nothing."""
    vectors = [point.vectors.get(field.name) for point in points]
    if not all(isinstance(one, np.ndarray) and one.shape == (field.dimensions,) for one in vectors):
        return False
    return not vectors or bool(np.isfinite(np.stack(vectors)).all())  # type: ignore[arg-type]


def check_weighted(spec: LexicalSpec) -> bool:
    """Returns whether an index of learnt weights is asked for.

    Raises:
        Unsupported: It is to be fed with something else.
    """
    if WEIGHTS in spec.params and not spec.weighted:
        raise Unsupported(f"{WEIGHTS} must be “{OF_THE_MODEL}”.", hint="Leave it out for an index of words.")
    return spec.weighted


def check_kind(name: str, *, weighted: bool, wanted: bool) -> None:
    """Refuses a search of an index of words by weights, and the other way round.

    Raises:
        InvalidRequest: It is such a search.
    """
    if weighted != wanted:
        holds, by = ("learnt weights", "words") if weighted else ("words", "learnt weights")
        raise InvalidRequest(f"Index “{name}” holds {holds}, and cannot be searched by {by}.")


def check_weights(weights: Mapping[int, float]) -> Mapping[int, float]:
    """Returns weights of tokens as they came.

    Raises:
        InvalidRequest: An id is none, or a weight is none that a float16 can hold.
    """
    for token, weight in weights.items():
        if isinstance(token, bool) or not isinstance(token, int | np.integer) or not 0 <= token <= MAX_TOKEN:
            raise InvalidRequest(f"{str(token)[:40]} cannot be the id of a token.")
        if not isinstance(weight, int | float | np.floating) or not LEAST_WEIGHT <= weight <= MOST_WEIGHT:
            raise InvalidRequest(f"{weight} cannot be the weight of a token.")
    return weights


def check_weighted_entries(entries: Sequence[Entry]) -> None:
    """Checks the entries of an index of learnt weights.

    Raises:
        InvalidRequest: One has no weights, not even an empty set of them, or wrong ones.
    """
    for entry in entries:
        if entry.weights is None:
            raise InvalidRequest(f"Entry {entry.id} has no weights.")
        check_weights(entry.weights)
