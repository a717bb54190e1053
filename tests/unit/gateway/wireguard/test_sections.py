# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for the files of every backend: an edit changes what it must, and not a byte more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.gateway.wireguard.samples import NEW, PSK, A, B, raw_key
from unit.gateway.wireguard.syntaxes import SYNTAXES, Written

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard import sections
from ansible_collections.vpnops.keys.plugins.module_utils._gateway.wireguard.sections import Block
from ansible_collections.vpnops.keys.plugins.module_utils._public_key import PublicKey


@pytest.fixture(params=SYNTAXES, scope="module")
def written(request: pytest.FixtureRequest) -> Written:
    return SYNTAXES[request.param]


def peer(blocks: list[Block], key: PublicKey) -> int:
    (index,) = (
        index for index, block in enumerate(blocks) if block.kind == sections.PEER and sections.public_key(block) == key
    )
    return index


@given(data=st.data())
def test_a_file_comes_back_byte_for_byte_and_means_the_same(written: Written, data: st.DataObject) -> None:
    text = data.draw(written.files)
    blocks = written.parse(text, "wg0.conf")
    assert sections.render(blocks) == text
    for number, key in enumerate((A, B), 2):
        found = sections.networks(blocks[peer(blocks, key)])
        assert found == tuple(network.format(number) for network in written.networks)
    assert sections.private_key(blocks) == raw_key("secret")


@given(data=st.data())
def test_any_text_comes_back_or_is_refused_with_the_line(written: Written, data: st.DataObject) -> None:
    text = data.draw(written.texts())
    try:
        blocks = written.parse(text, "wg0.conf")
    except VpnKeysError as error:
        refusal = str(error)
        assert "wg0.conf: line" in refusal
    else:
        assert sections.render(blocks) == text


def test_what_a_peer_has(written: Written) -> None:
    blocks = written.parse(written.typical, "wg0.conf")
    a, b = blocks[peer(blocks, A)], blocks[peer(blocks, B)]
    assert sections.preshared_key(a) == PSK
    assert sections.networks(a) == ("10.0.0.2/32", "fd00::2/128")
    assert sections.value(a, "endpoint") == "a.example:51820"
    assert sections.keepalive(a) == 25
    assert sections.networks(b) == ("10.0.0.3/32", "10.3.0.0/16")
    assert sections.keepalive(b) is None


@given(data=st.data())
def test_staging_and_unstaging_leaves_every_byte(written: Written, data: st.DataObject) -> None:
    text = data.draw(written.files)
    blocks = written.parse(text, "wg0.conf")
    index = peer(blocks, A)
    blocks.insert(index + 1, sections.staged(blocks[index], NEW.text, "gw1"))
    again = written.parse(sections.render(blocks), "wg0.conf")
    (section,) = (block for block in again if block.kind == sections.STAGED)
    assert (section.name, sections.public_key(section), sections.networks(section)) == ("gw1", NEW, ())
    for keyword in ("presharedkey", "endpoint"):
        assert sections.value(section, keyword) == sections.value(blocks[index], keyword)
    assert sections.render(block for block in again if block.kind != sections.STAGED) == text


@given(data=st.data())
def test_withdrawing_comments_out_and_is_undone_exactly(written: Written, data: st.DataObject) -> None:
    text = data.draw(written.files)
    blocks = written.parse(text, "wg0.conf")
    index = peer(blocks, A)
    networks, length = sections.networks(blocks[index]), sections.render([blocks[index]]).count("\n") + 1
    blocks[index] = sections.withdrawn(blocks[index], "gw 2")
    after = sections.render(blocks)
    changed = [new for old, new in zip(text.split("\n"), after.split("\n"), strict=True) if old != new]
    assert len(changed) == length
    assert all(line.startswith("#vpnops.keys withdrawn gw 2# ") for line in changed)
    again = written.parse(after, "wg0.conf")
    (gone,) = (index for index, block in enumerate(again) if block.kind == sections.WITHDRAWN)
    assert (again[gone].name, sections.public_key(again[gone])) == ("gw 2", A)
    again[gone] = sections.brought_back(again[gone])
    assert (sections.render(again), sections.networks(again[gone])) == (text, networks)
