"""Assigns a review to a split and a shard by its text alone, never by order or chance."""

import hashlib
from typing import Final

from imdb_core.features import EVAL, TEST, TRAIN

# Spellings of splits in sources, in lower case.
DECLARED: Final = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("test", "testing"), TEST),
    **dict.fromkeys(("eval", "validation", "valid", "dev", "val"), EVAL),
}
# What `data.splits` says of names whose rows are left out.
NO_SPLIT: Final = "none"
# Drawn from the training reviews for `eval`; they stay in `train` if the source declares an `eval` split itself.
DRAWN: Final = "drawn"

# Three independent draws from one digest: the draw for `test` does not influence `eval` or the shard.
_TEST_BITS: Final = slice(0, 8)
_EVAL_BITS: Final = slice(8, 16)
_SHARD_BITS: Final = slice(16, 24)
_DRAWS: Final = 2**64


def fitting_splits(eval_fraction: float) -> list[str]:
    """Returns the splits that models are fitted with: `train`, and `eval` if reviews are held out for it."""
    return [TRAIN, EVAL] if eval_fraction > 0 else [TRAIN]


def split_names(eval_fraction: float) -> list[str]:
    """Returns all splits of the artifact."""
    return [*fitting_splits(eval_fraction), TEST]


def content_hash(utf8: bytes) -> bytes:
    """Returns the SHA-256 digest of a review's UTF-8 bytes, 32 bytes."""
    return hashlib.sha256(utf8).digest()


def assign_split(digest: bytes, declared: str | None, eval_fraction: float, test_fraction: float) -> str:
    """Assigns a review to a split, or to `DRAWN`.

    A review that the source declares as `test` or `eval` keeps that split, except that with an `eval_fraction` of 0 a
    declared `eval` becomes `train`. Of the reviews declared as `train`, `eval_fraction` are drawn for `eval`. In a
    source without splits, `test_fraction` of all reviews go to `test` and `eval_fraction` of the rest are drawn.

    Args:
        digest: Hash of the review, see `content_hash`.
        declared: Split that the source declares for the review; None if the source has no splits.
        eval_fraction: Share of the training reviews to hold out, in [0, 1).
        test_fraction: Share of undeclared reviews to hold out, in (0, 1).
    """
    if declared == TEST or (declared == EVAL and eval_fraction > 0):
        return declared
    if declared is None and _draw(digest[_TEST_BITS]) < test_fraction:
        return TEST
    return DRAWN if _draw(digest[_EVAL_BITS]) < eval_fraction else TRAIN


def assign_shard(digest: bytes, shards: int) -> int:
    """Assigns a review to one of `shards` shards; equal texts always share a shard."""
    return int.from_bytes(digest[_SHARD_BITS], "big") % shards


def _draw(bits: bytes) -> float:
    """Returns a number in [0, 1), uniform over digests."""
    return int.from_bytes(bits, "big") / _DRAWS
