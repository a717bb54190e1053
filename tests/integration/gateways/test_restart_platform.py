# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway acknowledges holds after its service restarts, in whatever form its peers are loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from integration.gateways.hooks import CONF, FORMS, RESTART, SAVING, Form, set_up
from integration.gateways.test_wireguard_platform import Gateways, mesh
from unit.gateway.wireguard.samples import raw_key

from lab.gateways import available

pytestmark = pytest.mark.skipif(bool(available()), reason=available())
BRIEF = ("addconf", "setconf")


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    with mesh(tmp_path_factory.mktemp("restart")) as up:
        yield up


@pytest.fixture
def original(gateways: Gateways) -> Iterator[str]:
    """The wg0.conf of gw2, which it has again afterwards."""
    text = gateways.text("gw2")
    yield text
    gateways.mesh.run("gw2", "systemctl stop wg-quick@wg0")
    gateways.mesh.path("gw2", CONF).write_text(text)
    gateways.mesh.run("gw2", RESTART)


def accepted(gateways: Gateways) -> set[str]:
    return set(gateways.mesh.run("gw2", "wg show wg0 peers").split())


def assert_says(gateways: Gateways, form: Form, refused: str) -> None:
    """It says why it does not acknowledge, and the plan could have known it."""
    assert form.reason in refused
    seen = gateways.observe("gw2")
    said = [*gateways.do("gw2", "obstacles", writing=False), *(why for _key, why in seen["blocked"])]
    assert any(form.reason in sentence for sentence in said), said
    assert any(form.reason in sentence for sentence in seen["at_restart"])


@pytest.mark.parametrize(
    "name", [name if name in BRIEF else pytest.param(name, marks=pytest.mark.thorough) for name in FORMS]
)
def test_what_is_acknowledged_holds_after_a_restart(gateways: Gateways, original: str, name: str) -> None:
    """A new key of a peer, a staged one, and a withdrawal, each with a restart of the service after it."""
    form, old = FORMS[name], gateways.observe("gw1")["file"]
    other = gateways.observe("gw3")["file"]
    next_key, last = raw_key("next"), raw_key("last")
    set_up(gateways.mesh, "gw2", form)
    assert accepted(gateways) == {old, other}

    def stored(**wish: Any) -> bool:
        """Whether it is acknowledged. The running interface has it at once, acknowledged or not."""
        change = gateways.store("gw2", follow=0, name="gw1", known=[old, next_key, last], **wish)
        if wish.get("staged") and name in SAVING:
            assert "remove that line" in change["refused"]
            return False
        if not form.followed:
            assert_says(gateways, form, change["refused"])
        wanted = {key for word in ("current", "staged") if (key := wish.get(word))}
        assert accepted(gateways) == {other, *wanted}, "the running interface"
        return not change["refused"]

    def restarted() -> set[str]:
        gateways.mesh.run("gw2", RESTART)
        return accepted(gateways)

    if stored(current=old, staged=next_key):
        assert restarted() == {other, old, next_key}
    if stored(current=next_key, staged=None):
        assert restarted() == {other, next_key}
    if stored(current=last, staged=None):
        assert restarted() == {other, last}
    acknowledged = stored(current=None)
    assert acknowledged is form.followed
    if acknowledged:
        assert restarted() == {other}
        assert restarted() == {other}, "again"
        if name not in SAVING:  # what is saved has no comments, so nothing is left to be brought back
            assert stored(current=old)
            assert restarted() == {other, old}
    else:
        assert old in restarted(), "this form could have been followed"
    assert other in accepted(gateways)
