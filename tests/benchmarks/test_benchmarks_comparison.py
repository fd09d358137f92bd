from pathlib import Path

from benchmarks.comparison import Benchmark


def test_the_recorded_command_names_files_without_folders(tmp_path: Path) -> None:
    archive = tmp_path / "aclImdb_v1.tar.gz"
    archive.touch()
    benchmark = Benchmark(str(archive), ["blog", "attention"], tmp_path / "new", script=False, seed=2, limit=100)
    assert benchmark.command == (
        "python -m benchmarks --data aclImdb_v1.tar.gz --presets blog,attention --seed 2 --limit 100 --skip-script"
    )
