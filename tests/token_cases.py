"""The table of texts on which the graph, the Python rule and the page's JavaScript must agree."""

import json
from pathlib import Path
from typing import Any

import pytest

# Of each case: `text`; `pieces`, its words as they are spelt, and "\n" for each line break; `words`, as the vocabulary
# spells them; `normalized`, the words if reviews are normalized, where these are others.
TOKEN_CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))

for_each_token_case = pytest.mark.parametrize("case", TOKEN_CASES, ids=[case["name"] for case in TOKEN_CASES])


def words_of_case(case: dict[str, Any], *, normalize: bool) -> list[str]:
    """Returns the words of a case by one of the two rules."""
    words: list[str] = case.get("normalized", case["words"]) if normalize else case["words"]
    return words
