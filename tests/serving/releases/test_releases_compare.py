from __future__ import annotations

import gzip
import itertools
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imdb_core.errors import ReviewPipelineError
from serving.client.results import Prediction, prediction
from serving.releases.compare import Ask, ComparedReview, compare, read_reviews


def said(positive: float, version: int | None = 1) -> Prediction:
    return prediction("", [1.0 - positive, positive], version)


def scripted(answers: dict[str, float], version: int = 1) -> Ask:
    return lambda text: said(answers[text], version)


FIRST = {"good": 0.9, "bad": 0.1, "so so": 0.75, "meh": 0.25}
SECOND = {"good": 0.8, "bad": 0.6, "so so": 0.125, "meh": 0.25}
REVIEWS = [
    ComparedReview("good", "positive"),
    ComparedReview("bad", "negative"),
    ComparedReview("so so"),
    ComparedReview("meh", "positive"),
]


def test_agreement_flips_and_accuracy_are_counted() -> None:
    comparison = compare(REVIEWS, ("stable", "12"), (scripted(FIRST, 11), scripted(SECOND, 12)))
    assert (comparison.reviews, comparison.agreement) == (4, 0.5)
    assert comparison.greatest_difference == 0.625
    # The widest gap first.
    assert [(flip.text, flip.sentiment, flip.sentiments, flip.positive) for flip in comparison.flips] == [
        ("so so", None, ("positive", "negative"), (0.75, 0.125)),
        ("bad", "negative", ("negative", "positive"), (0.1, 0.6)),
    ]
    first, second = comparison.sides
    # Three reviews have a known sentiment.
    assert (first.name, first.versions, first.accuracy) == ("stable", (11,), 2 / 3)
    assert (second.name, second.versions, second.accuracy) == ("12", (12,), 1 / 3)


def test_a_version_agrees_with_itself() -> None:
    comparison = compare(
        [ComparedReview("good"), ComparedReview("bad")], ("1", "1"), (scripted(FIRST), scripted(FIRST))
    )
    assert (comparison.agreement, comparison.flips, comparison.greatest_difference) == (1.0, (), 0.0)
    assert [side.accuracy for side in comparison.sides] == [None, None]


def test_each_version_gets_each_review_once_and_every_other_one_first() -> None:
    asked: list[tuple[str, str]] = []

    def ask(name: str) -> Ask:
        def one(text: str) -> Prediction:
            asked.append((name, text))
            return said(0.5)

        return one

    compare([ComparedReview("a"), ComparedReview("b"), ComparedReview("c")], ("x", "y"), (ask("x"), ask("y")))
    warm_up, counted = asked[:2], asked[2:]
    assert warm_up == [("x", "a"), ("y", "a")]
    assert counted == [("x", "a"), ("y", "a"), ("y", "b"), ("x", "b"), ("x", "c"), ("y", "c")]


def test_latency_is_measured_for_each_version() -> None:
    now = 0.0
    waits = {"slow": itertools.cycle([0.5]), "quick": itertools.chain([9.0], itertools.cycle([0.25, 0.25, 0.25, 1.25]))}

    def ask(name: str) -> Ask:
        def one(text: str) -> Prediction:
            nonlocal now
            now += next(waits[name])
            return said(0.5)

        return one

    texts = [ComparedReview(str(number)) for number in range(4)]
    slow, quick = compare(texts, ("slow", "quick"), (ask("slow"), ask("quick")), clock=lambda: now).sides
    assert slow.latency_ms == {"p50": 500.0, "p99": 500.0}
    # The first request, of 9 s, does not count; the rest is 250, 250, 250 and 1250.
    assert quick.latency_ms["p50"] == 250.0
    assert quick.latency_ms["p99"] == pytest.approx(250 + 0.97 * 1000)


def test_a_label_that_moves_shows_in_the_versions() -> None:
    versions = itertools.count(1)
    asks = (lambda text: said(0.1, next(versions)), lambda text: said(0.1, None))
    comparison = compare([ComparedReview("a"), ComparedReview("b")], ("stable", "9"), asks)
    assert [side.versions for side in comparison.sides] == [(2, 3), ()]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans()), min_size=1, max_size=20))
def test_accuracy_and_agreement_are_consistent(rows: list[tuple[float, float, bool]]) -> None:
    texts = [
        ComparedReview(str(number), "positive" if truth else "negative") for number, (*_, truth) in enumerate(rows)
    ]
    asks = tuple(scripted({str(number): row[side] for number, row in enumerate(rows)}) for side in (0, 1))
    comparison = compare(texts, ("1", "2"), asks)
    # There are two sentiments: where the versions differ, one of them is right.
    right = [sum((row[side] > 0.5) == row[2] for row in rows) for side in (0, 1)]
    assert [side.accuracy for side in comparison.sides] == [count / len(rows) for count in right]
    assert len(comparison.flips) == sum((one > 0.5) != (other > 0.5) for one, other, _ in rows)
    assert math.isclose(comparison.agreement, 1 - len(comparison.flips) / len(rows))
    assert abs(right[0] - right[1]) <= len(comparison.flips)


# Files


def test_plain_lines_are_reviews(tmp_path: Path) -> None:
    file = tmp_path / "reviews.txt"
    file.write_text("first {\n\n  second\u2028line \r\n", encoding="utf-8")
    assert read_reviews(file) == [ComparedReview("first {"), ComparedReview("second\u2028line")]
    assert read_reviews(file, 1) == [ComparedReview("first {")]


@pytest.mark.parametrize(
    ("label", "sentiment"),
    [(1, "positive"), ("POS", "positive"), (True, "positive"), (0, "negative"), ("negative", "negative"), (None, None)],
)
def test_json_lines_may_have_labels(tmp_path: Path, label: object, sentiment: str | None) -> None:
    file = tmp_path / "reviews.jsonl"
    rows = [{"text": "good\nfilm", "label": label, "stars": 4}, {"text": ""}]
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert read_reviews(file) == [ComparedReview("good\nfilm", sentiment), ComparedReview("")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("reviews.jsonl", '{"text": "a"}\n{', "line 2 of .*is not JSON"),
        ("reviews.jsonl", '"a"', "line 1 of .* has no string `text`"),
        ("reviews.jsonl", '{"words": "a"}', "line 1 of .* has no string `text`"),
        ("reviews.jsonl", '\n{"text": "a", "label": "maybe"}', "line 2 of .* has label 'maybe'; give one of 0, neg"),
        ("reviews.txt", "\n \n", "holds no review"),
        ("reviews.txt", "caf\udce9", "line 1 of .* is not UTF-8"),
    ],
)
def test_the_error_names_an_invalid_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ReviewPipelineError, match=message):
        read_reviews(tmp_path / name)


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "reviews.jsonl.gz").write_bytes(gzip.compress(b'{"text": "good", "label": "pos"}\n'))
    assert read_reviews(tmp_path / "reviews.jsonl.gz") == [ComparedReview("good", "positive")]


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReviewPipelineError, match=r"cannot read .*nowhere\.txt: .*No such file"):
        read_reviews(tmp_path / "nowhere.txt")
