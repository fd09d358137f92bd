import gzip
import io
import tarfile

import pytest
from reading_files import events, left_out, rows
from review_formats import hand_written_reviews, write_tar

from components.example_gen.sources.parts import part_of
from imdb_core.errors import SourceError
from imdb_core.settings import DataSettings

PART_OF = part_of(DataSettings())


@pytest.fixture
def hand_written():
    return hand_written_reviews()


@pytest.fixture
def tar_source(hand_written, tmp_path):
    return write_tar(hand_written, tmp_path / "aclImdb_v1.tar.gz")


def read_archive(path, max_bytes):
    return rows(path, DataSettings(max_bytes=max_bytes), part_of=PART_OF)


def expected(hand_written):
    return [
        (f"{r.split}/{r.label}/{r.number}_{r.rating}", r.text.encode(), r.label, r.split, str(r.rating))
        for r in hand_written
    ]


def fields(raw):
    return raw.id, raw.text, raw.label, raw.split, raw.rating


@pytest.mark.parametrize("prefix", ["", "./", "a/very/deep/" * 20])
@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_archives_of_every_tar_format(hand_written, tmp_path, tar_format, prefix):
    if tar_format == tarfile.USTAR_FORMAT and len(prefix) > 150:
        prefix = "folders/" * 15
    path = write_tar(hand_written, tmp_path / "r.tar.gz", tar_format, prefix)
    assert [fields(raw) for raw in read_archive(str(path), 1000)] == expected(hand_written)


def test_only_the_start_of_a_long_text_is_read(tmp_path, hand_written):
    path = write_tar(hand_written[:1], tmp_path / "r.tar.gz")
    (raw,) = read_archive(str(path), 10)
    assert raw.text == hand_written[0].text.encode()[:11]


def write_members(path, *names):
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    return path


def test_what_is_no_review_is_left_out_and_counted(tmp_path):
    names = ["test/neg/.DS_Store", "test/neg/._1_2.txt", "train/unsup/1_0.txt", "train/unsup/2_0.txt"]
    names += ["train/urls_pos.txt", "train/words.feat", "README", "__MACOSX/train/pos/1_9.txt"]
    path = write_members(tmp_path / "r.tgz", *(f"aclImdb/{name}" for name in names))
    assert read_archive(path, 10) == []
    found = {(one.source.partition("!")[2], one.reason): one.files for one in left_out(path, part_of=PART_OF)}
    assert found == {
        ("aclImdb/test/neg", "hidden"): 2,
        ("aclImdb/train/unsup", "unlabelled"): 2,
        ("aclImdb/__MACOSX/train/pos", "hidden"): 1,
        ("aclImdb/train/urls_pos.txt", "no table of reviews"): 1,
        ("aclImdb/train/words.feat", "no table of reviews"): 1,
        ("aclImdb/README", "no table of reviews"): 1,
    }


def test_links_are_skipped(tmp_path):
    path = tmp_path / "r.tgz"
    with tarfile.open(path, "w:gz") as tar:
        link = tarfile.TarInfo("aclImdb/train/pos/1_9.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "2_9.txt"
        tar.addfile(link)
    assert events(path) == []


def test_a_review_whose_name_has_no_rating_is_read(tmp_path):
    (raw,) = read_archive(write_members(tmp_path / "r.tgz", "data/val/positive/first one.txt"), 10)
    assert (raw.id, raw.label, raw.split, raw.rating) == ("val/positive/first one", "pos", "eval", None)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_archive_is_refused(tar_source, share):
    content = tar_source.read_bytes()
    tar_source.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(SourceError, match=r"cannot read .*aclImdb_v1\.tar\.gz"):
        list(read_archive(str(tar_source), 1000))


def test_a_damaged_archive_is_refused(tar_source):
    content = bytearray(gzip.decompress(tar_source.read_bytes()))
    # Damages the checksum of a header midway, which tarfile mistakes for the end.
    middle = len(content) // 2 // 512 * 512
    while content[middle + 257 : middle + 262] != b"ustar":
        middle += 512
    content[middle + 148] ^= 1
    tar_source.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(SourceError, match="damaged after aclImdb/t"):
        list(read_archive(str(tar_source), 1000))


def test_a_flipped_bit_is_noticed(tmp_path, hand_written):
    path = write_tar(hand_written, tmp_path / "r.tar.gz")
    plain = gzip.decompress(path.read_bytes())
    stored = bytearray(gzip.compress(plain, compresslevel=0))
    at = stored.index(b"lighthouse")
    stored[at] ^= 1
    path.write_bytes(stored)
    with pytest.raises(SourceError, match="CRC"):
        list(read_archive(str(path), 1000))


def test_a_file_that_is_not_an_archive_is_refused(tmp_path):
    path = tmp_path / "r.tar.gz"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(SourceError, match="is a web page or XML, which is not read"):
        list(read_archive(str(path), 1000))
