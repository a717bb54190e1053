# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run as JSON and as JUnit. Pure: counts in, text out."""

from __future__ import annotations

import json
import re
import typing as t
from datetime import datetime, timezone
from xml.etree import ElementTree

from .model import Devices, Run, Step

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
        "problems": [
            {
                "host": one.host,
                "step": one.step,
                "outcome": "rescued" if run.rescued(one) else one.outcome,
                "for_all": one.for_all,
                "message": one.sentence,
            }
            for one in run.problems
        ],
        "steps": [_step(step) for step in run.steps if step.worth_a_line],
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
    """A test case per host: a failure, an error where it could not be reached, skipped where it is deferred."""
    hosts, verdicts = run.hosts, run.verdicts
    ended = run.ended if run.ended is not None else run.begun
    numbers = {
        "tests": len(hosts),
        "failures": verdicts.get("failed", 0),
        "errors": verdicts.get("unreachable", 0),
        "skipped": verdicts.get("deferred", 0) + verdicts.get("not run", 0),
        "time": f"{ended - run.begun:.3f}",
    }
    attributes = {key: str(value) for key, value in numbers.items()}
    suites = ElementTree.Element("testsuites", attributes)
    suite = ElementTree.SubElement(
        suites, "testsuite", {"name": _clean(run.playbook), "timestamp": _when(run.begun), **attributes}
    )
    for host in hosts:
        case = ElementTree.SubElement(suite, "testcase", {"classname": _clean(run.playbook), "name": _clean(host)})
        verdict = run.verdict(host)
        if verdict in TAGS:
            told = [f"{one.step}: {one.sentence}".removeprefix(": ") for one in run.unsolved if one.host == host]
            text = "\n".join(told) or run.deferred.get(host) or verdict
            ElementTree.SubElement(case, TAGS[verdict], {"message": _clean(text)})
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


TAGS = {"failed": "failure", "unreachable": "error", "deferred": "skipped", "not run": "skipped"}


def _clean(text: str) -> str:
    """XML has no way to write some characters that devices send."""
    return NO_XML.sub("?", text)
