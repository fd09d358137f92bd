"""Children that never outlive their parent."""

import os
import signal
import threading
from typing import IO, Final

# Set for a child whose standard input is a pipe that only its parent can write to.
LIFELINE_VARIABLE: Final = "IMDB_LIFELINE"


def follow_lifeline(stream: IO[bytes]) -> None:
    """Lets this process get SIGTERM when its parent ends, if the parent asked for it.

    Args:
        stream: Standard input. If LIFELINE_VARIABLE is set, it is a pipe that nobody writes to, and its end is the end
            of the parent, even of one that was killed.
    """
    if os.environ.pop(LIFELINE_VARIABLE, None):
        threading.Thread(target=_follow, args=(stream,), daemon=True).start()


def _follow(stream: IO[bytes]) -> None:
    # Not by the stream, whose lock this thread would hold when the interpreter ends, which then aborts.
    while os.read(stream.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
