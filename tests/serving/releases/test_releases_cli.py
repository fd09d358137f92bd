from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from released import add_version, served
from rich.console import Console
from signing_keys import write_keys

from imdb_core.errors import ReviewPipelineError
from serving.releases import journal
from serving.releases.cli import models_group
from serving.releases.state import read_state
from serving.releases.tables import versions_table
from serving.releases.versions import CARD_JSON, CARD_TEXT, SBOM, SIGNATURE, Blessing, sha256

MODEL = "imdb_attention"
FIGURES = ["accuracy", "AUC", "log loss"]


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMDB_WORKSPACE", str(tmp_path))
    folder = tmp_path / "models"
    (folder / MODEL).mkdir(parents=True)
    return folder


@pytest.fixture
def pushed(models: Path) -> Path:
    """Two versions: 1 without `release.json`, 2 pushed by a run."""
    (models / MODEL / "1").mkdir()
    add_version(
        models,
        2,
        MODEL,
        run_id="2026-01-02T03-04-05.000006",
        mode="vector",
        metrics={"accuracy": 0.87654, "auc": 0.94321, "log_loss": 0.33333},
        reason="vector is better",
        blessings={
            "model": Blessing(blessed=True, artifact="/evaluation"),
            "infra": Blessing(blessed=True, artifact="/check", reason="64 reviews, all the same"),
        },
    )
    return models


def call(*arguments: str) -> str:
    result = CliRunner().invoke(models_group, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str) -> Result:
    """Makes a call that fails with a ReviewPipelineError, which `imdb-attention` prints as one line."""
    result = CliRunner().invoke(models_group, arguments)
    assert isinstance(result.exception, ReviewPipelineError)
    assert "\n" not in str(result.exception)
    return result


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_the_list_shows_the_release_of_each_version(pushed: Path) -> None:
    head, newest, oldest, *notes = call("list").splitlines()
    assert cells(head) == ["version", "live", "pushed", "mode", *FIGURES, "blessed", "MB", "run"]
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(1_700_000_002))
    run = "2026-01-02T03-04-05.000006"
    assert cells(newest) == ["2", "live", when, "vector", "0.8765", "0.9432", "0.3333", "yes", "0.0", run]
    assert cells(oldest) == ["1", "previous", *"------", "0.0", "-"]
    assert notes == ["No version was promoted yet: each push goes live by itself."]


def test_the_list_shows_labels(pushed: Path) -> None:
    add_version(pushed, 3, MODEL)
    call("promote", "2", "--offline")
    call("promote", "3", "--label", "canary", "--offline")
    _, newest, middle, _, *notes = call("list").splitlines()
    assert (cells(newest)[1], cells(middle)[1]) == ("canary, previous", "stable")
    assert notes == ["Requests that name neither label nor version get 3, the largest loaded."]


def test_a_narrow_terminal_hides_the_last_columns(pushed: Path) -> None:
    console = Console(width=80, file=io.StringIO())
    console.print(versions_table(read_state(pushed, MODEL), console.width))
    assert isinstance(console.file, io.StringIO)
    head, newest, *_ = console.file.getvalue().splitlines()
    assert cells(head) == ["version", "live", "pushed", "mode", *FIGURES, "blessed"]
    assert cells(newest)[:2] == ["2", "live"]


def test_the_list_as_json_has_all_fields(pushed: Path) -> None:
    newest, oldest = json.loads(call("list", "--json"))
    assert (newest["version"], newest["live"], newest["labels"], newest["path"]) == (
        2,
        True,
        [],
        str(pushed / MODEL / "2"),
    )
    assert newest["release"]["blessings"]["infra"]["reason"] == "64 reviews, all the same"
    assert newest["release"]["metrics"]["accuracy"] == 0.87654
    assert (oldest["version"], oldest["release"], oldest["rollback_target"]) == (1, None, True)


def test_a_missing_blessing_is_named(models: Path) -> None:
    add_version(models, 1, MODEL, blessings={"infra": Blessing(blessed=False, artifact="/check")})
    assert "no: infra" in call("list")


def test_an_empty_list_says_how_to_push(models: Path) -> None:
    assert "push one with `imdb-attention run`" in call("list")
    assert json.loads(call("list", "--json")) == []


def test_changes_are_printed_and_recorded(pushed: Path) -> None:
    assert call("promote", "1", "--offline", "--why", "2 is slow") == (
        "stable: 2 -> 1\nNo running server was changed; the next one to start follows.\n"
    )
    assert call("promote", "1", "--offline").startswith("Nothing to change.")
    assert call("rollback", "--offline", "--why", "it was not").startswith("stable: 1 -> 2\n")
    assert call("promote", "1", "--label", "canary", "--offline").startswith("canary: none -> 1\n")
    assert call("rollback", "--label", "canary", "--offline").startswith("canary: 1 -> none\n")
    head, *rows = call("history").splitlines()
    assert cells(head) == ["when", "who", "action", "label", "from", "to", "why"]
    assert [cells(row)[2:] for row in rows] == [
        ["rollback", "canary", "1", "-"],
        ["promote", "canary", "-", "1"],
        ["rollback", "stable", "1", "2", "it was not"],
        ["promote", "stable", "2", "1", "2 is slow"],
    ]
    assert json.loads(call("history", "--json"))[0]["why"] == "2 is slow"


def test_promoting_the_live_version_explains_the_effect(pushed: Path) -> None:
    assert "later pushes wait for a promotion" in call("promote", "2", "--offline")


def test_pruning_prints_the_deleted_versions(pushed: Path) -> None:
    add_version(pushed, 3, MODEL)
    assert call("prune", "--keep", "1", "--dry-run") == "Would delete 1.\n"
    assert (pushed / MODEL / "1").exists()
    assert call("prune", "--keep", "1") == "Deleted 1.\n"
    assert not (pushed / MODEL / "1").exists()
    assert call("prune", "--keep", "1") == "Nothing to delete.\n"
    assert "removed 1" in call("history")


def test_models_are_released_independently(pushed: Path) -> None:
    add_version(pushed, 5, "other")
    call("promote", "5", "--model", "other", "--offline")
    assert served(pushed, "other") == ([5], {"stable": 5})
    assert journal.read(pushed, MODEL) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("promote", "9", "--offline"),
        ("verify", "9"),
        ("verify", "1"),
        ("promote", "2", "--model", "none", "--offline"),
        ("rollback", "--label", "canary", "--offline"),
        ("compare", "1", "2", "--input", "/nowhere.txt"),
    ],
)
def test_errors_are_one_line(pushed: Path, arguments: tuple[str, ...]) -> None:
    refused(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("prune",),
        ("prune", "--keep", "0"),
        ("promote", "2", "--label", "beta"),
        ("promote", "2", "--offline", "--server", "localhost:1"),
    ],
)
def test_usage_errors_exit_with_2_and_change_nothing(pushed: Path, arguments: tuple[str, ...]) -> None:
    assert CliRunner().invoke(models_group, arguments).exit_code == 2
    assert not (pushed / "models.config").exists()


ASK_FOR_HELP = """
import sys
from serving.releases.cli import models_group
try:
    models_group(["promote", "--help"])
finally:
    heavy = {"google.protobuf", "grpc", "numpy", "pydantic", "rich", "tensorflow"}
    print(*heavy & set(sys.modules), file=sys.stderr, end="")
"""


def test_help_imports_nothing_heavy() -> None:
    result = subprocess.run([sys.executable, "-c", ASK_FOR_HELP], capture_output=True, text=True, check=True)
    assert "--label" in result.stdout
    assert result.stderr == ""


def test_the_card_of_a_version_is_shown(models: Path) -> None:
    contents = {CARD_TEXT: "# Model card\n", CARD_JSON: '{"model": {}}\n', SBOM: '{"bomFormat": "CycloneDX"}\n'}
    path = add_version(models, 2, MODEL, papers={name: sha256(text.encode()) for name, text in contents.items()})
    for name, text in contents.items():
        (path / name).write_text(text)
    assert call("card", "2") == contents[CARD_TEXT]
    assert call("card", "2", "--json") == contents[CARD_JSON]
    assert call("card", "2", "--sbom") == contents[SBOM]
    both = CliRunner().invoke(models_group, ["card", "2", "--json", "--sbom"])
    assert both.exit_code == 2
    assert "--json and --sbom are both given; give one" in both.output


def test_a_version_is_signed_and_the_signature_is_checked_first(pushed: Path, tmp_path: Path) -> None:
    (private, public), (_, theirs) = write_keys(tmp_path, "ours"), write_keys(tmp_path, "theirs")
    assert "has no signature" in str(refused("verify", "2", "--require_signature", str(public)).exception)
    assert call("sign", "2", "--key", str(private)) == f"Signed: {pushed / MODEL / '2' / SIGNATURE}\n"
    result = refused("verify", "2", "--require_signature", str(theirs))
    assert "is not what the owner of" in str(result.exception)
    # The graph of this version is a fake, which is found out next.
    result = CliRunner().invoke(models_group, ["verify", "2", "--require_signature", str(public)])
    assert result.output.splitlines()[0] == f"signature: of {public}"
    assert "SHA-256 is the recorded one" in result.output


def test_a_version_without_papers_or_release_has_no_card(pushed: Path) -> None:
    for number in ("1", "2"):
        assert f"version {number} has no card" in str(refused("card", number).exception)
