import json

import pytest

from imdb_core.errors import SettingsError
from pipeline.settings import CONFIG_VARIABLE, SET_VARIABLE, load_settings, settings_from_environment


def test_the_environment_gives_the_same_settings_as_a_file_and_assignments(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text("[training]\nepochs = 5\n")
    environ = {CONFIG_VARIABLE: str(file), SET_VARIABLE: json.dumps(["training.seed=9", 'data.source="a=b"'])}
    settings = settings_from_environment(environ)
    assert settings == load_settings(file, ["training.seed=9", 'data.source="a=b"'])
    assert settings.config.data.source == "a=b"
    assert settings_from_environment({}) == load_settings()


@pytest.mark.parametrize("text", ["training.epochs=3", "{}", "[1]", '"training.epochs=3"', "null"])
def test_an_environment_variable_that_is_not_a_list_of_texts_is_refused(text):
    with pytest.raises(SettingsError, match="expected a JSON list like") as caught:
        settings_from_environment({SET_VARIABLE: text})
    assert repr(text) in str(caught.value)
