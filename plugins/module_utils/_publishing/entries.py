# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the peers of a gateway must store of it, as a line of a publication. Pure. PRIVATE to the collection; standard
library only, for the gateways.

There is one line for each gateway, the same for all its peers: a key that changes makes one line new, however many
peers have to store it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import typing as t

FORM = 1
_KEY = 4096
_Check = t.Callable[[t.Any], bool]


def _text(longest: int) -> _Check:
    return lambda value: isinstance(value, str) and 0 < len(value) <= longest


def _number(value: t.Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**15


def _or_none(check: _Check) -> _Check:
    return lambda value: value is None or check(value)


def _list(check: _Check, most: int) -> _Check:
    return lambda value: isinstance(value, list) and len(value) <= most and all(map(check, value))


FIELDS: t.Mapping[str, _Check] = {
    "name": _text(253),
    "platform": _text(40),
    "identity": _or_none(_text(1024)),
    "endpoint": _or_none(_text(512)),
    "networks": _list(_text(64), 1000),
    "current": _or_none(_text(_KEY)),
    "staged": _or_none(_text(_KEY)),
    "withdrawn": lambda value: isinstance(value, bool),
    "known": _list(_text(_KEY), 1000),
    "serial": _or_none(_number),
    "staged_serial": _or_none(_number),
    "revision": _number,
}
"""Of an entry, as gateway_peers takes it; what is published is the form and these, and nothing else."""

Entry = t.Dict[str, t.Any]  # noqa: UP006, a value on Python 3.8


def lines(view: t.Mapping[str, t.Any], salt: str = "") -> list[bytes]:
    """All of a directory, sorted by name. `view`: the result of key_directory_info about all gateways."""
    gateways = view["directory"]["gateways"]
    stored = (one for one in view["peers"] if one["current"] is not None or (one["withdrawn"] and one["known"]))
    entries = [_entry(one, gateways[one["name"]]["rotation"], salt) for one in stored]
    return [_line(one) for one in sorted(entries, key=lambda one: str(one["name"]))]


def pseudonym(name: str, salt: str) -> str:
    """What stands for a name where names are not to be read; without a salt the name itself."""
    if not salt:
        return name
    return "h" + hmac.new(salt.encode(), name.encode(), hashlib.sha256).hexdigest()[:32]


def read(line: bytes) -> Entry:
    """Raises ValueError for anything but what `lines` makes."""
    try:
        found = json.loads(line.decode("ascii"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict) or found.get("form") != FORM:
        raise ValueError("it is of another form")
    entry = {name: value for name, value in found.items() if name != "form"}
    if entry.keys() != FIELDS.keys() or not all(check(entry[name]) for name, check in FIELDS.items()):
        raise ValueError("its fields are not those of an entry")
    if _line(entry) != line:
        raise ValueError("it is not in the usual form")
    return entry


def _entry(peer: t.Mapping[str, t.Any], rotation: t.Mapping[str, t.Any] | None, salt: str) -> Entry:
    """While a gateway may still roll back to its old key by itself, its peers keep accepting that."""
    entry = {name: peer[name] for name in FIELDS}
    if rotation and rotation["state"] == "active" and peer["previous"]:
        entry.update(staged=peer["previous"], staged_serial=rotation["old"]["serial"])
    if salt:
        identity = None if peer["platform"] == "wireguard" else peer["identity"] or peer["name"]
        entry.update(name=pseudonym(peer["name"], salt), identity=identity)
    return {**entry, "endpoint": entry["endpoint"] or None, "identity": entry["identity"] or None}


def _line(entry: Entry) -> bytes:
    whole = {"form": FORM, **entry}
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
