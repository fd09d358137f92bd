import numpy as np
from made_explanations import explanations

from pipeline.report.sections.attention import describe_attention


def shown(weights: list[float]):
    found = explanations()
    answer = found["examples"][1]["modes"]["vector"]
    answer["weights"] = weights
    return describe_attention(found).examples[1].readings["vector"]


def test_weights_that_differ_by_rounding_errors_are_even():
    # Means over 64 dimensions whose weights sum to 1 across them, as the blog's softmax has them.
    rounded = (np.float32(1 / 64) * (1 + np.float32(3e-7) * np.arange(8))).astype(np.float32)
    assert len(set(rounded.tolist())) > 1
    reading = shown([float(weight) for weight in rounded])
    assert reading.even
    assert not reading.strongest
    assert len({word.strength for word in reading.words}) == 1


def test_weights_that_differ_by_more_are_ranked():
    reading = shown([0.1250, 0.1250, 0.1260, 0.1250, 0.1250, 0.1250, 0.1250, 0.1240])
    assert not reading.even
    assert reading.strongest[0] == ("fine", 0.126)


def test_words_that_are_not_in_the_vocabulary_are_marked():
    found = explanations()
    reading = describe_attention(found, {"fine"}).examples[1].readings["vector"]
    words = [word.piece for word in reading.words if word.piece.attention is not None]
    assert {piece.text for piece in words if piece.known} == {"[START]", "fine"}
    assert all(word.piece.known for word in describe_attention(found).examples[1].readings["vector"].words)
