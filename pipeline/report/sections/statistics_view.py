"""Writes TensorFlow Data Validation's own view of the statistics, in a file beside the page.

TFDV draws with Facets, a script that the browser loads from the network, so the page itself cannot contain the view.
"""

from pathlib import Path
from typing import Final

from tensorflow_metadata.proto.v0 import statistics_pb2

from imdb_core import features
from imdb_core.files import write_atomically
from pipeline.history.runs import PastArtifact
from pipeline.report.sections.data import STATISTICS_FILE, split_files

FILE: Final = "statistics.html"


def write_statistics_view(statistics: PastArtifact | None, folder: Path) -> bool:
    """Writes the view into the folder of the page if it does not exist, and returns whether it exists.

    Statistics of a run never change, and TFDV takes seconds to import.
    """
    file = folder / FILE
    if file.is_file():
        return True
    found = {
        split: statistics_pb2.DatasetFeatureStatisticsList.FromString(content)
        for split, content in split_files(statistics, STATISTICS_FILE)
    }
    # The view compares at most two datasets.
    shown = [split for split in (features.TRAIN, features.TEST, features.EVAL) if split in found][:2]
    if not shown:
        return False
    from tensorflow_data_validation.utils.display_util import get_statistics_html

    first, *second = shown
    view = get_statistics_html(
        found[first], lhs_name=first, **({"rhs_statistics": found[second[0]], "rhs_name": second[0]} if second else {})
    )
    title = f"Statistics of {' and '.join(shown)}"
    write_atomically(
        file,
        f'<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n<h1>{title}</h1>\n'
        "<p>Drawn by Facets, which this page loads from the network.</p>\n"
        f"{view}\n</html>\n",
    )
    return True
