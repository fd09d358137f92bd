import pytest
from click.testing import CliRunner

from pipeline.cli import main


@pytest.mark.parametrize("arguments", [["--seeds", "0"], ["--presets", "blogg"], ["--set", "training.epochs=0"]])
def test_a_wrong_call_of_compare_ends_with_2_and_one_line(arguments):
    result = CliRunner().invoke(main, ["compare", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
