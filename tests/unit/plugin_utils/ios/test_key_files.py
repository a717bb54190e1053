# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.plugin_utils.ios import key_files

PASSPHRASE = "correct horse battery"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = serialization.Encoding.PEM


def pkcs8(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, passphrase: str | None = PASSPHRASE) -> str:
    lock = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, lock).decode()


def public(key: rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize("form", ["pkcs8", "ios"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_what_is_written_is_read_again(form: str, ends: str) -> None:
    sealed = key_files.sealed(public(KEY) + pkcs8(KEY), PASSPHRASE)
    text = key_files.armored(sealed, PASSPHRASE, form).replace("\n", ends)
    again = key_files.sealed(text, PASSPHRASE)
    assert again.fingerprint == sealed.fingerprint
    assert again.bits == 2048
    assert PASSPHRASE not in again.passphrase


@pytest.mark.parametrize("form", ["pkcs8", "ios"])
def test_openssl_opens_it(form: str, tmp_path: Path) -> None:
    sealed = key_files.sealed(pkcs8(KEY), PASSPHRASE)
    (tmp_path / "key.pem").write_text(key_files.armored(sealed, PASSPHRASE, form))
    command = ["openssl", "pkey", "-in", str(tmp_path / "key.pem"), "-passin", f"pass:{PASSPHRASE}", "-pubout"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stdout == public(KEY)


@pytest.mark.parametrize(
    ("text", "passphrase", "sentence"),
    [
        (pkcs8(KEY, None), PASSPHRASE, "is not encrypted"),
        (pkcs8(KEY), "another passphrase", "passphrase is wrong or the file is damaged"),
        (pkcs8(KEY), None, "passphrase is missing"),
        (pkcs8(KEY)[:700], PASSPHRASE, "."),
        (pkcs8(KEY) * 2, PASSPHRASE, "holds 2 private keys"),
        (pkcs8(ed25519.Ed25519PrivateKey.generate()), PASSPHRASE, "not RSA"),
        ("A" * 10_000_000, PASSPHRASE, "longer than 64 kB"),
        ("", PASSPHRASE, "no BEGIN RSA PRIVATE KEY line"),
        (public(KEY), PASSPHRASE, "."),
    ],
)
def test_a_bad_text_gets_one_sentence(text: str, passphrase: str | None, sentence: str) -> None:
    with pytest.raises(VpnKeysError, match=sentence) as caught:
        key_files.sealed(text, passphrase)
    assert caught.value.code == "bad_input"
    assert str(caught.value).endswith("Nothing was changed.")
    assert "\n" not in str(caught.value)


def test_the_public_key_of_another_pair_is_refused() -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with pytest.raises(VpnKeysError, match="belongs to another private key"):
        key_files.sealed(public(other) + pkcs8(KEY), PASSPHRASE)


def test_a_file_is_for_its_owner_alone_and_written_once(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    sealed = key_files.sealed(pkcs8(KEY), PASSPHRASE)
    key_files.keep(sealed, str(path), PASSPHRASE, "pkcs8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    written = path.read_text()
    key_files.keep(sealed, str(path), PASSPHRASE, "pkcs8")
    assert path.read_text() == written
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.pem"]


def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a key")
    with pytest.raises(VpnKeysError, match="It was not changed"):
        key_files.keep(key_files.sealed(pkcs8(KEY), PASSPHRASE), str(path), PASSPHRASE, "pkcs8")
    assert path.read_text() == "not a key"
