"""The quantiles that intervals, tests and their power need.

They are those of Student's t; infinitely many degrees of freedom give the normal distribution.
"""

from math import inf
from typing import Final

from scipy import stats

# The probability that a test shows a difference which is there.
POWER: Final = 0.8


def critical_value(confidence: float, freedom: float = inf) -> float:
    """Returns the half-width of a two-sided interval, in standard errors, at a confidence level such as 0.95."""
    return _quantile(0.5 + confidence / 2, freedom)


def power_quantile(freedom: float = inf) -> float:
    """Returns how far, in standard errors, a difference must exceed the critical value to be shown with `POWER`."""
    return _quantile(POWER, freedom)


def _quantile(probability: float, freedom: float) -> float:
    return float(stats.t.ppf(probability, freedom))
