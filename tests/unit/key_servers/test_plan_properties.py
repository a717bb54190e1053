# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any fleet, any policy, killed anywhere: the plan leads to one key everywhere or to an explained refusal.

The simulator here carries steps out one command at a time and, like a device, refuses what cannot be done:
giving away a key that is not exportable, filling a label that is taken. The tests look at the fleet after
every single command, which is where a kill could have fallen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from unit.effort import examples

from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.plan import (
    Copy,
    KeyServer,
    Plan,
    Policy,
    digest,
    plan,
)
from ansible_collections.vpnops.keys.plugins.module_utils._key_servers.steps import (
    Clean,
    Distribute,
    Finish,
    Generate,
    Save,
    Step,
)

LABEL = "GETVPN"
SETTINGS = settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

# (bits, usage) belong to the key, exportable and saved to the copy.
KEYS = {
    "aa" * 32: (2048, "general"),
    "bb" * 32: (4096, "general"),
    "cc" * 32: (1024, "general"),
    "dd" * 32: (2048, "signature"),
}


@dataclass
class Device:
    """`startup`: what is under the label and the scratch label again after a reload."""

    server: KeyServer
    label: Copy | None
    scratch: Copy | None
    startup: tuple[Copy | None, Copy | None]

    def reload(self) -> None:
        self.label, self.scratch = self.startup


@dataclass
class Fleet:
    devices: dict[str, Device]
    generated: int = 0

    @classmethod
    def of(cls, servers: list[KeyServer]) -> Fleet:
        return cls(
            {
                server.name: Device(server, server.copy, server.staged, (server.copy, server.staged))
                for server in servers
            }
        )

    def copy(self) -> Fleet:
        devices = {name: dataclasses.replace(device) for name, device in self.devices.items()}
        return Fleet(devices, self.generated)

    def seen(self) -> list[KeyServer]:
        return [
            dataclasses.replace(device.server, copy=device.label, staged=device.scratch)
            for device in self.devices.values()
        ]

    def fingerprints(self) -> set[str]:
        slots = [slot for device in self.devices.values() for slot in (device.label, device.scratch)]
        return {slot.fingerprint for slot in slots if slot is not None}

    def labels(self) -> set[str | None]:
        return {device.label.fingerprint if device.label else None for device in self.devices.values()}


def carry_out(fleet: Fleet, steps: tuple[Step, ...]) -> Iterator[None]:
    """Yields after every command; whoever stops asking has killed the run there."""
    for step in steps:
        yield from HANDLERS[type(step)](fleet, step)


def _given_away(copy: Copy | None, *, exportable: bool) -> Copy:
    assert copy is not None, "there is no key to export"
    assert copy.exportable, "the device does not give this key away"
    return dataclasses.replace(copy, exportable=exportable, saved=False)


def _finish(fleet: Fleet, step: Finish) -> Iterator[None]:
    device = fleet.devices[step.host]
    assert device.label is None
    device.label = _given_away(device.scratch, exportable=step.exportable)
    yield
    device.scratch = None
    yield


def _generate(fleet: Fleet, step: Generate) -> Iterator[None]:
    device = fleet.devices[step.host]
    fleet.generated += 1
    fingerprint = f"{fleet.generated:02x}" * 32
    key = Copy(fingerprint, step.bits, step.usage, exportable=True, saved=False)
    if step.scratch:
        assert device.scratch is None, "generating would replace a key without asking"
        device.scratch = key
    else:
        assert device.label is None, "generating would replace a key without asking"
        device.label = key
    yield


def _distribute(fleet: Fleet, step: Distribute) -> Iterator[None]:
    source = fleet.devices[step.source]

    def key(*, exportable: bool) -> Copy:
        given = _given_away(source.scratch if step.from_scratch else source.label, exportable=exportable)
        assert step.fingerprint in (None, given.fingerprint)
        return given

    for host in step.missing:
        device = fleet.devices[host]
        assert device.label is None
        device.label = key(exportable=step.exportable)
        yield
    for host in step.replace:
        device = fleet.devices[host]
        new = key(exportable=step.exportable or host == step.source)
        assert device.label is not None
        assert device.label.fingerprint != new.fingerprint, "the right key would be replaced by itself"
        reusable = device.scratch and device.scratch.exportable and device.scratch.fingerprint == new.fingerprint
        if device.scratch and not reusable:
            device.scratch = None
            yield
        if not reusable:
            device.scratch = dataclasses.replace(new, exportable=True)
            yield
        device.label = None
        yield
        device.label = new
        yield
        device.scratch = None
        yield


def _clean(fleet: Fleet, step: Clean) -> Iterator[None]:
    for host in step.hosts:
        assert fleet.devices[host].scratch is not None
        assert fleet.devices[host].label is not None
        fleet.devices[host].scratch = None
        yield


def _save(fleet: Fleet, step: Save) -> Iterator[None]:
    for host in step.hosts:
        device = fleet.devices[host]
        assert device.label is not None
        device.label = dataclasses.replace(device.label, saved=True)
        device.scratch = device.scratch and dataclasses.replace(device.scratch, saved=True)
        device.startup = (device.label, device.scratch)
        yield


HANDLERS: dict[type, Callable[..., Iterator[None]]] = {
    Finish: _finish,
    Generate: _generate,
    Distribute: _distribute,
    Clean: _clean,
    Save: _save,
}


@st.composite
def copies(draw: st.DrawFn) -> Copy:
    fingerprint = draw(st.sampled_from(sorted(KEYS)))
    bits, usage = KEYS[fingerprint]
    return Copy(fingerprint, bits, usage, draw(st.booleans()), draw(st.sampled_from([True, False, None])))


@st.composite
def key_servers(draw: st.DrawFn, name: str) -> KeyServer:
    role = draw(st.sampled_from([None, None, None, "Secondary", "Secondary", "Primary"]))
    groups = st.sampled_from([("EAST",), ("WEST",), ("EAST", "WEST")])
    return KeyServer(
        name=name,
        copy=draw(st.none() | copies()),
        staged=draw(st.none() | st.none() | copies()),
        priority=draw(st.sampled_from([None, 1, 50, 100])),
        address=draw(st.sampled_from([None, "10.0.0.9", "10.0.0.10", "2001:db8::1", "no address"])),
        role=role,
        problem=None,
        primary_of=draw(groups) if role == "Primary" else (),
    )


@st.composite
def fleets(draw: st.DrawFn) -> list[KeyServer]:
    return [draw(key_servers(f"ks{number}")) for number in range(draw(st.integers(1, 5)))]


policies = st.builds(
    Policy,
    overwrite=st.booleans(),
    bits=st.sampled_from([1024, 2048, 3072]),
    minimum_bits=st.sampled_from([1024, 2048]),
    allow_weak_source=st.booleans(),
    exportable=st.booleans(),
    save=st.booleans(),
    compromised=st.lists(st.sampled_from(sorted(KEYS)), unique=True, max_size=2).map(tuple),
    primary=st.sampled_from([(), ("ks0",), ("ks1", "elsewhere")]),
)


def split(servers: list[KeyServer]) -> bool:
    """Whether two say that they are the primary of one group."""
    return any(sum(group in server.primary_of for server in servers) > 1 for group in ("EAST", "WEST"))


def left_alone(servers: list[KeyServer], policy: Policy) -> bool:
    """Whether the group is split, and nobody has chosen a primary of it."""
    return split(servers) and not {server.name for server in servers} & set(policy.primary)


def everything_done(fleet: Fleet, policy: Policy) -> Plan:
    for _command in carry_out(fleet, plan(LABEL, fleet.seen(), policy).steps):
        pass
    return plan(LABEL, fleet.seen(), policy)


def states_on_the_way(servers: list[KeyServer], policy: Policy) -> Iterator[Fleet]:
    """The fleet as a kill after each command leaves it."""
    fleet = Fleet.of(servers)
    for _command in carry_out(fleet, plan(LABEL, servers, policy).steps):
        yield fleet.copy()


@SETTINGS
@given(fleets(), policies)
def test_applied_plan_leads_to_one_key_or_to_an_explained_refusal(servers: list[KeyServer], policy: Policy) -> None:
    fleet = Fleet.of(servers)
    first = plan(LABEL, servers, policy)
    again = everything_done(fleet, policy)
    assert again.steps == ()
    if first.blocked is None:
        assert len(fleet.labels()) == 1
        assert None not in fleet.labels()
        assert (again.verdict, again.blocked) == ("in_sync", None)
        assert first.fingerprint in (None, *fleet.labels())
        if policy.save:
            assert all(device.label and device.label.saved is not False for device in fleet.devices.values())
    else:
        assert first.blocked.endswith(".")
        assert again.blocked is not None


@SETTINGS
@given(fleets(), policies, st.data())
def test_killed_anywhere_twice_the_next_run_finishes_without_more_consent(
    servers: list[KeyServer], policy: Policy, data: st.DataObject
) -> None:
    wanted = plan(LABEL, servers, policy)
    for state in states_on_the_way(servers, policy):
        second = [state, *states_on_the_way(state.seen(), policy)]
        cut = data.draw(st.sampled_from(second)).copy()
        again = everything_done(cut, policy)
        assert again.steps == ()
        assert (again.blocked is None) == (wanted.blocked is None)
        if wanted.blocked is None:
            assert again.verdict == "in_sync"


@SETTINGS
@given(fleets(), policies, st.data())
def test_killed_and_reloaded_anywhere_the_next_run_finishes_too(
    servers: list[KeyServer], policy: Policy, data: st.DataObject
) -> None:
    """A key that was not saved is gone then; what the operator had before must have been saved."""
    assume(policy.save and plan(LABEL, servers, policy).blocked is None)
    for state in states_on_the_way(servers, policy):
        for device in state.devices.values():
            if data.draw(st.booleans()):
                device.reload()
        again = everything_done(state, policy)
        assert (again.verdict, again.steps) == ("in_sync", ())


@SETTINGS
@given(fleets(), policies)
def test_killed_anywhere_every_device_has_a_whole_key(servers: list[KeyServer], policy: Policy) -> None:
    for state in states_on_the_way(servers, policy):
        for server in servers:
            if server.copy or server.staged:
                device = state.devices[server.name]
                assert device.label or device.scratch
            if server.copy:
                device = state.devices[server.name]
                assert device.label or (device.scratch and device.scratch.exportable), "not to be finished"


@SETTINGS
@given(fleets(), policies)
def test_old_keys_are_gone_only_after_the_new_one_lies_ready(servers: list[KeyServer], policy: Policy) -> None:
    """While anybody still has another key, the one that replaces it can be given away by somebody."""
    wanted = plan(LABEL, servers, policy)
    assume(any(isinstance(step, Distribute) and step.replace for step in wanted.steps))
    for state in states_on_the_way(servers, policy):
        final = state.copy()
        everything_done(final, policy)
        (key,) = final.labels()
        if state.labels() == {key} or key not in state.fingerprints():
            continue
        slots = [slot for device in state.devices.values() for slot in (device.label, device.scratch)]
        assert any(slot and slot.fingerprint == key and slot.exportable for slot in slots)


@SETTINGS
@given(fleets(), policies.filter(lambda policy: not policy.overwrite))
def test_without_consent_no_label_changes_its_key_and_no_key_is_lost(servers: list[KeyServer], policy: Policy) -> None:
    before = Fleet.of(servers).fingerprints()
    for state in states_on_the_way(servers, policy):
        assert before <= state.fingerprints()
        for server in servers:
            label = state.devices[server.name].label
            if server.copy:
                assert label
                assert dataclasses.replace(label, saved=server.copy.saved) == server.copy


@SETTINGS
@given(fleets(), policies)
def test_a_key_is_generated_once_however_often_the_run_is_killed(servers: list[KeyServer], policy: Policy) -> None:
    for state in states_on_the_way(servers, policy):
        if state.generated:
            assert not any(isinstance(step, Generate) for step in plan(LABEL, state.seen(), policy).steps), (
                "the key made before the kill is not used"
            )


@SETTINGS
@given(fleets(), policies)
def test_whoever_wants_exportable_copies_can_export_in_the_end(servers: list[KeyServer], policy: Policy) -> None:
    policy = dataclasses.replace(policy, exportable=True)
    first = plan(LABEL, servers, policy)
    assume(first.blocked is None)
    assume(any(isinstance(step, Finish | Generate | Distribute) for step in first.steps))
    fleet = Fleet.of(servers)
    everything_done(fleet, policy)
    slots = [slot for device in fleet.devices.values() for slot in (device.label, device.scratch)]
    assert any(slot and slot.exportable and slot.fingerprint in fleet.labels() for slot in slots)


@SETTINGS
@given(fleets(), policies)
def test_overwrite_is_refused_only_for_a_new_key_that_is_too_small(servers: list[KeyServer], policy: Policy) -> None:
    allowed = dataclasses.replace(policy, overwrite=True)
    if (policy.allow_weak_source or policy.bits >= policy.minimum_bits) and not left_alone(servers, policy):
        assert plan(LABEL, servers, allowed).blocked is None


@SETTINGS
@given(fleets(), policies)
def test_what_needs_consent_is_what_overwrite_does(servers: list[KeyServer], policy: Policy) -> None:
    asked = plan(LABEL, servers, policy)
    allowed = plan(LABEL, servers, dataclasses.replace(policy, overwrite=True))
    assert asked.verdict == allowed.verdict
    if asked.needs_consent:
        assert not policy.overwrite
        assert asked.blocked is not None
        assert asked.would == allowed.steps
        assert allowed.blocked is None
        assert digest(asked) == digest(allowed)
    else:
        assert asked.would == ()


@SETTINGS
@given(fleets(), policies)
def test_in_sync_means_that_all_were_seen_with_one_key(servers: list[KeyServer], policy: Policy) -> None:
    seen = {server.copy.fingerprint if server.copy else None for server in servers}
    verdict = plan(LABEL, servers, policy).verdict
    equal = len(seen) == 1 and not seen & {None, *policy.compromised}
    assert (verdict == "in_sync") == (equal and not left_alone(servers, policy))
    assert (verdict == "split") == left_alone(servers, policy)


@SETTINGS
@given(fleets(), policies)
def test_a_split_group_is_changed_only_with_a_choice_and_consent(servers: list[KeyServer], policy: Policy) -> None:
    found = plan(LABEL, servers, policy)
    if split(servers) and not (policy.overwrite and not left_alone(servers, policy)):
        assert found.steps == ()
    if left_alone(servers, policy):
        assert (found.would, found.needs_consent, found.source) == ((), False, None)


@SETTINGS
@given(fleets(), policies, st.data())
def test_nobody_but_the_chosen_one_decides_whose_key_wins(
    servers: list[KeyServer], policy: Policy, data: st.DataObject
) -> None:
    """Roles, priorities and addresses are what key servers say of themselves."""
    chosen = data.draw(st.sampled_from(servers)).name
    policy = dataclasses.replace(policy, overwrite=True, primary=(chosen,))
    says = st.tuples(
        st.sampled_from([None, 1, 255]), st.sampled_from([None, "10.0.0.1", "::9"]), st.sampled_from([(), ("EAST",)])
    )
    lied = [
        dataclasses.replace(server, priority=priority, address=address, role="Primary" if of else None, primary_of=of)
        for server in servers
        for priority, address, of in [data.draw(says)]
    ]
    honest, other = plan(LABEL, servers, policy), plan(LABEL, lied, policy)
    assert honest.primary == other.primary == chosen
    its = next(server for server in servers if server.name == chosen)
    if its.copy and its.copy.fingerprint not in policy.compromised and honest.verdict == "conflict":
        # Where its own key cannot be exported, a new one that lies ready on it under the scratch label is used.
        own = {copy.fingerprint for copy in (its.copy, its.staged) if copy}
        assert {honest.fingerprint, other.fingerprint} <= {*own, None}


@SETTINGS
@given(fleets(), policies, st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(servers: list[KeyServer], policy: Policy, random: Random) -> None:
    shuffled = list(servers)
    random.shuffle(shuffled)
    assert plan(LABEL, shuffled, policy) == plan(LABEL, servers, policy)
    assert digest(plan(LABEL, shuffled, policy)) == digest(plan(LABEL, servers, policy))


@SETTINGS
@given(st.data(), policies, st.text())
def test_unreadable_or_ambiguous_fleets_are_left_alone(data: st.DataObject, policy: Policy, problem: str) -> None:
    servers = data.draw(fleets())
    spoiled = list(servers)
    victim = data.draw(st.sampled_from(servers))
    if data.draw(st.booleans()):
        spoiled[servers.index(victim)] = dataclasses.replace(victim, copy=None, staged=None, problem=problem)
    else:
        spoiled.append(data.draw(key_servers(victim.name)))
    found = plan(LABEL, spoiled, policy)
    assert (found.verdict, found.steps, found.would) == ("unknown", (), ())
    assert found.blocked is not None
    assert victim.name in found.blocked
    assert len(digest(found)) == 64


@SETTINGS
@given(fleets(), policies)
def test_replacing_goes_from_the_least_important_to_the_primary(servers: list[KeyServer], policy: Policy) -> None:
    found = plan(LABEL, servers, policy)
    for step in found.steps:
        if isinstance(step, Distribute) and found.primary in step.replace:
            assert step.replace[-1] == found.primary
