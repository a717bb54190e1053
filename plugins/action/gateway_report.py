# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import functools
import json
import typing as t
from collections.abc import Callable

from ..module_utils._errors import NOTHING_REPORTED
from ..module_utils._fleet import plan as planning
from ..module_utils._fleet.findings import failing, sentences
from ..module_utils._fleet.model import EMERGENCY, Directory
from ..module_utils._fleet.observed import ABSENT, REFUSED, Observation, Observations, none_observed, none_reached
from ..module_utils._fleet.outcome import converged, enrolled, outcome, without_an_answer
from ..module_utils._fleet.status import status
from ..module_utils._fleet.verify import Proof
from ..modules.gateway_report import ARGUMENT_SPEC
from ..plugin_utils import device_answer
from ..plugin_utils.control_action import ControlAction, Result, display
from ..plugin_utils.key_report.calendar import calendar
from ..plugin_utils.progress import results
from ..plugin_utils.progress.found import in_brief, on_gateways
from ..plugin_utils.tables import gateways, output

Data = dict[str, t.Any]
PLACES = ("where", "signing_key_path", "signing_key_url")
"""Of a directory and its key, in what the directory says."""
LONGEST = 1000
"""Characters of what one gateway left out."""
MOST = 20
"""So many sentences are in a message; the result has all."""


class ActionModule(ControlAction):
    BYPASS_HOST_LOOP = True
    ARGUMENT_SPEC = ARGUMENT_SPEC
    LIBRARIES = ("rich",)

    async def operate(self, options: Data) -> Result:
        return WHAT[options["what"]](self, Directory.from_result(options["directory"]), options)

    def dropped(self, directory: Directory, options: Data) -> Result:
        made = planning.dropped(directory, _answers(options), planning.Plan.from_result(options["plan"]))
        text = gateways.retired if options["mode"] == planning.RETIRE else gateways.dropped
        shown = output.show(text(made, display.columns))
        # With a new key to make there is more to do first; the outcome tells it then.
        if options["mode"] != EMERGENCY and (problems := planning.still_accepting(made)):
            # Ansible prints all of a result that failed, in one line: only what its message does not say.
            return {"changed": shown["changed"]} | _failure("not_proved", problems)
        return shown | {"plan": made.to_result()}

    def outcome(self, directory: Directory, options: Data) -> Result:
        emergency = options["mode"] == EMERGENCY
        made = planning.Plan.from_result(options["plan"])
        proofs = {str(name): Proof.from_result(one) for name, one in options["proof"].items()}
        found = outcome(directory, made, proofs)
        problems = [*found.problems(options["mode"]), *(planning.still_accepting(made) if emergency else ())]
        table = functools.partial(gateways.outcome, found, made, emergency, display.columns)
        return self._result(options, found.to_result(), table, "not_proved", problems)

    def converged(self, directory: Directory, options: Data) -> Result:
        before = Directory.from_result(options["before"]) if options["before"] else directory
        answers = _answers(options)
        found = converged(before, directory, answers)
        problems = sentences(failing(found.findings, options["fail_on"]))
        # Who alone has something to store is often away for long; that nobody at all is there is another matter.
        everybody = {name for name, one in answers.items() if one.state != ABSENT} >= set(directory.in_use)
        if options["fail_on"] != "nothing" and everybody and (why := none_reached(answers)):
            problems.append(why)
        table = functools.partial(gateways.converged, found, display.columns)
        return self._result(options, found.to_result(), table, "drift", problems)

    def enrolled(self, directory: Directory, options: Data) -> Result:
        given = options["directory"]
        answers = device_answer.answers("gateway_key", options["answers"])
        found = {
            "gateways": enrolled(directory),
            **{name: str(given[name]) if given.get(name) else None for name in PLACES},
            "without_key": [one.host for one in answers.values() if one.said and not one.said["public_key"]],
            "reasons": without_an_answer({host: _reached(one) for host, one in answers.items()}),
        }
        return output.show(gateways.enrolled(found, self.check, display.columns)) | {"enrolled": found}

    def status(self, directory: Directory, options: Data) -> Result:
        observations = device_answer.observations(options["observations"])
        found = status(directory, observations, calendar(options, NOTHING_REPORTED))
        problems = sentences(failing(found.findings, options["fail_on"]))
        if options["fail_on"] != "nothing" and (why := none_observed(observations)):
            problems.append(why)
        table = functools.partial(gateways.status, found, display.columns)
        return self._result(options, found.to_result(), table, "drift", problems)

    def _result(
        self, options: Data, found: Data, table: t.Callable[[str], str], code: str, problems: list[str]
    ) -> Result:
        """Shown, kept where a file is asked for, and failed where there are problems. `table`: without what is said by
        the message of the failed task."""
        shown = output.show(table(" ".join(problems[:MOST])))
        result = shown | {options["what"]: found} | self._written(options["path"], found)
        if not problems:
            return result
        # Ansible prints all of a result that failed, in one line: only what its message does not say.
        failure = _failure(code, problems)
        brief = in_brief(on_gateways(result), failure["msg"])
        lacking = results.in_brief(results.pending(result) or {})
        del result["lines"], result[options["what"]]
        return result | failure | {"by_gateway": brief, "pending": lacking}

    def _written(self, path: str | None, found: Data) -> Result:
        if not path:
            return {}
        content = json.dumps(found, indent=2, sort_keys=True) + "\n"
        return {"path": path, "changed": output.keep(path, content, self.check)}


def _answers(options: Data) -> Observations:
    """Of those that were told to store something it counts only how far they were reached, and what they left out."""
    found = device_answer.answers("gateway_peers", options["answers"])
    return {host: _reached(one) for host, one in found.items()}


def _reached(one: device_answer.Answer) -> Observation:
    if one.left_out:
        return Observation(one.host, REFUSED, _some(one.left_out), findings=one.findings)
    return Observation(one.host, one.state, one.why, findings=one.findings, advice=one.advice)


def _some(sentences: t.Sequence[str]) -> str:
    """As many of them as people read: whole ones, so that what is quoted in them stays so."""
    size, shown = 0, 0
    for text in sentences:
        size += len(text)
        if shown and size > LONGEST:
            break
        shown += 1
    more = len(sentences) - shown
    return " ".join([*sentences[:shown], *([f"And {more} more."] if more else [])])


def _failure(code: str, problems: list[str]) -> Result:
    if not problems:
        return {}
    more = [f"And {len(problems) - MOST} more."] if len(problems) > MOST else []
    return {"failed": True, "code": code, "msg": " ".join([*problems[:MOST], *more])}


WHAT: dict[str, Callable[[ActionModule, Directory, Data], Result]] = {
    "dropped": ActionModule.dropped,
    "outcome": ActionModule.outcome,
    "converged": ActionModule.converged,
    "enrolled": ActionModule.enrolled,
    "status": ActionModule.status,
}
