import pytest

from imdb_core.errors import SettingsError
from pipeline.study.plan import plan


def test_presets_share_overrides_and_keep_their_own_settings():
    study = plan("attention,blog", 3, None, ["training.epochs=2", "training.seed=7"], {})
    assert list(study.settings) == ["attention", "blog"]
    assert list(study.seeds) == [7, 8, 9]
    configs = [settings.config for settings in study.settings.values()]
    assert [config.training.epochs for config in configs] == [2, 2]
    assert [config.model.pooling for config in configs] == ["sum", "flatten"]


def test_the_environment_counts_as_for_a_run(tmp_path):
    (tmp_path / "mine.toml").write_text('preset = "blog"\n[training]\nepochs = 7\n')
    study = plan(
        "attention", 1, None, [], {"IMDB_CONFIG": str(tmp_path / "mine.toml"), "IMDB_SET": '["data.shards=2"]'}
    )
    config = study.settings["attention"].config
    assert (config.preset, config.training.epochs, config.data.shards) == ("attention", 7, 2)
    with pytest.raises(SettingsError, match="IMDB_SET"):
        plan("attention", 1, None, [], {"IMDB_SET": "{}"})


def test_the_command_repeats_the_study_on_any_machine(tmp_path):
    (tmp_path / "mine.toml").touch()
    source = f"data.source={tmp_path / 'some reviews.tar.gz'}"
    study = plan("blog", 2, tmp_path / "mine.toml", [source, "training.epochs=2"], {})
    assert study.command == (
        "imdb-attention compare --seeds 2 --presets blog --config mine.toml "
        "--set 'data.source=some reviews.tar.gz' --set training.epochs=2"
    )


@pytest.mark.parametrize(
    ("presets", "seeds", "overrides", "words"),
    [
        ("attention", 0, [], "--seeds 0: expected 1 or more"),
        ("attention,blogg", 2, [], "--presets attention,blogg: expected some of attention, blog, each once"),
        ("blog,blog", 2, [], "each once"),
        ("", 2, [], "expected some of"),
        ("attention", 2, ["preset=blog"], "--set preset=blog: a study sets it itself; use --presets"),
        ("attention", 2, ["training.seed=4294967295"], "training.seed = 4294967296"),
        ("attention", 2, ["training.epochs=0"], "training.epochs = 0"),
    ],
)
def test_a_wrong_call_is_refused_with_the_reason(presets, seeds, overrides, words):
    with pytest.raises(SettingsError) as raised:
        plan(presets, seeds, None, overrides, {})
    assert words in str(raised.value)
