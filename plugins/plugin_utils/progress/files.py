# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run as JSON and as JUnit. Pure: counts in, text out."""

from __future__ import annotations

import json
import re
import typing as t
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timezone
from xml.etree import ElementTree

from .found import Found
from .model import Devices, Run, Step, Verdict

Data = dict[str, t.Any]
NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_data(run: Run) -> Data:
    """The whole run, for programs."""
    ended = run.ended if run.ended is not None else run.begun
    return {
        "playbook": run.playbook,
        "check_mode": run.check,
        "interrupted": run.interrupted,
        "begun": _when(run.begun),
        "ended": _when(ended),
        "seconds": round(ended - run.begun, 3),
        "counts": dict(run.verdicts),
        "hosts": {host: run.verdict(host) for host in run.hosts},
        "deferred": run.deferred,
        "results": [_found(run, one) for host in run.hosts for one in run.found(host)],
        "problems": [
            {
                "host": None if one.for_all else one.host,
                "step": one.step,
                "outcome": "rescued" if run.rescued(one) else one.outcome,
                "for_all": one.for_all,
                "message": one.sentence,
            }
            for one in run.problems
        ],
        "steps": [_step(step) for step in run.steps if step.worth_a_line],
    }


def _found(run: Run, one: Found) -> Data:
    return {
        "host": one.host,
        "group": one.unit or None,
        "result": one.state,
        "verdict": run.weighed(one),
        "message": one.message or None,
    }


def _step(step: Step) -> Data:
    return {
        "play": step.play,
        "name": step.name,
        "begun": _when(step.begun),
        "seconds": round(step.seconds(step.begun), 3),
        "counts": dict(step.counts),
        "devices": step.devices and _devices(step.devices, "failed"),
        "steps": step.operations and _devices(step.operations),
    }


def _devices(counted: Devices, *more: str) -> Data:
    return {key: getattr(counted, key) for key in ("total", "done", *more)}


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")


def as_json(run: Run) -> str:
    return json.dumps(as_data(run), indent=2, sort_keys=True) + "\n"


def as_junit(run: Run) -> str:
    """A test case per host, or per key server and group; and one for each task that failed for all."""
    cases = _cases(run)
    ended = run.ended if run.ended is not None else run.begun
    tags = Counter(TAGS.get(case.verdict) for case in cases)
    numbers = {
        "tests": len(cases),
        "failures": tags["failure"],
        "errors": tags["error"],
        "skipped": tags["skipped"],
        "time": f"{ended - run.begun:.3f}",
    }
    attributes = {key: str(value) for key, value in numbers.items()}
    suites = ElementTree.Element("testsuites", attributes)
    suite = ElementTree.SubElement(
        suites, "testsuite", {"name": _clean(run.playbook), "timestamp": _when(run.begun), **attributes}
    )
    for case in cases:
        names = {"classname": _clean(run.playbook), "name": _clean(case.name)}
        element = ElementTree.SubElement(suite, "testcase", names)
        if case.verdict in TAGS:
            ElementTree.SubElement(element, TAGS[case.verdict], {"message": _clean(case.text or case.verdict)})
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


TAGS = {
    "failed": "failure",
    "unreachable": "error",
    "not finished": "error",
    "unknown": "skipped",
    "deferred": "skipped",
    "not run": "skipped",
}


@dataclass(frozen=True)
class _Case:
    name: str
    verdict: Verdict
    text: str = ""


def _cases(run: Run) -> list[_Case]:
    for_all = [_Case(f"for all: {one.step}", "failed", one.sentence) for one in run.unsolved if one.for_all]
    return [case for host in run.hosts for case in _of_host(run, host)] + for_all


def _of_host(run: Run, host: str) -> list[_Case]:
    """One for each of its groups, and one for the host itself where it has none, or did not get through."""
    own = [f"{one.step}: {one.sentence}" for one in run.unsolved if one.host == host and not one.for_all]
    groups = [one for one in run.found(host) if one.unit]
    cases = [_Case(f"{host}: {one.unit}", run.weighed(one), one.message) for one in groups]
    verdict = run.verdict(host)
    if cases and not own and verdict not in ("deferred", "unreachable") and len(groups) == len(run.found(host)):
        return cases
    texts = own or [one.message for one in run.found(host) if not one.unit]
    return [*cases, _Case(host, verdict, "\n".join(texts) or run.deferred.get(host, ""))]


def _clean(text: str) -> str:
    """XML has no way to write some characters that devices send."""
    return NO_XML.sub("?", text)
