"""`ImdbExampleGen`, the first node of the graph."""

import json
from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import executor_spec
from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.types import standard_artifacts
from tfx.types import standard_component_specs as standard
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.example_gen.driver import CACHE_DIR, DATA_CONFIG, ImdbExampleGenDriver
from components.example_gen.executor import ImdbExampleGenExecutor
from imdb_core.settings import DataSettings


class ImdbExampleGenSpec(types.ComponentSpec):  # type: ignore[misc]  # TFX ships no types
    """Interface of `ImdbExampleGen`."""

    PARAMETERS: ClassVar = {
        DATA_CONFIG: ExecutionParameter(type=str),
        "code_digest": ExecutionParameter(type=str),
        CACHE_DIR: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar[dict[str, ChannelParameter]] = {}
    OUTPUTS: ClassVar = {standard.EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples)}


class ImdbExampleGen(BaseBeamComponent):  # type: ignore[misc]  # TFX ships no types
    """Reads labelled movie reviews and writes them as splits of tf.Examples.

    Sources: the built-in sample, the official IMDB archive (downloaded), an aclImdb folder or its .tar.gz, CSV, TSV,
    JSON lines or Parquet, on any file system that Beam supports. The node runs again when a file of the source, the
    settings or the code changes; otherwise its result is cached.

    Output `examples`: splits `train`, `eval` (unless `data.eval_fraction` is 0) and `test`, each of `data.shards`
    gzipped TFRecord files, together with `ingest_report.json` and `dead_letter/rows.jsonl`.

    Args:
        data: Settings of the source, the splits and the files.
        code_digest: Digest of the code that reads and writes; TFX does not compute one itself.
        cache_dir: Local folder for downloads, and for the dead-letter file of a failed run.
    """

    SPEC_CLASS = ImdbExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(ImdbExampleGenExecutor)
    DRIVER_CLASS = ImdbExampleGenDriver

    def __init__(self, data: DataSettings, code_digest: str, cache_dir: str) -> None:
        super().__init__(
            spec=ImdbExampleGenSpec(
                data_config=json.dumps(data.model_dump(mode="json"), sort_keys=True),
                code_digest=code_digest,
                cache_dir=cache_dir,
                examples=types.Channel(type=standard_artifacts.Examples),
            )
        )
