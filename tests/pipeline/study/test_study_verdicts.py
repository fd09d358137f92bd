import io
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from benchmarks.study import markdown
from components.evaluator.metrics import ACCURACY, AUC, LOG_LOSS
from imdb_core.stats.seeds import Difference
from pipeline.cli import main
from pipeline.study import tables
from pipeline.study.verdicts import compare_modes, compare_presets, spreads, verdict

NAMES = ("vector", "scalar")


def difference(value: float) -> Difference:
    return Difference(value, seeds=5, seed_variance=1e-6, seed_freedom=4.0, review_variance=0.0, reviews=25_000)


def test_a_shown_difference_names_the_better_one():
    # t(4) = 2.776: 0.42 ± 0.28 points
    words = "is better by 0.42 points (95% interval 0.14 to 0.70, 5 seeds)"
    assert verdict(NAMES, difference(0.0042), ACCURACY, 0.95) == f"vector {words}"
    assert verdict(NAMES, difference(-0.0042), ACCURACY, 0.95) == f"scalar {words}"


def test_of_a_loss_less_is_better():
    assert verdict(NAMES, difference(-0.0042), LOG_LOSS, 0.95) == (
        "vector is better by 0.0042 (95% interval 0.0014 to 0.0070, 5 seeds)"
    )


def test_no_difference_is_called_that_and_says_what_would_show_one():
    found = difference(0.001)
    # (2.776 + 0.941) / 1000
    assert verdict(NAMES, found, ACCURACY, 0.95) == (
        "no difference shown: vector minus scalar is +0.10 points (95% interval -0.18 to +0.38, 5 seeds); with 80% "
        f"power, to show 0.10 points takes {found.seeds_needed(0.95)} seeds; 5 seeds show 0.37 points"
    )
    assert verdict(NAMES, difference(0.0), ACCURACY, 0.95).endswith("; with 80% power, 5 seeds show 0.37 points")
    out_of_reach = verdict(NAMES, difference(0.00001), ACCURACY, 0.95)
    assert "to show 0.00 points takes more reviews, or more than 1,000 seeds; " in out_of_reach


def test_trainings_that_all_came_to_the_same():
    same = Difference(0.0, 2, 0.0, 1.0, 0.0, 200)
    assert verdict(NAMES, same, ACCURACY, 0.95).endswith("2 seeds); all trainings came to the same")


def study_values(seeds: int) -> dict:
    """Vector is right on 70 of 100 reviews and one more with each seed, scalar always on 60 of these."""
    values = {}
    for mode, right in (("scalar", 60), ("vector", 70)):
        table = np.zeros((seeds, 100))
        for seed in range(seeds):
            table[seed, : right + (seed if mode == "vector" else 0)] = 1
        values[mode] = {ACCURACY: table, AUC: table, LOG_LOSS: 1 - table}
    return values


def study_record(seeds: int) -> dict:
    values = {"attention": study_values(seeds), "blog": study_values(seeds)}
    numbers = list(range(1, seeds + 1))
    return {
        "command": "imdb-attention compare --seeds 3",
        "date": "2026-01-02T03:04:05+00:00",
        "seeds": numbers,
        "confidence": 0.95,
        "test_reviews": 100,
        "seconds": 61.0,
        "python": "3.10.13",
        "versions": {"keras": "3.6.0"},
        "presets": {
            preset: {
                "executed": ["Trainer.scalar.seed1"],
                "trainings": [
                    {"mode": mode, "seed": seed, "seconds": 20.0 + seed, ACCURACY: of[ACCURACY][seed - 1].mean()}
                    for seed in numbers
                    for mode, of in modes.items()
                ],
                "pairs": {
                    str(seed): {"accuracy_difference": 0.1, "flip_rate": 0.125, "mcnemar_p": 0.0123} for seed in numbers
                },
                "spread": {mode: spreads(of) for mode, of in modes.items()},
                "modes": compare_modes(modes, 0.95),
            }
            for preset, modes in values.items()
        },
        "between": {
            mode: compare_presets({preset: values[preset][mode] for preset in values}, 0.95)
            for mode in ("scalar", "vector")
        },
    }


def test_the_page_holds_every_figure():
    page = markdown(study_record(3)).split("\n")
    for line in (
        "## Study of 3 seeds, 2026-01-02",
        "imdb-attention compare --seeds 3",
        "- 100 test reviews, seeds 1, 2, 3.",
        "- Python 3.10.13, keras 3.6.0; 2026-01-02T03:04:05+00:00.",
        "| attention, vector | 0.7100 ± 0.0100 | 0.7000 to 0.7200 | 0.7100 ± 0.0100 | 0.2900 ± 0.0100 | 22 |",
        "| blog, seed 2 | 0.6000 | 0.7100 | +10.00 | 12.5% | 0.012 |",
        "- scalar: no difference shown: attention minus blog is +0.00 points (95% interval +0.00 to +0.00, 3 seeds); "
        "all trainings came to the same.",
    ):
        assert line in page
    assert any(line.startswith("- attention: vector is better by 11.00 points (95% interval ") for line in page)
    assert any(line.startswith("| attention, vector minus scalar | +11.00 (") and " *" in line for line in page)


def test_what_is_printed_fits_80_columns_but_for_sentences():
    written = io.StringIO()
    tables.report(study_record(3), Path("study.json"), Console(file=written, width=80))
    lines = written.getvalue().splitlines()
    assert "│ attention, vector │ 0.7100 ± 0.0100 │ 0.7100 ± 0.0100 │ 0.2900 ± 0.0100 │" in lines
    assert lines[-1] == "61 s, 2 of 12 trainings executed, the others cached. Record: study.json"


def test_one_seed_gives_no_verdict():
    page = markdown(study_record(1))
    assert (
        "- attention: no verdict from one seed (vector minus scalar: +10.00 points); use --seeds 2 or more.\n" in page
    )
    assert "| attention, vector minus scalar | +10.00 | +10.00 | -0.1000 |" in page


@pytest.mark.parametrize("arguments", [["--seeds", "0"], ["--presets", "blogg"], ["--set", "training.epochs=0"]])
def test_a_wrong_call_of_compare_ends_with_2_and_one_line(arguments):
    result = CliRunner().invoke(main, ["compare", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
