"""Reviews to token ids in plain Python: what `keras.datasets.imdb` and `pad_sequences` did for the blog's script.

Nothing of the pipeline's own reading or encoding is used, so that each checks the other.
"""

import io
import re
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

from components.errors import SourceError
from components.ingest.sample import sample_review
from components.settings import DataSettings

SAMPLE: Final = "sample"
SPECIAL_IDS: Final = 4  # padding, start, out of vocabulary, unused
START: Final = 1
UNKNOWN: Final = 2

_MEMBER: Final = re.compile(r"(?:^|/)(train|test)/(pos|neg)/\d+_\d+\.txt$")
_LINE_BREAK: Final = re.compile(r"<\s*/?\s*br(\s[^<>]*)?/?\s*>")
_PUNCTUATION: Final = str.maketrans(dict.fromkeys('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~', " "))


class Reviews(NamedTuple):
    """One split.

    Attributes:
        texts: as written.
        labels: 0 negative, 1 positive; as many as `texts`.
    """

    texts: list[str]
    labels: list[int]


def read_reviews(data: str, limit: int | None = None) -> dict[str, Reviews]:
    """Reads the splits `train` and `test`.

    Args:
        data: `sample`, or the path of an aclImdb .tar.gz.
        limit: most reviews a split; None takes all.

    Raises:
        SourceError: it is neither, or cannot be read.
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

    Args:
        archive: an aclImdb .tar.gz.
        cut: to write.
        limit: most reviews a split.

    Raises:
        SourceError: the archive cannot be read.
    """
    partial = cut.with_name(f"{cut.name}.partial")
    with tarfile.open(partial, "w:gz") as target:
        for member, _, content in _members(archive, limit):
            target.addfile(member, io.BytesIO(content))
    partial.rename(cut)


def words_of(text: str) -> list[str]:
    """Splits a review into lower-case words; the apostrophe belongs to a word."""
    return _LINE_BREAK.sub(" ", text.lower()).translate(_PUNCTUATION).split()


def most_frequent_words(reviews: Iterable[Sequence[str]], most: int) -> list[str]:
    """Lists words by falling frequency; words of equal frequency by falling UTF-8 bytes, as TF Transform has them.

    Args:
        reviews: words of each.
        most: length of the list at most.
    """
    counts = Counter(chain.from_iterable(reviews))
    return sorted(counts, key=lambda word: (counts[word], word.encode()), reverse=True)[:most]


def encode(words: Sequence[str], ids: Mapping[str, int], max_tokens: int) -> list[int]:
    """Turns words into exactly `max_tokens` ids: a start mark, the words, zeros; of a longer review only the end.

    Args:
        words: of one review.
        ids: of known words, see `word_ids`.
        max_tokens: length of the result.
    """
    tokens = [START, *(ids.get(word, UNKNOWN) for word in words)][-max_tokens:]
    return tokens + [0] * (max_tokens - len(tokens))


def word_ids(vocabulary: Sequence[str]) -> dict[str, int]:
    """Numbers the words of a vocabulary, behind the special ids."""
    return {word: rank + SPECIAL_IDS for rank, word in enumerate(vocabulary)}


def unknown_share(texts: Iterable[str], vocabulary: Sequence[str], max_tokens: int) -> float:
    """Measures the share of out-of-vocabulary words among those that a network sees.

    Args:
        texts: reviews.
        vocabulary: known words.
        max_tokens: a network sees this many tokens of a review.

    Returns:
        Between 0 and 1; 0 where there are no words.
    """
    ids = word_ids(vocabulary)
    unknown = seen = 0
    for text in texts:
        tokens = encode(words_of(text), ids, max_tokens)
        unknown += tokens.count(UNKNOWN)
        seen += max_tokens - tokens.count(0) - tokens.count(START)
    return unknown / seen if seen else 0.0


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
    """Yields each review with its split and sentiment; each of the four folders gives half of `limit` at most."""
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
