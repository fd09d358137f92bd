import inspect

from imdb_core import errors
from imdb_core.errors import ReviewPipelineError, SettingsError

CLASSES = dict(inspect.getmembers(errors, inspect.isclass))


def test_all_errors_derive_from_the_base_and_state_their_meaning():
    for error in CLASSES.values():
        assert error.__doc__
        assert error is ReviewPipelineError or error.__bases__ == (ReviewPipelineError,)


def test_wrong_settings_exit_with_2_and_other_errors_with_1():
    assert {name for name, error in CLASSES.items() if error.exit_code == 2} == {SettingsError.__name__}
    assert {error.exit_code for error in CLASSES.values()} == {1, 2}
