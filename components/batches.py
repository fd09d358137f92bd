"""Cuts sequences into batches."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cuts a sequence into lists, taking no more of it than the list at hand needs.

    Args:
        items: of any number.
        size: of each list but the last.
    """
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
