from collections import Counter

import pytest

from components.example_gen import report as reporting
from imdb_core.errors import BadDataError
from imdb_core.settings import DataSettings


def summary(read, rejected, data, **by_split):
    counts = Counter({("read",): read, ("rejected", "no_text"): rejected})
    counts += Counter({("examples", split, "positive"): count for split, count in by_split.items()})
    return reporting.summarize(counts, data, "f")


@pytest.mark.parametrize(("rejected", "too_many"), [(0, False), (1, False), (2, True)])
def test_the_limit_itself_is_allowed(rejected, too_many):
    data = DataSettings(max_bad_fraction=0.01)
    assert reporting.too_many_rejected(summary(100, rejected, data), data) == too_many


def test_the_rejection_error_is_one_line_with_counts_reasons_and_the_file():
    data = DataSettings(source="r.csv")
    message = str(reporting.rejection_error(summary(10, 3, data), data, "kept.jsonl"))
    assert message.startswith("data.source = 'r.csv': 3 of 10 rows cannot be used (no_text 3)")
    assert "kept.jsonl" in message
    assert "\n" not in message


def test_empty_splits():
    data = DataSettings()
    reporting.check_splits(summary(3, 0, data, train=1, eval=1, test=1), data)
    with pytest.raises(BadDataError, match="no rows are left for train and test"):
        reporting.check_splits(summary(1, 0, data, eval=1), data)
    with pytest.raises(BadDataError, match=r"no rows are left for eval; raise data\.eval_fraction"):
        reporting.check_splits(summary(2, 0, data, train=1, test=1), data)
    none_held_out = DataSettings(eval_fraction=0.0)
    reporting.check_splits(summary(2, 0, none_held_out, train=1, test=1), none_held_out)
