# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway needs to call in: made once, kept, and nothing is told of its token but the SHA-256."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway import call_in, commands

URL = "https://eda.example.com:8443/"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gateway's files in a directory, and systemctl that makes the link."""
    wanted = tmp_path / "wants"
    for name in ("HEADER", "CA", "CONF", "UNIT"):
        monkeypatch.setattr(call_in, name, str(tmp_path / "place" / name.lower()))
    monkeypatch.setattr(call_in, "PLACE", str(tmp_path / "place"))
    monkeypatch.setattr(call_in, "WANTED", str(wanted))

    def enable(*words: str) -> str:
        assert words == ("systemctl", "enable", call_in.SERVICE)
        if not wanted.is_symlink():
            wanted.symlink_to(call_in.UNIT)
        return ""

    monkeypatch.setattr(commands, "run", enable)
    return tmp_path / "place"


def test_once(place: Path) -> None:
    """Everything the first time, nothing the second."""
    changes, told = call_in.install(URL, PEM, write=True)
    assert len(changes) == 5
    token = call_in.token_in((place / "header").read_text())
    assert token
    assert told == hashlib.sha256(token.encode()).hexdigest()
    assert not [one for one in changes if token in str(one) or told in str(one)]
    modes = {path.name: path.stat().st_mode & 0o777 for path in place.iterdir()}
    assert modes == {"header": 0o600, "ca": 0o644, "conf": 0o644, "unit": 0o644}
    assert call_in.install(URL, PEM, write=True) == ([], told)


def test_check_mode(place: Path) -> None:
    """Nothing is made, and the SHA-256 of what is not there is not told."""
    changes, told = call_in.install(URL, PEM, write=False)
    assert (len(changes), told) == (5, None)
    assert not place.exists()
    told = call_in.install(URL, PEM, write=True)[1]
    changes, again = call_in.install("https://other.example.com/", PEM, write=False)
    assert [change.what for change in changes] == [call_in.CONF]
    assert again == told


def test_what_was_spoiled_is_mended(place: Path) -> None:
    told = call_in.install(URL, PEM, write=True)[1]
    (place / "header").chmod(0o644)
    (place / "unit").write_text("[Unit]\n")
    changes, again = call_in.install(URL, PEM, write=True)
    assert [change.what for change in changes] == [call_in.HEADER, call_in.UNIT]
    assert again == told
    assert (place / "header").stat().st_mode & 0o777 == 0o600
    (place / "header").write_text("Authorization: Bearer short\n")
    changes, fresh = call_in.install(URL, PEM, write=True)
    assert [change.what for change in changes] == [call_in.HEADER]
    assert fresh != told


@pytest.mark.parametrize(
    "url",
    [
        "http://eda.example.com/",
        'https://x/"\noutput = "/etc/shadow',
        "https://x/\\",
        "https://x y/",
        "https://",
        "-K /x",
    ],
)
def test_a_url_is_a_url(url: str) -> None:
    """The token is not sent in clear, and nothing of the URL is another setting of curl."""
    with pytest.raises(VpnKeysError, match="https://"):
        call_in.public_files(url, PEM)


@pytest.mark.parametrize("ca", ["", "x", "-----BEGIN PRIVATE KEY-----\n"])
def test_an_authority_is_a_certificate(ca: str) -> None:
    with pytest.raises(VpnKeysError, match="certificate"):
        call_in.public_files(URL, ca)
