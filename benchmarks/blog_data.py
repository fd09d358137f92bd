"""Reads the data of the blog's script, aclImdb or our sample, in plain Python and independently of the pipeline."""

import io
import re
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from components.example_gen.sample.generate import sample_review
from imdb_core.errors import SourceError
from imdb_core.files import replacing
from imdb_core.settings import DataSettings

SAMPLE: Final = "sample"

_MEMBER: Final = re.compile(r"(?:^|/)(train|test)/(pos|neg)/\d+_\d+\.txt$")


class Reviews(NamedTuple):
    """The reviews of one split."""

    texts: list[str]
    labels: list[int]  # in the order of `texts`: 0 is negative, 1 is positive


def read_reviews(data: str, limit: int | None = None) -> dict[str, Reviews]:
    """Reads the splits `train` and `test`.

    Args:
        data: `sample` or the path of an aclImdb .tar.gz.
        limit: Maximum number of reviews per split; None reads all.

    Raises:
        SourceError: The data cannot be read.
    """
    splits = {"train": Reviews([], []), "test": Reviews([], [])}
    for split, text, label in _sample(limit) if data == SAMPLE else _archive(data, limit):
        splits[split].texts.append(text)
        splits[split].labels.append(label)
    for split, reviews in splits.items():
        if not reviews.texts:
            raise SourceError(f"{data} holds no {split} reviews; expected members like {split}/pos/123_9.txt")
    return splits


def write_cut(archive: str, cut: Path, limit: int) -> None:
    """Writes an archive of the reviews that `read_reviews(archive, limit)` reads.

    Raises:
        SourceError: The archive cannot be read.
    """
    with replacing(cut) as partial, tarfile.open(partial, "w:gz") as target:
        for member, _, content in _members(archive, limit):
            target.addfile(member, io.BytesIO(content))


def _sample(limit: int | None) -> Iterator[tuple[str, str, int]]:
    defaults = DataSettings()
    for split, size in (("train", defaults.sample_train), ("test", defaults.sample_test)):
        for index in range(size if limit is None else min(size, limit)):
            review = sample_review(split, index, defaults.sample_seed)
            yield split, review.text, review.label


def _archive(path: str, limit: int | None) -> Iterator[tuple[str, str, int]]:
    for member, (split, sentiment), content in _members(path, limit):
        try:
            yield split, content.decode(), int(sentiment == "pos")
        except UnicodeDecodeError as error:
            raise SourceError(f"cannot read {path}: {member.name} is not UTF-8: {error}") from error


def _members(path: str, limit: int | None) -> Iterator[tuple[tarfile.TarInfo, tuple[str, str], bytes]]:
    """Yields each review with its split and sentiment, from each of the four folders at most half of `limit`."""
    taken: Counter[tuple[str, str]] = Counter()
    try:
        with tarfile.open(path, "r|gz") as tar:
            for member in tar:
                match = _MEMBER.search(member.name)
                file = tar.extractfile(member) if match else None
                if match is None or file is None:
                    continue
                folder = match[1], match[2]
                if limit is None or taken[folder] < limit // 2:
                    taken[folder] += 1
                    yield member, folder, file.read()
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise SourceError(
            f"cannot read {path}: {error}; the benchmark takes `{SAMPLE}` or an aclImdb .tar.gz"
        ) from error
