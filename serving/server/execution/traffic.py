"""Which calls are about to arrive: those of clients that were there a moment ago.

A row costs a recurrent network less than half as much in a batch of 64 as in one of 8. A batch therefore waits for the
clients that had a call in progress lately, as long as the server is still sending them their answers or reading their
next requests.
"""

from dataclasses import dataclass
from typing import Final

# Whatever happens, a call waits no longer for others.
LONGEST_SECONDS: Final = 0.05


@dataclass
class Traffic:
    """The calls of one signature.

    Attributes:
        in_flight: Number of calls that wait or run.
        usual: The most calls in flight at a time since a batch last waited in vain.
    """

    in_flight: int = 0
    usual: int = 1

    def arrived(self) -> None:
        """Counts a new call."""
        self.in_flight += 1
        self.usual = max(self.usual, self.in_flight)

    @property
    def is_expecting(self) -> bool:
        """Whether more calls are about to arrive."""
        return self.in_flight < self.usual

    def seconds_left(self, since: float, now: float) -> float:
        """Returns how long a batch still waits for the usual calls, 0 or less if it does not.

        Args:
            since: When the batch could have run first, by the same clock as `now`.
            now: The time.
        """
        return since + LONGEST_SECONDS - now if self.is_expecting else 0.0

    def settle(self) -> None:
        """Notes that no more calls are about to arrive: clients that did not come are not expected again."""
        self.usual = max(1, self.in_flight)

    def share(self, batches: int) -> int:
        """Returns the number of calls in one of several simultaneous batches, so that all take about as long."""
        return max(1, -(-self.in_flight // batches))
