"""Names that the client, the releases and their commands share. Importing this module costs nothing."""

from typing import Final

DEFAULT_TARGET: Final = "localhost:8500"
DEFAULT_MODEL: Final = "imdb_attention"

# Labels of versions. Clients ask for `stable` unless they are told otherwise.
STABLE: Final = "stable"
CANARY: Final = "canary"

# The folder of all pushed models in the workspace.
MODELS_FOLDER: Final = "models"
