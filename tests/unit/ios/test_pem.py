# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
import itertools
import math
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
from unit.effort import examples

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


@pytest.mark.parametrize("size", [5, 126, 127, 128, 129, 254, 255, 256, 257, 65536])
@pytest.mark.parametrize("exponent", [3, 65537, 2**32 + 1])
def test_numbers_of_any_size(size: int, exponent: int) -> None:
    """Where a length gets another octet; `size` is that of the modulus in octets."""
    modulus = int.from_bytes(b"\xc5" * size, "big")
    if size < 65536:  # more than cryptography takes
        key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        assert pem.rsa_spki(modulus, exponent) == key.public_bytes(DER, SPKI)
    assert pem.rsa_numbers(pem.rsa_spki(modulus, exponent)) == (modulus, exponent)


def element(tag: int, content: bytes, length: str = "") -> bytes:
    """An element of DER; with another length than it has, where one is given."""
    size = len(content)
    if not length:
        length = f"{size:02x}" if size < 0x80 else f"81{size:02x}" if size < 0x100 else f"82{size:04x}"
    return bytes([tag]) + bytes.fromhex(length) + content


MODULUS = b"\0" + KEY_OBJECT.public_key().public_numbers().n.to_bytes(256, "big")
EXPONENT = element(2, b"\1\0\1")
CURVE = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(DER, SPKI)
RSA_ENCRYPTION = element(0x30, bytes.fromhex("06092a864886f70d010101") + b"\5\0")


def spki(
    modulus: bytes = element(2, MODULUS), exponent: bytes = EXPONENT, more: bytes = b"", first: bytes = b"\0"
) -> bytes:
    numbers = element(0x30, modulus + exponent) + more
    return element(0x30, RSA_ENCRYPTION + element(3, first + numbers))


OTHER_ELEMENT = "another element was expected"
LONG_LENGTH = "length not in its shortest form"
NO_INTEGER = "not a positive integer in its shortest form"
MORE = "unexpected data after its end"
NO_RSA_KEY = "not an RSA key"
NO_SUCH_NUMBERS = "no RSA key has these numbers"
NO_RSA_KEYS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", OTHER_ELEMENT),
    "one octet": (b"\x30", OTHER_ELEMENT),
    "something before it": (b"\0" + KEY.spki, OTHER_ELEMENT),
    "an exponent that is no integer": (spki(exponent=element(4, b"\1\0\1")), OTHER_ELEMENT),
    "a length without its octets": (b"\x30\x82", LONG_LENGTH),
    "endless": (b"\x30\x80" + KEY.spki[4:] + b"\0\0", LONG_LENGTH),
    "a length with a zero before it": (b"\x30\x83\0" + KEY.spki[2:], LONG_LENGTH),
    "a long length for a short one": (spki(exponent=element(2, b"\1\0\1", "8103")), LONG_LENGTH),
    "cut off": (KEY.spki[:-1], "it ends too early"),
    "an exponent that is cut off": (spki(exponent=element(2, b"\1\0\1", "04")), "it ends too early"),
    "an empty exponent": (spki(exponent=element(2, b"")), NO_INTEGER),
    "a zero before the exponent": (spki(exponent=element(2, b"\0\3")), NO_INTEGER),
    "a negative modulus": (spki(modulus=element(2, MODULUS[1:])), NO_INTEGER),
    "a zero before the modulus": (spki(modulus=element(2, b"\0" + MODULUS)), NO_INTEGER),
    "no exponent": (spki(exponent=b""), "not enough values"),
    "three numbers": (spki(exponent=EXPONENT * 2), "too many values"),
    "something behind the numbers": (spki(more=b"\0"), MORE),
    "something behind it": (KEY.spki + b"\0", MORE),
    "something behind the bit string": (element(0x30, KEY.spki[4:] + b"\0"), "not one whole bit string"),
    "bits that are not used": (spki(first=b"\1"), "not one whole bit string"),
    "the private key": (KEY.der, NO_RSA_KEY),
    "a key on a curve": (CURVE, NO_RSA_KEY),
    "another algorithm": (KEY.spki.replace(RSA_ENCRYPTION[4:13], RSA_ENCRYPTION[4:12] + b"\x0a"), NO_RSA_KEY),
    "an even modulus": (pem.rsa_spki(2**1024, 65537), NO_SUCH_NUMBERS),
    "an even exponent": (pem.rsa_spki(2**1024 + 1, 65536), NO_SUCH_NUMBERS),
    "the exponent 1": (pem.rsa_spki(2**1024 + 1, 1), NO_SUCH_NUMBERS),
    "two equal numbers": (pem.rsa_spki(65537, 65537), NO_SUCH_NUMBERS),
}


@pytest.mark.parametrize("name", NO_RSA_KEYS)
def test_other_structures_are_no_rsa_key(name: str) -> None:
    assert spki() == KEY.spki
    der, why = NO_RSA_KEYS[name]
    with pytest.raises(ValueError, match=f"^{why}"):
        pem.rsa_numbers(der)


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
    assert open_private(text.replace("\n", "\r"), PASSPHRASE) == private
    assert open_private(text.replace("\n", "  \n"), PASSPHRASE) == private
    assert open_private(text.replace("\n\n", "\n"), PASSPHRASE) == private
    assert open_private("\n\n" + text.rstrip(), PASSPHRASE) == private
    assert open_private(text.ljust(pem.LARGEST), PASSPHRASE) == private


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


def test_what_is_sealed_opens_where_md5_is_not_for_security(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a host in FIPS mode."""
    real = hashlib.new

    def fips(name: str, data: bytes = b"", *, usedforsecurity: bool = True) -> object:
        if name.lower() == "md5" and usedforsecurity is not False:
            raise ValueError("[digital envelope routines] unsupported")
        return real(name, data, usedforsecurity=usedforsecurity)

    monkeypatch.setattr(hashlib, "new", fips)
    assert open_private(seal_3des(KEY, PASSPHRASE), PASSPHRASE) == KEY


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


def wrapped(kind: str) -> str:
    return f"-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----"


NO_LINE = "has no BEGIN RSA PRIVATE KEY line"
NO_RSA = "is not one of an RSA key (BEGIN RSA PRIVATE KEY)"
DAMAGED = "is damaged or truncated"
CLOSED = "cannot be opened: the passphrase is wrong or the file is damaged"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", NO_LINE),
        ("hello", NO_LINE),
        (CLEAR, "is not encrypted"),
        (wrapped("PRIVATE KEY"), "is not encrypted"),
        (
            wrapped("ENCRYPTED PRIVATE KEY"),
            "is PKCS#8, which IOS does not take; convert it with `openssl rsa -traditional -des3`",
        ),
        (wrapped("EC PRIVATE KEY"), NO_RSA),
        (wrapped("CERTIFICATE"), NO_RSA),
        (edited("-----END.*\n", ""), "is truncated or has something around it"),
        (edited("\n[^\n]{1,64}\n-----END", "\n-----END"), CLOSED),
        (edited("DES-EDE3-CBC", "CAMELLIA-256-CBC"), "is encrypted with an unknown cipher"),
        (edited("DES-EDE3-CBC", "AES-128-CBC"), "has a damaged header"),
        (edited("DEK-Info: .*", "DEK-Info: x"), "has a damaged header"),
        (edited("(DEK-Info: .*)", r"\g<1>0"), DAMAGED),
        (edited("Proc-Type", "Pr0c-Type"), "is not encrypted"),
        (edited("\n\n....", "\n\n?..."), DAMAGED),
        (edited("\n\n(....)", r"\n\n?\g<1>"), DAMAGED),
        (edited("\n\n(?:.*\n)*-----END", "\n\n-----END"), DAMAGED),
        (edited("\n\n(?:.*\n)*-----END", "\n\nAAAA\n-----END"), CLOSED),
        (edited(r"\Z", "\ntrailing"), "is truncated or has something around it"),
        (edited(r"\A", CLEAR), "holds more than one block; exactly one BEGIN RSA PRIVATE KEY is needed"),
        (edited(r"\A", " " * pem.LARGEST), "is longer than 64 kB, too long for an RSA key"),
        ("-----BEGIN RSA PRIVATE KEY-----" + "A" * 10_000_000, "is longer than 64 kB, too long for an RSA key"),
        (pem.private_pem(b"\0" * 64, "DES-EDE3-CBC", "00" * 8), CLOSED),
        (pem.private_pem(b"\0" * 8, "AES-256-CBC", "00" * 16), CLOSED),
    ],
)
def test_bad_files_get_one_clear_sentence(text: str, what: str) -> None:
    with pytest.raises(VpnKeysError) as raised:
        open_private(text, PASSPHRASE)
    assert (raised.value.code, str(raised.value)) == ("bad_input", f"The PEM of the private key {what}.")


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


NUMBERS = KEY_OBJECT.private_numbers()
PRIVATE_NUMBERS = {
    "version": 0,
    "n": NUMBERS.public_numbers.n,
    "e": 65537,
    "d": NUMBERS.d,
    "p": NUMBERS.p,
    "q": NUMBERS.q,
    "dp": NUMBERS.dmp1,
    "dq": NUMBERS.dmq1,
    "inverse": NUMBERS.iqmp,
}


def private_der(**numbers: int) -> bytes:
    """The key, but for these numbers."""
    changed = (PRIVATE_NUMBERS | numbers).values()
    return element(0x30, b"".join(element(2, one.to_bytes(one.bit_length() // 8 + 1, "big")) for one in changed))


def coprime(totient: int, begin: int = 65537) -> int:
    return next(e for e in itertools.count(begin, 2) if math.gcd(e, totient) == 1)


def exponents(e: int, p: int = NUMBERS.p, q: int = NUMBERS.q) -> dict[str, int]:
    d = pow(e, -1, (p - 1) * (q - 1) or p - 1)
    return {"e": e, "d": d, "p": p, "q": q, "dp": d % (p - 1), "dq": d % (q - 1) if q > 1 else 0}


PRODUCT = NUMBERS.public_numbers.n
DAMAGED_NUMBERS: dict[str, dict[str, int]] = {
    **{name: {name: number ^ 2} for name, number in PRIVATE_NUMBERS.items()},
    "p is 1": {"p": 1, "q": PRODUCT},
    "q is 1": {**exponents(coprime(PRODUCT - 1), PRODUCT, 1), "inverse": 1},
    "all are 0": dict.fromkeys(PRIVATE_NUMBERS, 0),
}


@pytest.mark.parametrize("name", DAMAGED_NUMBERS)
def test_numbers_that_do_not_belong_together_never_open(name: str) -> None:
    assert private_der() == KEY.der
    text = seal_3des(PrivateKey(private_der(**DAMAGED_NUMBERS[name]), KEY.spki), PASSPHRASE)
    with pytest.raises(VpnKeysError, match=CLOSED):
        open_private(text, PASSPHRASE)


def of_every_length() -> list[bytes]:
    """Keys that need paddings of 8, 7, ... 1 octets. They differ in their exponents."""
    ders: dict[int, bytes] = {}
    for bits in itertools.count(8):
        e = coprime((NUMBERS.p - 1) * (NUMBERS.q - 1), 2**bits + 1)
        der = private_der(**exponents(e))
        ders[len(der) % 8] = der
        if len(ders) == 8:
            break
    return [ders[more] for more in range(8)]


FIVE_MORE = of_every_length()[3]


def padded(padding: bytes) -> str:
    """A key, sealed with this padding: a whole block of more padding is cut off."""
    head, body = seal_3des(PrivateKey(FIVE_MORE + padding, KEY.spki), PASSPHRASE).split("\n\n")
    data = base64.b64decode("".join(body.splitlines()[:-1]))
    return pem.private_pem(data[:-8], "DES-EDE3-CBC", head[-16:])


@pytest.mark.parametrize("padding", [b"\0\0\0\0\0", b"\0\0\0\0\5", b"\5\5\5\5\4", b"\15" * 13])
def test_a_wrong_padding_never_opens(padding: bytes) -> None:
    assert open_private(padded(b"\5" * 5), PASSPHRASE).der == FIVE_MORE
    with pytest.raises(VpnKeysError, match=CLOSED):
        open_private(padded(padding), PASSPHRASE)


@given(st.integers(0, len(KEY.der) - 1), st.integers(1, 255))
@settings(max_examples=examples(300), deadline=None)
def test_a_damaged_number_never_opens(at: int, change: int) -> None:
    der = bytearray(KEY.der)
    der[at] ^= change
    with pytest.raises(VpnKeysError, match="damaged"):
        open_private(seal_3des(PrivateKey(bytes(der), KEY.spki), PASSPHRASE), PASSPHRASE)


@given(st.data())
@settings(max_examples=examples(300), deadline=None)
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


def test_keys_of_every_length_open_again() -> None:
    for der in of_every_length():
        assert open_private(seal_3des(PrivateKey(der, KEY.spki), PASSPHRASE), PASSPHRASE).der == der


def test_sealed_keys_look_like_those_of_a_device() -> None:
    for dummy in range(5):
        lines = seal_3des(KEY, PASSPHRASE).split("\n")
        assert lines[:2] == ["-----BEGIN RSA PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"]
        assert re.fullmatch("DEK-Info: DES-EDE3-CBC,[0-9A-F]{16}", lines[2])
        assert lines[3] == ""
        assert all(len(line) == 64 for line in lines[4:-3])
        assert lines[-2:] == ["-----END RSA PRIVATE KEY-----", ""]


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


UNRELATED = "The exported private and public keys do not belong together."


@pytest.mark.parametrize(
    ("pair", "expected", "sentence"),
    [
        (exported(KEY, OTHER), KEY.spki, UNRELATED),
        (exported(OTHER, KEY), KEY.spki, UNRELATED),
        (exported(OTHER, OTHER), KEY.spki, "The exported key is not the one that the device lists."),
        (
            exported(KEY, KEY, "another-one"),
            KEY.spki,
            f"The export cannot be used: The PEM of the private key {CLOSED}.",
        ),
        (Exported("nothing", seal_3des(KEY, PASSPHRASE), None), KEY.spki, "The exported public key cannot be read."),
        (
            Exported(pem.public_pem_of(KEY), "nothing", None),
            KEY.spki,
            f"The export cannot be used: The PEM of the private key {NO_LINE}.",
        ),
    ],
)
def test_pairs_that_do_not(pair: Exported, expected: bytes, sentence: str) -> None:
    with pytest.raises(VpnKeysError) as raised:
        pem.check_pair(pair, PASSPHRASE, expected)
    assert (raised.value.code, str(raised.value)) == ("export_failed", sentence)


NO_BLOCK = "not one PEM block of a public key"


@pytest.mark.parametrize(
    ("pattern", "replacement", "why"),
    [
        (r"\A", "hello", NO_BLOCK),
        (r"\Z", "hello", NO_BLOCK),
        (r"\A", pem.public_pem_of(OTHER), NO_BLOCK),
        ("PUBLIC", "RSA PUBLIC", NO_BLOCK),
        ("\n(....)", r"\n?\g<1>", ".*base64"),  # Python's own sentence
        ("\n....", "\n", OTHER_ELEMENT),
        ("\n(?:.*\n)*-----END", "\n-----END", OTHER_ELEMENT),
    ],
    ids=["before it", "behind it", "two of them", "another kind", "within it", "cut off", "nothing in it"],
)
def test_public_keys_that_cannot_be_read(pattern: str, replacement: str, why: str) -> None:
    text = pem.public_pem_of(KEY)
    assert pem.spki_of("\r\n" + text.replace("\n", "  \r\n")) == KEY.spki
    with pytest.raises(ValueError, match=f"^{why}"):
        pem.spki_of(re.sub(pattern, replacement, text, count=1))


def test_listing_and_export_show_the_same_key() -> None:
    listed = read_rsa_keys(TRANSCRIPTS["mypubkey_ios15"])[0]
    assert pem.check_pair(read_export(TRANSCRIPTS["export_ios15_3des"]), PASSPHRASE, listed.spki).bits == 1024
