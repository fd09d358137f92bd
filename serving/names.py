"""Names that the client, the releases and their commands share. Importing this module costs nothing."""

from typing import Final

DEFAULT_TARGET: Final = "localhost:8500"

# Labels of versions. Clients use `stable` unless they are told otherwise.
STABLE: Final = "stable"
CANARY: Final = "canary"

# The folder of all pushed models in the workspace.
MODELS_FOLDER: Final = "models"
