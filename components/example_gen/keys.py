"""Keys of ImdbExampleGen's execution properties, shared by its component, driver and executor."""

from typing import Final

DATA_CONFIG: Final = "data_config"
CODE_DIGEST: Final = "code_digest"
CACHE_DIR: Final = "cache_dir"

# The driver sets one of these.
FINGERPRINT: Final = "input_fingerprint"
SOURCE_ERROR: Final = "source_error"
