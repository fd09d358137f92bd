"""The pipeline's name in ML Metadata, and the names of the files that a run leaves in `reports/RUN/`."""

from typing import Final

# Studies have another name in the same store.
PIPELINE_NAME: Final = "imdb_attention"
RUN_FILE: Final = "run.json"

# Written instead of `run.json` after a run that failed.
FAILURE_FILE: Final = "failure.json"
PAGE_FILE: Final = "index.html"
