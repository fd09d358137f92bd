"""The table of texts on which the graph, the Python rule and the page's JavaScript must agree."""

import json
from pathlib import Path
from typing import Any

import pytest

# Of each case: `text`; `pieces`, its words as they are spelt, and "\n" for each line break; `words`, as the vocabulary
# spells them.
TOKEN_CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))

for_each_token_case = pytest.mark.parametrize("case", TOKEN_CASES, ids=[case["name"] for case in TOKEN_CASES])
