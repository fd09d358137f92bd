"""Memory of unloaded models goes back to the system."""

import ctypes
import gc
import sys
from collections.abc import Callable
from typing import Final

_NEW_OBJECTS: Final = 10_000


def keep_from_collector() -> None:
    """Excludes all present objects from garbage collections, and makes those of new objects rarer.

    TensorFlow's modules consist of a million objects. A collection that visits them stops all requests for 0.2 s. By
    default, a collection of the newest objects takes place every few requests and visits all that are in progress.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])


def return_memory() -> None:
    """Frees the graphs that nothing refers to but themselves, and returns the pages of the heap to the system.

    A TensorFlow graph is a cycle, so that it stays in memory, with all constants, until the garbage collector visits
    it, and an idle server may run for days without. The C library keeps freed memory for later; a model is large.
    """
    gc.collect()
    if _trim is not None:
        _trim(0)


def _malloc_trim() -> Callable[[int], int] | None:
    """Returns the function of glibc; None where there is another C library."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


_trim: Final = _malloc_trim()
