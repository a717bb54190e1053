# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Syncs with devices that disturb, refuse, fail or fall silent: they complete, or say why not and have lost nothing."""

from __future__ import annotations

import asyncio
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import fields

import pytest
from integration import rounds
from integration.rounds import LABEL, key, key_server

from ansible_collections.vpnops.keys.plugins.module_utils._ios import dialogue, rsa_keys
from lab import DeviceSpec
from lab.device import Device
from lab.keys import pool_key
from lab.personality import PERSONALITIES, Personality, choices

Specs = t.Callable[[Mapping[str, t.Any]], list[DeviceSpec]]

STARTS: dict[str, Specs] = {
    "absent": lambda switches: [
        key_server(1, "xe17", overrides=switches),
        key_server(2, "ios15", overrides=switches),
        key_server(3, "xe16", overrides=switches),
    ],
    "conflict": lambda switches: [
        key_server(1, "ios15", key(0), overrides=switches),
        key_server(2, "xe16", key(1), overrides=switches),
        key_server(3, "xe17", key(2, exportable=False), overrides=switches),
    ],
    "none_exportable": lambda switches: [
        key_server(1, "xe16", key(0, exportable=False), overrides=switches),
        key_server(2, "xe17", key(0, exportable=False), overrides=switches),
        key_server(3, "ios15", overrides=switches),
    ],
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is noticed twenty times as fast, and no command gets more than half a second."""
    monkeypatch.setattr(dialogue, "FIRST_PROBE", 0.05)
    monkeypatch.setattr(dialogue, "QUESTION_PAUSE", 0.15)
    monkeypatch.setattr(rsa_keys, "POLL", (0.05, 0.1))
    for limit in ("IMPORT_TIMEOUT", "SAVE_TIMEOUT"):
        monkeypatch.setattr(rsa_keys, limit, 0.5)


# Whatever a device may be like


def switched() -> list[tuple[str, t.Any]]:
    """Every value of every switch that some personality does not have anyway."""
    named = [one.name for one in fields(Personality) if one.name not in ("name", "ssh_needs_rsa_key")]
    return [
        (switch, value)
        for switch in named
        for value in choices(switch)
        if any(value != getattr(personality, switch) for personality in PERSONALITIES.values())
    ] + [("typeahead_limit", 64), ("max_line", 200)]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(("switch", "value"), switched(), ids=lambda one: str(one).lower())
def test_every_kind_of_device(switch: str, value: t.Any, start: str) -> None:
    # Key servers that do not hear each other for want of a common key are a split group.
    choice = ["ks1"] if switch == "coop_needs_key" else []
    outcome, wrong, left = asyncio.run(_one_sync(STARTS[start]({switch: value}), {}, primary=choice))
    assert not wrong, "\n".join(wrong)
    assert not outcome.told
    assert not left


async def _one_sync(
    specs: Sequence[DeviceSpec],
    faults: Mapping[str, t.Any],
    *,
    on: Sequence[str] = (),
    ssh: bool = False,
    primary: Sequence[str] = (),
) -> tuple[rounds.Outcome, list[str], list[str]]:
    """A sync with faults on some devices (all, if none is named): its outcome, what went wrong, and what is left."""
    async with rounds.running(specs, ssh=ssh) as devices:
        before = (await rounds.observe(devices, overwrite=True, primary=primary)).plan
        was = rounds.before(devices, target=before.fingerprint)
        for name in on or devices:
            devices[name].set_fault(**faults)
        assert (await rounds.observe(devices, patience=5, overwrite=True, primary=primary)).plan == before
        wrong = rounds.watch(was, devices)
        outcome = await rounds.sync(devices, patience=5, overwrite=True, primary=primary)
        return outcome, wrong + rounds.mishaps(was, devices), rounds.unfinished(devices)


# What disturbs, but does not stop


DISTURBANCES: dict[str, dict[str, t.Any]] = {
    "syslog_in_output": {"syslog": {"where": "during_output"}},
    "syslog_after_prompts": {"syslog": {"where": "after_prompt"}},
    "syslog_in_questions": {"syslog": {"where": "in_question"}},
    "single_characters": {"chunk_bytes": 1, "chunk_delay_ms": 0},
    "threes": {"chunk_bytes": 3, "chunk_delay_ms": 0},
    "sevens": {"chunk_bytes": 7, "chunk_delay_ms": 0},
    "latency": {"latency_ms": 20},
    "longer_than_a_probe": {"latency_ms": 80},
    "slow_generation": {"generation_seconds": 0.6},
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("start", ["conflict", "none_exportable"])
@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_disturbed(disturbance: str, start: str) -> None:
    faults = DISTURBANCES[disturbance]
    on = ("ks2",) if "chunk_bytes" in faults or "probe" in disturbance else ()
    outcome, wrong, left = asyncio.run(_one_sync(STARTS[start]({}), faults, on=on))
    assert not wrong, "\n".join(wrong)
    assert not outcome.told
    assert not left


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("faults", [{"syslog": {"where": "after_prompt", "every": 3}}, {"chunk_bytes": 7}], ids=str)
def test_disturbed_over_ssh(faults: Mapping[str, t.Any]) -> None:
    outcome, wrong, left = asyncio.run(_one_sync(STARTS["conflict"]({}), {**faults, "chunk_delay_ms": 0}, ssh=True))
    assert not wrong, "\n".join(wrong)
    assert not outcome.told
    assert not left


# What makes a sync impossible: nothing at all is changed


FOUR = [key_server(1, "ios15", key(0), of=4), key_server(2, "xe17", of=4), key_server(3, "xe16", key(1), of=4)]
UNREADABLE: dict[str, tuple[dict[str, t.Any], str]] = {
    "closed": ({"closed": True}, "refuses the connection"),
    "no_login": ({"refuse_login": True}, "login was refused"),
    "mute": ({"silent": True}, "no SSH login"),
    "mute_after_login": ({"silent_after_login": True}, "no prompt appeared"),
    "low_privilege": ({"low_privilege": 1}, "enable"),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("how", UNREADABLE)
def test_one_of_four_cannot_be_read(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "CONNECT_WITHIN", 1.0 if how == "mute" else 10.0)
    faults, says = UNREADABLE[how]
    asyncio.run(_spared([*FOUR, key_server(4, "ios15", key(0), of=4)], "ks4", faults, says))


async def _spared(specs: list[DeviceSpec], host: str, faults: Mapping[str, t.Any], says: str) -> None:
    async with rounds.running(specs, ssh=True) as devices:
        devices[host].set_fault(**faults)
        await asyncio.sleep(0.01)
        outcomes: list[rounds.Outcome] = []

        async def run() -> None:
            outcomes.append(await asyncio.wait_for(rounds.sync(devices, patience=1, overwrite=True), 20))

        assert not await rounds.untouched_by(devices, run)
        assert host in outcomes[0].told
        assert says in outcomes[0].told
        devices[host].clear_faults()
        await asyncio.sleep(0.01)
        assert not (await rounds.sync(devices, overwrite=True)).told
        assert not rounds.unfinished(devices)


# What fails on the way


class Failure(t.NamedTuple):
    """A fault that begins when `host` receives its `nth`-th line that starts with `at`, for one line or for good."""

    host: str
    at: str
    nth: int
    faults: Mapping[str, t.Any]
    says: Sequence[str]
    holds: Mapping[str, int]
    """Number of the key that stands under the label of each host afterwards; 0 is what all shall get."""
    once: bool = False


FAILURES: dict[str, Failure] = {
    "nvram_full": Failure(
        "ks2", "write", 1, {"nvram_full": True}, ["ks2: the configuration was not written"], {"ks2": 1, "ks3": 2}
    ),
    "nvram_full_in_the_end": Failure(
        "ks3", "write", 2, {"nvram_full": True}, ["ks3: the configuration was not written"], {"ks2": 1, "ks3": 0}
    ),
    "export_fails": Failure(
        "ks1", "crypto key export", 1, {"export_fails": True}, ["ks1: export"], {"ks2": 1, "ks3": 2}
    ),
    "staging_fails": Failure(
        "ks3", "crypto key import", 1, {"import_fails": True}, ["ks3: import"], {"ks2": 1, "ks3": 2}
    ),
    "put_back": Failure(
        "ks2",
        "crypto key import",
        2,
        {"import_fails": True},
        ["ks2: import of REKEY failed", "The old key was put back."],
        {"ks2": 1, "ks3": 0},
        once=True,
    ),
    "not_put_back": Failure(
        "ks2",
        "crypto key import",
        2,
        {"import_fails": True},
        ["ks2: import of REKEY failed", "is stored under REKEY.vpnops-new"],
        {"ks3": 0},
    ),
    "gone_for_good": Failure(
        "ks3",
        "crypto key import",
        2,
        {"import_fails": True},
        ["The old key could not be exported, so it is lost", "is stored under REKEY.vpnops-new"],
        {"ks2": 1},
    ),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("zeroize_nvram", ["on_save", "at_once"])
@pytest.mark.parametrize("name", FAILURES)
def test_failure(name: str, zeroize_nvram: str) -> None:
    asyncio.run(_failed(FAILURES[name], {"zeroize_nvram": zeroize_nvram}))


async def _failed(failure: Failure, switches: Mapping[str, t.Any]) -> None:
    async with rounds.running(STARTS["conflict"](switches)) as devices:
        was = rounds.before(devices, target=devices["ks1"].keys[LABEL].fingerprint)
        wrong = rounds.watch(was, devices)
        _fails_at(devices[failure.host], failure)
        outcome = await rounds.sync(devices, overwrite=True)
        for sentence in failure.says:
            assert sentence in outcome.told
        wrong += rounds.mishaps(was, devices)
        assert not wrong, "\n".join(wrong)
        names = {pool_key(2048, number).fingerprint: number for number in range(3)}
        held = {name: names[device.keys[LABEL].fingerprint] for name, device in devices.items() if LABEL in device.keys}
        assert held == {"ks1": 0, **failure.holds}
        devices[failure.host].clear_faults()
        await rounds.sync(devices)
        assert all(LABEL in device.keys for device in devices.values()), "the window was not closed without consent"
        assert not (await rounds.sync(devices, overwrite=True)).told
        assert not rounds.unfinished(devices)


def _fails_at(device: Device, failure: Failure) -> None:
    seen = 0

    def check(entry: t.Any) -> None:
        nonlocal seen
        if entry.kind == "command" and entry.text.startswith(failure.at):
            seen += 1
            if seen == failure.nth:
                device.set_fault(**failure.faults)
            elif seen > failure.nth and failure.once:
                device.clear_faults()

    rounds.at_each_line(device, check)


# What falls silent


@pytest.mark.usefixtures("impatient")
def test_hanging_anywhere() -> None:
    """Every wait has an end, wherever a device falls silent; the next run completes."""
    points = asyncio.run(rounds.record(STARTS["conflict"]({}), overwrite=True))
    work = [point for point in points if point.host == "ks2" and not point.looking and point.kind != "paste"]
    told = asyncio.run(_all_hang(work))
    assert not any(told), "\n".join(one for one in told if one)


async def _all_hang(points: Sequence[rounds.Point]) -> list[str]:
    """At once, as they only wait."""
    return list(await asyncio.gather(*(_hangs(point) for point in points)))


async def _hangs(point: rounds.Point) -> str:
    async with rounds.running(STARTS["conflict"]({}), ssh=True) as devices:
        await rounds.observe(devices)  # the points were counted with one
        was = rounds.before(devices, target=devices["ks1"].keys[LABEL].fingerprint)
        devices[point.host].set_fault(cut={"at": point.line, "unit": "line", "do": "hang"})
        try:
            outcome = await asyncio.wait_for(rounds.sync(devices, patience=1.0, overwrite=True), 45)
        except asyncio.TimeoutError:
            return f"{point}: waits for ever"
        wrong = rounds.mishaps(was, devices) + ([] if outcome.told else ["nothing was told"])
        devices[point.host].clear_faults()
        await rounds.sync(devices, overwrite=True)
        await rounds.forget_doubles(devices)
        wrong += rounds.unfinished(devices)
        return f"{point}: {'; '.join(wrong)}" if wrong else ""
