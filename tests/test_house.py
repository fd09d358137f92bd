"""Rules of the layout that no linter checks."""

import ast
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ("benchmarks", "pipeline", "components", "serving", "imdb_core")
# Folders of tests that have no package of their own: the public surface, and what is no Python.
NO_PACKAGE = {"e2e", "schemas", "scripts", "serving/node"}


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text())


def defined_types(tree: ast.Module) -> Iterator[str]:
    """The public classes and aliases of types of a module: names in CapWords that it defines at its top."""
    for node in tree.body:
        match node:
            case (
                ast.ClassDef(name=name)
                | ast.Assign(targets=[ast.Name(id=name)])
                | ast.AnnAssign(target=ast.Name(id=name))
            ):
                if name[0].isupper() and not name.isupper():
                    yield name


def test_one_word_means_one_thing():
    places = defaultdict(list)
    for path, tree in sources():
        for name in defined_types(tree):
            places[name].append(str(path))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_private_names_stay_in_their_module():
    borrowed = [
        f"{path}:{node.lineno} {node.module}.{alias.name}"
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in FLOORS
        for alias in node.names
        if alias.name.startswith("_")
    ]
    assert borrowed == []


@pytest.mark.parametrize("floor", [*FLOORS, "schemas"])
def test_tests_mirror_the_sources(floor):
    folders = {path.parent for path in (ROOT / "tests" / floor).rglob("test_*.py")}
    named = {folder.relative_to(ROOT / "tests").as_posix() for folder in folders}
    assert {name for name in named - NO_PACKAGE if not (ROOT / name).is_dir()} == set()


def test_a_folder_of_components_is_a_node_or_what_nodes_share():
    files = {path.name for path in (ROOT / "components").glob("*.py")}
    assert files <= {"__init__.py", "artifacts.py", "graph_functions.py"}
    for folder in (ROOT / "components").iterdir():
        if folder.is_dir() and folder.name not in ("network", "__pycache__"):
            assert (folder / "component.py").is_file(), f"{folder.name} has no component.py"


def test_graphs_are_traced_in_one_place():
    """AutoGraph would take most of the time of a trace; see that module."""
    sources = (path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
    assert [path.name for path in sources if "tf.function(" in path.read_text()] == ["graph_functions.py"]


def test_git_ignores_no_source():
    """What git ignores is not in the wheel either, and no linter reads it."""
    names = [str(path) for path, _ in sources()]
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", *names], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ignored.stdout.splitlines() == []


def test_every_package_says_what_it_is():
    for floor in FLOORS:
        for folder in {path.parent for path in (ROOT / floor).rglob("*.py")}:
            assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text())), folder
