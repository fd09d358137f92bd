"""Prepares a process whatever the environment holds: settings of Keras, packages of others, encodings, closed streams.

The wheel also installs this file into site-packages, as `_imdb_attention_start.py`, where no package on PYTHONPATH and
no folder can replace it: it is what `imdb-attention` and TFX's command line start with. It therefore imports only the
standard library.
"""

import atexit
import gc
import importlib
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final, NoReturn

PACKAGES: Final = ("imdb_core", "serving", "components", "pipeline")

_BACKEND: Final = "tensorflow"
# Keras reads its settings from a folder that cannot exist, so that it uses its defaults.
_NO_KERAS_HOME: Final = os.path.join(os.devnull, "keras")
_UTF8: Final = "PYTHONUTF8"
_NEW_OBJECTS: Final = 100_000


def main() -> NoReturn:
    """Starts `imdb-attention`."""
    prepare()
    use_own_packages(_root())
    sys.exit(importlib.import_module("pipeline.cli").main())


def prepare() -> None:
    """Prepares this process and its children; does nothing the second time.

    If the locale cannot encode all file names, the process starts anew in Python's UTF-8 mode, in which it can.
    """
    collect_garbage_rarely()
    _open_closed_streams()
    if sys.getfilesystemencoding().lower() != "utf-8":
        os.environ[_UTF8] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this very command
    for stream in (sys.stdout, sys.stderr):
        # A console with fewer characters shows the others as escapes.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    for note in pin_keras(os.environ):
        print(note, file=sys.stderr)
    # At its end, Python would look through all objects of TensorFlow and Beam for garbage, which takes two seconds.
    atexit.register(gc.freeze)


def collect_garbage_rarely() -> None:
    """Makes Python look for garbage after 100,000 new objects instead of 700.

    Importing TFX makes a million objects that stay, and looking through them takes a quarter of that time. How often
    older objects are looked through, compared with new ones, remains as it is: TensorFlow's graphs are such garbage.
    """
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])


def pin_keras(environ: MutableMapping[str, str]) -> list[str]:
    """Sets the environment variables that make Keras use TensorFlow and its own defaults, whatever a user has set.

    Models and tests depend on both. It has to be called before Keras is imported.

    Returns:
        One sentence for each setting of the user that is ignored.
    """
    notes = []
    backend = environ.get("KERAS_BACKEND", _BACKEND)
    if backend != _BACKEND:
        notes.append(f"KERAS_BACKEND={backend} is ignored: the models here are TensorFlow's")
    home = environ.get("KERAS_HOME")
    if home is not None and home != _NO_KERAS_HOME and Path(home, "keras.json").exists():
        notes.append(f"KERAS_HOME={home} is ignored: the models here use Keras's defaults, not those of its keras.json")
    environ["KERAS_BACKEND"] = _BACKEND
    environ["KERAS_HOME"] = _NO_KERAS_HOME
    return notes


def use_own_packages(root: str | os.PathLike[str]) -> None:
    """Lets Python find this project's packages in `root` before those of the same names anywhere else."""
    folder = os.fspath(root)
    sys.path[:] = [folder, *(entry for entry in sys.path if entry != folder)]
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in PACKAGES and not _is_below(module, folder):
            del sys.modules[name]
    importlib.invalidate_caches()


def module_command(module: str, *arguments: str) -> list[str]:
    """Returns the command that runs one of this project's modules in a new process.

    `python -m` would prefer a package of the same name in the current folder or on PYTHONPATH.
    """
    root = str(Path(__file__).resolve().parents[1])
    start = "import sys; sys.path[0] = sys.argv.pop(1)"
    run = "import runpy; runpy.run_module(sys.argv.pop(1), run_name='__main__')"
    return [sys.executable, "-c", f"{start}; {run}", root, module, *arguments]


def _open_closed_streams() -> None:
    """Opens the standard streams that are closed, so that no file takes their place."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - stays open


def _root() -> str:
    """Returns the folder of this project's packages: site-packages, or the checkout of an editable installation.

    Python appends to its path what `.pth` files in site-packages name; entries before it are those of PYTHONPATH.
    """
    here = os.path.dirname(os.path.realpath(__file__))
    entries = [os.path.realpath(entry) for entry in sys.path]
    for entry in entries[entries.index(here) :] if here in entries else [here]:
        if all(os.path.isfile(os.path.join(entry, name, "__init__.py")) for name in PACKAGES):
            return entry
    sys.exit(
        f"error: the packages {', '.join(PACKAGES)} of imdb-attention are neither in {here} nor where its .pth files "
        "lead; install the project again"
    )


def _is_below(module: object, folder: str) -> bool:
    file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", [])), "")
    return os.path.realpath(file).startswith(os.path.realpath(folder) + os.sep)
