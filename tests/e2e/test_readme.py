"""Every command of the README and its pages is run by a test; a command that nobody runs fails here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sample_project import ROOT, guides

RUNS = "tests/e2e/test_pipeline_runs.py"
OTHERS = "tests/e2e/test_other_runs.py"
SERVING = "tests/e2e/test_serving_commands.py"
REPORTS = "tests/e2e/test_report_commands.py"
RELEASES = "test_a_release_goes_from_canary_to_stable_and_back"
RELEASE_COMMANDS = (
    "list",
    "promote VERSION",
    "compare stable canary --input reviews.jsonl",
    "rollback",
    "verify VERSION",
    "card VERSION",
    "prune --keep 3",
)
SIGNED = f"{SERVING}::test_a_version_is_signed_and_checked_as_the_documents_say"
BLOG = f"{OTHERS}::test_the_download_and_the_blog_preset_run_through"

# Each command, and where it is run; CI runs `make test`.
RUN_BY = {
    "make run": f"{RUNS}::test_the_first_run_executes_every_node_and_pushes_a_version",
    "make test": ".ci/run",
    "tfx run create --pipeline pipeline/ --set data.source=imdb": BLOG,
    "tfx run create --pipeline pipeline/ --set data.source=aclImdb_v1.tar.gz": (
        "tests/components/example_gen/test_example_gen_executor.py"
    ),
    "tfx run create --pipeline pipeline/ --set data.source=reviews.csv": (
        f"{OTHERS}::test_a_stopped_and_a_killed_run_continue_and_end_as_if_they_had_not_been"
    ),
    "imdb-attention config show": "tests/e2e/test_readme.py::test_the_settings_are_shown",
    "tfx run create --pipeline pipeline/ --set training.epochs=4": (
        f"{RUNS}::test_the_first_run_executes_every_node_and_pushes_a_version"
    ),
    "tfx run create --pipeline pipeline/ --config my.toml": (
        f"{RUNS}::test_a_worse_model_is_not_pushed_and_the_run_says_by_how_much"
    ),
    "tfx run create --pipeline pipeline/ --set preset=blog": BLOG,
    "tfx pipeline create --engine local --pipeline_path pipeline/local_runner.py": (
        f"{RUNS}::test_the_two_steps_of_tfx_itself_run_the_same_pipeline"
    ),
    "tfx run create --engine local --pipeline_name imdb_attention": (
        f"{RUNS}::test_the_two_steps_of_tfx_itself_run_the_same_pipeline"
    ),
    "imdb-attention serve": f"{SERVING}::served",
    'imdb-attention predict "I expected to hate it, but I loved it."': f"{SERVING}::test_predict_answers_in_one_line",
    'imdb-attention predict "Hardly a great film."': "tests/e2e/test_sample_model.py",
    'imdb-attention explain "Funny, charming and never boring." --effects': (
        f"{SERVING}::test_explain_shows_every_word_and_writes_a_page"
    ),
    'imdb-attention explain "Funny, charming and never boring."': (
        f"{SERVING}::test_explain_shows_every_word_and_writes_a_page"
    ),
    "imdb-attention predict --input reviews.jsonl --output predictions.jsonl": (
        f"{SERVING}::test_files_are_predicted_alike_by_the_server_and_by_beam"
    ),
    "imdb-attention predict --input reviews.jsonl --output predictions.jsonl --beam": (
        f"{SERVING}::test_files_are_predicted_alike_by_the_server_and_by_beam"
    ),
    "imdb-attention report": f"{REPORTS}::test_the_page_of_a_real_run_is_clean_on_a_phone",
    "imdb-attention runs": f"{REPORTS}::test_the_run_is_listed_with_what_it_measured",
    "imdb-attention lineage VERSION": f"{REPORTS}::test_the_pushed_version_leads_to_the_sample",
    "imdb-attention compare --seeds 5": "tests/e2e/test_study.py::test_a_study_is_cached_and_grows_by_what_is_new",
    "tfx run create --pipeline pipeline/ --set training.tune=true": (
        f"{RUNS}::test_a_tuned_run_trains_both_modes_with_what_it_found_and_leaves_a_file_that_repeats_it"
    ),
    # Needs Docker: all that can be checked without it is.
    "docker compose up": "tests/schemas/test_schemas_serving.py",
    "openssl ecparam -name prime256v1 -genkey -noout -out KEY.pem": SIGNED,
    "openssl ec -in KEY.pem -pubout -out KEY.pub": SIGNED,
    "imdb-attention models sign VERSION --key KEY.pem": SIGNED,
    "model_signing verify key workspace/models/imdb_attention/VERSION --signature "
    "workspace/models/imdb_attention/VERSION/assets.extra/model.sig --public_key KEY.pub": SIGNED,
    **{f"imdb-attention models {rest}": f"{SERVING}::{RELEASES}" for rest in RELEASE_COMMANDS},
}


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", guides(), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n  ", "").splitlines()
    return [re.sub(r"\s+# .*", "", line).strip() for line in lines if line.strip()]


def test_the_documents_and_this_list_have_the_same_commands():
    others = [command for command in commands() if command.startswith(("curl ", "grpcurl "))]
    assert sorted(set(commands()) - set(others)) == sorted(RUN_BY)
    assert len(others) == 2  # test_serving_commands.py sends what both send


@pytest.mark.parametrize("place", sorted(set(RUN_BY.values())))
def test_the_test_is_there(place):
    file, _, name = place.partition("::")
    text = (ROOT / file).read_text()
    assert f"def {name}(" in text if name else text


def test_make_run_is_the_tfx_command():
    planned = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "--always-make", "run"],
        cwd=ROOT,
        # What `make test ARGS=...` was given is for that make alone.
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "ARGS"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert planned.stdout.splitlines()[-1].strip() == "tfx run create --pipeline pipeline/"


def test_the_settings_are_shown():
    script = Path(sys.executable).parent / "imdb-attention"
    shown = subprocess.run([script, "config", "show"], capture_output=True, text=True, check=True).stdout
    assert re.search(r"^training\.epochs = \d+ +# default$", shown, re.MULTILINE)
