import pytest
from hypothesis import given
from hypothesis import strategies as st

from imdb_core.features import LENGTH_BUCKETS, LONGEST_BUCKET, NEGATIVE, POSITIVE, labels_by_spelling, length_bucket


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (0, "001-050"),
        (1, "001-050"),
        (50, "001-050"),
        (51, "051-100"),
        (100, "051-100"),
        (101, "101-200"),
        (200, "101-200"),
        (201, "201-400"),
        (400, "201-400"),
        (401, "401+"),
        (5000, "401+"),
    ],
)
def test_a_review_belongs_to_the_bucket_of_its_number_of_words(words, name):
    assert length_bucket(" ".join(["word"] * words)) == name


@given(st.text())
def test_words_are_separated_by_white_space_alone(text):
    assert length_bucket(text) == length_bucket("  ".join("word" for _ in text.split()))


def test_names_sort_by_length():
    names = [*(name for _, name in LENGTH_BUCKETS), LONGEST_BUCKET]
    assert names == sorted(names)


def test_the_spellings_of_labels_are_compared_in_lower_case():
    labels = labels_by_spelling(["0", "Neg"], ["POS"])
    assert labels == {"0": NEGATIVE, "neg": NEGATIVE, "pos": POSITIVE}
