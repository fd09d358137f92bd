"""The AnomalyGate node: stops a run on anomalies, which ExampleValidator only records."""

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils

from imdb_core.errors import BadDataError


@component  # type: ignore[untyped-decorator]  # TFX ships no types
def AnomalyGate(anomalies: InputArtifact[standard_artifacts.ExampleAnomalies], code_digest: Parameter[str]) -> None:
    """Fails if the data does not fit the schema.

    Args:
        anomalies: Anomalies of all splits, from ExampleValidator.
        code_digest: Digest of this code; part of the cache key.

    Raises:
        BadDataError: Some split has an anomaly; the message names every feature, split and reason.
    """
    del code_digest
    found = []
    for split in artifact_utils.decode_split_names(anomalies.split_names):
        uri = artifact_utils.get_split_uri([anomalies], split)
        report = anomalies_pb2.Anomalies.FromString(io_utils.read_bytes_file(io_utils.get_only_uri_in_dir(uri)))
        found += [
            f"{split}: {feature or 'the dataset'}: {info.short_description.lower()}: {info.description}"
            for feature, info in sorted(report.anomaly_info.items())
        ]
        if report.HasField("dataset_anomaly_info"):
            found.append(f"{split}: the dataset: {report.dataset_anomaly_info.description}")
    if found:
        raise BadDataError(
            "the data does not fit schemas/review.pbtxt, so nothing was trained; correct the data, or the schema if it "
            "is wrong: " + "; ".join(found)
        )
