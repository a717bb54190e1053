# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
import dataclasses
import functools
import time
import typing as t
from collections.abc import Callable, Mapping

from ..module_utils._errors import NOTHING_CHANGED, NOTHING_DONE, VpnKeysError, rendered, sentence, together
from ..module_utils._ios.labels import Label
from ..module_utils._key_servers.rotation import Policy
from ..modules.ios_getvpn_rotation import ARGUMENT_SPEC
from ..plugin_utils import advice, host_patterns, interruption
from ..plugin_utils.ios import session
from ..plugin_utils.ios.options import Target
from ..plugin_utils.key_servers import live_group, rotate, rotations, survey
from ..plugin_utils.key_servers.action import IosAction, Result, display
from ..plugin_utils.key_servers.live_group import LiveGroup
from ..plugin_utils.key_servers.rotate import Clock, Rotator, Wanted
from ..plugin_utils.key_servers.rotation_store import RotationStore
from ..plugin_utils.key_servers.rotations import Found
from ..plugin_utils.tables import output

POLICY = ("max_window", "max_rate", "canary", "allow_split", "emergency", "replace_now", "abort")
AT_LEAST = {"parallel": 1, "timeout": 1, "wait_timeout": 0, "size": 1024, "max_window": 1, "generation_timeout": 1}


class ActionModule(IosAction):
    BYPASS_HOST_LOOP = True
    PER_HOST = False
    ARGUMENT_SPEC = ARGUMENT_SPEC

    async def operate(self, options: dict[str, t.Any]) -> Result:
        Label.parse(options["label"])
        _check(options)
        targets = self.fleet({**options, "groups": None, "primary": []})
        addresses = self.addresses(targets)
        self._store = RotationStore(options["state_directory"])
        async with session.SessionPool() as pool:
            seen = await rotate.observe(list(targets.values()), options["parallel"], options["timeout"], pool)
            groups = live_group.told_apart(live_group.live_groups(seen, addresses))
            groups = rotations.told_apart(groups, seen, self._store)
            _some(groups, seen)
            chosen = _chosen(_meant(groups, options, self._store), options)
            await pool.only({host for live in chosen for host in live.hosts})
            with interruption.in_hand(reports=True) as asked:
                watch = asyncio.ensure_future(interruption.watch(asked, self._interrupted))
                found = [self._found(live, seen, targets, addresses, options, pool, asked) for live in chosen]
                await self._work(found, seen, options)
                watch.cancel()
        return self._result(found, options["show"])

    async def _work(self, found: list[Found], seen: Mapping[str, survey.Seen], options: dict[str, t.Any]) -> None:
        for one in found:
            own = {host: seen[host] for host in one.live.hosts}
            one.before = live_group.labels_of(one.live, own)
            if self.check:
                await rotations.plan(one, own)
            else:
                await rotations.observe(one, own)
        if not self.check:
            approved = options["approved"]
            wanted = [one for one in found if not one.error and _is_approved(one, approved)]
            await rotations.run(wanted, seen, Clock().now() + options["wait_timeout"])

    def _found(
        self,
        live: LiveGroup,
        seen: Mapping[str, survey.Seen],
        targets: dict[str, Target],
        addresses: live_group.Addresses,
        options: dict[str, t.Any],
        pool: session.SessionPool,
        asked: Callable[[], int],
    ) -> Found:
        if live.blocked:
            return Found(live, None, why=live.blocked)
        outside = set(live.hosts) - set(options["allowed_hosts"] or live.hosts)
        if outside:
            names = ", ".join(sorted(outside))
            return Found(live, None, why=f"{names} are outside of the limit. {NOTHING_CHANGED}; run without --limit.")
        try:
            record = rotations.record_for(live, seen, options["label"], options["old_label"], self._store)
        except VpnKeysError as error:
            return Found(live, None, error=error)
        if record is None:
            return Found(live, None, outcome="done", why=f"All key servers already use {options['label']}.")
        say = _sayer(live.title)
        wanted = Wanted(
            Policy(**{name: options[name] for name in POLICY}, leave=tuple(options["leave"])),
            options["until"],
            options["size"],
            options["parallel"],
            options["timeout"],
            options["generation_timeout"],
        )
        clock = Clock(sleep=functools.partial(_sleep, asked))
        rotator = Rotator(live, targets, addresses, record, self._store, pool, wanted, clock, say, asked)
        return Found(live, record, rotator)

    @property
    def _names(self) -> Mapping[str, str]:
        return advice.of_task(self._task)

    def _result(self, found: list[Found], show: bool) -> Result:
        groups = [rotations.to_result(one, self._names) for one in found]
        lines = rotations.lines(groups)
        if show:
            output.show("\n".join(lines))
        result: Result = {
            "changed": any(map(rotations.has_changed, found)) or (self.check and any(map(_to_do, groups))),
            "groups": groups,
            "lines": lines,
            "releases": dataclasses.asdict(self._store.facts()),
            "diff": [_difference(one, group) for one, group in zip(found, groups, strict=True) if group["label"]],
        }
        bad = [group for group in groups if group["outcome"] not in rotations.GOOD]
        if bad:
            result |= {"failed": True, "msg": " ".join(f"{group['name']}: {group['why']}" for group in bad)}
            result["code"] = next((one.error.code for one in found if one.error), "blocked")
        return result

    def _interrupted(self, times: int) -> None:
        first = "the step in hand is finished, and no other one is started"
        text = first if times == 1 else "stopped at once; run the same command again"
        display.display(f"vpnops.keys: interrupted: {text}.", stderr=True)


def _is_approved(found: Found, approved: list[str] | None) -> bool:
    """Whether it may be carried out. What it waits for may have changed since, what it is about may not."""
    if approved is None or not found.rotator or rotations.digest(found) in approved:
        return True
    found.outcome = "blocked"
    found.why = (
        f"what the key servers show has changed since the plan was approved. {NOTHING_CHANGED}; plan again."
    )
    return False


def _sayer(title: str) -> Callable[[str], None]:
    return lambda text: display.display(f"vpnops.keys: {title}: {rendered(text, {})}", stderr=True)


def _check(options: Mapping[str, t.Any]) -> None:
    for name, low in AT_LEAST.items():
        if options[name] < low:
            raise VpnKeysError(
                "bad_input", f"O({name}) must be at least {low}, not {options[name]}", state=NOTHING_DONE
            )
    if options["replace_now"] and not options["emergency"]:
        raise VpnKeysError(
            "bad_input",
            "O(replace_now) interrupts the traffic of the group, and is for an emergency only",
            state=NOTHING_DONE,
            advice="set O(emergency) as well if the old key is stolen",
        )


def _meant(groups: list[LiveGroup], options: Mapping[str, t.Any], store: RotationStore) -> list[LiveGroup]:
    """Where none is named, and one is on its way to this label, it is meant: a key server that adds a group of its own
    does not stop it half way."""
    if options["only_groups"] or len(groups) < 2:
        return groups
    begun = rotations.under_way(groups, options["label"], store)
    return begun if len(begun) == 1 else groups


def _some(groups: list[LiveGroup], seen: Mapping[str, survey.Seen]) -> None:
    """Raises bad_input where there is no group at all, with what could not be read."""
    if groups:
        return
    errors = [(host, str(found)) for host, found in seen.items() if isinstance(found, VpnKeysError)]
    reasons = [f"{', '.join(hosts)}: {sentence(text)}" for text, hosts in together(errors).items()]
    raise VpnKeysError(
        "bad_input",
        " ".join(["No key server serves a group.", *reasons[: host_patterns.SHOWN]]),
        state=NOTHING_DONE,
        advice="restore access to them, or choose other key servers in O(hosts)",
    )


def _chosen(groups: list[LiveGroup], options: Mapping[str, t.Any]) -> list[LiveGroup]:
    """The groups that are chosen. Raises bad_input where that is not clear, and says who serves which."""
    allowed, patterns = options["allowed_hosts"], options["only_groups"]
    if not patterns and len(groups) != 1:
        some = [f"{group.title} ({', '.join(group.hosts)})" for group in groups[: host_patterns.SHOWN]]
        raise VpnKeysError(
            "bad_input",
            f"The key servers serve {len(groups)} groups: {', '.join(some) or 'none'}",
            state=NOTHING_DONE,
            advice="choose one with O(only_groups)",
        )
    found = groups
    if patterns:
        meant = host_patterns.meant([group.known_as for group in groups], patterns, "O(only_groups)")
        found = [group for group, is_meant in zip(groups, meant, strict=True) if is_meant]
    if allowed is not None:
        found = [group for group in found if set(allowed).intersection(group.hosts)]
    if not found:
        raise VpnKeysError(
            "bad_input",
            "O(allowed_hosts) leaves no group",
            state=NOTHING_DONE,
            advice="choose other key servers in O(hosts)",
        )
    return found


def _to_do(group: Mapping[str, t.Any]) -> bool:
    return bool(group["outcome"] == "planned" and group["state"] != "retired")


def _difference(found: Found, group: Mapping[str, t.Any]) -> dict[str, str]:
    """The labels that the key servers named, and those that they name now, or would in the end."""
    after = {server["host"]: server["label"] for server in group["key_servers"]}
    wanted = found.rotator.wanted if found.rotator else None
    if group["outcome"] == "planned" and wanted and wanted.until != "prepared":
        after = dict.fromkeys(after, group["old_label"] if wanted.policy.abort else group["label"])
        if wanted.until == "secondaries":
            after |= {one["host"]: one["label"] for one in group["key_servers"] if one["role"] == "Primary"}
    name = group["name"]
    return {"before_header": name, "after_header": name, "before": _listed(found.before), "after": _listed(after)}


def _listed(labels: Mapping[str, str | None]) -> str:
    return "".join(f"{host}: {label}\n" for host, label in sorted(labels.items()))


async def _sleep(asked: Callable[[], int], seconds: float) -> None:
    """Until the user asks to end."""
    end = time.monotonic() + seconds
    while not asked() and (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(left, 0.5))
