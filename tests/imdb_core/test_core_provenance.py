import pytest

from imdb_core.provenance import provenance, sample_notice
from imdb_core.settings import DataSettings


@pytest.mark.parametrize(
    ("source", "said"),
    [("sample", "sample"), ("imdb", "imdb"), ("/home/me/secret/*.csv", "files"), ("gs://x", "files")],
)
def test_the_path_of_files_stays_private(source: str, said: str) -> None:
    assert provenance(source) == said


def test_only_the_sample_has_a_notice() -> None:
    notice = sample_notice(provenance(DataSettings().source))
    assert notice == "trained on invented reviews: `--set data.source=imdb` for real ones"
    assert [sample_notice(other) for other in ("imdb", "files", None)] == [None, None, None]
