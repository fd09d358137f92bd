import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline

FILE = Path(pipeline.__file__).with_name("local_runner.py")


@pytest.mark.parametrize("place", [0, 1])
def test_the_folder_of_the_file_is_not_on_the_module_path(monkeypatch, place):
    others = ["/first", "/second"]
    monkeypatch.setattr(sys, "path", [*others[:place], str(FILE.parent), *others[place:]])
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    runpy.run_path(str(FILE))
    assert sys.path == [str(FILE.parents[1]), *others]


def test_the_folder_of_the_packages_is_the_first_on_the_module_path(monkeypatch):
    monkeypatch.setattr(sys, "path", ["/first", str(FILE.parents[1]), "/second"])
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    runpy.run_path(str(FILE))
    assert sys.path == [str(FILE.parents[1]), "/first", "/second"]


def test_executed_as_a_file_it_refuses_a_wrong_setting_with_one_line():
    result = subprocess.run(
        [sys.executable, str(FILE)],
        env={**os.environ, "IMDB_CONFIG": "", "IMDB_SET": '["training.epoch=3"]'},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: unknown setting 'training.epoch'")
