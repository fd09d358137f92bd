"""One wording for the errors of pydantic, plainer than its own."""

from typing import Final

from pydantic_core import ErrorDetails

_EXPECTED: Final = {
    "bool_type": "expected true or false",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "string_type": "expected text",
    "tuple_type": "expected a list",
}


def expectation(details: ErrorDetails) -> str:
    """Describes what the value in an item of `ValidationError.errors()` should be: `expected a whole number`."""
    plain = details["msg"].replace("Input should be", "expected").replace("String should", "the text should")
    return _EXPECTED.get(details["type"], plain)
