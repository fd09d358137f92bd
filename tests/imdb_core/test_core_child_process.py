import logging
import os

import pytest

from imdb_core.child_process import run_in_child


def test_the_function_runs_in_another_process_and_its_result_comes_back():
    assert run_in_child(os.path.basename, "folder/file") == "file"
    assert run_in_child(os.getpgid, 0) == os.getpgid(0)
    assert run_in_child(eval, "__import__('os').getpid()") != os.getpid()


def test_an_exception_of_the_function_is_raised():
    with pytest.raises(FileNotFoundError, match="nowhere"):
        run_in_child(os.listdir, "nowhere")


def test_log_records_of_the_function_are_handled_here(caplog):
    with caplog.at_level(logging.INFO):
        run_in_child(logging.warning, "from the child")
    assert [record.getMessage() for record in caplog.records] == ["from the child"]
