"""Finds the split of a file by the names of its folders and of itself."""

from collections.abc import Mapping

from components.example_gen.splits import DECLARED, NO_SPLIT
from imdb_core.errors import SourceError
from imdb_core.excerpts import excerpt
from imdb_core.reviews.parts import Part, PartOf, any_part, is_unlabelled, words_of
from imdb_core.settings import DataSettings


def part_of(data: DataSettings) -> PartOf:
    """Returns what decides about a file by its path below the root of the source, by the settings `data.splits`."""
    names = split_names_of(data)

    def decide(path: str) -> Part:
        part = any_part(path)
        if part.left_out:
            return part
        if is_unlabelled(path):
            return Part(left_out="unlabelled")
        split = split_of(path, names)
        return Part(left_out="data.splits leaves it out") if split == NO_SPLIT else Part(split)

    return decide


def split_names_of(data: DataSettings) -> Mapping[str, str]:
    """Returns the split of each name, in lower case: the usual names and those of `data.splits`."""
    return {**DECLARED, **{name.strip().lower(): split for name, split in data.splits.items()}}


def split_of(path: str, names: Mapping[str, str]) -> str | None:
    """Returns the split that the names of folders and of the file say; None if they say none.

    A name counts if it is a whole word of a folder's or file's name, or all of that name.

    Raises:
        SourceError: They say different splits.
    """
    said: dict[str, str] = {}
    for name in path.split("/"):
        whole = name.lower()
        stem = whole.partition(".")[0]
        words = words_of(name) | {whole, stem}
        found = {names[word]: word for word in sorted(words & names.keys())}
        # `train_test.csv` names both, and so none.
        if len(found) == 1:
            said.update(found)
    if len(said) > 1:
        both = " and ".join(f"{word!r} ({split})" for split, word in said.items())
        raise SourceError(
            f"data.source: the path {excerpt(path, 500)} names two splits, {both}; rename a folder, or set "
            f'data.splits, such as data.splits = {{{next(iter(said.values()))} = "none"}}'
        )
    return next(iter(said), None)
