# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How keys and groups are shown in results and diffs. Public data only."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Mapping, Sequence

from ...module_utils._ios.getvpn import Survey
from ...module_utils._ios.getvpn_members import Member, Rekeys
from ...module_utils._ios.key_listings import RsaKey
from ...module_utils._ios.labels import Label


def to_result(key: RsaKey) -> dict[str, t.Any]:
    return {
        "label": key.label,
        "usage": key.usage,
        "size": key.bits,
        "exportable": key.exportable,
        "saved": key.saved,
        "storage": key.storage,
        "generated": key.generated,
        "fingerprint": key.fingerprint,
        "public_key": key.public_key,
    }


def difference(
    label: Label, before: Sequence[RsaKey], after: RsaKey | Mapping[str, t.Any] | None, *, saved: bool
) -> dict[str, str]:
    """A diff of fingerprints. `after` without a fingerprint is a key that is still to be made: check mode cannot know
    it, so the real run does not show it there either."""
    return {
        "before_header": str(label),
        "after_header": str(label),
        "before": "".join(_lines(key, key.saved) for key in before),
        "after": _lines(after, True if saved else None if isinstance(after, Mapping) else after.saved) if after else "",
    }


def _lines(key: RsaKey | Mapping[str, t.Any], saved: bool | None) -> str:
    if isinstance(key, RsaKey):
        key = {
            "fingerprint": key.fingerprint,
            "size": key.bits,
            "usage": key.usage,
            "exportable": key.exportable,
        }
    shown_ = {"fingerprint": "(new)"} | dict(key) | {"saved": saved}
    words = {name: "unknown" if value is None else str(value).lower() for name, value in shown_.items()}
    return "".join(f"{name}: {word}\n" for name, word in words.items())


def keys_to_result(seen: Survey) -> list[dict[str, t.Any]]:
    """All keys of a device but its temporary ones."""
    return [to_result(key) for key in seen.ring.keys if not key.temporary]


def groups_to_result(seen: Survey) -> list[dict[str, t.Any]]:
    """One entry per group that the device serves."""
    keys = {key.label: key for key in seen.ring.keys}
    policies = {policy.group: policy for policy in reversed(seen.policies)}
    members_of: dict[str, list[Member]] = {}
    for member in seen.members:
        members_of.setdefault(member.group, []).append(member)
    groups = []
    for group in seen.groups:
        coop, policy = seen.coop.get(group.name), policies.get(group.name)
        members = members_of.get(group.name, [])
        key, rekeys = keys.get(group.label or ""), seen.rekeys.get(group.name, Rekeys())
        groups.append(
            dataclasses.asdict(group)
            | {
                "peers": list(group.peers),
                "role": coop.role if coop else None,
                "coop": dataclasses.asdict(coop) if coop else None,
                "fingerprint": key.fingerprint if key else None,
                "startup_label": seen.startup_label(group.name),
                "rekeys_sent": rekeys.sent,
                "last_rekey_retransmits": rekeys.retransmits,
                "last_rekey_milliseconds": rekeys.milliseconds,
                "policy": dataclasses.asdict(policy) if policy else None,
                "members": [dataclasses.asdict(member) for member in members],
                "registered": sum(member.state == "Registered" for member in members),
                "acks_missed": sum(member.acks_missed or 0 for member in members),
            }
        )
    return groups
