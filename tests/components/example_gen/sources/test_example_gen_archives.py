import gzip
import io
import tarfile

import pytest
from review_formats import write_tar

from components.example_gen.sources.archives import read_archive, read_folder
from components.example_gen.sources.rows import RawRow, RejectedRow
from imdb_core.errors import SourceError


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


def test_a_file_of_another_name_is_rejected(tmp_path):
    path = tmp_path / "r.tgz"
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("aclImdb/test/neg/.DS_Store"), io.BytesIO())
    assert [(r.position, r.reason) for r in read_archive(str(path), 10)] == [
        ("aclImdb/test/neg/.DS_Store", "malformed")
    ]


def test_links_and_other_folders_are_skipped(tmp_path):
    path = tmp_path / "r.tgz"
    with tarfile.open(path, "w:gz") as tar:
        link = tarfile.TarInfo("aclImdb/train/pos/1_9.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "2_9.txt"
        tar.addfile(link)
        tar.addfile(tarfile.TarInfo("aclImdb/train/unsup/1_0.txt"), io.BytesIO())
        tar.addfile(tarfile.TarInfo("aclImdb/train/urls_pos.txt"), io.BytesIO())
    assert list(read_archive(str(path), 10)) == []


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
    with pytest.raises(SourceError, match="Not a gzipped file"):
        list(read_archive(str(path), 1000))


def test_a_folder_gives_raw_and_rejected_rows(tmp_path):
    good, odd = tmp_path / "train/pos/7_10.txt", tmp_path / "train/pos/notes.txt"
    good.parent.mkdir(parents=True)
    good.write_bytes(b"\xff")
    odd.write_bytes(b"")
    assert list(read_folder((str(good), str(odd)), 10)) == [
        RawRow(str(good), str(good), "train/pos/7_10", b"\xff", "pos", "train", "10"),
        RejectedRow(str(odd), str(odd), "malformed", "expected a file name like 123_9.txt (ID_RATING.txt)"),
    ]


def test_a_missing_file_of_a_folder_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="cannot read"):
        list(read_folder((str(tmp_path / "train/pos/7_10.txt"),), 10))
