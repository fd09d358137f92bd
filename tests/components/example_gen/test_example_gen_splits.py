import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.example_gen.splits import DRAWN, assign_shard, assign_split, content_hash, fitting_splits, split_names

texts = st.text().map(str.encode)
fractions = st.floats(0, 1, exclude_max=True)


def test_known_values():
    # SHA-256 of the empty text: e3b0c44298fc1c14 9afbf4c8996fb924 27ae41e4649b934c a495991b7852b855.
    empty = content_hash(b"")
    assert empty.hex().startswith("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934c")
    assert pytest.approx(0.8894, abs=1e-4) == 0xE3B0C44298FC1C14 / 2**64
    assert assign_split(empty, None, 0.0, 0.88) == "train"
    assert assign_split(empty, None, 0.0, 0.90) == "test"
    # 0x9afb... / 2**64 = 0.6054
    assert assign_split(empty, "train", 0.60, 0.5) == "train"
    assert assign_split(empty, "train", 0.61, 0.5) == DRAWN
    assert assign_shard(empty, 10) == 0x27AE41E4649B934C % 10


@given(texts, fractions, fractions)
def test_a_declared_test_or_eval_split_is_kept(text, eval_fraction, test_fraction):
    digest = content_hash(text)
    assert assign_split(digest, "test", eval_fraction, test_fraction) == "test"
    assert assign_split(digest, "eval", eval_fraction, test_fraction) == ("eval" if eval_fraction else "train")


@given(texts, fractions, fractions)
def test_an_undeclared_training_review_is_held_out_as_a_declared_one(text, eval_fraction, test_fraction):
    digest = content_hash(text)
    undeclared = assign_split(digest, None, eval_fraction, test_fraction)
    declared = assign_split(digest, "train", eval_fraction, test_fraction)
    assert undeclared in {"test", declared}


@given(texts, fractions, fractions, fractions)
def test_a_larger_fraction_only_adds(text, one, other, test_fraction):
    digest = content_hash(text)
    if assign_split(digest, "train", min(one, other), test_fraction) == DRAWN:
        assert assign_split(digest, "train", max(one, other), test_fraction) == DRAWN


@given(texts)
def test_a_fraction_of_zero_holds_nothing_out(text):
    assert assign_split(content_hash(text), "train", 0.0, 0.5) == "train"


@given(texts, st.integers(1, 100))
def test_equal_texts_share_a_shard(text, shards):
    shard = assign_shard(content_hash(text), shards)
    assert shard == assign_shard(content_hash(bytes(text)), shards)
    assert 0 <= shard < shards


@pytest.mark.parametrize("fraction", [0.1, 0.5])
def test_shares_match_the_fractions(fraction):
    digests = [hashlib.sha256(str(number).encode()).digest() for number in range(20_000)]
    splits = [assign_split(digest, None, fraction, fraction) for digest in digests]
    # Four standard deviations of a share of 20,000 are at most 0.0142.
    assert splits.count("test") / 20_000 == pytest.approx(fraction, abs=0.0142)
    assert splits.count(DRAWN) / 20_000 == pytest.approx((1 - fraction) * fraction, abs=0.0142)
    tested = [digest for digest, split in zip(digests, splits, strict=True) if split == "test"]
    shards = [assign_shard(digest, 4) for digest in tested]
    assert min(map(shards.count, range(4))) / len(tested) == pytest.approx(0.25, abs=0.04)


@pytest.mark.parametrize(("eval_fraction", "fitting"), [(0.0, ["train"]), (0.1, ["train", "eval"])])
def test_eval_is_a_split_only_if_reviews_are_held_out(eval_fraction, fitting):
    assert fitting_splits(eval_fraction) == fitting
    assert split_names(eval_fraction) == [*fitting, "test"]
