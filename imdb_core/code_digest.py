"""Digests of the project's own code, by which a node runs again exactly when its results can have changed.

TFX caches a node by its execution properties. These contain only the import path of the node's function, therefore a
digest of the function's code is another property.
"""

import ast
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Final

_PACKAGES: Final = ("components", "imdb_core", "serving")
# Nodes get settings as values, and an error ends a node without a result.
_WITHOUT_EFFECT: Final = frozenset({"imdb_core.settings", "imdb_core.errors", "imdb_core.code_digest"})
# Modules of this name, in any package, only show people the progress of the work.
_PROGRESS: Final = "progress"


def code_digest(*modules: str) -> str:
    """Returns the SHA-256 digest of modules and all modules of the project that they import, directly or not.

    Comments, layout, docstrings, type annotations, log lines and progress messages do not count. An import counts
    anywhere in a module except under `if TYPE_CHECKING`; a module that is named only in a string does not count.

    Args:
        *modules: The dotted names of the modules, such as `components.trainer.run_fn`.

    Raises:
        ModuleNotFoundError: One of `modules` does not exist.
    """
    found = _closure(modules)
    for module in modules:
        if module not in found:
            raise ModuleNotFoundError(
                f"cannot digest {module!r}: no such module in {', '.join(_PACKAGES)}", name=module
            )
    digest = hashlib.sha256()
    for name, reached in sorted(found.items()):
        digest.update(f"{name}\n{reached.computation}\n".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class _Module:
    """What of a module affects results.

    Attributes:
        computation: Its reduced syntax tree, as text.
        imports: The names of those of our modules that it imports.
    """

    computation: str
    imports: frozenset[str]


def _closure(modules: Iterable[str]) -> dict[str, _Module]:
    """Returns each module that is reached, by name."""
    found: dict[str, _Module] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in found or name in _WITHOUT_EFFECT or name.rpartition(".")[2] == _PROGRESS:
            continue
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            continue
        package, _, _ = name.rpartition(".")
        inside = name if spec.submodule_search_locations else package
        found[name] = _module(spec.origin, inside, Path(spec.origin).stat().st_mtime_ns)
        waiting += found[name].imports
        if package:  # importing a module runs its packages first
            waiting.append(package)
    return found


@cache
def _module(file: str, package: str, changed: int) -> _Module:
    """Reads a module; most are reached by several nodes, and reading them all took a second of each start."""
    del changed  # another time, another module
    tree = _computation(ast.parse(Path(file).read_text(encoding="utf-8")))
    return _Module(ast.dump(tree), frozenset(_imports(tree, package)))


def _imports(tree: ast.Module, package: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            # `from imdb_core import features` imports a submodule, `from imdb_core.features import TEXT` does not.
            names.add(module)
            if _is_package(module):
                names.update(f"{module}.{alias.name}" for alias in node.names)
    return {name for name in names if _is_ours(name)}


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in _PACKAGES


def _is_package(name: str) -> bool:
    spec = find_spec(name) if _is_ours(name) else None
    return spec is not None and spec.submodule_search_locations is not None


def _computation(tree: ast.Module) -> ast.Module:
    """Reduces a module to what can affect a result."""
    reduced: ast.Module = _Reduction(tree).visit(tree)
    used = {node.id for node in ast.walk(reduced) if isinstance(node, ast.Name)}
    return _UnusedImports(used).visit(reduced)  # type: ignore[no-any-return]  # the type of its argument


class _Reduction(ast.NodeTransformer):
    """Removes docstrings, annotations, log lines, progress messages and imports under `if TYPE_CHECKING`."""

    def __init__(self, tree: ast.Module) -> None:
        self._reporters = {_PROGRESS} | {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign) and _calls(node.value, "getLogger")
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        self._in_class = False

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        match node.value:
            case ast.Constant(value=str()):
                return None
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name))) if name in self._reporters:
                return None
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        match node.test:
            case ast.Name(id="TYPE_CHECKING"):
                return None
        return self.generic_visit(node)

    def visit_Pass(self, _: ast.Pass) -> None:
        """Removes `pass`, so that a body that only logs equals an empty one."""

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._visit_inside(node, is_class=True)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._visit_function(node)

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        # TFX derives the interface of a node from the annotations of its function.
        if not any(
            isinstance(decorator, ast.Name) and decorator.id == "component" for decorator in node.decorator_list
        ):
            node.returns = None
            arguments = node.args
            for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
                argument.annotation = None
            for rest in filter(None, (arguments.vararg, arguments.kwarg)):
                rest.annotation = None
        return self._visit_inside(node, is_class=False)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        # In a class, annotated names are the fields of dataclasses and settings.
        if self._in_class:
            return self.generic_visit(node)
        if node.value is None:
            return None
        return self.visit(ast.Assign(targets=[node.target], value=node.value, lineno=node.lineno))  # type: ignore[no-any-return]

    def _visit_inside(self, node: ast.AST, *, is_class: bool) -> ast.AST:
        outside, self._in_class = self._in_class, is_class
        reduced = self.generic_visit(node)
        self._in_class = outside
        return reduced


class _UnusedImports(ast.NodeTransformer):
    """Removes imports from other projects that only annotations used.

    The project's own imports stay, because importing a module can register something.
    """

    def __init__(self, used: set[str]) -> None:
        self._used = used

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        return self._pruned(node, [name for name in node.names if _is_ours(name.name) or self._is_used(name)])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        ours = node.level or _is_ours(node.module or "")
        return self._pruned(node, [name for name in node.names if ours or self._is_used(name)])

    def _is_used(self, name: ast.alias) -> bool:
        return (name.asname or name.name.partition(".")[0]) in self._used

    def _pruned(self, node: ast.Import | ast.ImportFrom, names: list[ast.alias]) -> ast.AST | None:
        node.names = names
        return node if names else None


def _calls(value: ast.expr | None, name: str) -> bool:
    match value:
        case ast.Call(func=ast.Attribute(attr=called) | ast.Name(id=called)):
            return called == name
    return False
