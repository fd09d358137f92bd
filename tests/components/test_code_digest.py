import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import components
from components import code_digest as module
from components.code_digest import code_digest

TREE = {
    "model.py": "from components import layer\nSIZE = 3\n",
    "layer.py": '"""A layer."""\nfrom components.parts.gate import gate\n\n\ndef call(x):\n    return gate(x) + 1\n',
    "parts/__init__.py": "",
    "parts/gate.py": "from .limits import LOW\nfrom . import high\n\n\ndef gate(x):\n    return x * LOW\n",
    "parts/limits.py": "LOW = 1\n",
    "parts/high.py": "HIGH = 2\n",
    "late.py": "def call():\n    import components.unrelated\n    return components.unrelated.VALUE\n",
    "circle.py": "import components.round\n",
    "round.py": "import components.circle\n",
    "unrelated.py": "import json\nVALUE = 1\n",
    "settings.py": "EPOCHS = 3\n",
    "uses_settings.py": "from components.settings import EPOCHS\nfrom components import errors\n",
    "errors.py": "",
}


@pytest.fixture
def tree(tmp_path) -> Path:
    folder = tmp_path / "components"
    for name, source in {"__init__.py": "", **TREE}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(source)
    shutil.copy(module.__file__, folder)
    return folder


def digests(tree: Path, *names: str) -> list[str]:
    """Digests modules of another tree than the one that is imported here."""
    code = "import sys; from components.code_digest import code_digest as d; print(*map(d, sys.argv[1:]))"
    result = subprocess.run(
        [sys.executable, "-S", "-c", code, *(f"components.{name}" for name in names)],
        env={**os.environ, "PYTHONPATH": str(tree.parent)},
        cwd=tree.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.split()


def changed(tree: Path, file: str, source: str, names: tuple[str, ...] = ("model", "unrelated")) -> set[str]:
    before = digests(tree, *names)
    (tree / file).write_text(source)
    return {name for name, old, new in zip(names, before, digests(tree, *names), strict=True) if old != new}


def test_layout_and_comments_do_not_count(tree):
    assert (
        changed(tree, "model.py", "# Why.\nfrom components import (\n    layer,\n)\n\n\nSIZE = (3)  # three\n") == set()
    )


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("model.py", "from components import layer\nSIZE = 4\n"),
        ("layer.py", TREE["layer.py"].replace("+ 1", "- 1")),
        ("parts/gate.py", TREE["parts/gate.py"].replace("*", "/")),
        ("parts/limits.py", "LOW = 2\n"),
        ("parts/high.py", "HIGH = 3\n"),
        ("parts/__init__.py", "LOADED = True\n"),
    ],
    ids=lambda value: value.split("\n")[0],
)
def test_code_that_is_imported_counts_however_indirectly(tree, file, source):
    assert changed(tree, file, source) == {"model"}


def test_code_that_is_not_imported_does_not_count(tree):
    assert changed(tree, "unrelated.py", "VALUE = 2\n") == {"unrelated"}


def test_an_import_inside_a_function_counts(tree):
    assert changed(tree, "unrelated.py", "VALUE = 2\n", ("late", "model")) == {"late"}


def test_settings_reach_nodes_as_values_and_do_not_count(tree):
    assert changed(tree, "settings.py", "EPOCHS = 4\n", ("uses_settings",)) == set()
    assert changed(tree, "errors.py", "class Error(Exception): ...\n", ("uses_settings",)) == set()


def test_a_circle_of_imports_ends(tree):
    assert changed(tree, "round.py", "import components.circle\nX = 1\n", ("circle", "round")) == {"circle", "round"}


def test_moving_code_to_another_module_counts(tree):
    before = digests(tree, "model")
    (tree / "layer2.py").write_text(TREE["layer.py"])
    (tree / "model.py").write_text("from components import layer2\nSIZE = 3\n")
    assert digests(tree, "model") != before


def test_a_digest_is_the_same_in_another_place_and_another_process(tree, tmp_path):
    other = tmp_path / "elsewhere" / "components"
    shutil.copytree(tree, other)
    assert digests(other, "model") == digests(tree, "model")


def test_a_module_that_is_not_there_is_an_error():
    with pytest.raises(ModuleNotFoundError, match=r"components\.trainning"):
        code_digest("components.trainning")


# The real tree


NODES = (
    "ingest.component",
    "preprocessing",
    "training",
    "predictions",
    "extractors",
    "metrics",
    "selector",
    "anomaly_gate",
)

REACH = {
    "attention.py": {"training"},
    "export.py": {"training"},
    "model.py": {"training"},
    "datasets.py": {"training"},
    "preprocessing.py": {"preprocessing", "training"},
    "predictions.py": {"predictions"},
    "cpp_loader.py": {"predictions"},
    "comparison.py": {"predictions", "selector"},
    "extractors.py": {"extractors"},
    "metrics.py": {"metrics", "selector"},
    "paired.py": {"selector"},
    "ingest/rows.py": {"ingest.component"},
    "ingest/executor.py": {"ingest.component"},
    "anomaly_gate.py": {"anomaly_gate"},
    "reviews.py": set(NODES) - {"anomaly_gate", "extractors"},
    "settings.py": set(),
    "pusher.py": set(),
}

# Adds a line to each file in turn, and tells which digests it changes; one process for all, to be quick.
CHANGE_EACH = """
import json, pathlib, sys
from components.code_digest import code_digest
folder, nodes, files = pathlib.Path(sys.argv[1]), *map(json.loads, sys.argv[2:])
digests = lambda: {node: code_digest(f"components.{node}") for node in nodes}
before, reached = digests(), {}
for file in files:
    source = (folder / file).read_text()
    (folder / file).write_text(source + "\\n_CHANGED = True\\n")
    after = digests()
    reached[file] = [node for node in nodes if after[node] != before[node]]
    (folder / file).write_text(source)
print(json.dumps(reached))
"""


@pytest.fixture(scope="module")
def reached(tmp_path_factory) -> dict[str, list[str]]:
    folder = tmp_path_factory.mktemp("real") / "components"
    shutil.copytree(Path(components.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    result = subprocess.run(
        [sys.executable, "-S", "-c", CHANGE_EACH, str(folder), json.dumps(NODES), json.dumps(list(REACH))],
        env={**os.environ, "PYTHONPATH": str(folder.parent)},
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(result.stdout)


@pytest.mark.parametrize("file", REACH)
def test_a_change_of_our_code_reaches_the_nodes_that_run_it(reached, file):
    assert set(reached[file]) == REACH[file]
