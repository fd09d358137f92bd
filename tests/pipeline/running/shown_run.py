"""Shows an invented run of three nodes: `python shown_run.py LOG END`."""

import logging
import os
import sys
import time
from functools import partial
from pathlib import Path

from imdb_core import progress
from imdb_core.progress import PROGRESS_LOGGER, EpochEnd, NodeBegan, NodeEnded, Steps
from pipeline.running.console import quiet_console
from pipeline.running.live_view import run_view

log, end = Path(sys.argv[1]), sys.argv[2]
NODES = ["Data", "Trainer.scalar", "Pusher"]

try:
    with quiet_console(log, verbose=False, view=partial(run_view, nodes=NODES, log_file=log, max_lines=8)):
        progress.tell(NodeBegan("Data"))
        os.write(1, b"chatter of a library\n")
        progress.tell(NodeEnded("Data", 0.1, "cached"))
        progress.tell(NodeBegan("Trainer.scalar"))
        progress.tell(Steps(128, 512, "examples", "epoch 2/4", {"loss": 0.25}))
        time.sleep(0.5)
        logging.getLogger(PROGRESS_LOGGER).info("Trainer.scalar is waited for")
        if end == "waits":
            time.sleep(60)
        time.sleep(0.5)
        progress.tell(EpochEnd(1, 1, {"eval loss": 0.5}))
        progress.tell(NodeEnded("Trainer.scalar", 1.0, "done"))
except KeyboardInterrupt:
    print("interrupted")
print("after")
