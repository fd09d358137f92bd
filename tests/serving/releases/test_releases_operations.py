from __future__ import annotations

import functools
import shutil
from pathlib import Path

import pytest
from released import MODEL, add_version, model_entry, served

from serving.releases import journal, model_config
from serving.releases.errors import ReleaseError
from serving.releases.lock import exclusive
from serving.releases.operations import Configs, promote, prune, rollback
from serving.releases.rollout import roll_out
from serving.releases.state import read_state

offline = functools.partial(roll_out, servers=(), timeout=0.0)


def do_promote(models: Path, name: str | int, label: str = "stable", why: str = "") -> None:
    promote(models, MODEL, str(name), label, why=why, roll_out=offline)


def do_rollback(models: Path, label: str = "stable") -> None:
    rollback(models, MODEL, label, why="", roll_out=offline)


def moves(models: Path) -> list[tuple]:
    return [(entry.action, entry.label, entry.before, entry.after) for entry in journal.read(models, MODEL)]


def versions(models: Path) -> list[int]:
    return list(read_state(models, MODEL).versions)


# Promotion


def test_the_newest_is_live_until_somebody_promotes(models: Path) -> None:
    state = read_state(models, MODEL)
    assert (state.managed, state.live, state.previous) == (False, 3, 2)
    assert not (models / "models.config").exists()


def test_a_promotion_pins_the_version_and_is_recorded(models: Path) -> None:
    do_promote(models, 3, why="looks good")
    # 2 is the target of a roll-back.
    assert served(models) == ([2, 3], {"stable": 3})
    assert moves(models) == [("promote", "stable", 3, 3)]
    (entry,) = journal.read(models, MODEL)
    assert entry.why == "looks good"
    add_version(models, 4)
    state = read_state(models, MODEL)
    assert (state.managed, state.live, state.loaded) == (True, 3, {2, 3})


def test_the_previous_version_stays_loaded_if_it_is_older(models: Path) -> None:
    do_promote(models, 1)
    # Requests without a label get the largest loaded version, which must not be 3 any more.
    assert served(models) == ([1], {"stable": 1})
    assert moves(models) == [("promote", "stable", 3, 1)]
    do_promote(models, 2)
    assert served(models) == ([1, 2], {"stable": 2})


def test_promoting_the_stable_version_again_changes_nothing(models: Path) -> None:
    do_promote(models, 3)
    before = (models / "models.config").read_text()
    assert promote(models, MODEL, "3", "stable", why="", roll_out=offline) == []
    assert promote(models, MODEL, "stable", "stable", why="", roll_out=offline) == []
    assert (models / "models.config").read_text() == before
    assert len(moves(models)) == 1


@pytest.mark.parametrize("name", ["4", "canary", "-1", "three", ""])
def test_the_error_of_a_missing_version_lists_the_others(models: Path, name: str) -> None:
    with pytest.raises(ReleaseError, match=rf"no version '{name}' of model 'critic'; give one of 3, 2, 1"):
        do_promote(models, name)
    assert not (models / "models.config").exists()


def test_a_damaged_version_is_not_promoted(models: Path) -> None:
    (models / MODEL / "2" / "saved_model.pb").write_bytes(b"other graph")
    with pytest.raises(ReleaseError, match="are not those that were pushed"):
        do_promote(models, 2)
    assert moves(models) == []


def test_a_version_without_release_json_can_be_promoted(models: Path) -> None:
    (models / MODEL / "2" / "assets.extra" / "release.json").unlink()
    do_promote(models, 2)
    assert served(models) == ([2], {"stable": 2})


def test_a_model_that_was_never_pushed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"no version of model 'critic' was pushed there; push one .*IMDB_WORKSPACE"):
        do_promote(tmp_path / "models", 1)
    assert not (tmp_path / "models").exists()


def test_a_config_that_cannot_be_rolled_out_is_not_recorded(models: Path) -> None:
    def refuse(configs: Configs) -> None:
        raise ReleaseError("no")

    with pytest.raises(ReleaseError, match="no"):
        promote(models, MODEL, "2", "stable", why="", roll_out=refuse)
    assert moves(models) == []
    assert not model_config.is_managed(model_entry(models))


def test_a_written_config_is_recorded_even_if_the_roll_out_is_interrupted(models: Path) -> None:
    def interrupted(configs: Configs) -> None:
        offline(configs)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        promote(models, MODEL, "2", "stable", why="", roll_out=interrupted)
    assert moves(models) == [("promote", "stable", 3, 2)]


def test_a_change_while_another_one_runs_is_refused(models: Path) -> None:
    with exclusive(models, "promote 1"), pytest.raises(ReleaseError, match="being changed by `promote 1`"):
        do_promote(models, 2)


# Canary


def test_a_canary_is_loaded_beside_the_stable_version(models: Path) -> None:
    do_promote(models, 2)
    do_promote(models, 3, "canary")
    assert served(models) == ([2, 3], {"stable": 2, "canary": 3})
    assert moves(models)[1:] == [("promote", "canary", None, 3)]


def test_the_first_canary_pins_what_was_live(models: Path) -> None:
    do_promote(models, 1, "canary")
    assert served(models) == ([1, 2, 3], {"stable": 3, "canary": 1})
    assert moves(models) == [("promote", "stable", 3, 3), ("promote", "canary", None, 1)]


@pytest.mark.parametrize("promoted_before", [True, False])
def test_the_live_version_cannot_be_the_canary(models: Path, promoted_before: bool) -> None:
    if promoted_before:
        do_promote(models, 3)
    with pytest.raises(ReleaseError, match="version 3 is what clients get already"):
        do_promote(models, 3, "canary")


def test_a_canary_that_becomes_stable_loses_its_label(models: Path) -> None:
    do_promote(models, 2)
    do_promote(models, 3, "canary")
    do_promote(models, "canary")
    assert served(models) == ([2, 3], {"stable": 3})
    assert moves(models)[2:] == [("promote", "stable", 2, 3), ("promote", "canary", 3, None)]


def test_another_promotion_leaves_the_canary(models: Path) -> None:
    add_version(models, 4)
    do_promote(models, 2)
    do_promote(models, 4, "canary")
    do_promote(models, 3)
    assert served(models) == ([2, 3, 4], {"stable": 3, "canary": 4})


def test_a_canary_can_be_ended(models: Path) -> None:
    do_promote(models, 2)
    do_promote(models, 3, "canary")
    do_rollback(models, "canary")
    assert served(models) == ([2], {"stable": 2})
    assert moves(models)[2:] == [("rollback", "canary", 3, None)]
    with pytest.raises(ReleaseError, match="'critic' has no canary"):
        do_rollback(models, "canary")


def test_labels_that_were_set_by_hand_stay(models: Path) -> None:
    do_promote(models, 3)
    config = model_config.read(models)
    model_config.choose(model_config.entry(config, models, MODEL), {1, 3}, {"stable": 3, "experiment": 1})
    model_config.write(models, config)
    do_promote(models, 2)
    assert served(models) == ([1, 2], {"stable": 2, "experiment": 1})


# Roll-back


def test_a_roll_back_unloads_the_bad_version(models: Path) -> None:
    for number in (1, 2, 3):
        do_promote(models, number)
    do_rollback(models)
    assert served(models) == ([1, 2], {"stable": 2})
    assert moves(models)[-1] == ("rollback", "stable", 3, 2)


def test_two_roll_backs_go_two_versions_back(models: Path) -> None:
    for number in (1, 2, 3):
        do_promote(models, number)
    do_rollback(models)
    do_rollback(models)
    assert served(models) == ([1], {"stable": 1})


def test_a_promotion_of_an_older_version_can_be_taken_back(models: Path) -> None:
    do_promote(models, 1)
    do_rollback(models)
    assert served(models) == ([2, 3], {"stable": 3})


def test_a_push_that_went_live_by_itself_can_be_rolled_back(models: Path) -> None:
    do_rollback(models)
    assert served(models) == ([1, 2], {"stable": 2})
    assert moves(models) == [("rollback", "stable", 3, 2)]


def test_a_roll_back_skips_deleted_versions(models: Path) -> None:
    for number in (1, 2, 3):
        do_promote(models, number)
    shutil.rmtree(models / MODEL / "2")
    do_rollback(models)
    assert served(models) == ([1], {"stable": 1})


def test_a_roll_back_to_the_canary_ends_it(models: Path) -> None:
    for number in (1, 2, 3):
        do_promote(models, number)
    do_promote(models, 2, "canary")
    do_rollback(models)
    assert served(models) == ([1, 2], {"stable": 2})


def test_with_one_version_there_is_nothing_to_go_back_to(tmp_path: Path) -> None:
    add_version(tmp_path, 1)
    with pytest.raises(ReleaseError, match="no version to go back to: version 1 is the only one"):
        do_rollback(tmp_path)


def test_a_change_by_hand_is_recorded_at_the_next_one(models: Path) -> None:
    do_promote(models, 1)
    config = model_config.read(models)
    model_config.choose(model_config.entry(config, models, MODEL), {2}, {"stable": 2})
    model_config.write(models, config)
    assert read_state(models, MODEL).previous == 1
    assert len(moves(models)) == 1
    do_promote(models, 3)
    assert moves(models)[1:] == [("edit", "stable", 1, 2), ("promote", "stable", 2, 3)]
    assert journal.read(models, MODEL)[1].who == "unknown"


def test_without_the_config_pushes_go_live_again(models: Path) -> None:
    do_promote(models, 1)
    (models / "models.config").unlink()
    state = read_state(models, MODEL)
    assert (state.managed, state.live, state.previous) == (False, 3, 2)
    do_promote(models, 2)
    assert moves(models)[1:] == [("edit", "stable", 1, None), ("promote", "stable", 3, 2)]


# Pruning


def test_pruning_keeps_the_newest_versions(models: Path) -> None:
    assert prune(models, MODEL, 2) == [1]
    assert versions(models) == [2, 3]
    (entry,) = journal.read(models, MODEL)
    assert (entry.action, entry.removed) == ("prune", (1,))
    assert prune(models, MODEL, 2) == []
    assert len(journal.read(models, MODEL)) == 1


def test_pruning_keeps_labelled_versions_and_the_roll_back_target(models: Path) -> None:
    for number in (4, 5, 6, 7):
        add_version(models, number)
    do_promote(models, 3)
    do_promote(models, 2)
    do_promote(models, 4, "canary")
    # 3 was stable before 2, 4 is the canary, 7 is the newest.
    assert prune(models, MODEL, 1) == [1, 5, 6]
    assert versions(models) == [2, 3, 4, 7]
    do_rollback(models)
    assert served(models)[1] == {"stable": 3, "canary": 4}


def test_pruning_keeps_versions_that_a_policy_loads(models: Path) -> None:
    config = model_config.read(models)
    model_config.entry(config, models, MODEL).model_version_policy.latest.num_versions = 3
    model_config.write(models, config)
    assert prune(models, MODEL, 1) == []


def test_a_dry_run_removes_nothing(models: Path) -> None:
    assert prune(models, MODEL, 1, dry_run=True) == [1]
    assert versions(models) == [1, 2, 3]
    assert journal.read(models) == []


def test_an_interrupted_removal_is_finished_by_the_next(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            prune(models, MODEL, 2)
    # No server finds a half-deleted version.
    assert versions(models) == [2, 3]
    assert prune(models, MODEL, 2) == []
    assert sorted(child.name for child in (models / MODEL).iterdir()) == ["2", "3"]
