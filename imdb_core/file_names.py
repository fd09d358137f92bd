"""Names of the files that one part of the system writes and another reads."""

import os
from typing import Final

# The default of `serving.model_name`: the folder under `models/`, and the name of the model for clients.
DEFAULT_MODEL: Final = "imdb_attention"

EXPLANATIONS_FILE: Final = "explanations.json"
WARMUP_FILE: Final = os.path.join("assets.extra", "tf_serving_warmup_requests")
# JSON beside the warm-up requests: what the model was trained on (`trained_on`, see `imdb_core.provenance`), and how it
# reads reviews (`normalize`, `max_tokens`).
READING_FILE: Final = os.path.join("assets.extra", "reading.json")
REPORT: Final = "ingest_report.json"
DEAD_LETTER: Final = "dead_letter/rows.jsonl"

# The vocabulary file of the Transform graph: one word per line, the most frequent first.
VOCABULARY: Final = "vocabulary"

# The trained Keras model, beside the folders of TFX's own formats in a Model artifact.
TRAINED_MODEL: Final = "Format-Keras/model.keras"
SELECTION_FILE: Final = "selection.json"
OUTCOME_FILE: Final = "serving_check.json"
HISTORY_FILE: Final = "history.json"
