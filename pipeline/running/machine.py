"""What the machine has to share out between the nodes of a run."""

import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

VISIBLE_GPUS: Final = "CUDA_VISIBLE_DEVICES"
_NO_GPU: Final = "-1"
_DEVICES: Final = Path("/proc/driver/nvidia/gpus")
# A driver that nobody uses is loaded first.
_PATIENCE_SECONDS: Final = 20.0


def gpus() -> list[str]:
    """Lists the NVIDIA GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them.

    CUDA is not asked, because a process that has used it cannot be copied.
    """
    allowed = os.environ.get(VISIBLE_GPUS)
    if allowed is not None:
        return [name for name in allowed.split(",") if name and name != _NO_GPU]
    count = len(list(_DEVICES.iterdir())) if _DEVICES.is_dir() else _listed_by_the_driver()
    return [str(number) for number in range(count)]


def _listed_by_the_driver() -> int:
    """Counts GPUs where the kernel does not list them, as in WSL2 and in some containers."""
    command = ("nvidia-smi", "-L")
    try:
        # The driver's program, wherever it is installed.
        listed = subprocess.run(command, capture_output=True, timeout=_PATIENCE_SECONDS, check=True).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(line.startswith(b"GPU ") for line in listed.splitlines())


class GpuBudget:
    """Shares the GPUs between nodes that train.

    Args:
        names: The GPUs.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._free = list(names)
        self._count = len(names)
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, *, by: int) -> Iterator[dict[str, str]]:
        """Takes a share, waiting for it if need be; yields the environment variables of a process that may use it.

        Args:
            by: The number of nodes that share the GPUs. With more nodes than GPUs, a node has one for itself and the
                others wait.
        """
        if not self._count:
            yield no_gpu()
            return
        share = max(1, self._count // by)
        with self._changed:
            self._changed.wait_for(lambda: len(self._free) >= share)
            mine, self._free = self._free[:share], self._free[share:]
        try:
            yield {VISIBLE_GPUS: ",".join(mine)}
        finally:
            with self._changed:
                self._free += mine
                self._changed.notify_all()


def no_gpu() -> dict[str, str]:
    """Returns the environment variables of a process that sees no GPU.

    TensorFlow in a Beam stage would take all the memory of a GPU.
    """
    return {VISIBLE_GPUS: _NO_GPU}
