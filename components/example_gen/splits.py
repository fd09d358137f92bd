"""Which split and which shard a review belongs to: functions of its text alone, never of order or chance."""

import hashlib
from typing import Final

from imdb_core.features import EVAL, TEST, TRAIN

# How sources spell their splits, in lower case.
DECLARED: Final = {
    "train": TRAIN,
    "test": TEST,
    "eval": EVAL,
    "validation": EVAL,
    "valid": EVAL,
    "dev": EVAL,
    "val": EVAL,
}

# Three independent draws from one digest: where it is drawn for `test` says nothing about `eval` or the shard.
_TEST_BITS: Final = slice(0, 8)
_EVAL_BITS: Final = slice(8, 16)
_SHARD_BITS: Final = slice(16, 24)
_DRAWS: Final = 2**64


def content_hash(utf8: bytes) -> bytes:
    """Hashes a review: the SHA-256 digest of its UTF-8 bytes, 32 bytes."""
    return hashlib.sha256(utf8).digest()


def assign_split(digest: bytes, declared: str | None, eval_fraction: float, test_fraction: float) -> str:
    """Puts a review into a split.

    A source's own `test` and `eval` stand as declared, but an `eval_fraction` of 0 holds nothing out, so that declared
    `eval` is trained on too; its `train` is divided into `train` and `eval`. Without a
    split of its own, `test_fraction` of all goes to `test` and `eval_fraction` of the rest to `eval`.

    Args:
        digest: of the review, see `content_hash`.
        declared: the source's own split of the review, None where it has none.
        eval_fraction: share of the training reviews held out, in [0, 1).
        test_fraction: share of undeclared reviews held out, in (0, 1).

    Returns:
        `train`, `eval` or `test`; the same for the same text, fractions and declared split.
    """
    if declared == TEST or (declared == EVAL and eval_fraction > 0):
        return declared
    if declared is None and _draw(digest[_TEST_BITS]) < test_fraction:
        return TEST
    return EVAL if _draw(digest[_EVAL_BITS]) < eval_fraction else TRAIN


def assign_shard(digest: bytes, shards: int) -> int:
    """Puts a review into one of `shards` shards; equal texts always share one."""
    return int.from_bytes(digest[_SHARD_BITS], "big") % shards


def _draw(bits: bytes) -> float:
    """A number in [0, 1), uniform over digests."""
    return int.from_bytes(bits, "big") / _DRAWS
