# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""crypto key ...: the transcripts, and every switch for what no transcript shows."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import math
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from lab import DeviceSpec, GroupSpec, KeySpec, keys, pem
from lab.texts import TEXTS

FAILED = "% Key pair import failed.\n"
PASSWORD = "cisco123"


def _ks(name: str = "KS-1", personality: str = "ios15", *held: KeySpec, **more: Any) -> DeviceSpec:
    return DeviceSpec(name, personality=personality, keys=held, **more)


def _config(one: Any) -> Any:
    one.run("terminal length 0")
    one.run("terminal width 0")
    one.run("configure terminal")
    return one


# -- generate


def test_generate_a_free_label(console: Any) -> None:
    ks = _config(console(_ks()))
    command = "crypto key generate rsa general-keys label getvpnkey modulus 2048 exportable"
    assert ks.type(command + "\r") == (
        command + "\r\n"
        "The name for the keys will be: getvpnkey\r\n\r\n"
        "% The key modulus size is 2048 bits\r\n"
        "% Generating 2048 bit RSA keys, keys will be exportable...\r\n"
        "[OK] (elapsed time was 0 seconds)\r\n\r\n"
        "KS-1(config)#"
    )
    key = ks.device.keys["getvpnkey"]
    assert (key.bits, key.exportable, key.saved) == (2048, True, False)


@pytest.mark.parametrize(
    "order",
    [
        "modulus 2048 label PKI_SERVER exportable",
        "general-keys label PKI_SERVER exportable Modulus 2048",
        "exportable label PKI_SERVER modulus 2048",
    ],
)
def test_the_order_of_keywords_is_free(console: Any, order: str) -> None:
    ks = _config(console(_ks()))
    assert "[OK]" in ks.run(f"crypto key generate rsa {order}")
    assert ks.device.keys["PKI_SERVER"].exportable


def test_generate_replaces_without_asking(console: Any) -> None:
    ks = _config(console(_ks("KS-1", "ios15", KeySpec("SSH"))))
    before = ks.device.keys["SSH"].fingerprint
    assert ks.run("crypto key generate rsa label SSH modulus 2048") == (
        "% You already have RSA keys defined named SSH.\n% They will be replaced.\n\n"
        "% The key modulus size is 2048 bits\n"
        "% Generating 2048 bit RSA keys, keys will be non-exportable...\n"
        "[OK] (elapsed time was 0 seconds)\n\n"
    )
    after = ks.device.keys["SSH"]
    assert after.fingerprint != before
    assert not after.exportable


def test_generate_without_modulus_asks(console: Any) -> None:
    ks = _config(console(_ks("KS-1", "ios15", KeySpec("PKI"))))
    out = ks.type("crypto key generate rsa label PKI\r")
    assert out.endswith(
        "% You already have RSA keys defined named PKI.\r\n% Do you really want to replace them? [yes/no]: "
    )
    assert ks.type("maybe\r") == (
        "maybe\r\n% Please answer 'yes' or 'no'.\r\n% Do you really want to replace them? [yes/no]: "
    )
    assert ks.type("yes\r") == (
        "yes\r\nChoose the size of the key modulus in the range of 360 to 4096 for your\r\n"
        "  General Purpose Keys. Choosing a key modulus greater than 512 may take\r\n  a few minutes.\r\n\r\n"
        "How many bits in the modulus [512]: "
    )
    assert ks.type("9999\r").endswith("How many bits in the modulus [512]: ")
    assert ks.type("1024\r") == (
        "1024\r\n% Generating 1024 bit RSA keys, keys will be non-exportable...\r\n"
        "[OK] (elapsed time was 0 seconds)\r\n\r\nKS-1(config)#"
    )
    assert ks.device.keys["PKI"].bits == 1024


def test_no_keeps_the_key(console: Any) -> None:
    ks = _config(console(_ks("KS-1", "ios15", KeySpec("PKI"))))
    before = ks.device.keys["PKI"]
    assert ks.type("crypto key generate rsa label PKI\rn\r").endswith("n\r\nKS-1(config)#")
    assert ks.device.keys["PKI"] is before


def test_default_label_needs_a_domain(console: Any) -> None:
    ks = _config(console(_ks()))
    assert "The name for the keys will be: KS-1.lab.example\n" in ks.run("crypto key generate rsa modulus 1024")
    ks.run("no ip domain name")
    assert ks.run("crypto key generate rsa modulus 1024") == "% Please define a domain-name first.\n"
    ks.type("hostname Router\r")
    assert ks.run("crypto key generate rsa modulus 1024") == "% Please define a hostname other than Router.\n"


@pytest.mark.parametrize(("personality", "low"), [("ios15", 360), ("xe16", 360), ("xe17", 2048)])
def test_modulus_out_of_range(console: Any, personality: str, low: int) -> None:
    ks = _config(console(_ks("KS-1", personality)))
    for bits in (low - 1, 4097):
        command = f"crypto key generate rsa label X modulus {bits}"
        out = ks.run(command)
        assert out == " " * (len("KS-1(config)#") + command.index(str(bits))) + "^\n" + TEXTS["invalid"][1]
    assert not ks.device.keys


def test_usage_keys(console: Any) -> None:
    ks = _config(console(_ks()))
    out = ks.run("crypto key generate rsa usage-keys label U modulus 1024 exportable")
    assert out.count("% Generating 1024 bit RSA keys") == 2
    shown = ks.run("do show crypto key mypubkey rsa U")
    assert re.findall(r" Usage: (.*)", shown) == ["Signature Key", "Encryption Key"]
    exported = ks.run("crypto key export rsa U pem terminal 3des cisco123")
    assert exported.count("BEGIN RSA PRIVATE KEY") == 2


def test_real_generation_when_the_pool_is_empty(console: Any) -> None:
    ks = _config(console(_ks()))
    count = keys.pool_size(512) + 2
    seen = set()
    for dummy in range(count):
        ks.run("crypto key generate rsa label X modulus 512")
        seen.add(ks.device.keys["X"].fingerprint)
    assert len(seen) == count


def test_ios15_generates_in_configuration_mode_only(console: Any) -> None:
    ks = console(_ks())
    ks.run("terminal width 0")
    command = "crypto key generate rsa label X modulus 2048"
    assert ks.run(command) == " " * len("KS-1#crypto key ") + "^\n" + TEXTS["invalid"][1]


def test_background_generation(console: Any) -> None:
    ks = console(_ks("vg400", "xe17"))
    ks.run("terminal width 0")
    assert ks.run("crypto key generate rsa exportable general-keys label 4k_keypair modulus 4096") == (
        "The name for the keys will be: 4k_keypair\n% The key modulus size is 4096 bits\n"
        "% Generating crypto RSA keys in background ...\n"
    )
    assert ks.run("show crypto key mypubkey rsa 4k_keypair") == ""
    ks.loop.run_until_complete(asyncio.sleep(0.6))
    assert "4096 bits" in ks.run("show crypto key mypubkey rsa 4k_keypair | include Key type")
    assert "KEY_ADDITION: A key named 4k_keypair" in ks.run("show logging | include KEY_ADD")


def test_hidden_command_is_logged_with_the_label_masked(console: Any) -> None:
    ks = _config(console(_ks("KS-1", "xe17")))
    ks.run("do terminal monitor")
    out = ks.run("crypto key generate rsa general-keys label MYKEY modulus 2048")
    assert (
        "%PARSER-5-HIDDEN: Warning!!! ' crypto key generate rsa general-keys label * modulus "
        "2048' is a hidden command. "
        "Use of this command is not recommended/supported and will be removed in future." in out
    )
    assert "[OK]" in out
    assert "generate" not in ks.type("crypto key ?")


def test_first_key_brings_ssh_and_a_helper(console: Any) -> None:
    ks = _config(console(_ks()))
    ks.run("crypto key generate rsa label FIRST modulus 2048")
    ks.run("crypto key generate rsa label SECOND modulus 2048")
    shown = ks.run("do show crypto key mypubkey rsa")
    assert re.findall(r"Key name: (.*)", shown) == ["FIRST", "FIRST.server", "SECOND"]
    assert "Key name: FIRST.server\nKey type: RSA KEYS\nTemporary key\n Usage: Encryption Key\n" in shown
    assert "%SSH-5-ENABLED: SSH 1.99 has been enabled" in ks.run("do show logging")
    assert ks.device.temporary.bits == 768
    xe = console(_ks("KS-2", "xe16", KeySpec("A")))
    assert xe.device.temporary.bits == 768
    assert console(_ks("KS-2", "xe17", KeySpec("A"))).device.temporary.bits == 2176
    assert console(_ks("KS-3", "xe16", KeySpec("A"), overrides={"helper_key": False})).device.temporary is None


# -- show


@pytest.mark.parametrize(
    ("personality", "kind", "redundancy"),
    [("ios15", "", ""), ("xe16", "", " Redundancy enabled."), ("xe17", "      2048 bits", " Redundancy enabled.")],
)
def test_show(console: Any, personality: str, kind: str, redundancy: str) -> None:
    ks = console(_ks("KS-1", personality, KeySpec("test", exportable=False)))
    ks.run("terminal length 0")
    shown = ks.run("show crypto key mypubkey rsa test")
    head, dummy, data = shown.partition(" Key Data:\n")
    assert re.sub(r"at: \d\d:\d\d:\d\d UTC \w{3} \d{1,2} \d{4}\n", "at: T\n", head) == (
        "% Key pair was generated at: T\n"
        f"Key name: test\nKey type: RSA KEYS{kind}\n Storage Device: private-config\n"
        f" Usage: General Purpose Key\n Key is not exportable.{redundancy}\n"
    )
    rows = data.splitlines()
    assert all(re.fullmatch(r"  ([0-9A-F]{8} ){8}", row) for row in rows[:-1])
    assert re.fullmatch(r"  ([0-9A-F]{8} ){1}[0-9A-F]{4}", rows[-1])
    spki = bytes.fromhex("".join(data.split()))
    assert hashlib.sha256(spki).hexdigest() == ks.device.keys["test"].fingerprint
    assert keys.pool_key(2048, 0).spki == spki


def test_show_of_a_missing_label(console: Any) -> None:
    assert console(_ks()).run("show crypto key mypubkey rsa NONE") == ""
    assert console(_ks("KS-1", "ios15", overrides={"show_missing": "text"})).run("sh cry key my rsa NONE") != ""


def test_storage_changes_when_written(console: Any) -> None:
    ks = console(_ks("KS-1", "ios15", KeySpec("L", saved=False)))
    assert "Storage Device: not specified" in ks.run("show crypto key mypubkey rsa L | include Storage")
    assert ks.run("write memory") == "Building configuration...\n[OK]\n"
    assert "Storage Device: private-config" in ks.run("show crypto key mypubkey rsa L | include Storage")
    never = console(_ks("KS-1", "ios15", KeySpec("L"), overrides={"show_saved": "never"}))
    assert "Storage Device: not specified" in never.run("show crypto key mypubkey rsa L | include Storage")


def test_storage_changes_at_the_next_boot(console: Any) -> None:
    """As a C9800 shows it: the old keys are private-config, the newest is not specified though it is saved."""
    keys = (KeySpec("OLD"), KeySpec("NEW", 1, saved=False))
    ks = console(_ks("KS-1", "xe17", *keys, overrides={"show_saved": "at_boot"}))
    shown = "show crypto key mypubkey rsa | include Storage"
    ks.run("write memory")
    assert [line.strip() for line in ks.run(shown).splitlines()] == [
        "Storage Device: private-config",
        "Storage Device: not specified",
    ]
    ks.device.restart()
    assert set(ks.run(shown).split("\n")) == {" Storage Device: private-config", ""}


def test_old_ios_shows_less_of_a_key_and_does_not_mark_its_helper(console: Any) -> None:
    ks = console(_ks("KS-1", "ios15", KeySpec("L"), overrides={"key_listing": "old"}))
    out = ks.run("show crypto key mypubkey rsa")
    assert "Key name: L.server\n Usage: Encryption Key\n Key is not exportable.\n" in out
    assert not re.search("Key type|Storage|Temporary", out)


# -- export


def test_export_like_the_transcript(console: Any) -> None:
    ks = _config(console(_ks("KS-1", "ios15", KeySpec("getvpnkey"))))
    out = ks.run("crypto key export rsa getvpnkey pem terminal 3des cisco123")
    assert out.startswith(
        "% Key name: getvpnkey\n   Usage: General Purpose Key\n   Key data:\n-----BEGIN PUBLIC KEY-----\n"
    )
    assert (
        "-----END PUBLIC KEY-----\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,"
        in out
    )
    assert out.endswith("-----END RSA PRIVATE KEY-----\n")
    private = serialization.load_pem_private_key(out[out.index("-----BEGIN RSA") :].encode(), b"cisco123")
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert public.decode() in out


def test_export_of_xe_glues_base64_len_to_begin(console: Any) -> None:
    ks = _config(console(_ks("KS-1", "xe17", KeySpec("K", bits=4096))))
    out = ks.run("crypto key export rsa K pem terminal aes test12345")
    match = re.search(r"-----END PUBLIC KEY-----\n\nbase64 len (\d+)-----BEGIN RSA PRIVATE KEY-----\n", out)
    assert match
    assert abs(int(match[1]) - 3248) <= 6  # the published key's number; the DER of another key may be a byte or two off
    body = out[out.index("\n\n", out.index("DEK-Info")) + 2 : out.index("-----END RSA")]
    assert int(match[1]) == len(body.replace("\n", "")) + 2 * body.count("\n")


def test_aes_is_not_openssls(console: Any) -> None:
    ks = _config(console(_ks("KS-1", "xe17", KeySpec("K"))))
    out = ks.run("crypto key export rsa K pem terminal aes test12345")
    text = out[out.index("-----BEGIN RSA") :]
    with pytest.raises(ValueError, match=r"\w"):
        serialization.load_pem_private_key(text.encode(), b"test12345")
    assert pem.read_private(text.splitlines(), "test12345", pem.Accepted(True, False, False)).bits == 2048
    assert "Invalid input" in _config(console(_ks("K", "ios15", KeySpec("K")))).run(
        "crypto key export rsa K pem terminal aes x2345678"
    )


def test_des_opens_with_openssl(console: Any, tmp_path: Path) -> None:
    ks = _config(console(_ks("KS-1", "ios15", KeySpec("K"))))
    out = ks.run("crypto key export rsa K pem terminal des test12345")
    assert "DEK-Info: DES-CBC," in out
    assert pem.read_private(
        out[out.index("-----BEGIN RSA") :].splitlines(), "test12345", pem.Accepted(False, False, False)
    )


def test_a_passphrase_of_xe_is_a_line_without_blanks_at_its_end(console: Any) -> None:
    ks = _config(console(_ks("KS-1", "xe16", KeySpec("K"))))
    out = ks.run("crypto key export rsa K pem terminal 3des correct horse  ")
    text = out[out.index("-----BEGIN RSA") :]
    assert pem.read_private(text.splitlines(), "correct horse", pem.Accepted(False, False, False)).bits == 2048
    ios15 = _config(console(_ks("KS-2", "ios15", KeySpec("K"))))
    assert "Invalid input" in ios15.run("crypto key export rsa K pem terminal 3des correct horse")


def test_export_refusals(console: Any) -> None:
    ks = _config(console(_ks("KS-1", "ios15", KeySpec("L", exportable=False), KeySpec("M"))))
    assert ks.run("crypto key export rsa L pem terminal 3des cisco123") == "% RSA keypair L is not exportable.\n"
    assert ks.run("crypto key export rsa N pem terminal 3des cisco123") == "% RSA keypair N not found.\n"
    assert ks.run("crypto key export rsa M pem terminal 3des short") == TEXTS["short_passphrase"][1]
    assert "Invalid input" in ks.run("crypto key export rsa M pem terminal 3des two words")
    lax = _config(
        console(_ks("KS-1", "ios15", KeySpec("M"), overrides={"short_passphrase": "accept", "passphrase": "line"}))
    )
    assert "BEGIN RSA" in lax.run("crypto key export rsa M pem terminal 3des abc")
    assert "BEGIN RSA" in lax.run("crypto key export rsa M pem terminal 3des two words here")


def test_export_to_files_and_back(console: Any) -> None:
    ks = _config(console(_ks("R12CA", "ios15", KeySpec("R12CA"))))
    out = ks.type("crypto key export rsa R12CA pem url nvram: 3des cisco123\r\r\r").replace("\r\n", "\n")
    assert out.endswith(
        "% Key name: R12CA\n   Usage: General Purpose Key\nExporting public key...\n"
        "Destination filename [R12CA.pub]? \nWriting file to nvram:R12CA.pub\nExporting private key...\n"
        "Destination filename [R12CA.prv]? \nWriting file to nvram:R12CA.prv\nR12CA(config)#"
    )
    assert "R12CA.prv" in ks.run("do dir nvram:")
    before = ks.device.keys["R12CA"].fingerprint
    ks.type("crypto key zeroize rsa R12CA\ryes\r")
    assert ks.type("crypto key import rsa R12CA pem url nvram: cisco123\r\r\r").endswith(
        "% Key pair import succeeded.\r\nR12CA(config)#"
    )
    assert ks.device.keys["R12CA"].fingerprint == before


# -- import


def _exported(cipher: str = "3des", index: int = 3, passphrase: str = PASSWORD) -> tuple[str, str]:
    key = keys.pool_key(2048, index)
    return pem.public_pem(key), pem.private_pem(key, cipher, passphrase)[0]


def _paste(one: Any, command: str, public: str, private: str, end_public: str = "\n") -> str:
    """Everything at once, as an impatient client does; the output after the command line."""
    out: str = one.type(f"{command}\n{public}{end_public}{private}quit\n")
    return out.replace("\r\n", "\n").split("\n", 1)[1]


def test_import_like_the_transcript(console: Any) -> None:
    public, private = _exported()
    ks = _config(console(_ks("KS-2")))
    out = ks.type("crypto key import rsa getvpnkey terminal cisco123\r")
    assert out.endswith(
        "\r\n\r\n% Enter PEM-formatted public General Purpose key or certificate.\r\n"
        '% End with a blank line or "quit" on a line by itself.\r\n'
    )
    assert ks.type(public) == public.replace("\n", "\r\n")
    assert ks.type("\r") == (
        '\r\n% Enter PEM-formatted encrypted private General Purpose key.\r\n% End with "quit" on a line by itself.\r\n'
    )
    assert ks.type(private) == private.replace("\n", "\r\n")
    assert ks.type("quit\r") == "quit\r\n% Key pair import succeeded.\r\nKS-2(config)#"
    key = ks.device.keys["getvpnkey"]
    assert (key.fingerprint, key.exportable, key.saved) == (keys.pool_key(2048, 3).fingerprint, False, False)
    assert [entry.kind for entry in ks.device.log][-1] == "paste"


@pytest.mark.parametrize("cipher", ["3des", "des"])
@pytest.mark.parametrize("end", ["\n", "quit\n"])
@pytest.mark.parametrize("personality", ["ios15", "xe16", "xe17"])
def test_import_works(console: Any, cipher: str, end: str, personality: str) -> None:
    ks = _config(console(_ks("KS-2", personality)))
    out = _paste(ks, f"crypto key import rsa L exportable pem terminal {PASSWORD}", *_exported(cipher), end_public=end)
    assert out.endswith("% Key pair import succeeded.\nKS-2(config)#")
    assert ks.device.keys["L"].exportable


ORDERS = {
    "L terminal P": {"any", "documented", "before_pem"},
    "L pem terminal P": {"any", "documented", "before_pem"},
    "L exportable pem terminal P": {"any", "before_pem"},
    "L pem exportable terminal P": {"any"},
    "L exportable pem encryption terminal P": {"any"},
    "L pem terminal exportable P": {"documented"},
    "L pem encryption terminal exportable P": {"documented"},
    "L signature exportable pem terminal P": {"any", "before_pem"},
}


@pytest.mark.parametrize("order", ["any", "documented", "before_pem"])
@pytest.mark.parametrize("form", ORDERS)
def test_import_keyword_order(console: Any, order: str, form: str) -> None:
    # Where a passphrase is the rest of the line, it would be `exportable P` for `terminal exportable P`.
    ks = _config(console(_ks("KS-2", "xe16", overrides={"import_order": order, "passphrase": "word"})))
    out = ks.type(f"crypto key import rsa {form.replace(' P', ' ' + PASSWORD)}\r")
    assert ("% Enter PEM-formatted public" in out) == (order in ORDERS[form]), out
    assert ("% Invalid input" in out) == (order not in ORDERS[form])


def test_pem_keyword_required(console: Any) -> None:
    ks = _config(console(_ks("KS-2", "xe16", overrides={"import_pem_keyword": "required"})))
    assert "% Invalid input" in ks.run("crypto key import rsa L terminal cisco123")
    assert "% Enter PEM" in ks.type("crypto key import rsa L exportable pem terminal cisco123\r")


def test_aes_of_xe_and_of_openssl(console: Any) -> None:
    ours = _exported("aes")
    key = serialization.load_pem_private_key(pem.plain_pem(keys.pool_key(2048, 3)).encode(), None)
    openssl = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.BestAvailableEncryption(PASSWORD.encode()),
    ).decode()
    command = f"crypto key import rsa L pem terminal {PASSWORD}"
    old = _config(console(_ks("KS-2", "ios15")))
    assert FAILED in _paste(old, command, *ours)
    new = _config(console(_ks("KS-2", "xe16")))
    assert FAILED in _paste(new, command, ours[0], openssl)
    assert "succeeded" in _paste(new, command, *ours)
    lax = _config(console(_ks("KS-2", "ios15", overrides={"import_openssl_aes": "accept"})))
    assert "succeeded" in _paste(lax, command, ours[0], openssl)


def _broken() -> dict[str, tuple[str, str]]:
    public, private = _exported()
    other = _exported(index=4)
    lines = private.splitlines(keepends=True)
    return {
        "wrong passphrase": (public, _exported(passphrase="something else")[1]),
        "mismatched halves": (other[0], private),
        "truncated": (public, "".join(lines[:10] + lines[-1:])),
        "no blank line after DEK-Info": (public, private.replace("\n\n", "\n")),
        "base64 len kept": (public, "base64 len 1642" + private),
        "pkcs8": (public, private.replace("RSA PRIVATE", "ENCRYPTED PRIVATE")),
        "public is private": (private.replace("\n\n", "\n"), private),
        "nothing public": ("", private),
        "nothing private": (public, ""),
        "garbage public": ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", private),
        "plain": (public, pem.plain_pem(keys.pool_key(2048, 3))),
    }


@pytest.mark.parametrize("what", _broken())
def test_bad_imports_fail_and_run_nothing(console: Any, what: str) -> None:
    ks = _config(console(_ks("KS-2", "xe16")))
    command = f"crypto key import rsa L pem terminal {PASSWORD}"
    out = _paste(ks, command, *_broken()[what])
    assert FAILED + "KS-2(config)#" in out
    assert not ks.device.keys
    pasted = [entry for entry in ks.device.log if entry.kind == "command" and "---" in entry.text]
    assert not pasted


def test_bad_public_at_once_lets_the_rest_arrive_as_commands(console: Any) -> None:
    ks = _config(console(_ks("KS-2", "xe16", overrides={"import_bad_public": "at_once"})))
    out = _paste(ks, f"crypto key import rsa L pem terminal {PASSWORD}", *_broken()["garbage public"])
    assert out.count("% Invalid input") > 20
    assert "-----BEGIN RSA PRIVATE KEY-----" in ks.device.commands()


@pytest.mark.parametrize(
    ("what", "first"),
    [("wrong passphrase", "quit"), ("base64 len kept", "Proc-Type: 4,ENCRYPTED"), ("truncated", "quit")],
)
def test_bad_private_at_its_line(console: Any, what: str, first: str) -> None:
    ks = _config(console(_ks("KS-2", "xe16", overrides={"import_bad_private": "at_line"})))
    before = len(ks.device.commands())
    _paste(ks, f"crypto key import rsa L pem terminal {PASSWORD}", *_broken()[what])
    assert ks.device.commands()[before + 1] == first
    assert not ks.device.keys
    good = _config(console(_ks("KS-2", "xe16", overrides={"import_bad_private": "at_line"})))
    assert "succeeded" in _paste(good, f"crypto key import rsa L pem terminal {PASSWORD}", *_exported())


def test_the_aes_of_xe_stops_ios15_at_its_line(console: Any) -> None:
    ks = _config(console(_ks("KS-2", "ios15", overrides={"import_bad_private": "at_line"})))
    _paste(ks, f"crypto key import rsa L pem terminal {PASSWORD}", *_exported("aes"))
    assert any(len(command) == 64 for command in ks.device.commands())


@pytest.mark.parametrize("how", ["refuse", "refuse_at_end", "replace", "ask"])
def test_import_onto_a_label_in_use(console: Any, how: str) -> None:
    ks = _config(console(_ks("KS-2", "ios15", KeySpec("L", pool=9), overrides={"import_existing": how})))
    command = f"crypto key import rsa L pem terminal {PASSWORD}"
    old, new = ks.device.keys["L"].fingerprint, keys.pool_key(2048, 3).fingerprint
    if how == "refuse":
        assert "in use" in ks.run(command)
    elif how == "ask":
        assert ks.type(command + "\r").endswith("[yes/no]: ")
        assert "% Enter PEM" in ks.type("yes\r")
        public, private = _exported()
        assert "succeeded" in ks.type(f"{public}\n{private}quit\n")
    else:
        out = _paste(ks, command, *_exported())
        assert ("succeeded" in out) == (how == "replace")
    assert ks.device.keys["L"].fingerprint == (new if how in ("replace", "ask") else old)


def test_import_without_passphrase(console: Any) -> None:
    plain = (_exported()[0], pem.plain_pem(keys.pool_key(2048, 3)))
    ks = _config(console(_ks("KS-2", "xe16")))
    assert FAILED in _paste(ks, "crypto key import rsa L pem terminal", *_exported())
    assert "succeeded" in _paste(ks, "crypto key import rsa L pem terminal", *plain)
    refusing = _config(console(_ks("KS-2", "xe16", overrides={"import_plain": "refuse"})))
    assert refusing.run("crypto key import rsa L pem terminal") == "% Incomplete command.\n\n"
    lax = _config(console(_ks("KS-2", "xe16", overrides={"import_plain_with_passphrase": "accept"})))
    assert "succeeded" in _paste(lax, f"crypto key import rsa L pem terminal {PASSWORD}", *plain)


@pytest.mark.parametrize("how", ["accept", "refuse"])
def test_blanks_after_pasted_lines(console: Any, how: str) -> None:
    ks = _config(console(_ks("KS-2", "ios15", overrides={"pem_trailing_space": how})))
    public, private = _exported()
    private = private.replace("-----\n", "----- \n")
    out = _paste(ks, f"crypto key import rsa L pem terminal {PASSWORD}", public, private)
    assert ("succeeded" in out) == (how == "accept")


def test_no_echo_of_pasted_lines(console: Any) -> None:
    ks = _config(console(_ks("KS-2", "ios15", overrides={"pem_echo": False})))
    out = _paste(ks, f"crypto key import rsa L pem terminal {PASSWORD}", *_exported())
    assert "BEGIN" not in out
    assert "succeeded" in out


def test_control_c_leaves_the_paste(console: Any) -> None:
    ks = _config(console(_ks("KS-2")))
    ks.type(f"crypto key import rsa L pem terminal {PASSWORD}\r-----BEGIN PUBLIC KEY-----\r")
    assert ks.type("\x03") == "^C\r\nKS-2(config)#"


def test_a_certificate_is_a_public_part(console: Any, tmp_path: Path) -> None:
    key = keys.pool_key(2048, 3)
    file = tmp_path / "key.pem"
    file.write_text(pem.plain_pem(key), encoding="ascii")
    made = subprocess.run(
        ["openssl", "req", "-x509", "-new", "-key", str(file), "-subj", "/CN=ks", "-days", "1"],
        capture_output=True,
        text=True,
        check=True,
    )
    ks = _config(console(_ks("KS-2", "xe16")))
    assert "succeeded" in _paste(ks, f"crypto key import rsa L pem terminal {PASSWORD}", made.stdout, _exported()[1])


def test_usage_keys_are_imported_in_two_rounds(console: Any) -> None:
    ks = _config(console(_ks("KS-2", "ios15")))
    first, second = _exported(index=3), _exported(index=4)
    out = ks.type(
        f"crypto key import rsa U pem usage-keys terminal {PASSWORD}\n"
        f"{first[0]}\n{first[1]}quit\n{second[0]}\n{second[1]}quit\n"
    )
    assert "public Signature key" in out
    assert "public Encryption key" in out
    assert "succeeded" in out
    assert len(ks.device.keys["U"].parts) == 2


# -- zeroize, move


def test_zeroize(console: Any) -> None:
    ks = _config(console(_ks("KS-1", "ios15", KeySpec("RSAKEYS"), KeySpec("OTHER", pool=2))))
    assert ks.type("crypto key zeroize rsa RSAKEYS\r").endswith(
        "% Keys to be removed are named 'RSAKEYS'.\r\n"
        "% All router certs issued using these keys will also be removed.\r\n"
        "Do you really want to remove these keys? [yes/no]: "
    )
    assert ks.type("y\r") == "y\r\nKS-1(config)#"
    assert list(ks.device.keys) == ["OTHER"]
    assert "RSAKEYS" in ks.device.nvram.keys


@pytest.mark.parametrize(
    ("personality", "text"), [("ios15", "% All RSA keys will be removed."), ("xe16", "% All keys will be removed.")]
)
def test_zeroize_everything(console: Any, personality: str, text: str) -> None:
    ks = _config(console(_ks("KS-1", personality, KeySpec("A"), KeySpec("B", pool=2))))
    assert text in ks.type("crypto key zeroize rsa\r")
    ks.type("no\r")
    assert len(ks.device.keys) == 2
    ks.type("crypto key zeroize rsa\ryes\r")
    assert not ks.device.keys
    assert ks.device.temporary is None


@pytest.mark.parametrize("how", ["text", "silent", "question"])
def test_zeroize_a_missing_label(console: Any, how: str) -> None:
    ks = _config(console(_ks("KS-1", "ios15", overrides={"zeroize_missing": how})))
    out = ks.type("crypto key zeroize rsa NONE\r")
    assert ("[yes/no]" in out) == (how == "question")
    assert ("% No" in out) == (how == "text")


def test_zeroize_touches_nvram_at_once_if_told_so(console: Any) -> None:
    ks = _config(console(_ks("KS-1", "ios15", KeySpec("L"), overrides={"zeroize_nvram": "at_once"})))
    ks.type("crypto key zeroize rsa L\ryes\r")
    assert not ks.device.nvram.keys


def test_zeroize_in_exec_on_xe(console: Any) -> None:
    ks = console(_ks("KS-1", "xe16", KeySpec("L")))
    ks.type("crypto key zeroize rsa L\ryes\r")
    assert not ks.device.keys


def test_move_makes_it_non_exportable(console: Any) -> None:
    ks = _config(console(_ks("KS-1", "ios15", KeySpec("getvpnkey"))))
    ks.run("crypto key move rsa getvpnkey non-exportable")
    assert "is not exportable" in ks.run("crypto key export rsa getvpnkey pem terminal 3des cisco123")


@pytest.mark.parametrize("mode", ["config", "exec", "both"])
@pytest.mark.parametrize("verb", ["generate", "export", "import", "zeroize"])
def test_mode_switches(console: Any, mode: str, verb: str) -> None:
    command = {
        "generate": "crypto key generate rsa label X modulus 2048",
        "export": "crypto key export rsa L pem terminal 3des cisco123",
        "import": "crypto key import rsa X pem terminal cisco123",
        "zeroize": "crypto key zeroize rsa L",
    }[verb]
    ks = console(_ks("KS-1", "ios15", KeySpec("L"), overrides={f"{verb}_mode": mode}))
    ks.run("terminal length 0")
    assert ("% Invalid" in ks.type(command + "\r")) == (mode == "config")
    ks.type("\x03\x03")
    ks.type("configure terminal\r")
    assert ("% Invalid" in ks.type(command + "\r")) == (mode == "exec")


@pytest.mark.parametrize("verb", ["encrypt", "decrypt", "pubkey-chain", "storage"])
def test_what_the_lab_does_not_serve_is_refused(console: Any, verb: str) -> None:
    ks = _config(console(_ks("KS-1", "ios15", KeySpec("L"))))
    assert re.search("% (Invalid|Incomplete)", ks.run(f"crypto key {verb} rsa"))


# -- NVRAM


def test_reload_forgets_what_was_not_written(console: Any) -> None:
    ks = _config(console(_ks("KS-1", "ios15", KeySpec("SAVED"), groups=[GroupSpec("G", 1, "SAVED")])))
    ks.run("crypto key generate rsa label FRESH modulus 2048")
    ks.run("ip domain name changed.example")
    ks.device.restart()
    assert list(ks.device.keys) == ["SAVED"]
    assert ks.device.config.domain == "lab.example"
    assert "crypto config" in "".join(ks.device.messages)


def test_write_then_reload_keeps_it(console: Any) -> None:
    ks = _config(console(_ks()))
    ks.run("crypto key generate rsa label FRESH modulus 2048")
    before = ks.device.keys["FRESH"].fingerprint
    ks.run("do write")
    ks.device.restart()
    assert ks.device.keys["FRESH"].fingerprint == before
    assert ks.device.keys["FRESH"].saved


def test_reload_command(console: Any) -> None:
    ks = _config(console(_ks()))
    ks.run("ip domain name changed.example")
    ks.type("end\r")
    assert ks.type("reload\r").endswith("System configuration has been modified. Save? [yes/no]: ")
    assert ks.type("no\r") == "no\r\nProceed with reload? [confirm]"
    ks.type("\r")
    assert ks.ended == "reload"


def test_copy_running_to_startup(console: Any) -> None:
    ks = console(_ks("KS-1", "ios15", KeySpec("L", saved=False)))
    assert ks.type("copy running-config startup-config\r").endswith("Destination filename [startup-config]? ")
    assert ks.type("\r") == "\r\nBuilding configuration...\r\n[OK]\r\nKS-1#"
    assert ks.device.keys["L"].saved


def test_write_confirm(console: Any) -> None:
    ks = console(_ks("KS-1", "ios15", overrides={"write_confirm": True}))
    assert ks.type("write memory\r").endswith("[confirm]")
    assert ks.type("n") == "n\r\nKS-1#"
    assert ks.device.saves == 0
    ks.type("write memory\r")
    assert ks.type("\r").endswith("[OK]\r\nKS-1#")


# -- the pool


def test_pool_keys_are_real_and_different() -> None:
    seen = set()
    for bits in (512, 768, 1024, 2048, 2176, 3072, 4096):
        for index in range(keys.pool_size(bits)):
            key = keys.pool_key(bits, index)
            assert key.bits == bits
            assert key.e * key.d % math.lcm(key.p - 1, key.q - 1) == 1
            seen.add(key.n)
        assert pow(pow(42, key.e, key.n), key.d, key.n) == 42
        assert keys.pool_size(bits) >= 4
    assert len(seen) == sum(keys.pool_size(bits) for bits in (512, 768, 1024, 2048, 2176, 3072, 4096))


def test_the_pool_never_hands_out_a_key_of_the_lab_file() -> None:
    source = keys.KeySource(frozenset({(3072, 0), (3072, 2)}))
    got = []
    while (key := source.from_pool(3072)) is not None:
        got.append(key.fingerprint)
    assert len(got) == len(set(got)) == keys.pool_size(3072) - 2
    assert keys.pool_key(3072, 0).fingerprint not in got


def test_processes_share_the_pool() -> None:
    parts = [keys.KeySource(slice_of=(n, 3)) for n in range(3)]
    got = [{key.fingerprint for key in iter(functools.partial(part.from_pool, 1024), None) if key} for part in parts]
    assert sum(map(len, got)) == len(set.union(*got)) == keys.pool_size(1024)
