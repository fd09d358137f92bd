"""Extends TFX's command line with `command.py` when TFX loads it, whatever script was started.

The wheel installs this file into site-packages as `_imdb_attention_tfx.py`, beside a `.pth` file that calls `install()`
whenever Python starts. It therefore runs in every interpreter of the environment: it imports only modules that Python
has already loaded, and costs two comparisons per import until TFX's command is imported.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing's own would cost more than the rest of this file
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType, TracebackType

COMMAND_LINE = "tfx.tools.cli"
COMMANDS = f"{COMMAND_LINE}.commands.run"


class CommandFinder:
    """Lets the other finders find TFX's run commands, and extends the commands once they are loaded."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`; returns None for every module except TFX's run commands."""
        if name == COMMAND_LINE:
            # Silences the start-up lines of TensorFlow's native code, which TFX imports next.
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
            _prepare()
            sys.excepthook = _without_traceback_of_interrupts
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

        # The loader is patched, not replaced, so that inspection, reload and resources still work.
        spec.loader.exec_module = load_and_extend  # type: ignore[method-assign]
        return spec


_FINDER = CommandFinder()


def install() -> None:
    """Makes the next import of TFX's run commands add `--pipeline`; a second call changes nothing."""
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def _prepare() -> None:
    """Prepares the process as `imdb-attention` does, before TFX imports Keras."""
    try:
        start = __import__("_imdb_attention_start")
    except ImportError:  # this hook without the rest of the installation
        return
    start.prepare()


def _without_traceback_of_interrupts(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Prints one line for Ctrl-C during TFX's ten seconds of imports; Python then ends as SIGINT demands."""
    if issubclass(kind, KeyboardInterrupt):
        print("stopped by SIGINT", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def _extend(commands: ModuleType) -> None:
    """Applies `pipeline/tfx_cli/command.py`; if that fails, leaves TFX's commands unchanged."""
    from importlib.util import module_from_spec, spec_from_file_location

    # Not imported as `pipeline.tfx_cli.command`: a pipeline file that TFX executes in this process may have a package
    # `pipeline` of its own, as in TFX's templates, and must not find this project's package loaded in its place.
    files = (os.path.join(folder, "pipeline", "tfx_cli", "command.py") for folder in sys.path)
    file = next(filter(os.path.isfile, files), None)
    spec = file and spec_from_file_location("_imdb_attention_tfx_command", file)
    if not spec or not spec.loader:
        return
    try:
        extension = module_from_spec(spec)
        spec.loader.exec_module(extension)
        extension.extend(commands)
    except Exception as error:  # TFX's own commands must work whatever the error is
        print(f"imdb-attention: cannot add --pipeline to `tfx run create`: {error!r}", file=sys.stderr)
