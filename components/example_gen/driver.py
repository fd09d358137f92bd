"""The driver of `ImdbExampleGen`: fingerprints the source, so that TFX's cache notices a change of it."""

from typing import Final

from tfx.dsl.components.base import base_driver
from tfx.orchestration import data_types_utils, metadata
from tfx.orchestration.portable import base_driver as ir_base_driver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2

from components.example_gen.sources.locate import locate
from imdb_core.errors import SourceError
from imdb_core.settings import DataSettings

# Execution properties that the component sets.
DATA_CONFIG: Final = "data_config"
CACHE_DIR: Final = "cache_dir"
# The driver sets one of these.
FINGERPRINT: Final = "input_fingerprint"
SOURCE_ERROR: Final = "source_error"


class ImdbExampleGenDriver(base_driver.BaseDriver, ir_base_driver.BaseDriver):  # type: ignore[misc]  # TFX: no types
    """Adds the fingerprint of the source to the execution properties, which are the cache key."""

    def __init__(self, metadata_handle: metadata.Metadata) -> None:
        base_driver.BaseDriver.__init__(self, metadata_handle)
        ir_base_driver.BaseDriver.__init__(self, metadata_handle)

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Lists the source's files with their sizes and times; reads no content.

        The executor reports a missing source: an exception in the driver would leave the execution RUNNING in ML
        Metadata for ever, an exception in the executor makes it FAILED.
        """
        properties = execution_info.exec_properties
        data = DataSettings.model_validate_json(properties[DATA_CONFIG])
        try:
            name, value = FINGERPRINT, locate(data, properties[CACHE_DIR]).fingerprint
        except SourceError as error:
            name, value = SOURCE_ERROR, str(error)
        result = driver_output_pb2.DriverOutput()
        data_types_utils.set_metadata_value(result.exec_properties[name], value)
        return result
