import math

import pytest
from scipy import stats

from imdb_core.stats.quantiles import POWER, critical_value, power_quantile

# Two-sided critical values and 80% quantiles from printed tables, by degrees of freedom.
CRITICAL = {(0.95, math.inf): 1.960, (0.99, math.inf): 2.576, (0.95, 4): 2.776, (0.9, 10): 1.812}
OF_POWER = {math.inf: 0.842, 4: 0.941, 10: 0.879}


@pytest.mark.parametrize(("given", "expected"), CRITICAL.items())
def test_critical_values_are_those_of_printed_tables(given, expected):
    assert critical_value(*given) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(("freedom", "expected"), OF_POWER.items())
def test_power_quantiles_are_those_of_printed_tables(freedom, expected):
    assert power_quantile(freedom) == pytest.approx(expected, abs=5e-4)


def test_without_degrees_of_freedom_the_distribution_is_normal():
    assert critical_value(0.95) == pytest.approx(stats.norm.ppf(0.975), rel=1e-15)
    assert power_quantile() == pytest.approx(stats.norm.ppf(0.8), rel=1e-15)
    assert POWER == 0.8
