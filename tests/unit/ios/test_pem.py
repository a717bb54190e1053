# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._ios import pem
from ansible_collections.vpnops.keys.plugins.module_utils._ios.key_listings import read_export, read_rsa_keys
from ansible_collections.vpnops.keys.plugins.module_utils._ios.pem import Exported, PrivateKey, open_private, seal_3des

TRANSCRIPTS = {path.stem: path.read_text() for path in (Path(__file__).parent / "transcripts").glob("*.txt")}
EXPORTS = ["export_ios15_3des", "export_xe_3des", "export_xe_aes", "export_xe_des"]
PASSPHRASE = "cisco123"

DER, SPKI = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL

OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(not OPENSSL, reason="there is no openssl command")


def openssl(*arguments: str, given: str | bytes = b"") -> bytes:
    assert OPENSSL
    data = given.encode() if isinstance(given, str) else given
    return subprocess.run([OPENSSL, *arguments], input=data, capture_output=True, check=True).stdout


def made(bits: int = 2048) -> tuple[PrivateKey, rsa.RSAPrivateKey]:
    key = rsa.generate_private_key(65537, bits)
    der = key.private_bytes(DER, TRADITIONAL, serialization.NoEncryption())
    return PrivateKey(der, key.public_key().public_bytes(DER, SPKI)), key


KEY, KEY_OBJECT = made()
OTHER, dummy = made()


# -- numbers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [1024, 1536, 2048, 3072])
def test_public_numbers_are_those_of_cryptography(bits: int) -> None:
    private, key = made(bits)
    numbers = key.public_key().public_numbers()
    assert pem.rsa_numbers(private.spki) == (numbers.n, numbers.e)
    assert pem.rsa_spki(numbers.n, numbers.e) == private.spki
    assert private.bits == bits
    assert private.fingerprint == hashlib.sha256(private.spki).hexdigest()


def test_other_structures_are_no_rsa_key() -> None:
    curve = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(DER, SPKI)
    for wrong in (b"", curve, KEY.der, KEY.spki + b"\0", KEY.spki[:-1], b"\0" + KEY.spki, KEY.spki[:40]):
        with pytest.raises(ValueError):  # noqa: PT011 - the caller makes the sentence
            pem.rsa_numbers(wrong)


@given(st.integers(0, len(KEY.spki) - 1), st.integers(1, 255))
def test_a_flipped_bit_is_another_key_or_none(at: int, change: int) -> None:
    wrong = bytearray(KEY.spki)
    wrong[at] ^= change
    try:
        numbers = pem.rsa_numbers(bytes(wrong))
    except ValueError:
        return
    assert numbers != pem.rsa_numbers(KEY.spki)
    assert pem.rsa_spki(*numbers) == bytes(wrong)


@given(st.binary(max_size=200))
def test_numbers_of_anything(data: bytes) -> None:
    try:
        assert pem.rsa_spki(*pem.rsa_numbers(data)) == data
    except ValueError:
        pass


# -- reading ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXPORTS)
def test_exports_of_devices_open(name: str) -> None:
    exported = read_export(TRANSCRIPTS[name])
    private = open_private(exported.private_pem, PASSPHRASE)
    assert pem.public_pem_of(private) == exported.public_pem
    assert pem.spki_of(exported.public_pem) == private.spki
    assert pem.check_pair(exported, PASSPHRASE, private.spki) == private


@pytest.mark.parametrize("name", EXPORTS)
def test_the_form_of_the_file_does_not_matter(name: str) -> None:
    text = read_export(TRANSCRIPTS[name]).private_pem
    private = open_private(text, PASSPHRASE)
    assert open_private(text.replace("\n", "\r\n"), PASSPHRASE) == private
    assert open_private(text.replace("\n", "  \n"), PASSPHRASE) == private
    assert open_private(text.replace("\n\n", "\n"), PASSPHRASE) == private
    assert open_private("\n\n" + text.rstrip(), PASSPHRASE) == private


@needs_openssl
@pytest.mark.parametrize("cipher", ["des3", "aes128", "aes192", "aes256"])
def test_what_openssl_seals_opens(cipher: str) -> None:
    clear = pem.armour("RSA PRIVATE KEY", KEY.der)
    text = openssl("rsa", "-traditional", f"-{cipher}", "-passout", f"pass:{PASSPHRASE}", given=clear).decode()
    assert "DEK-Info" in text
    assert open_private(text, PASSPHRASE) == KEY


def test_what_cryptography_seals_opens() -> None:
    best = serialization.BestAvailableEncryption(PASSPHRASE.encode())
    text = KEY_OBJECT.private_bytes(serialization.Encoding.PEM, TRADITIONAL, best).decode()
    assert open_private(text, PASSPHRASE) == KEY


def test_the_secret_is_in_no_repr() -> None:
    exported = read_export(TRANSCRIPTS["export_xe_3des"])
    private = open_private(exported.private_pem, PASSPHRASE)
    assert repr(private) == "PrivateKey()"
    assert exported.private_pem not in repr(exported)
    assert repr(exported.private_pem)[1:60] not in repr(exported)


def edited(pattern: str, replacement: str, name: str = "export_xe_3des") -> str:
    text = read_export(TRANSCRIPTS[name]).private_pem
    changed = re.sub(pattern, replacement, text, count=1)
    assert changed != text
    return changed


CLEAR = pem.armour("RSA PRIVATE KEY", KEY.der)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no BEGIN RSA PRIVATE KEY line"),
        ("hello", "no BEGIN RSA PRIVATE KEY line"),
        (CLEAR, "is not encrypted"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "is not encrypted"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----", "PKCS#8"),
        ("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----", "not one of an RSA key"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "not one of an RSA key"),
        (edited("-----END.*\n", ""), "truncated"),
        (edited("\n[^\n]{1,64}\n-----END", "\n-----END"), "damaged"),
        (edited("DES-EDE3-CBC", "CAMELLIA-256-CBC"), "cipher that is not known"),
        (edited("DES-EDE3-CBC", "AES-128-CBC"), "damaged head"),
        (edited("DEK-Info: .*", "DEK-Info: x"), "damaged head"),
        (edited("Proc-Type", "Pr0c-Type"), "not encrypted"),
        (edited("\n\n....", "\n\n?..."), "damaged"),
        (edited("\n\n(?:.*\n)*-----END", "\n\n-----END"), "damaged"),
        (edited(r"\Z", "\ntrailing"), "something around it"),
        (edited(r"\A", CLEAR), "more than one block"),
        ("-----BEGIN RSA PRIVATE KEY-----" + "A" * 10_000_000, "longer than 64 kB"),
        (pem.private_pem(b"\0" * 64, "DES-EDE3-CBC", "00" * 8), "passphrase is wrong or the file is damaged"),
    ],
)
def test_bad_files_get_one_clear_sentence(text: str, sentence: str) -> None:
    with pytest.raises(VpnKeysError, match=re.escape(sentence)) as raised:
        open_private(text, PASSPHRASE)
    assert raised.value.code == "bad_input"
    assert str(raised.value).startswith("The PEM of the private key ")
    assert str(raised.value).endswith(".")


@pytest.mark.parametrize("name", EXPORTS)
@pytest.mark.parametrize("passphrase", ["", "cisco124", "Cisco123", "x" * 5000, "ünïcode", "\0"])
def test_wrong_passphrases(name: str, passphrase: str) -> None:
    with pytest.raises(VpnKeysError, match="passphrase is wrong") as raised:
        open_private(read_export(TRANSCRIPTS[name]).private_pem, passphrase)
    assert raised.value.code == "bad_input"


def test_a_key_that_is_not_rsa_is_refused_even_in_the_right_envelope() -> None:
    curve = ec.generate_private_key(ec.SECP256R1()).private_bytes(DER, TRADITIONAL, serialization.NoEncryption())
    with pytest.raises(VpnKeysError, match="damaged"):
        open_private(seal_3des(PrivateKey(curve, KEY.spki), PASSPHRASE), PASSPHRASE)


@given(st.integers(0, len(KEY.der) - 1), st.integers(1, 255))
@settings(max_examples=300, deadline=None)
def test_a_damaged_number_never_opens(at: int, change: int) -> None:
    der = bytearray(KEY.der)
    der[at] ^= change
    with pytest.raises(VpnKeysError, match="damaged"):
        open_private(seal_3des(PrivateKey(bytes(der), KEY.spki), PASSPHRASE), PASSPHRASE)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_file_opens_as_itself_or_not_at_all(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(EXPORTS))
    text = read_export(TRANSCRIPTS[name]).private_pem
    whole = open_private(text, PASSPHRASE)
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, min(len(text), begin + 100)))
    text = text[:begin] + data.draw(st.text(max_size=10)) + text[end:]
    try:
        opened = open_private(text, PASSPHRASE)
    except VpnKeysError as error:
        code, sentence = error.code, str(error)
    else:
        assert opened == whole
        return
    assert code == "bad_input"
    assert sentence.isprintable()


@given(st.text(), st.text())
@settings(deadline=None)
def test_anything_that_is_no_key_is_refused(text: str, passphrase: str) -> None:
    for candidate in (text, f"-----BEGIN RSA PRIVATE KEY-----\n{text}\n-----END RSA PRIVATE KEY-----\n"):
        with pytest.raises(VpnKeysError):
            open_private(candidate, passphrase)


@pytest.mark.parametrize(
    "piece", ["-", "\n", " ", "A", "-----BEGIN RSA PRIVATE KEY-----\n", "Proc-Type: 4,ENCRYPTED\n"]
)
def test_long_files_cost_little(piece: str) -> None:
    begin = time.process_time()
    for text in (piece * (64_000 // len(piece)), "-----BEGIN RSA PRIVATE KEY-----\n" + piece * (63_000 // len(piece))):
        with pytest.raises(VpnKeysError):
            open_private(text, PASSPHRASE)
        with pytest.raises(ValueError):  # noqa: PT011 - the caller makes the sentence
            pem.spki_of(text)
    assert time.process_time() - begin < 1


def test_opening_is_fast() -> None:
    text = read_export(TRANSCRIPTS["export_xe_aes"]).private_pem
    begin = time.process_time()
    for dummy in range(50):
        open_private(text, PASSPHRASE)
    assert (time.process_time() - begin) / 50 < 0.005


# -- writing ---------------------------------------------------------------------------------------------------


def test_what_is_sealed_opens_again_and_never_looks_the_same() -> None:
    texts = {seal_3des(KEY, PASSPHRASE) for dummy in range(5)}
    assert len(texts) == 5
    assert all(open_private(text, PASSPHRASE) == KEY for text in texts)


@needs_openssl
@pytest.mark.parametrize("bits", [1024, 2048, 2056])
def test_openssl_opens_what_is_sealed(bits: int) -> None:
    private, dummy = made(bits)
    text = seal_3des(private, PASSPHRASE)
    opened = openssl("rsa", "-traditional", "-passin", f"pass:{PASSPHRASE}", "-outform", "der", given=text)
    assert opened == private.der
    assert openssl("rsa", "-passin", f"pass:{PASSPHRASE}", "-pubout", "-outform", "der", given=text) == private.spki
    shown = openssl("pkey", "-pubin", "-outform", "der", given=pem.public_pem_of(private))
    assert hashlib.sha256(shown).hexdigest() == private.fingerprint


def test_cryptography_opens_what_is_sealed() -> None:
    key = serialization.load_pem_private_key(seal_3des(KEY, PASSPHRASE).encode(), PASSPHRASE.encode())
    assert key.public_key().public_bytes(DER, SPKI) == KEY.spki


@given(st.binary(min_size=1, max_size=300))
def test_armour_has_lines_of_64_columns(data: bytes) -> None:
    lines = pem.armour("PUBLIC KEY", data).split("\n")
    assert lines[0] == "-----BEGIN PUBLIC KEY-----"
    assert lines[-2:] == ["-----END PUBLIC KEY-----", ""]
    assert all(len(line) == 64 for line in lines[1:-3])
    assert base64.b64decode("".join(lines[1:-2])) == data


# -- pairs -----------------------------------------------------------------------------------------------------


def exported(public: PrivateKey, private: PrivateKey, passphrase: str = PASSPHRASE) -> Exported:
    return Exported(pem.public_pem_of(public), seal_3des(private, passphrase), "general")


def test_a_pair_that_belongs_together() -> None:
    assert pem.check_pair(exported(KEY, KEY), PASSPHRASE, KEY.spki) == KEY


@pytest.mark.parametrize(
    ("pair", "expected", "sentence"),
    [
        (exported(KEY, OTHER), KEY.spki, "do not belong together"),
        (exported(OTHER, KEY), KEY.spki, "do not belong together"),
        (exported(OTHER, OTHER), KEY.spki, "not the one that the device lists"),
        (exported(KEY, KEY, "another-one"), KEY.spki, "passphrase is wrong"),
        (Exported("nothing", seal_3des(KEY, PASSPHRASE), None), KEY.spki, "public key cannot be read"),
        (Exported(pem.public_pem_of(KEY), "nothing", None), KEY.spki, "cannot be used"),
    ],
)
def test_pairs_that_do_not(pair: Exported, expected: bytes, sentence: str) -> None:
    with pytest.raises(VpnKeysError, match=sentence) as raised:
        pem.check_pair(pair, PASSPHRASE, expected)
    assert raised.value.code == "export_failed"


def test_listing_and_export_show_the_same_key() -> None:
    listed = read_rsa_keys(TRANSCRIPTS["mypubkey_ios15"])[0]
    assert pem.check_pair(read_export(TRANSCRIPTS["export_ios15_3des"]), PASSPHRASE, listed.spki).bits == 1024
