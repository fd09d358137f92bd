"""JSON arrays, single objects and lines, however they are cut into blocks."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imdb_core.reviews.json_tables import Twice, names_of, read_array, read_lines
from imdb_core.reviews.rows import RejectedRow

OBJECTS = st.lists(st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.booleans()) | st.none()))


class Trickle(io.StringIO):
    """A stream that gives one character at a time, however many are asked for."""

    def read(self, size: int | None = -1) -> str:
        return super().read(min(1, size or 1))


def plain(numbered):
    return [(number, "rejected" if isinstance(found, RejectedRow) else found) for number, found in numbered]


@given(OBJECTS, st.sampled_from([None, 0, 2]), st.booleans())
def test_an_array_is_read_as_it_was_written(objects, indent, slowly):
    stream = (Trickle if slowly else io.StringIO)(json.dumps(objects, indent=indent))
    assert plain(read_array(stream, "f")) == list(enumerate(objects, 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("[]", []),
        ("\ufeff[ ]\n", []),
        ('{"a": 1}', [(1, {"a": 1})]),
        ('[{"a": 1}, 5, "x", {"a": 2}]', [(1, {"a": 1}), (2, "rejected"), (3, "rejected"), (4, {"a": 2})]),
        ('[{"a": 1}, {"a": ', [(1, {"a": 1}), (2, "rejected")]),
        ('[{"a": 1}', [(1, {"a": 1}), (2, "rejected")]),
        ("[" * 10**5, []),
    ],
)
def test_what_is_no_object_is_rejected(text, expected):
    found = plain(read_array(io.StringIO(text), "f"))
    assert found[: len(expected)] == expected
    assert all(row == "rejected" for _, row in found[len(expected) :])


def test_lines():
    text = '\ufeff{"a": 1}\n\n{"a": \n[1]\n{"a": "\udcff"}\n{"a": 2}'
    found = list(read_lines(io.StringIO(text), "f"))
    assert plain(found) == [(1, {"a": 1}), (3, "rejected"), (4, "rejected"), (5, "rejected"), (6, {"a": 2})]
    assert [row.reason for _, row in found if isinstance(row, RejectedRow)] == ["malformed", "malformed", "bad_utf8"]


def test_keys_that_are_given_twice_are_known():
    ((_, found),) = read_lines(io.StringIO('{"a": 1, "b": 2, "a": 3}'), "f")
    assert isinstance(found, Twice)
    assert found.keys_twice == {"a"}


def test_names_of_nested_values():
    assert list(names_of({"a": 1, "b": {"c": {"d": 1}}})) == ["a", "b", "b.c", "b.c.d"]
