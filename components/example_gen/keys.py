"""Keys of the ExampleGen's execution properties and outputs."""

from typing import Final

DATA_CONFIG: Final = "data_config"

CODE_DIGEST: Final = "code_digest"

CACHE_DIR: Final = "cache_dir"

# Set by the driver.
FINGERPRINT: Final = "input_fingerprint"

SOURCE_ERROR: Final = "source_error"
