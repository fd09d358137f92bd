import hashlib

import pytest

from components.explainer.reading import ScoredReview
from components.explainer.selection import choose_examples, drawn_order, kind_of

PREDICTED = {"right": (1, 1), "wrong": (0, 0), "disagreement": (0, 1)}


def review(name: str, kind: str, label: int = 1, words: int = 30) -> ScoredReview:
    scalar, vector = (float(value == label) for value in PREDICTED[kind]) if label == 0 else PREDICTED[kind]
    positive = {"scalar": float(scalar), "vector": float(vector)}
    return ScoredReview(name.encode(), b"word " * words, label, None, "001-050", positive)


def chosen(scored: list[ScoredReview], count: int) -> list[str]:
    return [scored[position].id.decode() for position in choose_examples(scored, range(len(scored)), count)]


def test_the_order_is_that_of_the_hashes_whatever_the_order_of_files():
    ids = [b"test/%d" % number for number in range(50)]
    by_hash = sorted(ids, key=lambda name: hashlib.sha256(b"7 " + name).hexdigest())
    assert [ids[position] for position in drawn_order(ids, 7)] == by_hash
    assert [ids[::-1][position] for position in drawn_order(ids[::-1], 7)] == by_hash
    assert [ids[position] for position in drawn_order(ids, 8)] != by_hash


def test_an_id_that_occurs_twice_is_drawn_twice():
    assert drawn_order([b"a", b"a"], 1) == [0, 1]


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("kind", ["right", "wrong", "disagreement"])
def test_a_review_is_of_the_kind_that_its_predictions_make_it(kind, label):
    assert kind_of(review("any", kind, label)) == kind


def test_equal_probabilities_predict_the_negative_class():
    undecided = ScoredReview(b"", b"", 0, None, "001-050", {"scalar": 0.5, "vector": 0.25})
    assert kind_of(undecided) == "right"


def test_kinds_and_labels_get_equal_numbers_of_examples():
    scored = [
        review(f"{kind} {label} {number}", kind, label)
        for kind in ("disagreement", "wrong", "right")
        for label in (0, 1)
        for number in range(9)
    ]
    assert chosen(scored, 12) == [
        f"{kind} {label} {number}"
        for kind in ("right", "wrong", "disagreement")
        for number in range(2)
        for label in (0, 1)
    ]


def test_a_kind_with_too_few_leaves_its_places_to_the_others():
    scored = [
        review("w", "wrong"),
        *(review(f"r{number}", "right") for number in range(9)),
        review("d", "disagreement"),
    ]
    assert chosen(scored, 6) == ["r0", "r1", "r2", "r3", "w", "d"]


def test_reviews_of_moderate_length_come_first():
    scored = [
        review("too short", "right", words=19),
        review("shortest", "right", words=20),
        review("longest", "right", words=150),
        review("too long", "right", words=151),
        review("wrong", "wrong"),
    ]
    assert chosen(scored, 3) == ["shortest", "longest", "wrong"]
    assert chosen(scored, 5) == ["shortest", "longest", "too short", "too long", "wrong"]


def test_no_more_examples_than_reviews_are_selected():
    assert chosen([review("only", "wrong")], 12) == ["only"]
    assert chosen([review("only", "wrong")], 0) == []
