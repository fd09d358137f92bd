"""Versions of the installed packages that results depend on."""

from collections.abc import Iterable
from importlib import metadata
from typing import Final

DISTRIBUTION: Final = "imdb-attention"
# The packages that do most of the work.
FRAMEWORKS: Final = ("tensorflow", "keras", "tfx", "apache-beam")

# Every package whose version may change a result.
_ALL: Final = (
    DISTRIBUTION,
    "tfx",
    "tensorflow",
    "keras",
    "tensorflow-transform",
    "tensorflow-data-validation",
    "tensorflow-model-analysis",
    "apache-beam",
    "ml-metadata",
    "tfx-bsl",
    "numpy",
    "scipy",
    "scikit-learn",
    "pyarrow",
    "protobuf",
    "pydantic",
    "matplotlib",
)


def package_versions(names: Iterable[str] = _ALL) -> dict[str, str]:
    """Returns the versions of those packages that are installed, in the given order."""
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
