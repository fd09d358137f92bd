from importlib import metadata

from imdb_core.packages import FRAMEWORKS, package_versions


def test_versions_are_in_order_and_missing_packages_are_left_out():
    versions = package_versions(["numpy", "no-such-package", "click"])
    assert versions == {"numpy": metadata.version("numpy"), "click": metadata.version("click")}
    assert list(versions) == ["numpy", "click"]


def test_all_packages_that_matter_are_listed_by_default():
    versions = package_versions()
    assert set(FRAMEWORKS) < set(versions)
    assert versions["imdb-attention"] == metadata.version("imdb-attention")
