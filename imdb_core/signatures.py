"""Names of the exported model's signatures, and of their inputs and outputs."""

from typing import Final

# Signatures of the exported SavedModel and their outputs.
SERVING_DEFAULT: Final = "serving_default"
SERVE_TEXT: Final = "serve_text"
EXPLAIN: Final = "explain"
CLASSIFY: Final = "classify"
PROBABILITIES: Final = "probabilities"
TOKENS: Final = "tokens"
ATTENTION: Final = "attention"
START_TOKEN: Final = "[START]"
PADDING_TOKEN: Final = ""
LABEL: Final = "label"
CLASSIFY_INPUTS: Final = "inputs"
CLASSES: Final = "classes"
SCORES: Final = "scores"
