from __future__ import annotations

import contextlib
import json
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.server.api.json_document import format_error, has_one_member, members_of, parse_object, shown
from serving.server.errors import ServingError

DOCUMENTS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text('aé🎬\\"\n'), st.lists),
)


def problem(body: bytes) -> str:
    with pytest.raises(ServingError) as caught:
        parse_object(body)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    return caught.value.message.removeprefix("JSON Parse error: ")


# The messages and offsets that RapidJSON gives.
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "The document is empty"),
        (" \n", "The document is empty. at offset: 2"),
        ("\ufeff ", "The document is empty. at offset: 4"),
        ("\0{}", "The document is empty. at offset: 0"),
        ("instances = [1, 2]", "Invalid value. at offset: 0"),
        ('{"instances": [1,', "Invalid value. at offset: 17"),
        ('{"é": x}', "Invalid value. at offset: 7"),
        ("{x: 1}", "Missing a name for object member. at offset: 1"),
        ('{"x" 1}', "Missing a colon after a name of object member. at offset: 5"),
        ('{"x": 1 2}', "Missing a comma or } after an object member. at offset: 8"),
        ('{"x": [1 2]}', "Missing a comma or ] after an array element. at offset: 9"),
        ('{"x": [{"y": "[{"}], "z": {} 2}', "Missing a comma or } after an object member. at offset: 29"),
        ('{"x": "abc', "Missing a closing quotation mark in string. at offset: 6"),
        ('{"x": "a\tb"}', "Invalid encoding in string. at offset: 8"),
        (r'{"x": "\q"}', "Invalid escape character in string. at offset: 7"),
        (r'{"x": "\u12"}', "Incorrect hex digit after \\u escape in string. at offset: 8"),
        (r'{"x": "\ud800"}', "The surrogate pair in string is invalid."),
        ('{"x": 1} {}', "The document root must not be followed by other values. at offset: 9"),
        ('{"x": 1}\n]', "The document root must not be followed by other values. at offset: 9"),
        ("[" * 10**5, "Number too long or lists nested too deep."),
        ('{"x": ' + "1" * 10**4 + "}", "Number too long or lists nested too deep."),
        ("[1]", "JSON Value: [\n    1\n] Is not object"),
    ],
)
def test_a_body_that_is_no_object_is_refused(body: str, message: str) -> None:
    assert problem(body.encode()) == message


def test_a_body_that_is_no_utf_8_is_refused() -> None:
    assert problem(b'{"inputs": "\xff"}') == "Invalid encoding in string."


@pytest.mark.parametrize(
    "body", ['{"x": 1}', '\ufeff{"x": 1}', ' {"x":\r\n1}\t\n', '{"x": 1}\0', '{"x": 1} \0 {"x": 2}']
)
def test_marks_and_space_around_a_document_are_not_part_of_it(body: str) -> None:
    assert parse_object(body.encode()) == {"x": 1}


@given(DOCUMENTS)
def test_a_parsed_body_equals_the_document(document: dict[str, Any]) -> None:
    for escaped in (True, False):
        assert parse_object(json.dumps(document, ensure_ascii=escaped).encode()) == document


@given(st.binary() | st.text('{}[]":,.0123eE+-nulltrue\\ud8 \0\ufeff').map(str.encode))
def test_any_bytes_are_a_document_or_refused(body: bytes) -> None:
    with contextlib.suppress(ServingError):  # the only error
        assert isinstance(parse_object(body), dict)


def test_the_first_of_repeated_keys_counts_and_all_of_them_are_members() -> None:
    document = parse_object(b'{"x": 1, "y": 2, "x": 3}')
    assert (document["x"], document["y"]) == (1, 2)
    assert list(members_of(document)) == [("x", 1), ("y", 2), ("x", 3)]
    assert list(members_of({"x": 1})) == [("x", 1)]
    assert not has_one_member(parse_object(b'{"x": 1, "x": 1}'))
    assert has_one_member(parse_object(b'{"x": 1}'))


def test_a_value_in_a_message_is_cut() -> None:
    assert shown({"x": [1]}) == '{\n    "x": [\n        1\n    ]\n}'
    assert len(shown([1] * 10**6)) < 10_000
    assert format_error(5, "Is not object").message == "JSON Value: 5 Is not object"
