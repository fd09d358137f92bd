"""The driver of `ImdbExampleGen`: fingerprints the source, so that MLMD can tell whether it changed."""

from tfx.dsl.components.base import base_driver
from tfx.orchestration import data_types_utils, metadata
from tfx.orchestration.portable import base_driver as ir_base_driver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2

from components.example_gen.keys import CACHE_DIR, DATA_CONFIG, FINGERPRINT, SOURCE_ERROR
from components.example_gen.sources import locate
from imdb_core.errors import SourceError
from imdb_core.settings import DataSettings


class ImdbExampleGenDriver(base_driver.BaseDriver, ir_base_driver.BaseDriver):  # type: ignore[misc]  # TFX: no types
    """Adds the fingerprint of the source to the execution properties, which are the cache key."""

    def __init__(self, metadata_handle: metadata.Metadata) -> None:
        base_driver.BaseDriver.__init__(self, metadata_handle)
        ir_base_driver.BaseDriver.__init__(self, metadata_handle)

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Looks at the source's files: paths, sizes and times, not contents.

        A source that is not there is left to the executor to report: an exception here would leave the execution
        RUNNING in MLMD for ever, one there makes it FAILED.
        """
        properties = execution_info.exec_properties
        data = DataSettings.model_validate_json(properties[DATA_CONFIG])
        result = driver_output_pb2.DriverOutput()
        try:
            found = {FINGERPRINT: locate.locate(data, properties[CACHE_DIR]).fingerprint}
        except SourceError as error:
            found = {SOURCE_ERROR: str(error)}
        for name, value in found.items():
            data_types_utils.set_metadata_value(result.exec_properties[name], value)
        return result
