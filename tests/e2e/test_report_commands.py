"""The page of a run and the commands that look back, on what real runs left."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from browser import PHONE, opened

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def typed(project, first):
    del first

    def command(*arguments: str) -> str:
        done = subprocess.run(
            ["imdb-attention", *arguments],
            cwd=project.root,
            env=project.readers_environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return command


def test_a_run_leaves_a_page_and_says_where(project, first):
    record, printed = first
    (told,) = re.findall(r"^Report: (.*)$", printed, re.MULTILINE)
    assert Path(told) == project.workspace / "reports" / record["run_id"].replace(":", "-") / "index.html"
    assert Path(told).with_name("statistics.html").is_file()
    assert record["upstream"]["Transform"] == ["ImdbExampleGen", "ImportSchemaGen"]
    assert record["upstream"]["Trainer.scalar"] == ["AnomalyGate", "Transform"]
    assert record["versions"]["tfx"].startswith("1.")


def test_the_page_of_a_real_run_is_clean_on_a_phone(browser, typed, first):
    page = Path(typed("report", first[0]["run_id"], "--no-open").strip())
    with opened(browser, page.as_uri(), PHONE) as watched:
        watched.assert_clean()
        assert watched.page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
        text = watched.page.inner_text("main")
        assert f"pushed as version {first[0]['pushed']['version']}" in text
        assert "No anomalies" in text
        assert watched.page.locator("rect.complete").count() == len(first[0]["nodes"])
        assert watched.page.locator("figure svg").count() >= 10


def test_the_run_is_listed_with_what_it_measured(typed, first):
    record = first[0]
    (told,) = (run for run in json.loads(typed("runs", "--json")) if run["run_id"] == record["run_id"])
    assert (told["outcome"], told["version"]) == ("pushed", record["pushed"]["version"])
    assert told["metrics"] == record["selection"]["metrics"]
    assert told["changed"]["training.epochs"] == 3
    assert record["run_id"] in typed("runs")


def test_the_pushed_version_leads_to_the_sample(typed, first):
    version = first[0]["pushed"]["version"]
    text = typed("lineage", version)
    assert f"PushedModel {version} <- Pusher" in text
    assert "source sample" in text
    assert f"input fingerprint {first[0]['ingest']['fingerprint'][:12]}" in text
