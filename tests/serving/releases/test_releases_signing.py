from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from released import MODEL, add_version
from signing_keys import write_keys

from imdb_core.errors import SettingsError
from serving.releases import signing
from serving.releases.errors import ReleaseError
from serving.releases.signing import sign, signature_check
from serving.releases.versions import RELEASE_FILE, SIGNATURE, check_files, read_versions


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return write_keys(tmp_path, "ours")


@pytest.fixture
def signed(tmp_path: Path, keys: tuple[Path, Path]) -> Path:
    path = add_version(tmp_path, 7)
    assert sign(read_versions(tmp_path / MODEL)[7], keys[0]) == path / SIGNATURE
    return path


def test_a_signed_version_passes_even_as_a_copy(signed: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    check = signature_check(keys[1])
    check(signed)
    check_files(read_versions(tmp_path / MODEL)[7])
    copy = signed.with_name("8")
    shutil.copytree(signed, copy)
    check(copy)
    # Signing again replaces the signature.
    sign(read_versions(tmp_path / MODEL)[8], keys[0])
    check(copy)


def test_upstream_checks_it_too(signed: Path, keys: tuple[Path, Path]) -> None:
    command = [str(Path(sys.executable).with_name("model_signing")), "verify", "key", str(signed)]
    command += ["--signature", str(signed / SIGNATURE), "--public_key", str(keys[1])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (signed / "saved_model.pb").write_bytes(b"another graph")
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


@pytest.mark.slow
def test_a_changed_byte_anywhere_is_refused(signed: Path, keys: tuple[Path, Path]) -> None:
    check, draw = signature_check(keys[1]), random.Random(1)  # noqa: S311 - no secret
    places = [
        (file, offset)
        for file in sorted(signed.rglob("*"))
        if file.is_file() and file != signed / SIGNATURE
        for offset in range(file.stat().st_size)
    ]
    assert len(places) > 1000
    assert {file.name for file, _ in places} >= {"saved_model.pb", "variables.index", Path(RELEASE_FILE).name}
    for file, offset in draw.sample(places, 1000):
        right = file.read_bytes()
        wrong = bytearray(right)
        wrong[offset] ^= draw.randrange(1, 256)
        file.write_bytes(wrong)
        with pytest.raises(ReleaseError, match="is not what the owner of"):
            check(signed)
        file.write_bytes(right)
    check(signed)


@pytest.mark.parametrize("change", ["more", "less", "git", "renamed", "other key", "unsigned", "broken"])
def test_other_changes_are_refused(signed: Path, keys: tuple[Path, Path], tmp_path: Path, change: str) -> None:
    check, index = signature_check(keys[1]), signed / "variables" / "variables.index"
    if change == "more":
        (signed / "assets.extra" / "more").touch()
    elif change == "less":
        index.unlink()
    elif change == "git":
        (signed / ".gitignore").write_text("*")
    elif change == "renamed":
        index.rename(index.with_name("other.index"))
    elif change == "other key":
        sign(read_versions(tmp_path / MODEL)[7], write_keys(tmp_path, "theirs")[0])
    elif change == "unsigned":
        (signed / SIGNATURE).unlink()
    else:
        (signed / SIGNATURE).write_text("{}")
    with pytest.raises(ReleaseError) as raised:
        check(signed)
    assert "\n" not in str(raised.value)
    assert ("has no signature" if change == "unsigned" else "is not what the owner of") in str(raised.value)


def test_changed_files_are_not_signed(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    path = add_version(tmp_path, 7)
    (path / "saved_model.pb").write_bytes(b"another graph")
    with pytest.raises(ReleaseError, match="are not those that were pushed"):
        sign(read_versions(tmp_path / MODEL)[7], keys[0])
    assert not (path / SIGNATURE).exists()


@pytest.mark.parametrize("content", [None, "", "no key"])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    add_version(tmp_path, 7)
    with pytest.raises(SettingsError, match="expected a public elliptic-curve key in PEM form"):
        signature_check(file)
    with pytest.raises(SettingsError, match="expected a private elliptic-curve key in PEM form"):
        sign(read_versions(tmp_path / MODEL)[7], file)


def test_without_the_library_the_error_says_what_to_install(
    keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "model_signing", None)
    with pytest.raises(SettingsError, match=r"need the extra `signing`.*install it"):
        signing.signature_check(keys[1])
