import gzip
from itertools import count
from pathlib import Path

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from imdb_core.errors import BadDataError
from imdb_core.records import in_batches, read_records

OPENERS = {"open": open, "GFile": tf.io.gfile.GFile}


@pytest.fixture(params=OPENERS)
def open_file(request):
    return OPENERS[request.param]


def write(path: Path, records: list[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for record in records:
            writer.write(record)
    return path


@pytest.mark.parametrize("records", [[], [b""], [b"one", b"", b"\x00\xff" * 40_000]])
def test_records_that_tensorflow_wrote_are_read(tmp_path, open_file, records):
    assert list(read_records([str(write(tmp_path / "a.gz", records))], open_file)) == records


def test_a_file_that_was_cut_off_anywhere_is_an_error(tmp_path, open_file):
    whole = write(tmp_path / "whole.gz", [b"a word %d" % (number * number) for number in range(40)]).read_bytes()
    cut = tmp_path / "cut.gz"
    for size in range(len(whole)):
        cut.write_bytes(whole[:size])
        with pytest.raises(BadDataError, match=r"cut\.gz: "):
            list(read_records([str(cut)], open_file))


def test_tensorflow_s_own_reader_accepts_a_file_that_was_cut_off(tmp_path):
    file = write(tmp_path / "a.gz", [b"a word"] * 5)
    file.write_bytes(file.read_bytes()[:-1])  # all that is missing is a byte of the checksum
    assert len(list(tf.data.TFRecordDataset(str(file), "GZIP"))) == 5


@pytest.mark.parametrize("place", [0.3, 0.6, 0.99])
def test_a_changed_byte_is_an_error(tmp_path, open_file, place):
    file = write(tmp_path / "a.gz", [b"a word %d" % (number * number) for number in range(400)])
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] ^= 1
    file.write_bytes(content)
    with pytest.raises(BadDataError, match=r"a\.gz"):
        list(read_records([str(file)], open_file))


def test_a_file_that_is_not_gzip_is_an_error(tmp_path, open_file):
    (tmp_path / "a.gz").write_bytes(b"plain text")
    with pytest.raises(BadDataError, match="Not a gzipped file"):
        list(read_records([str(tmp_path / "a.gz")], open_file))


def test_a_record_that_ends_early_within_a_complete_gzip_file_is_an_error(tmp_path, open_file):
    records = gzip.decompress(write(tmp_path / "a.gz", [b"0123456789"]).read_bytes())
    for size in range(1, len(records)):
        (tmp_path / "a.gz").write_bytes(gzip.compress(records[:size]))
        with pytest.raises(BadDataError, match=r"a\.gz"):
            list(read_records([str(tmp_path / "a.gz")], open_file))


@pytest.mark.parametrize(
    ("file", "folder"), [("examples/7/Split-test/a.gz", "examples/7"), ("predictions/8/a.gz", "predictions/8")]
)
def test_the_error_names_the_artifact_to_delete(tmp_path, file, folder):
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).touch()
    with pytest.raises(BadDataError, match=f"it is empty; .* delete {tmp_path / folder}, so that its node"):
        list(read_records([str(tmp_path / file)], open))


def test_files_are_read_one_after_the_other(tmp_path, open_file):
    files = [str(write(tmp_path / name, records)) for name, records in (("b", [b"1", b"2"]), ("a", []), ("c", [b"3"]))]
    assert list(read_records(files, open_file)) == [b"1", b"2", b"3"]
    assert list(read_records([], open_file)) == []


@given(st.lists(st.integers()), st.integers(1, 10))
def test_batches_are_cut_in_order(items, size):
    cut = list(in_batches(items, size))
    assert [item for batch in cut for item in batch] == items
    assert all(len(batch) == size for batch in cut[:-1])
    assert all(0 < len(batch) <= size for batch in cut)


def test_a_batch_takes_no_more_items_than_it_needs():
    endless = count()
    assert next(in_batches(endless, 3)) == [0, 1, 2]
    assert next(endless) == 3
