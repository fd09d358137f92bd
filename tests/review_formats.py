"""Hand-written reviews, in every format that ImdbExampleGen reads."""

import csv
import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet


class Review(NamedTuple):
    """A review of aclImdb."""

    split: str
    label: str
    number: int
    rating: int
    text: str


_PLOTS = (
    "A quiet film about a lighthouse keeper, told with warmth.",
    'He said "no" twice, and twice the audience laughed.',
    "Two hours, three endings, no idea.<br /><br />Avoid.",
    "Ünlike ány öther — 映画は素晴らしい 🎬",
    "First line.\nSecond line, after a break.\n\nThird.",
    "Commas, tabs\tand; semicolons, all in one review",
    "It isn't bad. It isn't good. It's the director's cousin's.",
    " ".join(["long"] * 60),
)


def hand_written_reviews() -> list[Review]:
    reviews = [
        Review(split, label, number, (9 if label == "pos" else 2), f"{plot} [{split} {label} {number}]")
        for split in ("train", "test")
        for label in ("pos", "neg")
        for number, plot in enumerate(_PLOTS)
    ]
    # A surplus copy in `train`, and one text that occurs in both splits.
    copied, leaked = reviews[0], reviews[3]
    return [*reviews, copied._replace(number=100), leaked._replace(split="test", number=101)]


def write_file(path: Path, content: str = "text,label\nfine,1\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def _rows(reviews: list[Review]) -> list[dict[str, object]]:
    return [{"text": r.text, "label": r.label, "split": r.split, "rating": r.rating} for r in reviews]


def _delimited(reviews: list[Review], delimiter: str) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["split", "text", "rating", "label"], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(_rows(reviews))
    return text.getvalue().encode()


def _jsonl(reviews: list[Review]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in _rows(reviews)).encode()


def _write_folder(reviews: list[Review], folder: Path) -> Path:
    for r in reviews:
        path = folder / "aclImdb" / r.split / r.label / f"{r.number}_{r.rating}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(r.text.encode())
    unlabelled = folder / "aclImdb/train/unsup/0_0.txt"
    unlabelled.parent.mkdir()
    unlabelled.write_text("nobody said what this is")
    (folder / "aclImdb/README").write_text("about the data")
    return folder


def write_tar(reviews: list[Review], path: Path, tar_format: int = tarfile.GNU_FORMAT, prefix: str = "") -> Path:
    """Packs the folder like the published archive: a directory first, and an owner and a time for every file."""
    with tarfile.open(path, "w:gz", format=tar_format) as tar:
        members = [(f"{r.split}/{r.label}/{r.number}_{r.rating}.txt", r.text.encode()) for r in reviews]
        members += [("README", b"about the data"), ("train/unsup/0_0.txt", b"nobody said what this is")]
        directory = tarfile.TarInfo(f"{prefix}aclImdb/train")
        directory.type = tarfile.DIRTYPE
        tar.addfile(directory)
        for name, content in members:
            member = tarfile.TarInfo(f"{prefix}aclImdb/{name}")
            member.size, member.mtime, member.uname = len(content), 1306886400, "somebody"
            tar.addfile(member, io.BytesIO(content))
    return path


def _write_parquet(reviews: list[Review], path: Path) -> Path:
    pa.parquet.write_table(pa.Table.from_pylist(_rows(reviews)), path, row_group_size=10)
    return path


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


WRITERS: dict[str, Callable[[list[Review], Path], Path]] = {
    "folder": lambda reviews, to: _write_folder(reviews, to / "data") / "aclImdb",
    "parent": lambda reviews, to: _write_folder(reviews, to / "data"),
    "tar.gz": lambda reviews, to: write_tar(reviews, to / "aclImdb_v1.tar.gz"),
    "tgz": lambda reviews, to: write_tar(reviews, to / "reviews.tgz"),
    "csv": lambda reviews, to: _write(to / "r.csv", _delimited(reviews, ",")),
    "csv.gz": lambda reviews, to: _write(to / "r.csv.gz", _delimited(reviews, ",")),
    "tsv": lambda reviews, to: _write(to / "r.tsv", _delimited(reviews, "\t")),
    "tsv.gz": lambda reviews, to: _write(to / "r.tsv.gz", _delimited(reviews, "\t")),
    "jsonl": lambda reviews, to: _write(to / "r.jsonl", _jsonl(reviews)),
    "jsonl.gz": lambda reviews, to: _write(to / "r.jsonl.gz", _jsonl(reviews)),
    "parquet": lambda reviews, to: _write_parquet(reviews, to / "r.parquet"),
}
