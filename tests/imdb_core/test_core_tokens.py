import string
import time
from typing import Any

import pytest
from awkward_texts import AWKWARD_TEXTS, SECONDS
from token_cases import TOKEN_CASES, for_each_token_case, words_of_case

from imdb_core.tokens import PIECE, folded, words


@for_each_token_case
def test_a_text_is_cut_into_the_pieces_of_the_table(case: dict[str, Any]) -> None:
    pieces = ["\n" if match["line_break"] else match["word"] for match in PIECE.finditer(case["text"])]
    assert pieces == case["pieces"]


@pytest.mark.parametrize("normalize", [False, True])
@for_each_token_case
def test_words_are_those_of_the_table(case: dict[str, Any], normalize: bool) -> None:
    assert words(case["text"], normalize=normalize) == words_of_case(case, normalize=normalize)


@for_each_token_case
def test_a_word_folds_to_the_same_form_in_both_spellings(case: dict[str, Any]) -> None:
    spelt = [piece for piece in case["pieces"] if piece != "\n"]
    assert [folded(word) for word in spelt] == [folded(word) for word in case["words"]]


def test_different_words_fold_to_different_forms() -> None:
    assert len({folded(word) for word in ("film", "films", "don't", "dont", "a\ufffd", "a", "É", "E")}) == 8


def test_only_white_space_and_punctuation_but_the_apostrophe_separate_words() -> None:
    for code in range(0x110000):
        character = chr(code)
        separates = character.isspace() or (character in string.punctuation and character != "'")
        assert (len(PIECE.findall(f"a{character}b")) == 2) == separates, hex(code)


def test_the_table_has_every_separator_and_all_white_space() -> None:
    texts = "".join(case["text"] for case in TOKEN_CASES)
    assert set(texts) >= set(string.punctuation) | {chr(code) for code in range(0x110000) if chr(code).isspace()}


@pytest.mark.parametrize("text", AWKWARD_TEXTS.values(), ids=AWKWARD_TEXTS)
def test_the_time_grows_with_the_length_of_a_text_alone(text: str) -> None:
    started = time.process_time()
    words(text, normalize=True)
    assert time.process_time() - started < SECONDS
