import numpy as np
import pytest

from components.pusher.papers.probes import KINDS, probe, sentences


def test_each_kind_has_a_dozen_different_sentences_half_of_them_positive():
    assert KINDS == ("short texts", "negation", "sarcasm", "other languages")
    for kind in KINDS:
        texts, labels = zip(*sentences(kind), strict=True)
        assert len(set(texts)) == 12
        assert sum(labels) == 6


@pytest.mark.parametrize("answer", [0.25, 0.75])
def test_a_constant_answer_is_right_for_half_of_them(answer):
    for one in probe(lambda texts: np.full(len(texts), answer), 0.95):
        assert (one.right, one.sentences) == (6, 12)
        # The interval of Wilson, by hand: 1.96 squared is 3.84; 0.5 +- 1.96 * sqrt(0.25 / 12 + 3.84 / 576) / 1.32.
        assert one.accuracy.value == 0.5
        assert one.accuracy.low == pytest.approx(0.2538, abs=1e-4)
        assert one.accuracy.high == pytest.approx(0.7462, abs=1e-4)
        assert set(one.wrong) == {text for text, label in sentences(one.kind) if label != (answer > 0.5)}


def test_right_answers_are_counted_by_kind():
    truth = {text: label for kind in KINDS for text, label in sentences(kind)}
    fooled = dict(sentences("sarcasm"))

    def positive(texts):
        return np.array([float(truth[text] if text not in fooled else 1 - truth[text]) for text in texts])

    assert {one.kind: one.right for one in probe(positive, 0.95)} == {
        "short texts": 12,
        "negation": 12,
        "sarcasm": 0,
        "other languages": 12,
    }
