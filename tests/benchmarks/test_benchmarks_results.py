import copy
from typing import Any

from benchmarks.results import markdown
from benchmarks.targets import check_targets


def test_the_page_holds_every_figure(record: dict[str, Any]) -> None:
    page = markdown([record]).split("\n")
    for line in (
        "python -m benchmarks --data aclImdb_v1.tar.gz --presets blog --seed 1",
        "- 25,000 training and 25,000 test reviews, seed 1.",
        "- Some CPU, 2 cores, 8 GB, no GPU, Linux; load before the start 0.10 0.20 0.30.",
        "| script, scalar | 0.8680 | 0.9300 | 0.3300 | - | 0.8600, 0.8680 |",
        "| blog, scalar (winner) | 0.8700 | 0.9412 | 0.3101 | +0.20 | - |",
        "| blog, vector | 0.8656 | 0.9400 | 0.3200 | -1.44 | - |",
        "Preset `blog` chose scalar, pushed: no difference shown.",
        "| blog: accuracy, vector, against the script | within 1 point | -1.44 points | NOT MET |",
        "| total, s | 225.0 | 112.5 |",
        "| reading and encoding, s | 16.0 | - |",
        "| total, ratio to the script | 1.00 | 0.50 |",
        "| everything but training, ratio to the script | 1.00 | 1.12 |",
        "| peak memory, GB | 1.25 | 2.00 |",
        "| Transform | 30.5 | 1.50 |",
        "| examples in `train` | 24,999 |",
        "| texts in both (leaks) | 123 |",
        "| token ids, the four special ones included | 10,000 |",
        "| most frequent words | the and a |",
        "| test tokens out of vocabulary | 1.23% |",
        "| equal to the script's, order included | yes |",
    ):
        assert line in page
    assert not any(line.startswith("- **") for line in page)


def test_several_seeds_get_a_mean(record: dict[str, Any]) -> None:
    other = copy.deepcopy(record)
    other["seed"] = 2
    other["script"]["modes"]["scalar"]["epochs"][-1]["accuracy"] = 0.85
    page = markdown([record, other]).split("\n")
    assert "| script, scalar | 0.8680 | 0.8500 | 0.8590 |  |" in page
    assert "| blog, scalar | 0.8700 | 0.8700 | 0.8700 | +1.10 |" in page
    assert "over 2 seeds" not in markdown([record, record])


def test_a_run_without_the_script_is_rendered_too(record: dict[str, Any]) -> None:
    record["script"] = None
    checks = record["pipelines"]["blog"]["vocabulary"]
    checks |= {"shared_with_script": None, "same_as_script": None}
    record["targets"] = check_targets(None, record["pipelines"])
    page = markdown([record])
    assert "| blog, scalar (winner) | 0.8700 | 0.9412 | 0.3101 | - | - |" in page
    assert "ratio" not in page
