# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edges of the listings of keys, and each sentence about one that cannot be read, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._ios.key_listings import (
    FreeLabel,
    HeldLabel,
    KeyRing,
    read_export,
    read_rsa_keys,
)
from ansible_collections.vpnops.keys.plugins.module_utils._ios.labels import Label

TRANSCRIPTS = Path(__file__).parent / "transcripts"
EXPORT = (TRANSCRIPTS / "export_xe_3des.txt").read_text()
LISTED = read_rsa_keys((TRANSCRIPTS / "mypubkey_xe.txt").read_text())
REFUSED = "% Invalid input detected at '^' marker."
LONG = "k" * 90


def listing(label: str = "ONE", *, time: bool = True, of_type: str = "Key type: RSA KEYS", data: str = "") -> str:
    """A key as IOS shows it."""
    begin = "% Key pair was generated at: 06:51:40 UTC Aug 30 2022\n" if time else ""
    digits = data or LISTED[0].spki.hex()
    groups = " ".join(digits[at : at + 8] for at in range(0, len(digits), 8))
    data = f" Key Data:\n  {groups}\n"
    return f"{begin}Key name: {label}\n{of_type}\n Usage: General Purpose Key\n Key is exportable.\n{data}"


def refused(reader: object, text: str) -> str:
    assert callable(reader)
    with pytest.raises(VpnKeysError) as caught:
        reader(text)
    assert caught.value.code == "unreadable"
    return str(caught.value)


# -- listings


def test_keys_without_a_time_are_told_apart_by_their_names() -> None:
    found = read_rsa_keys(listing("ONE", time=False) + listing("TWO", time=False))
    assert [(key.label, key.generated, key.spki) for key in found] == [
        ("ONE", None, LISTED[0].spki),
        ("TWO", None, LISTED[0].spki),
    ]


def test_a_key_without_a_type_is_an_rsa_key() -> None:
    assert [key.label for key in read_rsa_keys(listing(of_type="").replace("\n\n", "\n"))] == ["ONE"]


def test_a_refusal_is_no_listing_also_behind_one() -> None:
    assert refused(read_rsa_keys, listing() + REFUSED) == (
        f"The listing of RSA keys shows a line of key 'ONE' that IOS does not show there: \"{REFUSED}\"."
    )
    assert refused(read_rsa_keys, REFUSED) == f'The device did not show its RSA keys: "{REFUSED}".'


def test_sentences_about_listed_keys() -> None:
    assert refused(read_rsa_keys, listing().replace("Key name: ONE\n", "")) == (
        "The listing of RSA keys shows a key without a name."
    )
    assert refused(read_rsa_keys, listing(LONG).replace(" Usage: General Purpose Key\n", "")) == (
        f"The listing of RSA keys shows no known usage for key {LONG!r}."
    )
    assert refused(read_rsa_keys, listing(LONG, data="3082")) == (
        f"The listing of RSA keys shows no whole public key for {LONG!r}."
    )


def test_a_proof_is_made_of_nothing_else() -> None:
    ring, label = KeyRing(LISTED), Label("NONE")
    for proof in (FreeLabel, HeldLabel):
        for wrong in ((label, LISTED), ("NONE", ring)):
            with pytest.raises(TypeError) as caught:
                proof(*wrong)
            assert str(caught.value) == "a proof about a label is made from a Label and the KeyRing of a device"


# -- exports


def block(kind: str) -> str:
    begin, end = f"-----BEGIN {kind}-----", f"-----END {kind}-----"
    return begin + EXPORT.partition(begin)[2].partition(end)[0] + end + "\n"


PUBLIC, PRIVATE = block("PUBLIC KEY"), block("RSA PRIVATE KEY")


def test_the_blocks_are_enough() -> None:
    whole = read_export(EXPORT)
    found = read_export(PUBLIC + PRIVATE)
    assert (found.public_pem, found.private_pem, found.usage) == (whole.public_pem, whole.private_pem, None)
    assert whole.usage == "general"
    assert "\nDEK-Info: DES-EDE3-CBC,AB2E7AAAA0087CE7\n\noW8OMjDpI7sWdOZ3e6au7gKECwV28Cdyiyt61" in whole.private_pem


def test_what_comes_behind_a_block_does_not_matter() -> None:
    behind = PUBLIC + PRIVATE + "-----END PUBLIC KEY-----\n-----END RSA PRIVATE KEY-----\n"
    assert read_export(behind) == read_export(PUBLIC + PRIVATE)


def test_the_initialization_vector_is_written_in_capitals() -> None:
    small = PRIVATE.replace("AB2E7AAAA0087CE7", "ab2e7aaaa0087ce7")
    assert read_export(PUBLIC + small) == read_export(PUBLIC + PRIVATE)


@pytest.mark.parametrize("text", [PUBLIC * 2 + PRIVATE, PUBLIC + PRIVATE * 2])
def test_one_key_pair_at_a_time(text: str) -> None:
    assert refused(read_export, text) == (
        "The export shows more than one key pair; a pair of usage keys cannot be copied."
    )


def without(text: str, start: str) -> str:
    return text[: text.index(start)]


SENTENCES = {
    "no public key": (PRIVATE, "The export shows no public key in PEM form."),
    "no private key": (PUBLIC, "The export shows no rsa private key in PEM form."),
    "refused": (REFUSED, f'The device did not show the key: "{REFUSED}".'),
    "end of public key": (without(PUBLIC, "-----END"), "The export shows a truncated public key."),
    "another block inside": (
        PUBLIC.replace("-----END", "-----BEGIN X-----\n-----END") + PRIVATE,
        "The export shows a truncated public key.",
    ),
    "a piece of the public key": (
        PUBLIC.replace("MIIBIjANBgkq", "") + PRIVATE,
        "The export shows a public key that is damaged or truncated.",
    ),
    "no base64": (
        PUBLIC.replace("MIIBIj", "MII*BIj") + PRIVATE,
        "The export shows a public key that is damaged or truncated.",
    ),
    "nothing in it": (
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n" + PRIVATE,
        "The export shows a public key that is damaged or truncated.",
    ),
    "in clear": (
        PUBLIC + PRIVATE.replace("Proc-Type: 4,ENCRYPTED\n", ""),
        "The export shows a private key that is not encrypted, or damaged.",
    ),
    "odd private key": (
        PUBLIC + PRIVATE.replace("oW8OMjDpI7", "oW8OMjDpI"),
        "The export shows a private key that is damaged or truncated.",
    ),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_sentences_about_exports(case: str) -> None:
    text, sentence = SENTENCES[case]
    assert refused(read_export, text) == sentence
