# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people read: one table per key, what was found, done and proved. Pure: results in, text out."""

from __future__ import annotations

import io
import re
import textwrap
import typing as t
from collections.abc import Mapping, Sequence

from ...module_utils._errors import about_host, together
from ...module_utils._fingerprint import short
from ...module_utils._key_servers.steps import from_result
from ..ending import ending

try:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text
except ImportError:  # control_action names the missing library
    pass

Data = dict[str, t.Any]
VERDICTS = {
    "in_sync": "in sync",
    "absent": "no key server has the key",
    "missing": "the key is missing on some",
    "conflict": "the keys differ",
    "split": "more than one primary",
    "unknown": "not known",
}

COMPROMISED = "the key is compromised"


def merge(found: Mapping[str, t.Any], done: Mapping[str, t.Any] | None, proof: Mapping[str, t.Any] | None) -> Data:
    """One report from the results of compare, sync and compare, as key_server_results.check knows them."""
    done_units = {_identity(unit): unit for unit in (done or {}).get("units", ())}
    proof_units = {_identity(unit): unit for unit in (proof or {}).get("units", ())}
    units = [
        _merge_unit(unit, done_units.get(_identity(unit)), proof_units.get(_identity(unit)), proof is not None)
        for unit in found["units"]
    ]
    last = proof or found
    problems, claims = dict(last["problems"]), [dict(claim) for claim in last["claims"]]
    return {
        "in_sync": bool(units) and all(unit["in_sync"] for unit in units) and not problems and not claims,
        "units": units,
        "claims": claims,
        "findings": [*last["findings"], *_replaced(found, proof)],
        "problems": problems,
        "ungrouped": list(last["ungrouped"]),
        "error": (done or {}).get("msg") if not done_units else None,
        "interrupted": bool((done or {}).get("interrupted")),
    }


def _replaced(found: Mapping[str, t.Any], proof: Mapping[str, t.Any] | None) -> list[str]:
    """What became of each compromised key, where it has been looked at again."""
    after = {one["fingerprint"]: one["key_servers"] for one in (proof or {}).get("compromised", ())}
    sentences = []
    for one in found.get("compromised", ()):
        left = after.get(one["fingerprint"], one["key_servers"])
        gone = [name for name in one["key_servers"] if name not in left]
        key = f"the compromised key {short(one['fingerprint'])}"
        sentences += [f"{', '.join(gone)}: {key} was replaced in this run."] if gone else []
        sentences += [f"{', '.join(left)}: {key} is still there."] if left and proof else []
    return sentences


def _identity(unit: Mapping[str, t.Any]) -> tuple[str, ...]:
    return (str(unit["label"]), *unit["groups"], *(server["host"] for server in unit["key_servers"]))


def _merge_unit(
    found: Mapping[str, t.Any],
    done: Mapping[str, t.Any] | None,
    proof: Mapping[str, t.Any] | None,
    proved: bool,
) -> Data:
    after = {server["host"]: server for server in (proof or ({} if proved else found)).get("key_servers", ())}
    steps = (done or {}).get("done", {})
    last = proof or found
    return {
        "label": found["label"],
        "groups": list(found["groups"]),
        "verdict": last["verdict"],
        "in_sync": last["in_sync"] and not (done or {}).get("error"),
        "found": found["verdict"],
        "planned": list(found["steps"]),
        "would": list(found["would"]),
        "needs_consent": last["needs_consent"],
        "blocked": last["blocked"],
        "primary": last["primary"],
        "primary_by": last["primary_by"],
        "error": (done or {}).get("error"),
        "interrupted": bool((done or {}).get("interrupted")),
        "findings": list(last["findings"]),
        "registered_members": dict(found["registered_members"]),
        "members_with_old_key": found["members_with_old_key"],
        "replaces": list(found["replaces"]),
        "digest": found["digest"],
        "key_servers": [
            _merge_server(server, after.get(server["host"], {}), steps.get(server["host"], []))
            for server in found["key_servers"]
        ],
    }


def _merge_server(before: Mapping[str, t.Any], after: Mapping[str, t.Any], done: list[str]) -> Data:
    shown = {
        key: after.get(key, before.get(key))
        for key in ("address", "role", "priority", "problem", "size", "exportable", "saved")
    }
    if shown["saved"] is None and after.get("fingerprint") and _saved_at_the_end(done):
        shown["saved"] = True
    return shown | {
        "host": before["host"],
        "found": before["fingerprint"],
        "done": list(done),
        "fingerprint": after.get("fingerprint"),
    }


def _saved_at_the_end(done: Sequence[str]) -> bool:
    """Whether the device said so after the last change. Not every device shows it afterwards."""
    return bool(done) and done[-1] == "saved"


def complaint(report: Data, fail_on: str) -> str | None:
    """Why the run is not a success, in one sentence per key; None if it is."""
    if fail_on == "nothing":
        return None
    sentences = [report["error"]] if report["error"] else []
    why = [(_title(unit), _why(unit)) for unit in report["units"] if _wrong(unit, fail_on)]
    sentences += [f"{', '.join(titles)}: {text}" for text, titles in together(why).items()]
    sentences += [ending(report["units"])] if report["interrupted"] else []
    if not report["units"] and not report["problems"]:
        sentences.append("No key server serves a GET VPN group; set O(label), or check the configuration.")
    said = " ".join(sentences)
    if fail_on == "drift":
        sentences += [claim["why"] for claim in report["claims"] if claim["why"] not in said]
    sentences += _unread(report["problems"], said)
    return " ".join(sentences) or None


def _wrong(unit: Data, fail_on: str) -> bool:
    return bool(unit["error"]) or unit["verdict"] == "unknown" or (fail_on == "drift" and not unit["in_sync"])


def _why(unit: Data) -> str:
    if unit["error"]:
        return str(unit["error"])
    return f"{unit['blocked'] or VERDICTS[unit['verdict']] + '.'}{_consent_hint(unit)}"


def _unread(problems: Mapping[str, str], said: str) -> list[str]:
    """Why key servers could not be read, each reason once, unless it was said."""
    new = [(host, text) for host, text in problems.items() if about_host(host, text) not in said]
    return [f"{', '.join(hosts)}: {text}" for text, hosts in together(new).items()]


def _consent_hint(unit: Data) -> str:
    return " Nothing was replaced; key_server_sync_overwrite: always allows it." if unit["needs_consent"] else ""


def _title(unit: Data) -> str:
    groups = ", ".join(unit["groups"])
    return f"{unit['label'] or 'no label'} ({groups})" if groups else str(unit["label"])


def render(report: Data, width: int, said: str = "") -> str:
    """The report as text, at most `width` columns wide. `said`: what follows it anyway, and is not told here, too."""
    out = io.StringIO()
    console = Console(file=out, width=max(width, 60), no_color=True, highlight=False, markup=False, emoji=False)
    for unit in report["units"]:
        _render_unit(console, unit, said)
    if report["ungrouped"]:
        _note(console, f"Serve no GET VPN group: {', '.join(report['ungrouped'])}.")
    blocked = " ".join(unit["blocked"] or "" for unit in report["units"])
    for text in (*(claim["why"] for claim in report["claims"]), *report["findings"]):
        if text not in blocked and text not in said:
            _note(console, text)
    shown = " ".join(server["problem"] or "" for unit in report["units"] for server in unit["key_servers"])
    for text in _unread(report["problems"], f"{shown} {said}"):
        _note(console, text)
    text = "\n".join(line.rstrip() for line in out.getvalue().splitlines())
    return re.sub("\n\n\n+", "\n\n", text).rstrip("\n")


def _render_unit(console: Console, unit: Data, said: str) -> None:
    acted = any(server["done"] for server in unit["key_servers"])
    columns = COLUMNS_AFTER if acted else COLUMNS
    title = Text(f"{_title(unit)}: {_state(unit)}")
    table = Table(
        box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False, padding=(0, 1, 0, 0)
    )
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name in ("found", "now", "role"))
    for server in unit["key_servers"]:
        table.add_row(*(Text(cell(server)) for cell in columns.values()))
    console.print()
    console.print(table)
    for line in _notes(unit):
        if line not in said:
            _note(console, line)


def _note(console: Console, text: str) -> None:
    """Hanging: the next one must be told from the rest of this one."""
    rest = " " * (len(text) - len(text.lstrip()) + 4)
    console.print(
        Text(textwrap.fill(text, console.width, initial_indent="  ", subsequent_indent=rest, break_on_hyphens=False))
    )


COLUMNS: dict[str, t.Callable[[Data], str]] = {
    "key server": lambda server: str(server["host"]),
    "role": lambda server: server["role"] or "-",
    "found": lambda server: "unreadable" if server["problem"] else _key(server["found"]),
    "bits": lambda server: str(server["size"] or "-"),
    "exportable": lambda server: _yes(server["exportable"]),
    # Many devices do not show it.
    "saved": lambda server: "unknown" if server["saved"] is None and server["fingerprint"] else _yes(server["saved"]),
}
COLUMNS_AFTER: dict[str, t.Callable[[Data], str]] = {
    **{name: COLUMNS[name] for name in ("key server", "role", "found")},
    "done": lambda server: _done(server["done"]),
    "now": lambda server: _key(server["fingerprint"]),
    "saved": COLUMNS["saved"],
}


def _done(words: list[str]) -> str:
    """What was done, without the steps on the way to it."""
    final = [word for word in dict.fromkeys(words) if not (word == "staged" and "replaced" in words)]
    return ", ".join(final) or "-"


def _state(unit: Data) -> str:
    if unit["error"]:
        return "interrupted" if unit["interrupted"] else "failed"
    if unit["found"] != "in_sync" and unit["in_sync"]:
        return "in sync now"
    # A conflict among equals: what they hold is compromised.
    equal = len({server["fingerprint"] or server["found"] for server in unit["key_servers"]} - {None}) == 1
    return COMPROMISED if unit["verdict"] == "conflict" and equal else VERDICTS[unit["verdict"]]


def _notes(unit: Data) -> list[str]:
    notes = [unit["error"]] if unit["error"] else [unit["blocked"]] if unit["blocked"] else []
    problems = {server["host"]: server["problem"] for server in unit["key_servers"] if server["problem"]}
    notes += _unread(problems, str(unit["blocked"]))
    if not unit["in_sync"]:
        heading = "With consent (key_server_sync_overwrite: always):" if unit["would"] else "Planned:"
        planned = map(from_result, unit["would"] or unit["planned"])
        steps = [f"  {number}. {step.describe()}" for number, step in enumerate(planned, 1)]
        notes += [heading, *steps] if steps else []
    if unit["members_with_old_key"]:
        notes.append(
            f"{unit['members_with_old_key']} of {sum(unit['registered_members'].values())} registered group members "
            "have the old public key: they cannot verify rekeys signed with another key until they register again."
        )
    return [*notes, *unit["findings"]]


def _key(fingerprint: str | None) -> str:
    return short(fingerprint) if fingerprint else "none"


def _yes(value: bool | None) -> str:
    return "-" if value is None else "yes" if value else "no"
