"""Lets `command.py` extend TFX's command line the moment TFX loads it, whoever wrote the `tfx` script.

The wheel puts this file into site-packages as `_imdb_attention_tfx.py`, and beside it a `.pth` file that calls
`install()` whenever Python starts. So it runs in every interpreter of the environment: it imports nothing that Python
has not loaded by then, and does no more than one comparison an import until TFX's command is asked for.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing's own would cost more than the rest of this file
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

COMMAND_LINE = "tfx.tools.cli"
COMMANDS = f"{COMMAND_LINE}.commands.run"


class CommandFinder:
    """Finds TFX's run commands where every other finder finds them, and extends them once they are loaded."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`; None for every module but one."""
        if name == COMMAND_LINE:
            # Before TFX imports TensorFlow, whose native start-up lines say nothing to whoever types `tfx`.
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        if name != COMMANDS:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in others)), None)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_and_extend(module: ModuleType) -> None:
            load(module)
            _extend(module)

        # The loader itself stays, so that inspection, reload and resources work as ever.
        spec.loader.exec_module = load_and_extend  # type: ignore[method-assign]
        return spec


_FINDER = CommandFinder()


def install() -> None:
    """Makes the next import of TFX's run commands bring `--pipeline`; more calls change nothing."""
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def _extend(commands: ModuleType) -> None:
    """Applies `pipeline/tfx_cli/command.py`, and leaves TFX as it is where that cannot be done."""
    from importlib.util import module_from_spec, spec_from_file_location

    # By file, not as `pipeline.tfx_cli.command`: a pipeline file that TFX executes in this process may import a package
    # `pipeline` of its own (TFX's templates have one), and must not find ours loaded in its place.
    files = (os.path.join(folder, "pipeline", "tfx_cli", "command.py") for folder in sys.path)
    file = next(filter(os.path.isfile, files), None)
    spec = file and spec_from_file_location("_imdb_attention_tfx_command", file)
    if not spec or not spec.loader:
        return
    try:
        extension = module_from_spec(spec)
        spec.loader.exec_module(extension)
        extension.extend(commands)
    except Exception as error:  # whatever is wrong with the extension, TFX's own commands must work
        print(f"imdb-attention: `tfx run create` stays without --pipeline: {error!r}", file=sys.stderr)
