# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet in which one gateway has been tampered with: it speaks for itself alone.

Whatever it answers, in whatever playbook: see `Honest.assert_untouched`.
"""

from __future__ import annotations

import itertools
import json
import re
import typing as t
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from integration.control_node import Run
from integration.gateways.conftest import Make
from integration.gateways.site import Site
from integration.gateways.test_secrets_gateways import bodies

from lab import contract
from lab.tampering import LARGE, MARK, Edit, Mutation
from lab.tampering_catalogue import acknowledging, catalogue, facts, fields
from lab.tampering_strategies import mutations

pytestmark = pytest.mark.timeout(3600)

ATTACKERS = "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3I="
"""A public key whose private key the attacker has."""
PRINTED = re.compile(r"^(?:ok|changed|skipping|included|PLAY|TASK).*$|^\S+ +: ok=.*$", re.MULTILINE)
"""What Ansible prints of every host, whatever it is like."""


@dataclass
class Honest:
    """What is known of a site before one of its gateways lies."""

    site: Site
    liar: str
    others: list[str] = field(init=False)
    said: dict[str, t.Any] = field(init=False)
    private: dict[str, str] = field(init=False)
    known: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        site = self.site
        self.others = [name for name in site.names if name != self.liar]
        enrolled = site.known() if site.database.exists() else set()
        self.said = {name: site.said(name) for name in self.others if name in enrolled}
        self.known = {name: site.keys(name) for name in self.others if name in enrolled}
        self.private = {name: site.private_key(name) for name in self.others}
        self.mesh_keys = {site.mesh.run(name, "wg show wg0 public-key").strip() for name in site.mesh.names}
        # As it would be without this, in the environment, it would not reach a gateway even if the task did.
        site.node.shared["gateway_keys_directory_url"] = f"sqlite:///{site.database}"

    def secrets(self) -> list[bytes]:
        """No byte of it belongs on the tampered gateway."""
        key = self.site.path / "directory.db.key"
        signing = sorted(bodies(key.read_text())) if key.exists() else []
        private = [*self.private.values(), *(self.site.private_key(name) for name in self.others)]
        return [b"sqlite:", b"directory.db", *signing, *(one.strip().encode() for one in private)]

    def assert_untouched(self, done: Run, *, changed: t.Collection[str] = (), revoked: t.Collection[str] = ()) -> None:
        """What is recorded of, stored at and stored of the others is what it is with the liar absent; it got no
        secret; the screen got plain text. `changed`: whose key was to change; `revoked`: who was revoked."""
        site = self.site
        received = site.mesh.received(self.liar)
        assert not [secret for secret in self.secrets() if secret in received]
        odd = {char for char in done.output if not char.isprintable() and char not in "\n\t"}
        assert not odd, (odd, done.output)
        assert not list(site.path.rglob(f"*{MARK}*"))
        assert "Traceback" not in done.output, done.output
        assert site.known() <= set(site.names)
        for name in self.others:
            self._assert_recorded(name, name in changed, name in revoked)
            self._assert_stored_at(name, revoked)

    def _assert_recorded(self, name: str, changed: bool, revoked: bool) -> None:
        """The directory has the gateway's own key, and what the inventory says of it."""
        site = self.site
        if name in self.said:
            assert {**site.said(name), "revoked": None} == {**self.said[name], "revoked": None}
            assert bool(site.said(name)["revoked"]) == revoked
            assert site.keys(name)[int(changed) :] == self.known[name]
        if not revoked:
            assert site.recorded(name) == site.own(name) == site.own_file(name), name
            assert site.rotation(name) is None

    def _assert_stored_at(self, name: str, revoked: t.Collection[str]) -> None:
        """The keys of the other honest ones as they are, and of nobody that the mesh does not know."""
        site = self.site
        stored = site.stored(name)
        assert ATTACKERS not in stored
        liars = set(site.keys(self.liar)) if self.liar in site.known() else set()
        expected = self.mesh_keys | {site.own(one) for one in site.names} | liars
        assert stored <= expected, (name, stored - expected)
        for one in set(self.others) - {name}:
            wanted = set() if one in revoked else {site.own(one)}
            assert stored & set(site.keys(one)) == wanted, (name, one)
            assert one in revoked or one not in site.pending(name)

    def assert_named(self, done: Run) -> None:
        """Somewhere else than in the lines that Ansible prints of every host."""
        assert self.liar in PRINTED.sub("", done.output), done.output


# -- every playbook, with a liar among the gateways


def enroll(site: Site, liar: str, *arguments: str) -> Run:
    return site.play("enroll_gateways", *arguments)


def planned(site: Site, liar: str, *arguments: str) -> Run:
    return site.rotate("gw1" if liar != "gw1" else "gw2", arguments=arguments, settle_timeout=5, minimum_share=30)


def emergency(site: Site, liar: str, *arguments: str) -> Run:
    target = "gw1" if liar != "gw1" else "gw2"
    return site.rotate(target, arguments=arguments, mode="emergency", settle_timeout=5)


def planned_of_the_liar(site: Site, liar: str, *arguments: str) -> Run:
    return site.rotate(liar, arguments=arguments, settle_timeout=5, confirm_timeout=10)


def emergency_of_the_liar(site: Site, liar: str, *arguments: str) -> Run:
    return site.rotate(liar, arguments=arguments, mode="emergency", settle_timeout=5)


def converge(site: Site, liar: str, *arguments: str) -> Run:
    return site.converge_all(*arguments)


def revoke(site: Site, liar: str, *arguments: str) -> Run:
    return site.revoke("gw1" if liar != "gw1" else "gw2", arguments=arguments)


def revoke_the_liar(site: Site, liar: str, *arguments: str) -> Run:
    return site.revoke(liar, arguments=arguments)


def status(site: Site, liar: str, *arguments: str) -> Run:
    return site.play("gateway_status", *arguments)


def audit(site: Site, liar: str, *arguments: str) -> Run:
    return site.audit()


Act = Callable[..., Run]
ACTS: list[Act] = [
    enroll,
    planned,
    emergency,
    planned_of_the_liar,
    emergency_of_the_liar,
    converge,
    revoke,
    revoke_the_liar,
    status,
    audit,
]


def gone(act: Act, liar: str) -> list[str]:
    """Who is revoked in the end."""
    return ["gw1" if liar != "gw1" else "gw2"] if act is revoke else [liar] if act is revoke_the_liar else []


def renewed(act: Act, liar: str) -> list[str]:
    """Which honest gateway has a new key in the end."""
    return ["gw1" if liar != "gw1" else "gw2"] if act in (planned, emergency) else []


def play(site: Site, act: Act, liar: str, mutation: Mutation, *arguments: str) -> tuple[Honest, Run]:
    """A run with a liar in it, after which the others must be as if it were absent."""
    before = Honest(site, liar)
    site.mesh.tamper(liar, mutation)
    done = act(site, liar, *arguments)
    before.assert_untouched(done, changed=renewed(act, liar), revoked=gone(act, liar))
    return before, done


ATTACKS = catalogue("gw3", "gw1", "gw2", ATTACKERS)
STEERING = {"gateway_keys_directory_host": "gw3", "gateway_keys_hosts": ["gw3"], "__gateway_keys_view": {}}
ROW_3 = (
    "stored.gateway is 'one'",
    "gw3 acknowledges nobody",
    "stored.role is {'name': 'gw'}",
    "malformed gateway",
    "null",
)


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
@pytest.mark.parametrize("liar", ["gw1", "gw3"])
def test_facts_steer_nothing(act: Act, liar: str, make_site: Make) -> None:
    """Row 1: the directory stays where it is, and the one who asks for it gets nothing."""
    site = make_site(enrolled=act is not enroll)
    told = {**STEERING, "gateway_keys_directory_host": liar, "gateway_keys_hosts": [liar]}
    before, done = play(site, act, liar, facts(**told))
    if act not in (planned_of_the_liar, emergency_of_the_liar, revoke_the_liar):
        before.assert_named(done)


def test_another_gateways_key_is_not_entered(make_site: Make) -> None:
    """Row 1: at enrollment, in the name of one that is not there: gw1 is off."""
    site = make_site(enrolled=False)
    before = Honest(site, "gw3")
    entry = {"name": "gw1", "platform": "wireguard", "algorithm": "x25519", "networks": [], "public_key": ATTACKERS}
    lie = facts(__gateway_keys_entry=entry, __gateway_keys_first={"name": "gw1", "public_key": ATTACKERS})
    site.mesh.no_ssh("gw1")
    site.mesh.tamper("gw3", Mutation("entry", (*lie.edits, *fields(public_key=None, gateway="gw1", name="gw1").edits)))
    done = site.play("enroll_gateways")
    assert "gw1" not in site.known(), done.output
    assert "gw3" not in site.known()
    assert ATTACKERS not in site.stored("gw2")
    before.assert_named(done)


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_limit_to_the_liar(act: Act, make_site: Make) -> None:
    """Row 1 by AWX's callback or by an event: nobody else is in the play."""
    site = make_site(enrolled=act is not enroll)
    before = Honest(site, "gw3")
    before.said = {} if act is enroll else before.said
    site.mesh.tamper("gw3", facts(**STEERING))
    done = act(site, "gw3", "--limit", "gw3")
    received = site.mesh.received("gw3")
    assert not [secret for secret in before.secrets() if secret in received], done.output
    for name in before.others:
        assert site.own(name) in before.mesh_keys
        assert ATTACKERS not in site.stored(name)
        assert act is enroll or site.keys(name) == before.known[name]


def test_who_acknowledges_is_who_answered(make_site: Make) -> None:
    """Row 2: gw1 is away when gw4 is revoked, and gw3 says that gw1 dropped it."""
    site = make_site(gateways=4)
    lost = site.own("gw4")
    site.mesh.no_ssh("gw1")
    site.mesh.tamper("gw3", acknowledging("gw1", "gw4"), "gateway_peers")
    done = site.revoke("gw4")
    site.mesh.ssh_back("gw1")
    assert site.pending("gw1") == ["gw4"], done.output
    assert lost in site.stored("gw1")
    done = site.play("converge_gateways")
    assert lost not in site.stored("gw1"), done.output
    assert not site.pending("gw1")


@pytest.mark.parametrize(
    "act", [emergency, emergency_of_the_liar, converge, status, audit], ids=lambda one: one.__name__
)
@pytest.mark.parametrize("attack", ROW_3)
def test_nonsense_is_the_liars_own_problem(attack: str, act: Act, make_site: Make) -> None:
    """Row 3: the run on all others comes to its end, and the liar is named."""
    before, done = play(make_site(), act, "gw3", ATTACKS[attack])
    before.assert_named(done)
    if act is emergency_of_the_liar:
        assert set(before.site.keys("gw3")) & before.site.stored("gw1") <= {before.site.recorded("gw3")}


ASKING: dict[str, tuple[Act, ...]] = {
    "": (emergency, converge, status, audit),
    "gateway_info": (emergency, converge, status, audit),
    "gateway_key": (planned_of_the_liar, emergency_of_the_liar),
    "gateway_peers": (emergency, converge),
}
"""Runs in which a liar is asked for a result of that module. Those of two more modules have tests of their own."""


def every_attack() -> list[tuple[str, Act]]:
    """Each attack in one run in which it can be seen, the runs in turn. All of them in all runs would take hours, and
    what is done with a result is decided by the same code in each: tests/unit/fleet/test_trust.py mutates it there."""
    turns = {about: itertools.cycle(acts) for about, acts in ASKING.items()}
    small = [(name, one.about) for name, one in ATTACKS.items() if one.form not in LARGE]
    return [(name, next(turns[about])) for name, about in small if about in turns]


@pytest.mark.parametrize(("attack", "act"), every_attack(), ids=lambda one: getattr(one, "__name__", one))
def test_every_attack(attack: str, act: Act, make_site: Make) -> None:
    site = make_site()
    play(site, act, "gw3", ATTACKS[attack])
    assert site.mesh.forged("gw3")


@pytest.mark.parametrize("attack", ["an interface of its own", "left of the other", "carried is a number", "null"])
def test_a_second_interface(attack: str, make_site: Make) -> None:
    """It lies about its own: the others change keys by theirs, and nothing of them is left."""
    site = make_site()
    before = Honest(site, "gw3")
    links = {name: site.mesh.run(name, LINKS) for name in before.others}
    site.mesh.tamper("gw3", ATTACKS[attack], "gateway_bridge")
    done = site.rotate("gw1", strategy="second_interface", settle_timeout=5, minimum_share=30)
    assert site.mesh.forged("gw3"), done.output
    before.assert_untouched(done, changed=["gw1"])
    before.assert_named(done)
    assert {name: site.mesh.run(name, LINKS) for name in before.others} == links


def test_a_slice(make_site: Make) -> None:
    """AWX gives each job a part of the inventory: gw1 is in another one than the liar, which says that the inventory is
    whole, and that gw1 has dropped what is revoked."""
    site = make_site(gateways=4)
    lost, peers = site.own("gw4"), ("gw1", "gw2", "gw3")
    for name in peers:
        site.mesh.no_ssh(name)
    site.revoke("gw4")
    for name in peers:
        site.mesh.ssh_back(name)
    assert {name: site.pending(name) for name in peers} == {name: ["gw4"] for name in peers}
    before = Honest(site, "gw3")
    lies = facts(**{**STEERING, "gateway_keys_allow_partial_inventory": True, "awx_workflow_job_name": "another"})
    site.mesh.tamper("gw3", Mutation("in a slice", (*lies.edits, *acknowledging("gw1", "gw4").edits)))
    del site.node.hosts["gw1"]
    enrolled = site.play("enroll_gateways", *SLICE)
    assert enrolled.code != 0
    assert "This job is a slice of Gateways" in " ".join(enrolled.output.split()), enrolled.output
    done = site.play("converge_gateways", *SLICE)
    assert lost in site.stored("gw1"), done.output
    assert lost not in site.stored("gw2"), done.output
    assert (site.pending("gw1"), site.pending("gw2")) == (["gw4"], [])
    before.assert_named(done)
    assert not [secret for secret in before.secrets() if secret in site.mesh.received("gw3")]
    assert {name: site.keys(name) for name in before.known} == before.known


LINKS = "ip -o link | sed 's/^[0-9]*: //; s/@.*//; s/:.*//' | sort; ls /etc/wireguard"
JOB = {"awx_job_id": 7, "awx_job_template_name": "Gateways", "awx_workflow_job_name": "Gateways"}
SLICE = ("-e", json.dumps(JOB))
"""What AWX says to a slice of a job."""


@pytest.mark.parametrize("attack", LARGE)
def test_a_large_answer(attack: str, make_site: Make) -> None:
    """It costs the liar its place in the run."""
    before, done = play(make_site(), status, "gw3", ATTACKS[attack])
    before.assert_named(done)


def test_plain_text_on_the_screen(make_site: Make) -> None:
    """Row 12: by every field that Ansible itself prints, and around the result."""
    site = make_site()
    for attack in ("escapes_around", "fields failed, msg, code", "fields warnings", "fields exception"):
        play(site, status, "gw3", ATTACKS[attack])
        site.mesh.heal("gw3")


def test_a_finding_does_not_disappear(make_site: Make) -> None:
    """Rule 6: what is wrong with the others is told with a liar in the fleet, too."""
    site = make_site()
    site.mesh.run("gw1", f"wg set wg0 peer {site.own('gw2')} remove")
    site.mesh.tamper("gw3", ATTACKS["malformed gateway"])
    done = site.play("gateway_status")
    told = " ".join(done.output.split())
    assert re.search(r"gw1\b.{0,30} stores .{0,40}of gw2", told), done.output
    assert "gw3" in PRINTED.sub("", done.output)


@pytest.mark.parametrize("act", [planned, emergency, converge, enroll], ids=lambda act: act.__name__)
def test_check_mode(act: Act, make_site: Make) -> None:
    """Nothing is changed on anybody, and nothing reaches the liar: no signature of what is not recorded either, which
    it could show later as another history of the directory."""
    site = make_site(enrolled=act is not enroll)
    before = Honest(site, "gw3")
    recorded = site.view()["directory"]["checkpoint"]["number"] if act is not enroll else 0
    site.mesh.tamper("gw3", facts(**STEERING))
    untouched = site.fingerprints(*before.others)
    done = act(site, "gw3", "--check")
    assert site.fingerprints(*before.others) == untouched, done.output
    received = site.mesh.received("gw3")
    assert not [secret for secret in before.secrets() if secret in received]
    assert all(int(number) <= recorded for number in re.findall(rb"\\nnumber (\d+)\\", received))


def test_abort(make_site: Make) -> None:
    """A rotation of gw1 that stopped half way is taken back with a liar among its peers."""
    site = make_site()
    before = Honest(site, "gw3")
    old = site.own("gw1")
    site.interrupt("gw1", "staged")
    site.mesh.tamper("gw3", facts(**{**STEERING, "gateway_keys_directory_host": "gw1"}))
    site.mesh.tamper("gw3", ATTACKS["stored.gateway is 'one'"], "gateway_peers")
    done = site.abort("gw1")
    assert site.own("gw1") == site.recorded("gw1") == old, done.output
    assert site.rotation("gw1") is None
    assert site.accepted("gw2", "gw1") == {old}
    assert not [secret for secret in before.secrets() if secret in site.mesh.received("gw3")]


def conduct(name: str) -> Mutation:
    """What the gateway does instead of answering; see lab.gateways.tampered."""
    return Mutation(name, (), name)


def test_a_key_that_one_peer_does_not_store_stops_no_other_target(make_site: Make) -> None:
    """gw3 stores what gw1 is to change to nowhere, it says; gw2 gets its new key all the same. Later gw1 does, too."""
    site = make_site()
    not_the_first = Mutation("not gw1", tuple(Edit("drop", ("stored", 0)) for dummy in range(2)))
    site.mesh.tamper("gw3", not_the_first, "gateway_peers")
    done = site.rotate("gw1", "gw2", settle_timeout=5, minimum_share=100)
    assert done.code != 0
    told = " ".join(done.output.split())
    assert "gw1: 1 of 2 peers, not yet gw3" in told, done.output
    assert "gateway_keys_minimum_share" in told
    assert "The rotation of gw1 is not finished, state prepared: too few peers accept its new key" in told
    assert (site.state("gw1"), site.state("gw2")) == ("prepared", "")
    assert (site.serial("gw1"), site.serial("gw2")) == (1, 2)
    assert site.own("gw1") == site.recorded("gw1")
    assert site.own("gw2") == site.own_file("gw2") == site.recorded("gw2")
    site.mesh.heal("gw3")
    done = site.rotate("gw1", settle_timeout=5, minimum_share=100)
    assert (done.code, site.serial("gw1")) == (0, 2), done.output
    done = site.play("converge_gateways")
    assert done.code == 0, done.output
    site.assert_whole()


def test_a_target_that_cannot_be_planned_stops_no_other_one(make_site: Make) -> None:
    """Its first answer cannot be read: it is named, and keeps its key; the others change. So does an abort of all."""
    site = make_site()
    unreadable = Mutation("text", (Edit("set", ("gateway", "own"), "nonsense"),))
    site.mesh.tamper("gw3", unreadable, "gateway_info")
    done = site.rotate("all", settle_timeout=5)
    assert done.code != 0
    told = " ".join(done.output.split())
    assert "gw3 was excluded and keeps its key; run this again for it." in told, done.output
    assert [site.serial(name) for name in site.names] == [2, 2, 1]
    assert [site.state(name) for name in site.names] == ["", "", ""]
    for name in ("gw1", "gw2"):
        assert site.own(name) == site.own_file(name) == site.recorded(name)
    before = site.own("gw1")
    site.interrupt("gw1", "staged")
    site.mesh.heal("gw3")
    site.interrupt("gw3", "staged")
    site.mesh.tamper("gw3", unreadable, "gateway_info")
    done = site.abort("gw1", "gw3")
    assert done.code != 0
    assert (site.state("gw1"), site.state("gw3")) == ("", "staged"), done.output
    assert site.own("gw1") == site.recorded("gw1") == before
    told = " ".join(done.output.split())
    assert "gw3 was excluded. The rotation of gw3 is not finished, state staged" in told, done.output


@pytest.mark.parametrize("step", ["gateway_key active", "gateway_info wait_timeout"])
def test_a_target_that_is_silent_undoes_no_other_change(step: str, make_site: Make) -> None:
    """Two honest gateways change their keys in the same run, and it takes all the time that it has."""
    site = make_site()
    site.mesh.tamper("gw3", conduct("sleeps"), step)
    done = site.rotate("gw1", "gw2", "gw3", settle_timeout=5)
    assert done.code != 0
    for name in ("gw1", "gw2"):
        assert (site.serial(name), site.state(name)) == (2, ""), done.output
        assert site.own(name) == site.own_file(name) == site.recorded(name)
    assert site.state("gw3") == "staged"
    assert "gw3" in PRINTED.sub("", done.output)


def test_a_target_that_did_not_begin_is_named_and_left_out(make_site: Make) -> None:
    """As when the time of all is up. The other one is confirmed, and the same command again changes what is left."""
    site = make_site()
    late = Mutation("too late", (Edit("merge", (), {"failed": True, "code": "timeout", "msg": "too late"}),))
    site.mesh.tamper("gw3", late, "gateway_key active")
    done = site.rotate("gw1", "gw3", settle_timeout=5)
    assert done.code != 0
    told = " ".join(done.output.split())
    assert "The rotation of gw3 is not finished, state staged: its change was not started." in told, done.output
    assert (site.serial("gw1"), site.state("gw1")) == (2, ""), done.output
    assert site.state("gw3") == "staged"
    site.mesh.heal("gw3")
    done = site.rotate("gw3", settle_timeout=5)
    assert (done.code, site.serial("gw3")) == (0, 2), done.output


def showing(key: str) -> Mutation:
    """That key for its own one, with a proof that may be right for another one."""
    return Mutation("another key", (Edit("set", ("public_key",), key),))


@pytest.mark.parametrize("platform", ["wireguard", "strongswan"])
@pytest.mark.parametrize("whose", ["gw1", "gw4"])
def test_a_key_without_its_private_half_is_not_enrolled(whose: str, platform: str, make_site: Make) -> None:
    """Neither that of a gateway which is enrolled in the same run, nor that of a peer that nobody enrolls (gw4)."""
    site = make_site(platform, enrolled=False)
    site.mesh.tamper("gw3", showing(site.own(whose)), "gateway_key")
    done = site.play("enroll_gateways")
    assert done.code != 0
    assert site.known() == {"gw1", "gw2"}, done.output
    told = " ".join(done.output.split())
    assert re.search("gw3: it reports the key [0-9a-f]{12} as its own and does not prove that it has the private", told)
    assert site.recorded("gw1") == site.own("gw1")


@pytest.mark.parametrize("platform", ["wireguard", "strongswan"])
def test_a_key_without_its_private_half_is_not_staged(platform: str, make_site: Make) -> None:
    """At its rotation gw3 shows the key of a peer outside of the directory, whose networks it would get."""
    site = make_site(platform)
    outside, before = site.own("gw4"), {name: site.configuration(name) for name in ("gw1", "gw2")}
    site.mesh.tamper("gw3", showing(outside), "gateway_key staged")
    done = site.rotate("gw3", settle_timeout=5)
    assert done.code != 0
    assert outside not in site.keys("gw3"), done.output
    assert {name: site.configuration(name) for name in before} == before
    assert "no new key of it was recorded" in " ".join(done.output.split())


ACTIONS = ["enroll", "status", "converge"]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("liar", ["gw1", "gw3"])
def test_a_play_that_gathers_facts(liar: str, action: str, make_site: Make) -> None:
    """The liar is left out and named, whether it is the first or not; what its facts say of it is not read either."""
    site = make_site(enrolled=action != "enroll")
    before = Honest(site, liar)
    site.mesh.tamper(liar, facts(**claims(site, liar)), "setup")
    done = site.own_play(action, gather_facts=True)
    before.assert_untouched(done)
    before.assert_named(done)
    assert done.code != 0
    if action == "enroll":
        assert liar not in site.known()
    else:
        assert not wide(site, liar)


def test_a_cache_of_facts(make_site: Make) -> None:
    """Gathered by another play, and the liar is outside of the limit now: its facts still say nothing of it."""
    site = make_site(enrolled=False)
    before = Honest(site, "gw3")
    env = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(site.path / "facts")}
    site.mesh.tamper("gw3", facts(**claims(site, "gw3")), "setup")
    gathered = site.node.run([{"ansible.builtin.setup": {"gather_subset": ["!all", "min"]}}], env=env)
    assert gathered.code == 0, gathered.output
    done = site.play("enroll_gateways", "--limit", "gw1,gw2", allow_partial_inventory="true", env=env)
    before.assert_untouched(done)
    assert "gw3" not in site.known(), done.output
    whole = site.play("enroll_gateways", env=env)
    before.assert_named(whole)
    assert "gw3" not in site.known(), whole.output


def claims(site: Site, liar: str) -> dict[str, t.Any]:
    """Facts that look like what the role registers of a gateway, and some that steer."""
    key = site.own(liar)
    entry = {"platform": "wireguard", "identity": "", "endpoint": "", "networks": ["0.0.0.0/0"]}
    answer = {"changed": False, "public_key": key, "algorithm": "x25519", "fingerprint": "0" * 64}
    return {
        **STEERING,
        "gateway_keys_directory_host": liar,
        "gateway_keys_hosts": [liar],
        "gateway_keys_networks": ["0.0.0.0/0"],
        "__gateway_keys_entry": {**entry, "name": liar, "algorithm": "x25519", "public_key": key},
        **dict.fromkeys(contract.registered(), answer),
    }


def wide(site: Site, liar: str) -> bool:
    return "0.0.0.0/0" in str(site.said(liar)["networks"])


def test_random_mutations(make_site: Make) -> None:
    """A hundred, of all that the liar answers, in one playbook after the other."""
    site = make_site()
    acts = itertools.cycle([status, converge, audit, emergency])

    @settings(
        max_examples=100, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(mutations(site.names))
    def once(mutation: Mutation) -> None:
        play(site, next(acts), "gw3", mutation)
        site.mesh.heal("gw3")

    once()
