"""Finds the columns of a table that hold the text, the label, the split and the rating."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from imdb_core.excerpts import excerpt
from imdb_core.settings import TableSettings

AUTO: Final = "auto"

# The usual names for `auto`; the first wins, and two of the others in one table are ambiguous.
TEXT_NAMES: Final = ("text", "review", "review_text", "reviewtext", "content", "comment", "sentence", "body", "phrase")
LABEL_NAMES: Final = ("label", "sentiment", "polarity", "class", "target")
KEY_NAME: Final = "id"


class AmbiguousColumnError(Exception):
    """Two columns could be meant; the message names both."""


@dataclass(frozen=True)
class Columns:
    """The names of the columns of a table; None where it has no such column.

    A name may be the path of a nested value, such as `review.text`. In a CSV file, `places` are their indices.
    """

    text: str | None = None
    label: str | None = None
    split: str | None = None
    rating: str | None = None
    key: str | None = None

    def __str__(self) -> str:
        named = (("text", self.text), ("label", self.label), ("split", self.split), ("rating", self.rating))
        return ", ".join(f"{what} in {excerpt(name)!r}" for what, name in named if name is not None)


def find_columns(names: Sequence[str], table: TableSettings) -> Columns:
    """Finds the columns that the settings mean.

    Args:
        names: The names of a table's columns, or the keys of its objects, nested ones joined by dots.
        table: The settings.

    Raises:
        AmbiguousColumnError: Two columns could be meant.
    """
    return Columns(
        text=_find(names, "text", table.text_column, TEXT_NAMES),
        label=_find(names, "label", table.label_column, LABEL_NAMES),
        split=_find(names, "split", table.split_column),
        rating=_find(names, "rating", table.rating_column),
        key=_find(names, "id", KEY_NAME),
    )


def place_of(names: Sequence[str], name: str | None) -> int | None:
    """Returns the index of a column that `find_columns` found."""
    return None if name is None else names.index(name) if name in names else int(name) - 1


def value_at(fields: Mapping[str, Any], name: str | None) -> object:
    """Returns the value of a column of an object, which may be nested; None if the object has none."""
    if name is None or name in fields:
        return fields.get(name)  # type: ignore[arg-type]  # no object has a key None
    value: Any = fields
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _find(names: Sequence[str], what: str, setting: str, usual: Sequence[str] = ()) -> str | None:
    found: str | None
    if setting != AUTO or not usual:
        found = _named(names, what, setting)
        if found is None and setting.isdecimal() and 0 < int(setting) <= len(names):
            numbered = names[int(setting) - 1]
            return numbered if names.count(numbered) == 1 else setting
        return found
    first, *others = usual
    if (found := _named(names, what, first)) is not None:
        return found
    present = [one for other in others if (one := _named(names, what, other)) is not None]
    if len(present) > 1:
        raise AmbiguousColumnError(
            f"the columns {' and '.join(repr(excerpt(one)) for one in present)} could both hold the {what}"
        )
    return present[0] if present else None


def _named(names: Sequence[str], what: str, wanted: str) -> str | None:
    exact = [(number, name) for number, name in enumerate(names, 1) if name.strip() == wanted.strip()]
    # Other capitals are other names only where both occur.
    found = exact or [(number, name) for number, name in enumerate(names, 1) if name.strip().lower() == wanted.lower()]
    if len(found) > 1:
        numbers = " and ".join(str(number) for number, _ in found)
        shown = ", ".join(repr(excerpt(name)) for _, name in found)
        raise AmbiguousColumnError(f"the columns {numbers} ({shown}) could all hold the {what}")
    return found[0][1] if found else None
