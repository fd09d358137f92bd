"""The executor of `ImdbExampleGen`: fills the Examples artifact."""

import logging
from typing import Any, Final

from tfx import types
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as standard
from tfx.utils import io_utils

from components.artifacts import declare_splits
from components.example_gen import report as reporting
from components.example_gen.beam_pipeline import ingest, take_counts
from components.example_gen.driver import CACHE_DIR, DATA_CONFIG, FINGERPRINT, SOURCE_ERROR
from components.example_gen.sources.download import download_archive
from components.example_gen.sources.locate import IMDB, locate
from components.example_gen.splits import split_names
from components.example_gen.writing import write_text
from imdb_core.errors import SourceError
from imdb_core.file_names import DEAD_LETTER
from imdb_core.settings import DataSettings

_LOG: Final = logging.getLogger(__name__)


class ImdbExampleGenExecutor(BaseBeamExecutor):  # type: ignore[misc]  # TFX ships no types
    """Reads reviews, checks them, and writes them into splits and shards."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Fills the Examples artifact.

        The artifact holds the splits, `dead_letter/rows.jsonl` (the unusable rows) and `ingest_report.json`; the main
        counts become its custom properties.

        Raises:
            SourceError: The source cannot be found, downloaded or read, or it changed during the run.
            BadDataError: Too many rows are unusable, or a split is empty.
        """
        data = DataSettings.model_validate_json(exec_properties[DATA_CONFIG])
        cache_dir = exec_properties[CACHE_DIR]
        if exec_properties.get(SOURCE_ERROR):
            raise SourceError(exec_properties[SOURCE_ERROR])
        source = locate(data, cache_dir)
        if data.source == IMDB:
            download_archive(data, cache_dir)

        examples = artifact_utils.get_single_instance(output_dict[standard.EXAMPLES_KEY])
        declare_splits(examples, split_names(data.eval_fraction))
        with self._make_beam_pipeline() as pipeline:
            ingest(pipeline, source, data, examples.uri)
        counts = take_counts(examples.uri)

        reporting.check_readable(counts)
        if locate(data, cache_dir).fingerprint != exec_properties.get(FINGERPRINT, source.fingerprint):
            raise SourceError(f"data.source = {data.source!r} changed while it was read; run again")
        report = reporting.summarize(counts, data, source)
        reporting.check_parts(report, data)
        if reporting.too_many_rejected(report, data):
            # TFX removes the artifact when a node fails.
            kept = f"{cache_dir}/dead_letter/{source.fingerprint[:12]}.jsonl"
            write_text(kept, io_utils.read_bytes_file(f"{examples.uri}/{DEAD_LETTER}").decode())
            raise reporting.rejection_error(report, data, kept)
        reporting.check_splits(report, data)
        reporting.check_contradictions(report, data)
        reporting.write_report(report, examples.uri)
        for name, count in reporting.properties(report).items():
            examples.set_int_custom_property(name, count)
        _LOG.info("ingested %s: %s", data.source, reporting.properties(report))
