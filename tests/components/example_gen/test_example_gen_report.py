from collections import Counter

import pytest

from components.example_gen import report as reporting
from components.example_gen.sources.locate import Source
from imdb_core.errors import BadDataError
from imdb_core.settings import DataSettings


def summary(read, rejected, data, **by_split):
    counts = Counter({("read",): read, ("rejected", "no_text"): rejected})
    for sentiment in ("positive", "negative"):
        counts += Counter({("examples", split, sentiment): count for split, count in by_split.items()})
    return reporting.summarize(counts, data, Source((), "f"))


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
    data = DataSettings(min_per_class=1)
    reporting.check_splits(summary(3, 0, data, train=1, eval=1, test=1), data)
    with pytest.raises(BadDataError, match="no rows are left for train and test"):
        reporting.check_splits(summary(1, 0, data, eval=1), data)
    with pytest.raises(BadDataError, match=r"no rows are left for eval; raise data\.eval_fraction"):
        reporting.check_splits(summary(2, 0, data, train=1, test=1), data)
    none_held_out = DataSettings(eval_fraction=0.0, min_per_class=1)
    reporting.check_splits(summary(2, 0, none_held_out, train=1, test=1), none_held_out)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_split_with_too_few_of_one_class_stops_before_training(split):
    data = DataSettings()
    sizes = {"train": 5, "eval": 1, "test": 5, split: 5}
    report = summary(22, 0, data, **sizes)
    reporting.check_splits(report, data)
    report["examples"][split]["negative"] = 4
    with pytest.raises(
        BadDataError, match=rf"{split} has 4 negative and 5 positive reviews; .* data.min_per_class = 5"
    ):
        reporting.check_splits(report, data)


def test_an_eval_split_of_one_class_is_a_fault_only_if_the_source_declares_it():
    data = DataSettings()
    report = summary(22, 0, data, train=5, eval=5, test=5)
    report["examples"]["eval"]["negative"] = 0
    reporting.check_splits(report, data)
    report["declared"] = ["eval", "train"]
    with pytest.raises(BadDataError, match="eval has 0 negative and 5 positive reviews"):
        reporting.check_splits(report, data)


def test_files_with_and_without_splits_do_not_mix():
    data = DataSettings()
    found = [("found", "a/train.csv", "CSV", "train"), ("found", "a/more.csv", "CSV", "")]
    for some in (found[:1], found[1:]):
        reporting.check_parts(reporting.summarize(Counter(some), data, Source((), "f")), data)
    with pytest.raises(BadDataError, match=r"a/train\.csv has a split and a/more\.csv has none; .* data\.splits"):
        reporting.check_parts(reporting.summarize(Counter(found), data, Source((), "f")), data)


def test_contradictions_stop_only_by_setting():
    counts = Counter({("contradictions", "r.csv:1 and r.csv:7"): 1, ("contradictions", "r.csv:2 and r.csv:3"): 1})
    for setting in ("keep", "drop", "stop"):
        data = DataSettings(contradictions=setting)
        report = reporting.summarize(counts, data, Source((), "f"))
        assert (report["contradictions"], report["contradiction"]) == (2, "r.csv:1 and r.csv:7")
        if setting == "stop":
            with pytest.raises(
                BadDataError, match=r"2 texts are positive and negative, the first in r\.csv:1 and r\.csv:7"
            ):
                reporting.check_contradictions(report, data)
        else:
            reporting.check_contradictions(report, data)


def test_unknown_labels_are_listed_with_the_settings_that_would_read_them():
    data = DataSettings()
    counts = Counter({("read",): 9, ("rejected", "unknown_label"): 5, ("unknown", "5"): 3, ("unknown", "3"): 2})
    report = reporting.summarize(counts, data, Source((), "f"))
    message = str(reporting.rejection_error(report, data, "kept.jsonl"))
    assert "the labels that are not known are '3' (2), '5' (3): name them in data.positive_labels" in message
