# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a key may be in use: its cryptoperiod, the reason for it, and when it is to be replaced. Pure. PRIVATE to
the collection.

Points in time are texts in UTC, `2026-11-22T03:12:45Z`, as in the directory.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from .._errors import NOTHING_REPORTED, VpnKeysError

GATEWAY, KEY_SERVER, SIGNING_KEY = "gateway", "key_server", "signing_key"
IN_TIME, DUE, OVERDUE = "in time", "due", "overdue"
FORM = "%Y-%m-%dT%H:%M:%SZ"
LONGEST = 36_500
"""Days: no cryptoperiod is longer."""


@dataclass(frozen=True)
class Period:
    """The cryptoperiod of a class of keys. A key is due in the last `due_days` of its `days`, and overdue after them.
    `reason`: why it is that long; `custodian`: who answers for these keys, perhaps nobody that is named."""

    days: int
    due_days: int
    reason: str
    custodian: str = ""

    def __post_init__(self) -> None:
        """Raises VpnKeysError(bad_input)."""
        if not (1 <= self.days <= LONGEST and 0 <= self.due_days <= self.days):
            raise VpnKeysError(
                "bad_input",
                f"O(periods) has days={self.days} and due_days={self.due_days}",
                state=NOTHING_REPORTED,
                advice=f"set days from 1 to {LONGEST}, and due_days from 0 to days",
            )


_NIST = "NIST SP 800-57 Part 1, section 5.3.6"
_SIGNATURES = f"{_NIST}: 1 to 3 years for private keys of signatures"
DEFAULTS: Mapping[str, Period] = {
    GATEWAY: Period(365, 30, f"{_NIST}: 1 to 2 years for private keys of key agreement and authentication"),
    KEY_SERVER: Period(365, 30, _SIGNATURES),
    SIGNING_KEY: Period(1095, 90, f"{_SIGNATURES}; everyone who reads the directory must get the next one"),
}
"""By class of key."""

SPEC: dict[str, t.Any] = dict(
    type="dict",
    apply_defaults=True,
    options={
        kind: dict(
            type="dict",
            apply_defaults=True,
            no_log=False,
            options=dict(
                days=dict(type="int", default=one.days),
                due_days=dict(type="int", default=one.due_days),
                reason=dict(type="str", default=one.reason),
                custodian=dict(type="str", default=one.custodian),
            ),
        )
        for kind, one in DEFAULTS.items()
    },
)
"""Of the option `periods`."""


def moment(text: str | None) -> datetime | None:
    """None for a text that is not a point in time."""
    try:
        return datetime.strptime(text or "", FORM).replace(tzinfo=timezone.utc)
    except ValueError:
        return None


@dataclass(frozen=True)
class Term:
    """When a key is to be replaced (`ends`), and how near that is: one of the three states. `period`: of its class."""

    period: Period
    ends: str | None
    state: str | None

    @property
    def sentence(self) -> str:
        """What is wrong with it, of what the sentence before names."""
        over = "should have been replaced by" if self.state == OVERDUE else "is to be replaced by"
        return f"{over} {(self.ends or '')[:10]}: its period is {self.period.days} days"


@dataclass(frozen=True)
class Calendar:
    """The periods by class of key, and the point in time at which keys are judged."""

    periods: Mapping[str, Period]
    at: str

    @classmethod
    def of(cls, options: Mapping[str, t.Any], at: str) -> Calendar:
        """From the option `periods`. Raises VpnKeysError(bad_input)."""
        return cls({kind: Period(**options[kind]) for kind in DEFAULTS}, at)

    def term(self, kind: str, since: str | None) -> Term:
        """Of a key of this class that is in use since then; without an end where nobody knows that."""
        period, begun, now = self.periods[kind], moment(since), moment(self.at)
        if begun is None or now is None:
            return Term(period, None, None)
        try:
            end = begun + timedelta(days=period.days)
            first = end - timedelta(days=period.due_days)
        except OverflowError:
            return Term(period, None, None)
        return Term(period, end.strftime(FORM), OVERDUE if now >= end else DUE if now >= first else IN_TIME)
