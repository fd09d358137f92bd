"""The lengths of reviews as token ids."""

from typing import Any

import numpy as np
import numpy.typing as npt

from imdb_core import features


def lengths(token_ids: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.intp]:
    """Counts the tokens of each review, padding apart, at least 1; `[reviews, max_tokens]` → `[reviews]`."""
    tokens: npt.NDArray[np.intp] = np.count_nonzero(token_ids != features.PADDING_ID, axis=1)
    return np.maximum(tokens, 1)
