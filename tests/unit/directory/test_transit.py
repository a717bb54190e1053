# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory whose signing key is in a transit engine: the private key is nowhere else."""

from __future__ import annotations

import base64
import builtins
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.directory import transit_engine
from unit.directory.samples import Data, Directory, gateway, names, new_key
from unit.directory.transit_engine import TOKEN, URL, Engine

from ansible_collections.vpnops.keys.plugins.module_utils._directory import signers, signing
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    with transit_engine.running() as engine:
        monkeypatch.setenv("VAULT_ADDR", engine.address)
        monkeypatch.setenv("VAULT_TOKEN", TOKEN)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield engine


@pytest.fixture
def signed(directory: Directory, engine: Engine) -> Directory:
    directory.options |= {"signing_key_path": None, "signing_key_url": URL}
    directory.write(gateways=[gateway("gw1", new_key()), gateway("gw2", new_key())])
    return directory


def test_everything_is_signed_by_the_engine(signed: Directory, engine: Engine, tmp_path: Path) -> None:
    shown = signed.read()
    assert shown["directory"]["tampered"] == []
    assert shown["directory"]["key_fingerprint"] == signers.fingerprint_of(engine.versions[0])
    assert (shown["signing_key_url"], shown["signing_key_path"]) == (URL, None)
    # Two gateways, two keys, the key of the directory and its checkpoint.
    assert engine.signed == 6
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"PRIVATE" in path.read_bytes()]
    assert not Path(f"{tmp_path}/directory.db.key").exists()
    before = engine.signed
    assert not signed.write(gateways=[gateway("gw1")])["changed"]
    assert engine.signed == before, "nothing is signed where nothing changes"


def test_a_newer_version_signs_only_after_the_directory_is_rekeyed(signed: Directory, engine: Engine) -> None:
    first = signed.read()["directory"]["key_fingerprint"]
    assert "rotate it in the transit engine first" in signed.refused("signing_key", "rekeyed")
    engine.rotate()
    signed.write(gateways=[gateway("gw3", new_key())])
    assert signed.read()["directory"]["key_fingerprint"] == first
    assert signed.write("rekeyed")["changed"]
    after = signed.read(verify_key=first)["directory"]
    assert (after["key_fingerprint"] == first, after["tampered"]) == (False, [])
    # The former version need not sign any more.
    engine.least = 2
    signed.write(gateways=[gateway("gw4", new_key())])
    assert signed.read()["directory"]["tampered"] == []


def test_a_directory_moves_its_key_into_the_engine_and_back(directory: Directory, engine: Engine) -> None:
    directory.write(gateways=[gateway("gw1", new_key())])
    first = directory.read()["directory"]["key_fingerprint"]
    moved = directory.write("rekeyed", new_signing_key_url=URL)
    assert (moved["changed"], moved["signing_key_url"]) == (True, URL)
    assert not directory.write("rekeyed", new_signing_key_url=URL)["changed"], "a run again has nothing left to do"
    assert "give the key of this directory" in directory.refused("signing_key", gateways=[gateway("gw2", new_key())])
    directory.options |= {"signing_key_path": None, "signing_key_url": URL}
    directory.write(gateways=[gateway("gw2", new_key())])
    text = signing.to_pem(signing.new_private_key())
    directory.write("rekeyed", new_signing_key=text)
    directory.options |= {"signing_key": text, "signing_key_url": None}
    directory.write(gateways=[gateway("gw3", new_key())])
    assert directory.read(verify_key=first)["directory"]["tampered"] == []


def refusal(work: t.Callable[..., Data], **options: t.Any) -> str:
    with pytest.raises(VpnKeysError) as caught:
        work(**options)
    assert caught.value.code == "signing_key"
    return str(caught.value)


def _with(data: Data) -> t.Callable[[Data], Data]:
    return lambda answer: {**answer, "data": {**answer["data"], **data}}


NOBODYS = base64.b64encode(bytes(64)).decode()
FORGED: dict[str, tuple[t.Callable[[Data], Data], str]] = {
    "another signature": (_with({"signature": f"vault:v1:{NOBODYS}"}), "does not match its public key"),
    "another version": (_with({"signature": f"vault:v2:{NOBODYS}"}), "cannot be read"),
    "no signature": (_with({"signature": None}), "cannot be read"),
    "another type": (_with({"type": "rsa-2048"}), "not of the type ed25519"),
    "no versions": (_with({"keys": {}}), "no version that may sign"),
    "keys as a list": (_with({"keys": [1]}), "public keys cannot be read"),
    "public keys that are none": (_with({"keys": {"1": {"public_key": "AAAA"}}}), "public keys cannot be read"),
    "nothing": (lambda answer: {}, "the answer cannot be read"),
    "a list": (lambda answer: {"data": [1]}, "the answer cannot be read"),
}


@pytest.mark.parametrize("name", FORGED)
def test_an_engine_that_answers_something_else_changes_nothing(signed: Directory, engine: Engine, name: str) -> None:
    before = signed.read()
    engine.forge, said = FORGED[name]
    assert said in refusal(signed.write, gateways=[gateway("gw3", new_key())])
    engine.forge = lambda answer: answer
    assert signed.read() == before


def test_an_engine_that_cannot_be_asked_is_named_without_the_token(
    signed: Directory, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = [gateway("gw3", new_key())]
    engine.sealed = True
    said = [refusal(signed.write, gateways=more)]
    engine.sealed = False
    said.append(refusal(signed.write, gateways=more, signing_key_url="vault://transit/keys/another"))
    monkeypatch.setenv("VAULT_TOKEN", "hvs.stolen-and-revoked")
    said += [refusal(signed.write, gateways=more), refusal(signed.read)]
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:9")
    said.append(refusal(signed.write, gateways=more))
    for one, why in zip(
        said,
        ("Vault is sealed", "there is no such key", "permission denied", "permission denied", "does not answer"),
        strict=True,
    ):
        assert why in one
        assert "check VAULT_ADDR, VAULT_TOKEN and the policy of the token" in one
        assert "hvs." not in one


@pytest.mark.parametrize("url", ["https://vault.example.net", "vault://transit", "vault://transit/keys/a/b", "vault://"])
def test_urls_that_are_none(directory: Directory, url: str) -> None:
    said = directory.refused("bad_input", signing_key_path=None, signing_key_url=url)
    assert said == "signing_key_url is not of the form vault://MOUNT/keys/NAME. Nothing was changed."


def test_without_its_library_the_engine_is_not_asked(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: t.Any) -> t.Any:
        if name == "hvac":
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    said = directory.refused("missing_library", signing_key_path=None, signing_key_url=URL)
    assert "The Python library hvac is needed where this task runs" in said


def test_a_rotation_is_signed_by_the_engine(signed: Directory) -> None:
    signed.write("prepared", gateways=names("gw1"))
    assert signed.read()["directory"]["tampered"] == []
