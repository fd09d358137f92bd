"""The software bill of materials of the environment that this process runs in, in CycloneDX's JSON.

It needs no network: names, versions and licences are what the installed packages say of themselves.
"""

import hashlib
import json
import platform
import re
from collections.abc import Iterable
from datetime import datetime, timezone
from importlib import metadata
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

_LICENSES: Final = LicenseFactory()
# Some packages put the whole text of their licence where its name belongs.
_LONGEST_NAME: Final = 100
_NO_NAMES: Final = ("", "UNKNOWN", "OSI APPROVED")
_CLASSIFIER: Final = "License :: "
_RECORD: Final = "imdb-attention:record:sha-256"


def software_bill(name: str, version: str, sha256: str, made_at: int) -> str:
    """Describes a model and every package that is installed where it was made.

    Args:
        name: Name of the model.
        version: Number of the version.
        sha256: Digest of the model's files, in hex.
        made_at: Unix timestamp of the push.

    Returns:
        A CycloneDX 1.6 document. The same model and packages give the same document, except for its time.
    """
    model = Component(
        name=name,
        version=version,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref="model",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)],
    )
    parts = [*_platform(), *_packages(metadata.distributions())]
    bom = Bom(components=parts)
    bom.metadata.component = model
    bom.metadata.timestamp = datetime.fromtimestamp(made_at, timezone.utc)
    bom.register_dependency(model, parts)
    facts = [sha256, version, *sorted(f"{part.name}=={part.version}" for part in parts)]
    bom.serial_number = uuid5(NAMESPACE_URL, json.dumps(facts))
    return str(JsonV1Dot6(bom).output_as_string(indent=1)) + "\n"


def _platform() -> Iterable[Component]:
    yield Component(
        name=platform.python_implementation(),
        version=platform.python_version(),
        type=ComponentType.PLATFORM,
        bom_ref="python",
    )
    yield Component(
        name=platform.system(), version=platform.release(), type=ComponentType.OPERATING_SYSTEM, bom_ref="system"
    )


def _packages(found: Iterable[metadata.Distribution]) -> list[Component]:
    """Describes each package once, sorted by name; Python imports the first that its path finds."""
    packages: dict[str, Component] = {}
    for package in found:
        described = package.metadata  # parses the file each time
        name = _normalized(described["Name"] or "")
        if name and name not in packages:
            packages[name] = _package(package, name, described)
    return [packages[name] for name in sorted(packages)]


def _package(package: metadata.Distribution, name: str, described: metadata.PackageMetadata) -> Component:
    purl = PackageURL("pypi", None, name, described["Version"])
    record = package.read_text("RECORD")
    properties = [Property(name=_RECORD, value=hashlib.sha256(record.encode()).hexdigest())] if record else []
    return Component(
        name=name,
        version=described["Version"],
        type=ComponentType.LIBRARY,
        bom_ref=str(purl),
        purl=purl,
        hashes=_archive_hashes(package.read_text("direct_url.json")),
        licenses=_licenses(described),
        properties=properties,
    )


def _licenses(described: metadata.PackageMetadata) -> Iterable[License]:
    """Returns the licence that a package states: an expression, or else names; empty if it states none."""

    def lines(name: str) -> list[str]:
        return [str(line).strip() for line in described.get_all(name, [])]

    stated = [one for one in lines("License") if len(one) <= _LONGEST_NAME and "\n" not in one]
    classifiers = [line.rpartition(" :: ")[2] for line in lines("Classifier") if line.startswith(_CLASSIFIER)]
    names = lines("License-Expression") or stated or classifiers
    made = [_LICENSES.make_from_string(name) for name in names if name.upper() not in _NO_NAMES]
    # CycloneDX allows one expression or several licences.
    expressions = [one for one in made if isinstance(one, LicenseExpression)]
    return expressions[:1] if expressions else made


def _archive_hashes(direct_url: str | None) -> list[HashType]:
    """Returns the SHA-256 of the archive that a package was installed from, which few installations know."""
    hashes = json.loads(direct_url).get("archive_info", {}).get("hashes", {}) if direct_url else {}
    return [HashType(alg=HashAlgorithm.SHA_256, content=hashes["sha256"])] if "sha256" in hashes else []


def _normalized(name: str) -> str:
    """Returns a package's name as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
