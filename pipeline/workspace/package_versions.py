"""Versions of what a result depends on."""

import platform
from importlib import metadata
from typing import Final

_PACKAGES: Final = (
    "imdb-attention",
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


def package_versions() -> dict[str, str]:
    """Returns the version of Python, of the operating system and of each package that is installed, by name."""
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
