import functools
import gc
import itertools
import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from saved_models import FILES, contents, numbers, saved_model

from components.pusher.push import PARTIAL_PREFIX, push
from serving.releases.versions import CARD_TEXT, PAPERS, RELEASE_FILE, digest, read_versions, sha256


def partials(base: Path) -> list[Path]:
    return list(base.glob(f"{PARTIAL_PREFIX}*"))


def test_a_version_contains_the_model_and_its_origin(source, base):
    before = int(time.time())
    version = push(source, base)
    assert version.parent == base
    assert before <= int(version.name) <= time.time()
    pushed = contents(version)
    release = json.loads(pushed.pop(RELEASE_FILE))
    assert pushed == FILES
    assert release["source"] == str(source)
    # The recorded digest is also that of the version.
    assert release["sha256"] == digest(source) == digest(version)
    assert before <= release["pushed_at"] <= time.time()
    assert contents(source) == FILES
    assert partials(base) == []


def test_the_same_model_is_not_pushed_twice(source, base):
    version = push(source, base)
    assert push(source, base) == version
    assert numbers(base) == [int(version.name)]


def test_versions_increase_even_within_a_second_and_after_a_clock_went_back(tmp_path, base):
    future = int(time.time()) + 10**6
    (base / str(future)).mkdir(parents=True)
    versions = [int(push(saved_model(tmp_path / f"model{number}"), base).name) for number in range(3)]
    assert versions == [future + 1, future + 2, future + 3]


def test_another_model_at_the_same_path_is_pushed(source, base):
    # After its metadata was deleted, a workspace numbers executions from 1 again.
    old = push(source, base)
    saved_model(source, **{"saved_model.pb": b"another graph"})
    new = push(source, base)
    assert int(new.name) > int(old.name)
    assert (new / "saved_model.pb").read_bytes() == b"another graph"
    assert (old / "saved_model.pb").read_bytes() == b"graph"


def test_a_model_that_is_no_longer_the_newest_is_pushed_again(tmp_path, source, base):
    # Otherwise a server would keep serving the newer version.
    first = push(source, base)
    second = push(saved_model(tmp_path / "other", **{"saved_model.pb": b"other"}), base)
    third = push(source, base)
    assert int(first.name) < int(second.name) < int(third.name)
    assert (third / "saved_model.pb").read_bytes() == b"graph"


def test_a_read_only_model_can_be_pushed_and_the_version_removed(source, base):
    for path in (*source.rglob("*"), source):
        path.chmod(0o555 if path.is_dir() else 0o444)
    version = push(source, base)
    assert all(os.stat(path).st_mode & 0o200 for path in (*version.rglob("*"), version))
    shutil.rmtree(version)


@pytest.mark.parametrize("name", ["7", "99999999999", ".hidden", "notes.txt", "1x"])
def test_other_things_in_the_folder_are_left_alone(source, base, name):
    base.mkdir(parents=True)
    (base / name).write_text("mine")
    version = push(source, base)
    assert (base / name).read_text() == "mine"
    assert max(numbers(base)) == int(version.name)
    assert push(source, base) == version


def test_notes_are_written_to_the_release_file(source, base):
    version = push(source, base, {"run_id": "monday", "metrics": {"accuracy": 0.875}})
    release = json.loads((version / RELEASE_FILE).read_text())
    assert (release["run_id"], release["metrics"]) == ("monday", {"accuracy": 0.875})


def test_a_repeated_push_does_not_change_the_version(source, base):
    version = push(source, base, {"run_id": "monday"})
    before = contents(version)
    assert push(source, base, {"run_id": "tuesday"}) == version
    assert contents(version) == before


def test_a_version_without_a_readable_release_file_is_another_model(source, base):
    first = push(source, base)
    for text in ("", "[]", "{}"):
        (first / RELEASE_FILE).write_text(text)
        assert push(source, base) != first
        shutil.rmtree(base / str(max(numbers(base))))


def papers_of(text: bytes = b"paper"):
    return lambda *_: dict.fromkeys(PAPERS, text)


def test_papers_are_part_of_the_version_and_not_of_the_model(source, base):
    told = []

    def write(number, folder, release):
        told.append((number, release.sha256, contents(folder)))
        return papers_of()(number, folder, release)

    version = push(source, base, write_papers=write)
    # They are written when the model is there, and nothing else of the version is missing.
    assert told == [(int(version.name), digest(source), FILES)]
    assert contents(version).keys() == {*FILES, RELEASE_FILE, *PAPERS}
    assert (version / CARD_TEXT).read_bytes() == b"paper"
    release = read_versions(base)[int(version.name)].release
    assert release.papers == dict.fromkeys(PAPERS, sha256(b"paper"))
    assert release.sha256 == digest(version)


def test_other_papers_make_no_other_model(source, base):
    version = push(source, base, {"card_settings": "a"}, papers_of(b"at noon"))
    assert push(source, base, {"card_settings": "a"}, papers_of(b"at night")) == version
    assert (version / CARD_TEXT).read_bytes() == b"at noon"


def test_a_card_that_states_something_else_makes_a_new_version(source, base):
    old = push(source, base)
    first = push(source, base, {"card_settings": "a"}, papers_of())
    second = push(source, base, {"card_settings": "b"}, papers_of(b"another licence"))
    assert int(old.name) < int(first.name) < int(second.name)
    assert (second / CARD_TEXT).read_bytes() == b"another licence"


def test_without_its_papers_nothing_is_pushed(source, base):
    def fail(*_):
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        push(source, base, write_papers=fail)
    assert numbers(base) == []
    version = push(source, base, write_papers=papers_of())
    assert partials(base) == []
    assert numbers(base) == [int(version.name)]


# Crashes


def in_child(function: Callable[[], object]) -> int:
    """Forks a process that calls a function; a new interpreter would take seconds to import TFX."""
    child = os.fork()
    if child == 0:
        # Garbage of other tests may wait for threads that were not copied.
        gc.freeze()
        status = 1
        try:
            function()
            status = 0
        finally:
            os._exit(status)
    return child


def status_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_while(owner: object, function: str, calls: int, source: Path, base: Path) -> None:
    """Pushes in another process that dies at a later call of one function."""
    real, done = getattr(owner, function), []

    def dying(*arguments, **options):
        if len(done) == calls:
            os._exit(9)
        done.append(arguments)
        return real(*arguments, **options)

    def body() -> None:
        setattr(owner, function, dying)
        push(source, base, write_papers=papers_of())

    assert status_of(in_child(body)) == 9


@pytest.mark.parametrize(
    ("owner", "function", "calls"),
    [(shutil, "copyfile", 3), (Path, "write_bytes", 1), (os, "fsync", 4), (Path, "rename", 0)],
    ids=["copy", "papers", "flush", "rename"],
)
def test_a_crash_before_the_end_leaves_no_version_and_the_next_push_completes(source, base, owner, function, calls):
    die_while(owner, function, calls, source, base)
    assert numbers(base) == []
    assert len(partials(base)) == 1
    version = push(source, base, write_papers=papers_of())
    assert partials(base) == []
    assert numbers(base) == [int(version.name)]
    assert contents(version).keys() == {*FILES, RELEASE_FILE, *PAPERS}


def test_a_crash_after_the_rename_is_found_by_the_next_push(source, base):
    # The last flush is that of the folder of versions.
    flushed = len(list(source.rglob("*"))) + len([RELEASE_FILE, *PAPERS, "the version"])
    die_while(os, "fsync", flushed, source, base)
    (number,) = numbers(base)
    assert push(source, base) == base / str(number)
    assert numbers(base) == [number]


# Concurrency


def test_a_watcher_never_sees_a_part_of_a_version(tmp_path, base):
    base.mkdir(parents=True)
    stop, seen, parts = threading.Event(), set(), []

    def watch() -> None:
        while not stop.is_set():
            for number in numbers(base):
                files = contents(base / str(number)).keys()
                seen.add(number)
                if files != {*FILES, RELEASE_FILE}:
                    parts.append((number, files))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        pushed = {int(push(saved_model(tmp_path / f"model{number}"), base).name) for number in range(25)}
        while seen != pushed and watcher.is_alive() and not parts:
            time.sleep(0.01)
    finally:
        stop.set()
        watcher.join()
    assert parts == []
    assert seen == pushed


def test_pushes_at_the_same_time_wait_for_each_other(tmp_path, base):
    models = [saved_model(tmp_path / f"model{number}", **{"saved_model.pb": b"%d" % number}) for number in range(2)]

    def push_often(model: Path) -> None:
        pushed = [push(model, base) for _ in range(20)]
        # It is pushed again only after a push of the other model.
        assert pushed == sorted(pushed, key=lambda version: int(version.name))

    children = [in_child(functools.partial(push_often, model)) for model in models]
    assert [status_of(child) for child in children] == [0, 0]
    versions = [contents(base / str(number)) for number in numbers(base)]
    assert all(version.keys() == {*FILES, RELEASE_FILE} for version in versions)
    graphs = [version["saved_model.pb"] for version in versions]
    assert set(graphs) == {b"0", b"1"}
    assert all(one != other for one, other in itertools.pairwise(graphs))
    assert partials(base) == []


def test_the_record_of_a_release_is_indented_json_of_what_is_known(source, base):
    version = push(source, base, {"mode": "scalar"})
    text = (version / RELEASE_FILE).read_text()
    release = json.loads(text)
    assert release.keys() == {"source", "sha256", "pushed_at", "mode", "metrics", "blessings", "papers"}
    assert text == json.dumps(release, indent=2)
