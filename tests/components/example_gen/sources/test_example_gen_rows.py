import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.example_gen.sources.rows import IgnoredRow, RowRules, ValidRow
from imdb_core.excerpts import excerpt
from imdb_core.reviews.rows import RawRow, RejectedRow
from imdb_core.settings import DataSettings
from imdb_core.spelling import spelling

RULES = RowRules.of(DataSettings(max_bytes=20))


def raw(text="fine", label="pos", split=None, rating=None):
    return RawRow("f.csv", 3, "f.csv:3", text, label, split, rating)


def test_a_good_row_keeps_its_text_exactly():
    text = " Ça\tva\0<br /> "
    assert RULES.check(raw(text, split="Valid", rating="9")) == ValidRow("f.csv:3", text, text.encode(), 1, 9, "eval")


def test_bytes_and_str_give_the_same_row():
    assert RULES.check(raw("é")) == RULES.check(raw("é".encode()))


@pytest.mark.parametrize(
    ("row", "reason", "shown"),
    [
        (raw(None), "no_text", ""),
        (raw(""), "no_text", ""),
        (raw(" \n\t\u00a0\u2003"), "no_text", " \\n\\t\u00a0\u2003"),
        (raw(5), "malformed", "5"),
        (raw(b"caf\xe9"), "bad_utf8", "caf\\xe9"),
        (raw(b"caf\xe9".decode(errors="surrogateescape")), "bad_utf8", "caf\\xe9"),
        (raw("x" * 21), "too_long", "x" * 21),
        (raw("é" * 11), "too_long", "é" * 11),
        (raw(label="maybe"), "unknown_label", "maybe"),
        (raw(label=None), "unknown_label", ""),
        (raw(label=0.5), "unknown_label", "0.5"),
        (raw(label=math.nan), "unknown_label", "nan"),
    ],
)
def test_a_bad_row_is_rejected_with_its_reason(row, reason, shown):
    assert RULES.check(row) == RejectedRow("f.csv", 3, reason, shown)


@pytest.mark.parametrize("rating", ["good", 0, 11, "7.5", True, "1e999", "9_0", -1, "\u0663"])
def test_a_rating_that_cannot_be_used_does_not_cost_the_row(rating):
    rules = RowRules.of(DataSettings())
    assert rules.check(raw(rating=rating)).rating is None
    assert rules.unusable == {"rating": 1}


@pytest.mark.parametrize("split", ["holdout", "", 7])
def test_a_row_whose_split_is_unknown_is_never_tested_on(split):
    rules = RowRules.of(DataSettings())
    assert rules.check(raw(split=split)).split == "train"
    assert rules.unusable == {"split": 1}


def test_rows_can_be_left_out_by_their_label_or_split():
    rules = RowRules.of(DataSettings(ignored_labels=(3,), splits={"Holdout": "test", "old": "none"}))
    for label in (3, 3.0, "3", "3.00", Decimal("3.0")):
        assert isinstance(rules.check(raw(label=label)), IgnoredRow)
    assert rules.check(raw(split="HOLDOUT")).split == "test"
    assert rules.check(raw(split="old")) == IgnoredRow("split old")


def test_labels_that_are_not_known_are_counted():
    rules = RowRules.of(DataSettings())
    for label in ("5", 5.0, "maybe"):
        rules.check(raw(label=label))
    assert rules.unknown == {"5": 2, "maybe": 1}


@pytest.mark.parametrize(
    "given",
    [
        {"positive_labels": ["4", 5], "negative_labels": [5.0]},
        {"positive_labels": ["yes"], "ignored_labels": ["YES "]},
    ],
)
def test_a_label_with_two_meanings_is_refused(given):
    with pytest.raises(
        ValueError, match=r"the label '(5|yes)' is in both positive_labels and (neg|ign).*; leave it in one"
    ):
        DataSettings(**given)


def test_exactly_max_bytes_is_accepted():
    assert isinstance(RULES.check(raw("é" * 10)), ValidRow)


@pytest.mark.parametrize("label", ["1", " POS ", "Positive", "true", 1, 1.0, True, b"pos"])
def test_spellings_of_positive(label):
    assert RULES.check(raw(label=label)).label == 1


@pytest.mark.parametrize("label", ["0", "neg", "NEGATIVE", "False", 0, 0.0, False])
def test_spellings_of_negative(label):
    assert RULES.check(raw(label=label)).label == 0


def test_labels_are_configurable_and_archives_have_their_own():
    data = DataSettings(positive_labels=("GUT",), negative_labels=("schlecht",))
    assert RowRules.of(data).check(raw(label="gut")).label == 1
    assert RowRules.of(data).check(raw(label="pos")).reason == "unknown_label"
    assert RowRules.of(data).of_folders().check(raw(label="pos")).label == 1


@pytest.mark.parametrize("rating", [None, "", " ", math.nan, "NaN"])
def test_a_missing_rating_is_unknown(rating):
    assert RULES.check(raw(rating=rating)).rating is None


@pytest.mark.parametrize("rating", ["10", 10, 10.0, "10.0", " 10 "])
def test_ratings_of_any_type(rating):
    assert RULES.check(raw(rating=rating)).rating == 10


@given(st.one_of(st.text(alphabet=st.characters()), st.binary(), st.none(), st.floats(), st.lists(st.integers())))
def test_an_excerpt_is_short_valid_text(value):
    shown = excerpt(value)
    assert len(shown) <= 200
    shown.encode()


@given(st.one_of(st.text(), st.binary(), st.none(), st.floats(), st.integers(), st.booleans()))
def test_anything_can_be_spelled(value):
    assert spelling(value) == spelling(value).strip().lower()


@given(st.text(), st.text(), st.text(), st.text())
def test_every_row_is_either_usable_or_rejected(text, label, split, rating):
    checked = RULES.check(raw(text, label, split, rating))
    assert isinstance(checked, RejectedRow) or checked.text == text
