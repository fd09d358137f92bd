"""Digests of our own code, so that a change of it re-runs the nodes that depend on it and no others.

TFX knows the version of a function given by import path only through what stands in its execution properties.
"""

import ast
import hashlib
from collections.abc import Iterable
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Final

_PACKAGES: Final = ("components", "serving")
# What nodes use of these reaches them as values.
_DECLARATIONS: Final = frozenset(
    {"components", *(f"components.{name}" for name in ("settings", "errors", "code_digest"))}
)


def code_digest(*modules: str) -> str:
    """Digests modules and all of `components` and `serving` that they import, directly or not.

    Imports count wherever they stand, in functions and under `if TYPE_CHECKING` too; those that a string names do not.

    Args:
        *modules: like `components.training`.

    Returns:
        SHA-256 in hex, of the syntax trees: comments and layout do not count.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    sources = _closure(modules)
    for module in modules:
        if module not in sources:
            raise ModuleNotFoundError(f"no module {module!r} of {' or '.join(_PACKAGES)} to digest", name=module)
    digest = hashlib.sha256()
    for name, source in sorted(sources.items()):
        digest.update(f"{name}\n{ast.dump(ast.parse(source))}\n".encode())
    return digest.hexdigest()


def _closure(modules: Iterable[str]) -> dict[str, str]:
    sources: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        spec = None if name in sources or name in _DECLARATIONS else find_spec(name)
        if spec is None or spec.origin is None:
            continue
        sources[name] = Path(spec.origin).read_text(encoding="utf-8")
        waiting += _imports(sources[name], name if spec.submodule_search_locations else name.rpartition(".")[0])
        # Importing a module runs its packages first.
        waiting += [package for package, dot, _ in [name.rpartition(".")] if dot]
    return sources


def _imports(source: str, package: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            # `from components import reviews` imports a module, `from components.paired import choose` does not.
            names.add(module)
            if _is_package(module):
                names.update(f"{module}.{alias.name}" for alias in node.names)
    return {name for name in names if name.partition(".")[0] in _PACKAGES}


def _is_package(name: str) -> bool:
    if name.partition(".")[0] not in _PACKAGES:
        return False
    spec = find_spec(name)
    return spec is not None and spec.submodule_search_locations is not None
