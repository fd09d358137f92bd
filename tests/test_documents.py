"""What documents say and a test can check: paths, modules, settings and commands exist."""

import ast
import io
import itertools
import re
import shlex
import subprocess
import tokenize
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from benchmarks.__main__ import main as benchmarks_cli
from benchmarks.serving.__main__ import main as serving_benchmark_cli
from pipeline.cli import main as pipeline_cli
from pipeline.settings import PipelineConfig, flatten

ROOT = Path(__file__).parents[1]
FLOORS = ("benchmarks", "components", "imdb_core", "pipeline", "serving")
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
FOLDERS = {str(parent) for name in TRACKED for parent in Path(name).parents}
DOCUMENTS = [ROOT / name for name in TRACKED if name.endswith(".md") and name != "CHANGELOG.md"]
SETTINGS = flatten(PipelineConfig())
SECTIONS = {key.partition(".")[0] for key in SETTINGS}

LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
# A path of this repository: it starts with one of its folders, or is a file at its top.
PATH = re.compile(rf"(?<![\w./-])((?:{'|'.join(FLOORS)}|docs|schemas|scripts|tests|\.ci|\.github)/[\w./-]*\w)")
PLACEHOLDER = re.compile(r"/(NODE|NAME)\b")
MODULE = re.compile(rf"(?<![\w./])((?:{'|'.join(FLOORS)})(?:\.\w+)+)")
SETTING = re.compile(rf"(?<![\w./-])((?:{'|'.join(sorted(SECTIONS - {'preset'}))})\.[a-z_]+)(?![\w(./])")


def words(path: Path) -> str:
    """The text of a document, or the docstrings and comments of a module."""
    text = path.read_text()
    if path.suffix != ".py":
        return text
    found = [
        ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return "\n".join([*found, *(token.string for token in tokens if token.type == tokenize.COMMENT)])


def texts() -> Iterator[Path]:
    yield from DOCUMENTS
    yield from (ROOT / name for name in TRACKED if name.endswith(".py") and name.partition("/")[0] in FLOORS)


def commands_of(document: Path) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", document.read_text(), re.DOTALL)
    return "".join(blocks).replace("\\\n", " ").splitlines()


def is_module(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    while "." in name:
        try:
            if find_spec(name):
                return True
        except ModuleNotFoundError:
            pass
        name, _, attribute = name.rpartition(".")
        spec = find_spec(name)
        if spec and spec.origin and re.search(rf"\b{attribute}\b", Path(spec.origin).read_text()):
            return True
    return False


@pytest.mark.parametrize("path", list(texts()), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_module_and_setting_that_is_named_exists(path):
    text = words(path)
    for link in LINK.findall(text) if path.suffix == ".md" else ():
        assert (path.parent / link).exists(), link
    for name in PATH.findall(text):
        if not PLACEHOLDER.search(name):
            assert name in TRACKED or name in FOLDERS, name
    for name in MODULE.findall(text):
        assert name in SETTINGS or name.endswith((".json", ".py")) or is_module(name), name
    if path.suffix == ".md":
        for name in SETTING.findall(text):
            assert name in SETTINGS or name.endswith((".json", ".py")) or is_module(name), name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_make_target_that_is_named_exists(path):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", path.read_text())) <= targets


def test_ci_runs_the_two_commands_of_the_readme_and_nothing_else():
    (block,) = re.findall(r"## Two commands.*?```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    commands = [shlex.join(shlex.split(line, comments=True)) for line in block.splitlines()]
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    run = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert run == commands


def test_pre_commit_runs_what_make_lint_runs():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [hook["entry"] for hook in repository["hooks"]] == ["make --no-print-directory lint"]


@pytest.mark.parametrize("line", commands_of(ROOT / "docs" / "results.md"))
def test_commands_beside_figures_have_options_and_settings_that_exist(line):
    program, *words = shlex.split(line)
    if program == "make":
        assert words[0] in re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return
    starts = {
        ("imdb-attention",): pipeline_cli,
        ("python", "-m", "benchmarks"): benchmarks_cli,
        ("python", "-m", "benchmarks.serving"): serving_benchmark_cli,
        ("tfx", "run", "create", "--pipeline", "pipeline/"): pipeline_cli.commands["run"],
    }
    (start,) = (start for start in starts if (program, *words)[: len(start)] == start)
    command, words = starts[start], words[len(start) - 1 :]
    if words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= options
    for word, value in itertools.pairwise(words):
        assert word != "--set" or value.partition("=")[0] in SETTINGS
