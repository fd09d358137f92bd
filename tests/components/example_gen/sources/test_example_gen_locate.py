import os

import pytest
from review_formats import write_file

from components.example_gen.sources.locate import locate
from imdb_core.errors import SourceError
from imdb_core.settings import DataSettings


@pytest.mark.parametrize(
    ("source", "format_", "message"),
    [
        ("gone.csv", "auto", "no such file"),
        ("gone", "auto", "no such file or folder"),
        ("*.csv", "auto", "no such file"),
        ("gone.tar.gz", "acl_imdb", "no such file"),
        ("empty", "auto", "no such file or folder"),
        ("none", "auto", "none of its 2 files can be reviews"),
        ("nosuch://bucket/a.csv", "auto", "cannot list"),
    ],
)
def test_an_unusable_source_is_refused_with_the_reason(tmp_path, source, format_, message):
    (tmp_path / "empty").mkdir()
    write_file(tmp_path / "none/words.feat")
    write_file(tmp_path / "none/._r.csv")
    path = source if "://" in source else f"{tmp_path}/{source}"
    with pytest.raises(SourceError, match=message) as caught:
        locate(DataSettings(source=path, format=format_), "")
    assert "\n" not in str(caught.value)


def test_the_fingerprint_changes_only_with_a_file(tmp_path):
    data = DataSettings(source=f"{tmp_path}/*.csv")
    path = write_file(tmp_path / "a.csv")
    first = locate(data, "").fingerprint
    path.read_text()
    assert locate(data, "elsewhere").fingerprint == first
    os.utime(path, (1, 1))
    touched = locate(data, "").fingerprint
    write_file(tmp_path / "b.csv")
    added = locate(data, "").fingerprint
    assert len({first, touched, added}) == 3


def test_the_fingerprint_of_a_folder_sees_every_review(hand_written, tmp_path):
    path = write_file(tmp_path / "aclImdb/test/neg/0_1.txt", "bad")
    write_file(tmp_path / "aclImdb/train/pos/0_10.txt", "good")
    data = DataSettings(source=str(tmp_path))
    first = locate(data, "").fingerprint
    path.write_text("worse")
    assert locate(data, "").fingerprint != first


def test_the_fingerprints_of_the_sample_and_the_download():
    data = DataSettings(source="imdb")
    assert locate(data, "here").fingerprint == locate(data, "there").fingerprint
    assert locate(data, "").fingerprint != locate(DataSettings(source="imdb", download_sha256="0"), "").fingerprint
    sample = DataSettings()
    assert locate(sample, "").fingerprint == locate(DataSettings(), "").fingerprint
    for other in (DataSettings(sample_seed=2), DataSettings(sample_train=9), DataSettings(sample_test=9)):
        assert locate(other, "").fingerprint != locate(sample, "").fingerprint
