# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether options are the results of ios_rsa_key_compare and ios_rsa_key_sync that a report is made of. Pure.

What has this shape can be merged and shown: an exception there is a mistake of ours, not a bad option.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping

from ...module_utils._errors import NOTHING_REPORTED, VpnKeysError
from ...module_utils._key_servers import steps
from ..tables.key_servers import VERDICTS

Check = Callable[[t.Any], bool]


def _is(*kinds: type) -> Check:
    return lambda value: isinstance(value, kinds)


def _many(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _by_name(check: Check) -> Check:
    return lambda value: isinstance(value, Mapping) and all(
        isinstance(name, str) and check(one) for name, one in value.items()
    )


def _record(fields: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    def check(value: t.Any) -> bool:
        return (
            isinstance(value, Mapping)
            and all(name in value and one(value[name]) for name, one in fields.items())
            and all(one(value[name]) for name, one in (optional or {}).items() if name in value)
        )

    return check


_NOTHING = type(None)
_TEXT, _FLAG, _NUMBER = _is(str), _is(bool), _is(int)
_TEXTS = _many(_TEXT)
_MAYBE_TEXT, _MAYBE_FLAG, _MAYBE_NUMBER = _is(str, _NOTHING), _is(bool, _NOTHING), _is(int, _NOTHING)


def _step(value: t.Any) -> bool:
    try:
        steps.from_result(value)
    except ValueError:
        return False
    return True


_SERVER = _record(
    {
        "host": _TEXT,
        "address": _MAYBE_TEXT,
        "role": _MAYBE_TEXT,
        "priority": _MAYBE_NUMBER,
        "problem": _MAYBE_TEXT,
        "fingerprint": _MAYBE_TEXT,
        "size": _MAYBE_NUMBER,
        "exportable": _MAYBE_FLAG,
        "saved": _MAYBE_FLAG,
    }
)
_NAMED: dict[str, Check] = {"label": _MAYBE_TEXT, "groups": _TEXTS}
_COMPARED = _record(
    {
        "units": _many(
            _record(
                {
                    **_NAMED,
                    "key_servers": _many(_SERVER),
                    "verdict": lambda value: isinstance(value, str) and value in VERDICTS,
                    "in_sync": _FLAG,
                    "steps": _many(_step),
                    "would": _many(_step),
                    "needs_consent": _FLAG,
                    "blocked": _MAYBE_TEXT,
                    "primary": _MAYBE_TEXT,
                    "primary_by": _MAYBE_TEXT,
                    "findings": _TEXTS,
                    "registered_members": _by_name(_NUMBER),
                    "members_with_old_key": _NUMBER,
                    "replaces": _TEXTS,
                    "digest": _TEXT,
                }
            )
        ),
        "problems": _by_name(_TEXT),
        "claims": _many(_record({"why": _TEXT})),
        "findings": _TEXTS,
        "ungrouped": _TEXTS,
    },
    {"compromised": _many(_record({"fingerprint": _TEXT, "key_servers": _TEXTS}))},
)
_DONE = _many(
    _record(
        {**_NAMED, "key_servers": _many(_record({"host": _TEXT}))},
        {"done": _by_name(_TEXTS), "error": _MAYBE_TEXT, "interrupted": _FLAG},
    )
)
_SYNCED = _record({}, {"units": _DONE, "failed": _FLAG, "msg": _TEXT, "interrupted": _FLAG})


def check(found: t.Any, done: t.Any, proof: t.Any) -> None:
    """Raises VpnKeysError(bad_input) for what are no such results. `done` and `proof` may be missing."""
    if _COMPARED(found) and (done is None or _SYNCED(done)) and (proof is None or _COMPARED(proof)):
        return
    raise VpnKeysError(
        "bad_input",
        "O(found), O(done) and O(proof) must be results of ios_rsa_key_compare, ios_rsa_key_sync and "
        "ios_rsa_key_compare",
        state=NOTHING_REPORTED,
    )
