import numpy as np
import pytest
from written_splits import write_split

from imdb_core.errors import RunError
from pipeline.study.predictions import check_same_reviews, read_preset_predictions

REVIEWS = {"b": 1, "a": 0, "c": 1}


def written(folder, order, positive, split="test"):
    rows = [
        {"id": name, "label": REVIEWS[name], "baseline": [1 - positive[name], positive[name]], "candidate": [0.5, 0.5]}
        for name in order
    ]
    write_split(folder, split, rows)
    return folder / f"Split-{split}"


def test_predictions_of_all_seeds_have_one_order(tmp_path):
    found = read_preset_predictions(
        [
            written(tmp_path / "1", "bac", {"a": 0.25, "b": 0.75, "c": 0.5}),
            written(tmp_path / "2", "cab", {"a": 0.0, "b": 1.0, "c": 0.625}),
        ]
    )
    assert found.ids.tolist() == [b"a", b"b", b"c"]
    assert found.labels.tolist() == [False, True, True]
    assert found.positive["scalar"].tolist() == [[0.25, 0.75, 0.5], [0.0, 1.0, 0.625]]
    values = found.values()["scalar"]
    assert values["accuracy"].tolist() == [[1, 1, 0], [1, 1, 1]]
    np.testing.assert_allclose(values["log_loss"][0], -np.log([0.75, 0.75, 0.5]))
    assert values["auc"].mean(axis=1).tolist() == [1.0, 1.0]


def test_presets_that_were_tested_on_different_reviews_are_refused(tmp_path):
    positive = dict.fromkeys(REVIEWS, 0.5)
    first, same, other = (
        read_preset_predictions([written(tmp_path / order, order, positive)]) for order in ("abc", "cba", "ab")
    )
    check_same_reviews({"attention": first, "blog": same})
    with pytest.raises(RunError, match="presets attention and blog were tested on different reviews, 3 and 2"):
        check_same_reviews({"attention": first, "blog": other})
