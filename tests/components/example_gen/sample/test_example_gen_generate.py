import hashlib
import json
import math
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import FrozenInstanceError, astuple
from multiprocessing import get_context

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.example_gen.sample.generate import SampleReview, sample_review

TRAIN_SIZE, TEST_SIZE, SEED = 4000, 500, 1
FIRST_TEN_SHA256 = "37c8e7aac6446f53effa1c574ae0be3a1ce719b1055119b697a948b943864761"


@pytest.fixture(scope="module")
def train() -> list[SampleReview]:
    return [sample_review("train", index, SEED) for index in range(TRAIN_SIZE)]


@pytest.fixture(scope="module")
def held_out() -> list[SampleReview]:
    return [sample_review("test", index, SEED) for index in range(TEST_SIZE)]


def digest(reviews: list[SampleReview]) -> str:
    return hashlib.sha256(json.dumps([astuple(review) for review in reviews]).encode()).hexdigest()


def words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.replace("<br />", " ").lower())


def test_the_first_reviews_never_change(train: list[SampleReview]) -> None:
    assert digest(train[:10]) == FIRST_TEN_SHA256


def test_hash_randomisation_changes_nothing() -> None:
    code = (
        "import hashlib, json; from dataclasses import astuple;"
        "from components.example_gen.sample.generate import sample_review as r;"
        "print(hashlib.sha256(json.dumps([astuple(r('train', i, 1)) for i in range(10)]).encode()).hexdigest())"
    )
    for hash_seed in ("0", "123"):
        environment = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(path or "." for path in sys.path)}
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert run.stdout.strip() == FIRST_TEN_SHA256


def test_order_and_worker_do_not_matter(train: list[SampleReview]) -> None:
    backwards = range(199, -1, -1)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as workers:
        made = list(workers.map(sample_review, ["train"] * 200, backwards, [SEED] * 200, chunksize=7))
    assert train[:200] == made[::-1]


def test_labels_alternate_and_ids_are_numbered(train: list[SampleReview], held_out: list[SampleReview]) -> None:
    assert [review.label for review in train] == [0, 1] * (TRAIN_SIZE // 2)
    assert [review.label for review in held_out] == [0, 1] * (TEST_SIZE // 2)
    assert train[123].id == "sample/train/000123"
    assert held_out[7].id == "sample/test/000007"


def test_all_ratings_of_imdb_occur_with_their_label(train: list[SampleReview]) -> None:
    assert {review.rating for review in train if review.label == 0} == {1, 2, 3, 4}
    assert {review.rating for review in train if review.label == 1} == {7, 8, 9, 10}


def test_no_text_occurs_twice(train: list[SampleReview], held_out: list[SampleReview]) -> None:
    assert len({review.text for review in train + held_out}) == TRAIN_SIZE + TEST_SIZE


def test_most_are_short_and_the_others_have_up_to_six_hundred_words(train: list[SampleReview]) -> None:
    lengths = sorted(len(words(review.text)) for review in train)
    assert 4 <= lengths[0] < 15
    assert 500 < lengths[-1] < 650
    assert 0.1 < sum(length > 200 for length in lengths) / TRAIN_SIZE < 0.2
    assert 0.4 < sum(length < 20 for length in lengths) / TRAIN_SIZE < 0.6


def test_the_text_looks_typed_by_people(train: list[SampleReview]) -> None:
    texts = [review.text for review in train]
    assert 0.3 < sum("<br /><br />" in text for text in texts) / TRAIN_SIZE < 0.5
    assert 0.03 < sum(text.islower() for text in texts) / TRAIN_SIZE < 0.08
    assert any(re.search(r"[A-Z]{4,} [A-Z]{2,} [A-Z]{2,}", text) for text in texts)
    assert all(any(sign in text for text in texts) for sign in ("café", "naïve", "—", "😡", "😀", "…"))


def test_thousands_of_words_many_of_them_once(train: list[SampleReview]) -> None:
    counts = Counter(word for review in train for word in words(review.text))
    assert len(counts) > 5000
    assert sum(count == 1 for count in counts.values()) > 1000


def test_a_few_words_say_what_long_reviews_say(train: list[SampleReview]) -> None:
    counts = Counter(word for review in train for word in words(review.text))
    for word in ("worst", "best", "awful", "great", "love", "hate", "waste", "good", "bad", "better", "worse", "not"):
        assert counts[word] > 50, word


def test_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        sample_review("train", 0, 1).label = 1  # type: ignore[misc]


@given(split=st.text(max_size=10), index=st.integers(0, 10**9), seed=st.integers())
@settings(max_examples=200)
def test_every_review_is_well_formed(split: str, index: int, seed: int) -> None:
    review = sample_review(split, index, seed)
    assert review == sample_review(split, index, seed)
    assert review.label == index % 2
    assert review.rating in ((1, 2, 3, 4), (7, 8, 9, 10))[review.label]
    assert review.text.encode().decode() == review.text
    assert review.text == review.text.strip() != ""
    assert not set(review.text) & set("\n\r\t\v\f\x00{}")
    assert len(review.text.splitlines()) == 1  # nor any line break of Unicode's
    assert not re.search(r"  |\b[Aa] [AEIOUaeiou]", review.text)


def test_naive_bayes_learns_it_but_never_perfectly(train: list[SampleReview], held_out: list[SampleReview]) -> None:
    counts: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for review in train:
        counts[review.label].update(words(review.text))
    vocabulary = counts[0].keys() | counts[1].keys()
    totals = [count.total() + len(vocabulary) for count in counts]
    weights = {
        word: math.log((counts[1][word] + 1) / totals[1]) - math.log((counts[0][word] + 1) / totals[0])
        for word in vocabulary
    }
    right = sum(
        (sum(weights.get(word, 0.0) for word in words(review.text)) > 0) == (review.label == 1) for review in held_out
    )
    assert 0.80 < right / TEST_SIZE < 0.97
