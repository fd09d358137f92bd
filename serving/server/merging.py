"""Calls that go through the network as one: their rows put together, and taken apart again."""

import itertools
from collections.abc import Hashable, Mapping, Sequence

import grpc
import numpy as np

from serving.server.errors import StatusError
from serving.server.servable import Array, Servable

Outputs = dict[str, Array]


def inner_shapes(
    servable: Servable, signature: str, inputs: Mapping[str, Array], outputs: tuple[str, ...] | None
) -> Hashable | None:
    """Says what must be alike in calls that are merged.

    Args:
        servable: to run.
        signature: a key of its signatures.
        inputs: of the call.
        outputs: that are asked for; None for all.

    Returns:
        Dtypes and inner shapes of the inputs; None if the call cannot be merged with any.
    """
    if not servable.takes_any_rows(signature, outputs):
        return None
    rows = {array.shape[:1] for array in inputs.values()}
    if len(rows) != 1 or () in rows:
        return None
    return tuple(sorted((alias, array.dtype, array.shape[1:]) for alias, array in inputs.items()))


def merge(calls: Sequence[Mapping[str, Array]], rows: int) -> dict[str, Array]:
    """Puts rows after rows.

    Args:
        calls: the inputs of each, of the same inner shapes.
        rows: of the result, at least those of all calls. Where there are not enough the first one is repeated, as
            TensorFlow Serving pads.
    """
    merged = {}
    for alias in calls[0]:
        parts = [call[alias] for call in calls]
        missing = rows - sum(map(len, parts))
        merged[alias] = np.concatenate([*parts, *([parts[0][:1]] * missing)]) if len(parts) + missing > 1 else parts[0]
    return merged


def split(outputs: Outputs, sizes: Sequence[int], rows: int) -> list[Outputs]:
    """Gives every call its rows.

    Args:
        outputs: of all calls together.
        sizes: rows of each call.
        rows: that the signature ran with, padding included.

    Raises:
        StatusError: FAILED_PRECONDITION; the signature does not keep what it says about its outputs.
    """
    if len(sizes) == 1 and sizes[0] == rows:
        return [outputs]
    for array in outputs.values():
        if array.shape[:1] != (rows,):
            raise StatusError(
                grpc.StatusCode.FAILED_PRECONDITION,
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
                "tensors",
            )
    ends = list(itertools.accumulate(sizes))
    return [
        {alias: array[end - size : end] for alias, array in outputs.items()}
        for size, end in zip(sizes, ends, strict=True)
    ]
