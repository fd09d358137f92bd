from typing import get_args

from imdb_core.modes import BASELINE, CANDIDATE, MODES, ROLES, SCALAR, VECTOR, Mode


def test_the_type_lists_all_modes():
    assert get_args(Mode) == MODES == (SCALAR, VECTOR)


def test_each_mode_has_a_role_of_its_own():
    assert ROLES == {"scalar": BASELINE, "vector": CANDIDATE}
