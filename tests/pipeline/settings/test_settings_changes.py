from pipeline.settings import changed_settings, flatten, load_settings, preset_settings


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
