from typing import Annotated, Any, Literal

import pytest
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from imdb_core.validation import expectation


@pytest.mark.parametrize(
    ("expected_type", "value", "message"),
    [
        (bool, 1, "expected true or false"),
        (int, "3", "expected a whole number"),
        (float, "fast", "expected a number"),
        (str, 3, "expected text"),
        (tuple[str, ...], "good", "expected a list"),
        (Annotated[int, Field(ge=1)], 0, "expected greater than or equal to 1"),
        (Literal["time", "last"], "words", "expected 'time' or 'last'"),
        (Annotated[str, Field(min_length=1)], "", "the text should have at least 1 character"),
    ],
)
def test_the_expected_value_is_described_in_plain_words(expected_type: Any, value: object, message: str):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(expected_type, config=ConfigDict(strict=True)).validate_python(value)
    assert expectation(caught.value.errors()[0]) == message
