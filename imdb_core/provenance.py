"""What a model was trained on, as the model itself and those who use it say."""

from typing import Final

SAMPLE: Final = "sample"
IMDB: Final = "imdb"
FILES: Final = "files"


def provenance(source: str) -> str:
    """Returns what `data.source` says of the reviews: `sample`, `imdb` or `files`, whose path stays private."""
    return source if source in (SAMPLE, IMDB) else FILES


def sample_notice(trained_on: str | None) -> str | None:
    """Returns the sentence for a model that learned from the sample; None for other models and unknown ones."""
    if trained_on != SAMPLE:
        return None
    return "trained on invented reviews: `--set data.source=imdb` for real ones"
