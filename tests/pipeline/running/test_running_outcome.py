import io

import pytest
from rich.console import Console

from pipeline.running import outcome
from pipeline.running.live_view import RUN_LINES


@pytest.fixture
def record():
    measured = {"accuracy": 0.8, "auc": 0.9, "log_loss": 0.4, "expected_calibration_error": 0.05}
    return {
        "seconds": 61.4,
        "settings": {"data.source": "~/reviews"},
        "executed": ["Pusher"],
        "nodes": [{"node": name} for name in ("Trainer.scalar", "LastBlessedChampion", "Pusher")],
        "ingest": {
            "examples": {"train": {"negative": 900, "positive": 901}, "test": {"negative": 250, "positive": 250}},
            "rejected": {"no_text": 3},
            "duplicates": {"train": 2, "training": 2, "test": 1},
            "leaks": 4,
            "contradictions": 5,
            "found": [
                {"file": "a/train.csv", "format": "CSV, separator ';', UTF-8; text in 'text'", "splits": "train"},
                {"file": "a/test.csv", "format": "CSV, separator ';', UTF-8; text in 'text'", "splits": "test"},
            ],
            "left_out": {"hidden": {"x.zip!a/._b": 2}, "unlabelled": {"unsup.csv": 1}},
            "ignored": {"label 3": 7},
            "unlabelled_rows": 0,
            "unusable": {"rating": 6},
            "dropped": {"train": 0, "test": 0},
        },
        "tuning": None,
        "selection": {
            "winner": "vector",
            "reason": "vector is better: because",
            "parameters": {"scalar": 1000, "vector": 2000},
            "metrics": {"scalar": measured, "vector": {**measured, "accuracy": 0.85}},
        },
        "champion": {"reasons": []},
        "serving_check": {"passed": True, "reason": "6 reviews through every signature", "outcome": None},
        "pushed": {"pushed": True, "path": "/models/it's/7", "version": "7"},
    }


def printed(record, tmp_path) -> str:
    console = Console(record=True, width=100, file=io.StringIO())
    outcome.print_outcome(record, tmp_path / "run.json", "/reports/[x]/index.html", console)
    return console.export_text()


def test_a_pushed_version_that_was_removed_is_reported_as_removed(record, tmp_path):
    record["pushed"]["path"] = str(tmp_path / "7")
    assert f"Removed since an earlier run pushed it: {tmp_path / '7'}" in printed(record, tmp_path)
    (tmp_path / "7").mkdir()
    assert f"Pushed: {tmp_path / '7'}" in printed(record, tmp_path)


@pytest.mark.parametrize(
    ("executed", "said"),
    [([], "no node executed, all results were cached"), (["Trainer.scalar", "Pusher"], "all 3 nodes executed")],
)
def test_the_count_of_nodes_is_that_of_the_first_line(record, tmp_path, executed, said):
    record["executed"] = executed
    assert said in printed(record, tmp_path)


def test_the_outcome_shows_modes_winner_data_version_and_next_commands(record, tmp_path):
    text = printed(record, tmp_path)
    assert "vector (winner)" in text
    assert "0.8500" in text
    assert "Winner: vector: vector is better: because." in text
    assert (
        "Data: 1,801 train, 500 test reviews; rows rejected: 3 no_text; duplicates: 2 in the training data, 1 in test; "
        in text
    )
    assert "texts in both: 4; texts with both labels: 5" in text
    assert "Read as: 2 × CSV, separator ';', UTF-8; text in 'text'." in text
    assert "Left out: 2 files (hidden: a/._b); 1 file (unlabelled: unsup.csv); 7 rows of label 3." in text
    assert "Not usable and taken as unknown: 6 ratings." in text
    assert "61 s, 1 of 3 nodes executed" in text
    assert "Report: /reports/[x]/index.html" in text
    assert len(outcome.next_commands(record)) == 3


def test_a_run_on_the_sample_says_so(record, tmp_path):
    note = "Note: the models were trained on invented reviews: `--set data.source=imdb` for real ones."
    assert note not in list(outcome._lines(record, tmp_path / "run.json", "page"))
    record["settings"]["data.source"] = "sample"
    assert list(outcome._lines(record, tmp_path / "run.json", "page"))[1] == note


def test_a_whole_run_in_a_pipe_prints_at_most_two_dozen_lines(record, tmp_path):
    # TFX's command line prints two lines of its own.
    assert 2 + RUN_LINES + len(printed(record, tmp_path).splitlines()) <= 24


def test_the_outcome_says_why_a_model_was_not_pushed(record, tmp_path):
    record["pushed"] = {"pushed": False, "path": None, "version": None}
    record["champion"]["reasons"] = ["accuracy is bad", "log loss is bad"]
    record["executed"] = []
    text = printed(record, tmp_path)
    assert "Not pushed: accuracy is bad; log loss is bad." in text
    assert "no node executed, all results were cached" in text
    assert len(outcome.next_commands(record)) == 3


def test_the_outcome_shows_the_result_of_the_serving_check(record, tmp_path):
    assert "Served: 6 reviews through every signature." in printed(record, tmp_path)


def test_a_failed_serving_check_is_the_reason_for_not_pushing(record, tmp_path):
    record["serving_check"].update(passed=False, reason="the server ended before it served: no such op")
    record["pushed"] = {"pushed": False, "path": None, "version": None}
    assert "Not pushed: the serving check failed: the server ended before it served: no such op." in printed(
        record, tmp_path
    )
    assert "Served:" not in printed(record, tmp_path)


def test_after_a_push_the_next_commands_serve_and_explain(record):
    serve, explain, real_data = outcome.next_commands(record)
    assert serve == "imdb-attention serve"
    assert explain == "imdb-attention explain 'Not the masterpiece some call it, but a film I will not forget.'"
    assert real_data == "tfx run create --pipeline pipeline/ --set data.source=imdb"


def test_the_outcome_shows_the_tuned_settings_and_their_file(record, tmp_path):
    assert "Tuned:" not in printed(record, tmp_path)
    record["tuning"] = {
        "trials": [{}, {}],
        "best": {"model.dropout": 0.3},
        "eval_loss": 0.28,
        "current_eval_loss": 0.3,
        "changed": {"model.dropout": [0.5, 0.3]},
    }
    text = printed(record, tmp_path)
    assert "Tuned: eval loss 0.2800, the best of 2 trials; instead of 0.3000, with model.dropout 0.3 (was 0.5)." in text
    assert f"--config {tmp_path / 'tuned.toml'}" in text
