import itertools

import pytest
from tfx.types import standard_artifacts

from components.champion.component import LastBlessedChampion
from imdb_core.modes import SELECTED_MODE


@pytest.fixture
def ids():
    return itertools.count(1)


@pytest.fixture
def winner(ids):
    """Makes a model that ModeSelector selected."""

    def make() -> standard_artifacts.Model:
        model = trained(ids)
        model.set_string_custom_property(SELECTED_MODE, "scalar")
        return model

    return make


@pytest.fixture
def bless(ids):
    """Makes an Evaluator's blessing of a model."""

    def make(model: standard_artifacts.Model, *, blessed: bool = True) -> standard_artifacts.ModelBlessing:
        blessing = standard_artifacts.ModelBlessing()
        blessing.id = next(ids)
        blessing.set_int_custom_property("blessed", int(blessed))
        blessing.set_int_custom_property("current_model_id", model.id)
        return blessing

    return make


def trained(ids) -> standard_artifacts.Model:
    model = standard_artifacts.Model()
    model.id = next(ids)
    return model


def resolve(candidate, models, blessings):
    given = {"candidate": [candidate], "model": models, "model_blessing": blessings}
    resolved = LastBlessedChampion().resolve_artifacts(None, given)
    assert resolved["candidate"] == [candidate]
    return resolved["model"], resolved["model_blessing"]


def test_the_first_candidate_has_no_champion(winner):
    candidate = winner()
    assert resolve(candidate, [], []) == ([], [])
    assert resolve(candidate, [candidate], []) == ([], [])


def test_empty_inputs_resolve_to_empty_outputs():
    assert LastBlessedChampion().resolve_artifacts(None, {}) == {"candidate": [], "model": [], "model_blessing": []}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_last_blessed_winner_is_the_champion_in_any_order_of_the_store(winner, bless, order):
    models = [winner(), winner(), winner()]
    blessings = [bless(models[0]), bless(models[1]), bless(models[2], blessed=False)]
    candidate = winner()
    found = resolve(candidate, [*(models[i] for i in order), candidate], [blessings[i] for i in order])
    assert found == ([models[1]], [blessings[1]])


def test_a_mode_that_the_modes_evaluator_blessed_is_not_a_champion(winner, bless, ids):
    old, mode, candidate = winner(), trained(ids), winner()
    first, second = bless(old), bless(mode)
    assert resolve(candidate, [old, mode, candidate], [first, second]) == ([old], [first])
    assert resolve(candidate, [mode, candidate], [second]) == ([], [])


def test_the_candidate_is_not_its_own_champion(winner, bless):
    old, candidate = winner(), winner()
    blessings = [bless(old), bless(candidate)]
    assert resolve(candidate, [old, candidate], blessings) == ([old], [blessings[0]])


def test_an_older_model_that_was_blessed_again_is_the_champion(winner, bless):
    old, new, candidate = winner(), winner(), winner()
    first, second, third = bless(old), bless(new), bless(old)
    assert resolve(candidate, [old, new, candidate], [first, second, third]) == ([old], [third])


def test_a_later_refusal_does_not_undo_a_blessing(winner, bless):
    # Refused later, as a candidate against a better champion, it is still the last model that was blessed and pushed.
    old, candidate = winner(), winner()
    first, second = bless(old), bless(old, blessed=False)
    assert resolve(candidate, [old, candidate], [first, second]) == ([old], [first])


def test_a_blessed_model_that_the_store_no_longer_has_is_passed_over(winner, bless):
    old, gone, candidate = winner(), winner(), winner()
    first, second = bless(old), bless(gone)
    assert resolve(candidate, [old, candidate], [first, second]) == ([old], [first])
