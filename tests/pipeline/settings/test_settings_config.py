import contextlib
import json

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from imdb_core.errors import SettingsError
from imdb_core.settings import Section
from pipeline.settings import PipelineConfig, changed_settings, flatten, load_settings, preset_settings


@pytest.fixture
def toml(tmp_path):
    def write(text: str):
        file = tmp_path / "settings.toml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def refusal(*assignments: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(None, assignments)
    assert caught.value.exit_code == 2
    return str(caught.value)


# Where values come from


def test_the_defaults_are_valid_and_are_the_attention_preset():
    settings = load_settings()
    assert settings.config == PipelineConfig() == load_settings(None, ["preset=attention"]).config
    assert set(settings.origins.values()) == {"default"}
    assert set(settings.origins) == set(flatten(settings.config))
    assert settings.config.model.softmax == "time"
    assert settings.config.model.pooling == "sum"
    assert settings.config.model.mask


def test_the_blog_preset_is_the_code_of_the_post():
    config = load_settings(None, ["preset=blog"]).config
    assert (config.model.softmax, config.model.pooling, config.model.mask) == ("last", "flatten", False)
    assert (config.model.word_dropout, config.model.embedding_dropout, config.model.dropout) == (0.0, 0.0, 0.0)
    assert (config.training.epochs, config.training.batch_size, config.training.learning_rate) == (2, 64, 0.001)
    assert (config.training.patience, config.training.label_smoothing) == (0, 0.0)
    assert (config.training.schedule, config.training.weight_decay) == ("constant", 0.0)
    assert (config.model.embedding_init, config.training.weight_average) == ("uniform", 0.0)
    assert config.data.eval_fraction == 0.0
    assert (config.transform.vocabulary_size, config.transform.max_tokens) == (10_000, 200)
    assert (config.model.embedding_dim, config.model.gru_units, config.model.dense_units) == (100, 64, 32)


def test_later_sources_win_and_each_key_has_its_origin(toml):
    file = toml('preset = "blog"\n[training]\nepochs = 5\nbatch_size = 32\n')
    settings = load_settings(file, ["training.epochs=7"])
    origins = settings.origins
    assert (settings.config.training.epochs, origins["training.epochs"]) == (7, "--set")
    assert (settings.config.training.batch_size, origins["training.batch_size"]) == (32, str(file))
    assert (settings.config.training.patience, origins["training.patience"]) == (0, "preset blog")
    assert (settings.config.training.seed, origins["training.seed"]) == (1, "default")
    assert origins["preset"] == str(file)


def test_a_preset_given_by_set_does_not_undo_what_the_file_says(toml):
    file = toml('preset = "attention"\n[training]\nepochs = 5\n')
    settings = load_settings(file, ["preset=blog"])
    assert settings.config.preset == "blog"
    assert settings.config.training.epochs == 5
    assert settings.config.model.pooling == "flatten"


def test_set_replaces_a_preset_in_the_file(toml):
    settings = load_settings(toml('preset = "blog"\n'), ["preset=attention"])
    assert settings.config == PipelineConfig()


def test_the_last_of_two_assignments_wins():
    assert load_settings(None, ["training.epochs=2", "training.epochs=3"]).config.training.epochs == 3


def test_loading_one_preset_does_not_change_the_next():
    load_settings(None, ["preset=blog", "model.dropout=0.5"])
    assert load_settings(None, ["preset=blog"]).config.model.dropout == 0.0


# What is refused, and how


@pytest.mark.parametrize(
    ("assignment", "parts"),
    [
        ("training.epoch=3", ["'training.epoch'", "did you mean 'epochs'?", "batch_size", "(--set)"]),
        ("training.zzz=3", ["unknown setting 'training.zzz' (--set); allowed here: epochs, batch_size"]),
        ("trainig.epochs=3", ["'trainig'", "did you mean 'training'?", "preset, data, transform, model"]),
        ("preset=blogg", ["preset = 'blogg' (--set)", "'attention' or 'blog'"]),
        ("preset=[1]", ["preset = [1] (--set)", "'attention' or 'blog'"]),
        ("preset.name=blog", ["preset = {'name': 'blog'}", "expected a name, like preset=blog"]),
        ("model.softmax=words", ["model.softmax = 'words' (--set)", "'time' or 'last'"]),
        ("training.device=tpu", ["training.device = 'tpu'", "'auto', 'gpu' or 'cpu'"]),
        ("training.epochs=many", ["training.epochs = 'many'", "a whole number"]),
        ('training.epochs="3"', ["training.epochs = '3'", "a whole number"]),
        ("training.epochs=3.0", ["training.epochs = 3.0", "a whole number"]),
        ("training.epochs=true", ["training.epochs = True", "a whole number"]),
        ("training.learning_rate=fast", ["training.learning_rate = 'fast'", "a number"]),
        ("data.dedupe=1", ["data.dedupe = 1", "true or false"]),
        ("data.dedupe=True", ["data.dedupe = 'True'", "true or false"]),
        ("data.source=2024", ["data.source = 2024", "expected text", '"quotes"']),
        ("data.positive_labels=good", ["data.positive_labels = 'good'", 'a list, like ["a", "b"]']),
        ("data.positive_labels=[true]", ["data.positive_labels.0 = True", "expected text"]),
        ("training.epochs=0", ["training.epochs = 0", "greater than or equal to 1"]),
        ("data.eval_fraction=1.0", ["data.eval_fraction = 1.0", "less than 1"]),
        ("training.learning_rate=nan", ["training.learning_rate = nan", "finite number"]),
        ("training.learning_rate=inf", ["training.learning_rate = inf", "finite number"]),
        ("metadata.port=70000", ["metadata.port = 70000", "less than or equal to 65535"]),
        ("serving.model_name=a-b", ["serving.model_name = 'a-b'", "the text should match pattern"]),
        ("model.pooling=flatten", ["softmax = 'time'", "pooling = 'flatten'", "use pooling = 'sum'"]),
        ("model.softmax=last", ["mask = true", "softmax = 'last'", "use mask = false"]),
        ("data.eval_fraction=0", ["training.patience = 2", "data.eval_fraction = 0.0", "training.patience = 0"]),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line_with_its_key_and_what_is_allowed(assignment, parts):
    message = refusal(assignment)
    assert all(part in message for part in parts), message
    assert "\n" not in message


def test_tuning_needs_an_eval_split():
    with pytest.raises(SettingsError, match=r"training.tune = true .* data.eval_fraction = 0.0 .*preset 'blog'.*use "):
        load_settings(None, ["preset=blog", "training.tune=true"])
    assert load_settings(None, ["preset=blog", "training.tune=true", "data.eval_fraction=0.1"]).config.training.tune


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ('{"training.seed" = [1, 2]}', "tuning.space names 'training.seed'; what can be searched is "),
        ('{"model.dropout" = [0.5, 1.5]}', "tuning.space gives model.dropout the value 1.5: expected less than"),
        ('{"model.dropout" = 0.5}', "tuning.space.model.dropout = 0.5"),
        ("model.dropout", "tuning.space = 'model.dropout'"),
    ],
)
def test_an_invalid_search_space_is_refused_in_one_line(space, message):
    with pytest.raises(SettingsError) as caught:
        load_settings(None, [f"tuning.space={space}"])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_epochs_of_trials_are_given_or_searched_but_not_both():
    space = 'tuning.space={"training.epochs" = [3, 5]}'
    assert load_settings(None, [space]).config.tuning.space == {"training.epochs": (3, 5)}
    with pytest.raises(SettingsError, match=r"epochs = 2 .* space searches training.epochs"):
        load_settings(None, [space, "tuning.epochs=2"])


def test_a_search_space_in_a_file_is_a_table(toml):
    file = toml('[tuning]\ntrials = 5\n[tuning.space]\n"model.dropout" = [0.3, 0.5]\n')
    assert load_settings(file).config.tuning.space == {"model.dropout": (0.3, 0.5)}


def test_mixed_precision_on_the_cpu_is_refused():
    message = refusal("training.mixed_precision=true", "training.device=cpu")
    assert "training.mixed_precision = true needs a GPU" in message
    assert load_settings(None, ["training.mixed_precision=true"]).config.training.mixed_precision


def test_all_wrong_settings_are_reported_at_once():
    lines = refusal("training.epochs=0", "model.softmax=words").splitlines()
    assert [line.split()[0] for line in lines] == ["model.softmax", "training.epochs"]


@pytest.mark.parametrize("text", ["", "=", "=3", "epochs=3", "training.epochs", "a.b.c=1", "training.=1", ".epochs=1"])
def test_a_malformed_assignment_is_refused(text):
    assert refusal(text) == f"--set {text!r}: expected section.key=value, like training.epochs=3, or preset=blog"


def test_an_error_in_a_file_names_the_file(toml):
    file = toml("[training]\nepochs = 0\n[model]\nsofmax = 'time'\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert f"training.epochs = 0 ({file})" in str(caught.value)
    assert f"'model.sofmax' ({file}); did you mean 'softmax'?" in str(caught.value)


@pytest.mark.parametrize("text", ["data = 5", "data = [1]", "preset = {}"])
def test_a_section_that_is_not_a_table_is_refused_even_if_later_sources_replace_it(toml, text):
    with pytest.raises(SettingsError, match="expected a"):
        load_settings(toml(text), ["data.source=x", "preset=blog"])


def test_an_unknown_section_is_refused_as_a_value_and_as_a_table(toml):
    with pytest.raises(SettingsError, match="unknown setting 'datta'"):
        load_settings(toml("datta = 5"), ["datta.source=x"])


def test_a_missing_or_unreadable_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.toml: No such file"):
        load_settings(tmp_path / "nowhere.toml")
    with pytest.raises(SettingsError, match="Is a directory"):
        load_settings(tmp_path)


@pytest.mark.parametrize("content", [b"training: 3", b"[training]\nepochs = ", b"a = '\xff'"])
def test_a_file_that_is_not_toml_is_refused(tmp_path, content):
    file = tmp_path / "settings.toml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match="is not TOML"):
        load_settings(file)


# Values on their way


def test_a_whole_number_is_taken_where_a_fraction_is_expected():
    rate = load_settings(None, ["training.learning_rate=1"]).config.training.learning_rate
    assert (rate, type(rate)) == (1.0, float)


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("reviews/*.csv", "reviews/*.csv"),
        ("  reviews of films.csv ", "reviews of films.csv"),
        ('"2024"', "2024"),
        ("'a \" b'", 'a " b'),
        ("gs://bucket/a=b.csv", "gs://bucket/a=b.csv"),
        ("#1.csv", "#1.csv"),
        ("1\nsource = 2", "1\nsource = 2"),
    ],
)
def test_a_value_that_is_not_toml_is_text(written, source):
    assert load_settings(None, [f"data.source={written}"]).config.data.source == source


def toml_text(value: object) -> str:
    """Writes a value in TOML's notation, by the grammar of its specification."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in value) + '"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_text, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{toml_text(key)} = {toml_text(item)}' for key, item in value.items())}}}"
    return repr(value)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    TEXTS.filter(bool),
    st.lists(TEXTS),
    st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    st.integers(min_value=1),
    st.booleans(),
)
def test_any_value_survives_set(source, labels, rate, epochs, dedupe):
    given_values = {
        "data.source": source,
        "data.ignored_labels": [f"other {label}" for label in labels],
        "training.learning_rate": rate,
        "training.epochs": epochs,
        "data.dedupe": dedupe,
    }
    settings = load_settings(None, [f"{key}={toml_text(value)}" for key, value in given_values.items()])
    values = flatten(settings.config)
    assert {key: values[key] for key in given_values} == given_values
    assert {key for key, origin in settings.origins.items() if origin == "--set"} == set(given_values)


@given(st.text())
def test_any_assignment_is_accepted_or_refused_with_a_settings_error(text):
    for assignment in (text, f"data.source={text}", f"training.epochs={text}", f"preset={text}", f"data.{text}=1"):
        with contextlib.suppress(SettingsError):
            load_settings(None, [assignment])


@pytest.mark.parametrize("preset", ["attention", "blog"])
def test_every_section_round_trips_through_json(preset):
    config = load_settings(None, [f"preset={preset}"]).config
    assert PipelineConfig.model_validate(json.loads(json.dumps(config.model_dump(mode="json")))) == config
    sections = [getattr(config, name) for name in PipelineConfig.model_fields if name != "preset"]
    assert len(sections) == 12
    for section in sections:
        again = type(section).model_validate(json.loads(json.dumps(section.model_dump(mode="json"))))
        assert again == section
        assert type(section).model_validate_json(section.model_dump_json()) == section


@pytest.mark.parametrize("preset", ["attention", "blog"])
def test_a_flattened_tree_is_a_settings_file(toml, preset):
    config = load_settings(None, [f"preset={preset}", "data.source=ünï 🎬"]).config
    file = toml("\n".join(f"{key} = {toml_text(value)}" for key, value in flatten(config).items()))
    assert load_settings(file).config == config
    assert tomli.loads(file.read_text())["preset"] == preset


def test_settings_are_frozen():
    settings = load_settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.config.training.epochs = 3
    with pytest.raises(ValidationError, match="frozen"):
        settings.config.preset = "blog"
    with pytest.raises(AttributeError):
        settings.config = PipelineConfig()
    assert issubclass(PipelineConfig, Section)


def test_only_settings_that_differ_from_the_preset_are_changes():
    settings = flatten(load_settings(None, ["preset=blog", "training.epochs=3", "model.mask=false"]).config)
    assert changed_settings(settings) == {"training.epochs": 3}
    assert preset_settings(settings)["training.epochs"] == 2


def test_without_a_preset_the_default_one_applies():
    assert preset_settings({}) == flatten(load_settings().config)


def test_a_preset_or_setting_that_no_longer_exists_changes_nothing():
    assert preset_settings({"preset": "retired"}) == {}
    assert changed_settings({"preset": "retired", "training.epochs": 99}) == {}
    assert changed_settings({"training.retired": 1}) == {}
