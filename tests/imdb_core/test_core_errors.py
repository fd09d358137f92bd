import inspect
import re

from imdb_core import errors
from imdb_core.errors import ReviewPipelineError, SettingsError

CLASSES = dict(inspect.getmembers(errors, inspect.isclass))


def test_the_drawing_shows_all_errors_with_their_meaning():
    drawn = dict(re.findall(r"[├└]── (\w+) +(.+)", errors.__doc__))
    assert set(drawn) | {"ReviewPipelineError"} == set(CLASSES)
    for name, meaning in drawn.items():
        assert CLASSES[name].__bases__ == (ReviewPipelineError,)
        assert CLASSES[name].__doc__.lower() == f"{meaning}.".lower()


def test_wrong_settings_exit_with_2_and_other_errors_with_1():
    assert {name for name, error in CLASSES.items() if error.exit_code == 2} == {SettingsError.__name__}
    assert {error.exit_code for error in CLASSES.values()} == {1, 2}
