"""Thread pools for the runs of sessions: one thread a run.

TensorFlow's default spreads the ops of a run over all cores. The small ops of a recurrent network then spend more time
on being handed from thread to thread than on arithmetic, and a run takes cores from its neighbours without being any
faster. Here runs are what is parallel: each core has a pool of one thread, and a run takes the least busy of them.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import tensorflow as tf

POOLS: Final = os.cpu_count() or 1

_lock = threading.Lock()
# Of the process, as TensorFlow's named pools are: versions come and go.
_runs = [0] * POOLS


def session_config() -> tf.compat.v1.ConfigProto:
    """Makes the configuration of sessions that have these pools and no GPU: a laptop's is for training."""
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0}, intra_op_parallelism_threads=1)
    for number in range(POOLS):
        config.session_inter_op_thread_pool.add(num_threads=1, global_name=f"serving-{number}")
    return config


@contextmanager
def least_busy() -> Iterator[int]:
    """Takes a pool for one run: the value of `RunOptions.inter_op_thread_pool`."""
    with _lock:
        pool = _runs.index(min(_runs))
        _runs[pool] += 1
    try:
        yield pool
    finally:
        with _lock:
            _runs[pool] -= 1
