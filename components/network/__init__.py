"""The network: its layers, the Keras model, and the exported SavedModel.

A public package: import its names from here.

- `build_model` builds the network of an attention mode, of which `Attention` and `WordDropout` are layers.
- `explaining_model` adds the attention weights to a network's outputs.
- `load_trained_model` loads a network that the Trainer saved.
- `export_model` writes a network and its Transform graph as a SavedModel with warm-up requests.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from components.network.attention import Attention
    from components.network.export import export_model
    from components.network.model import build_model, explaining_model, load_trained_model
    from components.network.word_dropout import WordDropout

__all__ = ["Attention", "WordDropout", "build_model", "explaining_model", "export_model", "load_trained_model"]

_MODULES: Final = {
    "Attention": "attention",
    "WordDropout": "word_dropout",
    "build_model": "model",
    "explaining_model": "model",
    "export_model": "export",
    "load_trained_model": "model",
}


def __getattr__(name: str) -> Any:
    """Imports the module of a public name on first use, because building a graph must not import Keras.

    A graph holds digests of this package's code, and finding one of its modules imports the package.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
