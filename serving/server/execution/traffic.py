"""Which calls are about to arrive: those of clients that were there a moment ago.

A run of a recurrent network costs little more for 64 rows than for 8. A batch therefore waits for the clients that had
a call in progress lately, as long as the server is still sending them their answers or reading their next requests.
"""

from dataclasses import dataclass
from typing import Final

# Without an event for this long, no client is about to send its next request.
QUIET_SECONDS: Final = 0.002
# Whatever happens, a call waits no longer for others.
LONGEST_SECONDS: Final = 0.05


@dataclass
class Traffic:
    """The calls of one signature. Times are those of `time.monotonic()`.

    Attributes:
        in_flight: Number of calls that wait or run.
        usual: The most calls in flight at a time since a batch last waited in vain.
    """

    in_flight: int = 0
    usual: int = 1
    _latest: float = 0.0  # time of the latest call or answer

    def arrived(self, now: float) -> None:
        """Counts a new call."""
        self.in_flight += 1
        self.usual = max(self.usual, self.in_flight)
        self._latest = now

    def answering(self, now: float) -> None:
        """Notes that answers are sent, after which their clients may call again."""
        self._latest = now

    def seconds_left(self, since: float, now: float, *, is_busy: bool) -> float:
        """Returns how long a batch still waits for calls that are about to arrive; 0 or less if there are none.

        Args:
            since: When the batch could have run first.
            now: The time.
            is_busy: Whether answers are being sent.
        """
        if self.in_flight >= self.usual:
            return 0.0
        left = since + LONGEST_SECONDS - now
        return left if is_busy else min(left, max(since, self._latest) + QUIET_SECONDS - now)

    def waited(self) -> None:
        """Notes that a batch runs: clients that did not come are no longer expected."""
        self.usual = max(1, self.in_flight)

    def share(self, batches: int) -> int:
        """Returns the number of calls in one of several simultaneous batches, so that all take about as long."""
        return max(1, -(-self.in_flight // batches))
