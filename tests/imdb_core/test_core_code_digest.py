import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from imdb_core import code_digest as module
from imdb_core.code_digest import code_digest

ROOT = Path(__file__).parents[2]

TREE = {
    "components/model.py": "from components import layer\nSIZE = 3\n",
    "components/layer.py": (
        '"""A layer."""\nfrom components.parts.gate import gate\n\n\ndef call(x):\n    return gate(x) + 1\n'
    ),
    "components/parts/__init__.py": "",
    "components/parts/gate.py": ("from .limits import LOW\nfrom . import high\n\n\ndef gate(x):\n    return x * LOW\n"),
    "components/parts/limits.py": "LOW = 1\n",
    "components/parts/high.py": "HIGH = 2\n",
    "components/parts/progress.py": "UNIT = 'reviews'\n",
    "components/late.py": "def call():\n    import components.unrelated\n    return components.unrelated.VALUE\n",
    "components/circle.py": "import components.round\n",
    "components/round.py": "import components.circle\n",
    "components/unrelated.py": "import json\nVALUE = json.dumps(1)\n",
    "components/uses_core.py": (
        "from imdb_core.settings import EPOCHS\nfrom imdb_core import errors, features, progress\n"
    ),
    "components/tells.py": "from components.parts import progress\n",
    "imdb_core/settings.py": "EPOCHS = 3\n",
    "imdb_core/errors.py": "",
    "imdb_core/progress.py": "",
    "imdb_core/features.py": "TEXT = 'text'\n",
}

FUNCTION = """
import logging
from typing import Any, Final

_log = logging.getLogger(__name__)

LIMIT: Final[int] = 3


class Layer:
    size: int = 3
    depth: int

    def call(self, x: Any, *rest: int, scale: float = 1.0, **named: str) -> float:
        y: float = x
        if x:
            _log.info("call %s", x)
        for item in rest:
            pass
        return y * scale
"""


@pytest.fixture
def tree(tmp_path) -> Path:
    for name, source in {"components/__init__.py": "", "imdb_core/__init__.py": "", **TREE}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    shutil.copy(module.__file__, tmp_path / "imdb_core")
    return tmp_path


def digests(tree: Path, *names: str) -> list[str]:
    """Digests modules of another tree than the one that is imported here."""
    code = "import sys; from imdb_core.code_digest import code_digest as d; print(*map(d, sys.argv[1:]))"
    result = subprocess.run(
        [sys.executable, "-S", "-c", code, *(f"components.{name}" for name in names)],
        env={**os.environ, "PYTHONPATH": str(tree)},
        cwd=tree,
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
    source = "# Why.\nfrom components import (\n    layer,\n)\n\n\nSIZE = (3)  # three\n"
    assert changed(tree, "components/model.py", source) == set()


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("model.py", "from components import layer\nSIZE = 4\n"),
        ("layer.py", TREE["components/layer.py"].replace("+ 1", "- 1")),
        ("parts/gate.py", TREE["components/parts/gate.py"].replace("*", "/")),
        ("parts/limits.py", "LOW = 2\n"),
        ("parts/high.py", "HIGH = 3\n"),
        ("parts/__init__.py", "LOADED = True\n"),
    ],
    ids=lambda value: value.split("\n")[0],
)
def test_code_that_is_imported_counts_however_indirectly(tree, file, source):
    assert changed(tree, f"components/{file}", source) == {"model"}


def test_code_that_is_not_imported_does_not_count(tree):
    assert changed(tree, "components/unrelated.py", "VALUE = 2\n") == {"unrelated"}


def test_an_import_inside_a_function_counts(tree):
    assert changed(tree, "components/unrelated.py", "VALUE = 2\n", ("late", "model")) == {"late"}


def test_imdb_core_counts(tree):
    assert changed(tree, "imdb_core/features.py", "TEXT = 'review'\n", ("uses_core", "model")) == {"uses_core"}


@pytest.mark.parametrize("file", ["settings", "errors", "progress"])
def test_settings_errors_and_progress_change_no_result(tree, file):
    assert changed(tree, f"imdb_core/{file}.py", "CHANGED = 1\n", ("uses_core",)) == set()


def test_a_module_named_progress_does_not_count_in_any_package(tree):
    assert changed(tree, "components/parts/progress.py", "UNIT = 'rows'\n", ("tells",)) == set()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("class Layer:\n", 'class Layer:\n    """Words.\n\n    More."""\n\n'),
        ("-> float:\n", '-> float:\n        """Words."""\n'),
        ("\nimport logging", '\n"""Words."""\nimport logging'),
        ("x: Any", "x: float"),
        ("*rest: int", "*rest"),
        ("scale: float", "scale: int"),
        ("**named: str", "**named: bytes"),
        (") -> float:", "):"),
        ("y: float = x", "y = x"),
        ("LIMIT: Final[int] = 3", "LIMIT = 3"),
        ("import Any, Final", "import Any, Final, Literal"),
        (
            "import logging\n",
            "import logging\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import components.model\n",
        ),
        ('"call %s", x', '"called with %s", x'),
        ('_log.info("call %s", x)', "pass"),
    ],
    ids=str,
)
def test_docstrings_types_and_log_lines_do_not_count(tree, old, new):
    assert FUNCTION.count(old) == 1
    (tree / "components/model.py").write_text(FUNCTION)
    assert changed(tree, "components/model.py", FUNCTION.replace(old, new)) == set()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("scale: float = 1.0", "scale: float = 2.0"),
        ("LIMIT: Final[int] = 3", "LIMIT: Final[int] = 4"),
        ("y: float = x", "y: float = -x"),
        ("size: int = 3", "size: float = 3"),
        ("depth: int\n", "height: int\n"),
        ("x: Any, *rest", "z: Any, *rest"),
        ("return y * scale", "return y"),
        ("pass\n", "y += item\n"),
        ("import logging\n", "import logging\nimport components.unrelated\n"),
    ],
    ids=str,
)
def test_a_change_of_the_computation_counts(tree, old, new):
    assert FUNCTION.count(old) == 1
    (tree / "components/model.py").write_text(FUNCTION)
    assert changed(tree, "components/model.py", FUNCTION.replace(old, new)) == {"model"}


def test_the_interface_of_a_node_counts(tree):
    source = "@component\ndef Node(model: InputArtifact[Model]) -> None: ...\n"
    (tree / "components/model.py").write_text(source)
    assert changed(tree, "components/model.py", source.replace("[Model]", "[Examples]")) == {"model"}


def test_circular_imports_are_digested(tree):
    source = "import components.circle\nX = 1\n"
    assert changed(tree, "components/round.py", source, ("circle", "round")) == {"circle", "round"}


def test_moving_code_to_another_module_counts(tree):
    before = digests(tree, "model")
    (tree / "components/layer2.py").write_text(TREE["components/layer.py"])
    (tree / "components/model.py").write_text("from components import layer2\nSIZE = 3\n")
    assert digests(tree, "model") != before


def test_a_digest_is_the_same_in_another_place_and_another_process(tree, tmp_path_factory):
    other = tmp_path_factory.mktemp("elsewhere") / "tree"
    shutil.copytree(tree, other)
    assert digests(other, "model") == digests(tree, "model")


def test_a_missing_module_is_an_error():
    with pytest.raises(ModuleNotFoundError, match=r"components\.trainning"):
        code_digest("components.trainning")


# The real tree


NODES = {
    "ImdbExampleGen": "example_gen.component",
    "Transform": "transform.preprocessing",
    "Trainer": "trainer.run_fn",
    "Predictions": "predictions.component",
    "extractors": "evaluator.extractors",
    "metrics": "evaluator.tfma_metric",
    "ModeSelector": "mode_selector.component",
    "AnomalyGate": "anomaly_gate.component",
}

REACH = {
    "components/network/attention.py": {"Trainer"},
    "components/network/export.py": {"Trainer"},
    "components/network/model.py": {"Trainer"},
    "components/trainer/datasets.py": {"Trainer"},
    "components/trainer/progress.py": set(),
    "components/transform/preprocessing.py": {"Transform", "Trainer"},
    "components/predictions/writing.py": {"Predictions"},
    "components/evaluator/extractors.py": {"extractors"},
    "components/evaluator/metrics.py": {"metrics", "ModeSelector"},
    "components/evaluator/tfma_metric.py": {"metrics"},
    "components/mode_selector/choice.py": {"ModeSelector"},
    "components/example_gen/sources/rows.py": {"ImdbExampleGen"},
    "components/example_gen/executor.py": {"ImdbExampleGen"},
    "components/anomaly_gate/component.py": {"AnomalyGate"},
    "components/pusher/push.py": set(),
    "serving/runtime/cpp_loader.py": {"Predictions"},
    "imdb_core/features.py": set(NODES) - {"AnomalyGate", "extractors"},
    "imdb_core/modes.py": {"Trainer", "Predictions", "ModeSelector"},
    "imdb_core/stats/paired.py": {"ModeSelector"},
    "imdb_core/stats/scores.py": {"metrics", "ModeSelector"},
    "imdb_core/settings.py": set(),
    "imdb_core/errors.py": set(),
    "imdb_core/progress.py": set(),
}

# Adds a line to each file in turn, and prints which digests change; one process does it for all files to be fast.
CHANGE_EACH = """
import json, pathlib, sys
from imdb_core.code_digest import code_digest
nodes, files = map(json.loads, sys.argv[1:])
digests = lambda: {node: code_digest(f"components.{module}") for node, module in nodes.items()}
before, reached = digests(), {}
for file in map(pathlib.Path, files):
    source = file.read_text()
    file.write_text(source + "\\n_CHANGED = True\\n")
    after = digests()
    reached[str(file)] = [node for node in nodes if after[node] != before[node]]
    file.write_text(source)
print(json.dumps(reached))
"""


@pytest.fixture(scope="module")
def reached(tmp_path_factory) -> dict[str, list[str]]:
    folder = tmp_path_factory.mktemp("real")
    for package in ("components", "imdb_core", "serving"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    result = subprocess.run(
        [sys.executable, "-S", "-c", CHANGE_EACH, json.dumps(NODES), json.dumps(list(REACH))],
        env={**os.environ, "PYTHONPATH": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(result.stdout)


@pytest.mark.parametrize("file", REACH)
def test_a_change_of_our_code_reaches_the_nodes_that_run_it(reached, file):
    assert set(reached[file]) == REACH[file]
