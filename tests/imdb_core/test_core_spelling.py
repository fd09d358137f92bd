import math
from decimal import Decimal

import pytest

from imdb_core.spelling import spelling


@pytest.mark.parametrize("value", [1, 1.0, "1", " 1 ", "1.0", "1.00", "+1", b"1", Decimal("1.0"), "01"])
def test_one_number_has_one_spelling(value):
    assert spelling(value) == "1"


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (True, "true"),
        ("POS ", "pos"),
        (None, ""),
        (math.nan, "nan"),
        (4.5, "4.5"),
        ("-1", "-1"),
        ("1e400", "1e400"),
        ("1_0", "1_0"),
        ("1.2.3", "1.2.3"),
        ("-", "-"),
        (b"\xff", "\ufffd"),
    ],
)
def test_others_stay_as_they_are(value, spelled):
    assert spelling(value) == spelled
