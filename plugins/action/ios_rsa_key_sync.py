# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
import os
import typing as t
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

from ..module_utils._errors import NOTHING_CHANGED, NOTHING_DONE, VpnKeysError, rendered, together
from ..module_utils._fleet_options import FLEET_MUTUALLY_EXCLUSIVE
from ..module_utils._ios.labels import Label
from ..modules.ios_rsa_key_sync import ARGUMENT_SPEC, REQUIRED_BY
from ..plugin_utils import advice, interruption
from ..plugin_utils.ending import RUN_AGAIN, ending
from ..plugin_utils.internal import internal_error
from ..plugin_utils.ios import key_files, session
from ..plugin_utils.ios.options import Target
from ..plugin_utils.key_servers import account, execute, survey
from ..plugin_utils.key_servers.action import IosAction, Result, display
from ..plugin_utils.key_servers.execute import ExecutionOptions, Progress
from ..plugin_utils.key_servers.survey import Planned
from ..plugin_utils.progress import pipe

AT_THE_END = {"allow_absent_compromised": True, "allow_partial_inventory": True}
"""Options for the look after the work, which may have replaced a compromised key, and must be told in any case."""


def _in_short(unit: dict[str, t.Any]) -> dict[str, t.Any]:
    """A unit of a result that failed: how far it came, and why not further."""
    hosts = [{"host": server["host"]} for server in unit["key_servers"]]
    kept = ("label", "groups", "done", "left", "error", "interrupted")
    return {key: unit[key] for key in kept} | {"key_servers": hosts}


def _check_backups(options: Mapping[str, t.Any]) -> None:
    """Raises bad_input."""
    if options["backup_directory"]:
        key_files.check_passphrase(options["backup_passphrase"])
        if not os.path.isdir(options["backup_directory"]):
            raise VpnKeysError(
                "bad_input",
                f"O(backup_directory) {options['backup_directory']} is not a directory",
                state=NOTHING_DONE,
                advice="create it, or set another one",
            )


def _needed(plans: survey.Plans) -> set[str]:
    """The key servers that are worked on."""
    return {host for one in plans.planned for host in one.plan.needs}


def _say(text: str) -> None:
    display.display(f"vpnops.keys: {text}", stderr=True)


class ActionModule(IosAction):
    BYPASS_HOST_LOOP = True
    PER_HOST = False
    ARGUMENT_SPEC = ARGUMENT_SPEC
    CONSTRAINTS = {"mutually_exclusive": FLEET_MUTUALLY_EXCLUSIVE, "required_by": REQUIRED_BY}

    async def operate(self, options: dict[str, t.Any]) -> Result:
        _check_backups(options)
        targets = self.fleet(options)
        self._addresses = self.addresses(targets)
        async with session.SessionPool() as pool:
            plans = await self._observe(targets, options, pool)
            if options["hold_for_consent"] and not self.check and any(one.plan.needs_consent for one in plans.planned):
                result = self._held(plans.planned)
            else:
                used = targets if options["verify"] else _needed(plans)
                await pool.only(() if self.check else used)
                result = await self._run_plans(plans.planned, targets, options, pool)
            result["claims"] = survey.claims_to_result(plans.claims, self._names)
            if options["verify"]:
                result["found"] = survey.compared(plans, targets, self._names)
                result |= await self._proof(result, targets, options, pool)
        return result

    async def _observe(
        self, targets: dict[str, Target], options: dict[str, t.Any], pool: session.SessionPool
    ) -> survey.Plans:
        # What is opened for the look is kept for the work and the proof, unless that were more sessions than are wanted
        # at once.
        reader = pool.read if len(targets) <= options["parallel"] else session.read
        seen = await survey.observe(list(targets.values()), options["parallel"], options["timeout"], reader)
        return survey.plan_all(seen, options, self._addresses)

    async def _proof(
        self, result: Result, targets: dict[str, Target], options: dict[str, t.Any], pool: session.SessionPool
    ) -> Result:
        """What stands on the key servers after the work. Where there was none to do, that has been looked at."""
        units = result["found"]["units"]
        if self.check or result["held"] or all(unit["in_sync"] and not unit["steps"] for unit in units):
            return {"proof": None}
        if not any(unit["steps"] for unit in units):
            return {"proof": result["found"]}
        if len(targets) > options["parallel"]:
            await pool.only(())
        try:
            plans = await self._observe(targets, options | AT_THE_END, pool)
        except VpnKeysError as error:
            # What was done must be told nevertheless.
            told = (result.get("msg"), rendered(error.marked, self._names))
            return {"failed": True, "code": error.code, "msg": " ".join(filter(None, told))}
        return {"proof": survey.compared(plans, targets, self._names)}

    @property
    def _names(self) -> Mapping[str, str]:
        return advice.of_task(self._task)

    def _held(self, planned: list[Planned]) -> Result:
        """Nothing is done until somebody was asked."""
        units = [self._untouched(one) for one in planned]
        return {"changed": False, "held": True, "units": units, "interrupted": False}

    def _untouched(self, one: Planned) -> dict[str, t.Any]:
        return survey.to_result(one, self._names) | {"done": {}, "left": [], "error": None, "interrupted": False}

    async def _run_plans(
        self,
        planned: list[Planned],
        targets: dict[str, Target],
        options: dict[str, t.Any],
        pool: session.SessionPool,
    ) -> Result:
        execution = ExecutionOptions(
            options["save"],
            options["generation_timeout"],
            options["backup_directory"],
            options["backup_passphrase"],
        )
        # Units that share a device take turns: two sessions must not write the configuration of one device at once.
        turns = {name: asyncio.Lock() for name in sorted(targets)}
        operations = 0 if self.check else sum(one.plan.operations for one in planned)
        count = pipe.Count(operations, "operations")
        with interruption.in_hand(reports=True) as asked:
            self._running: list[tuple[Planned, Progress]] = []
            watch = asyncio.ensure_future(interruption.watch(asked, self._interrupted))
            work = (self._unit(one, targets, execution, options, turns, count, pool, asked) for one in planned)
            units = await asyncio.gather(*work)
            watch.cancel()
            interrupted = bool(asked())
        failed = [unit for unit in units if unit["error"]]
        result: Result = {
            "changed": any(unit["done"] or (unit["steps"] and not unit["error"]) for unit in units),
            "held": False,
            "units": units,
            "interrupted": interrupted,
            "diff": [_diff(one, unit) for one, unit in zip(planned, units, strict=True) if unit["steps"]],
        }
        if failed or interrupted:
            reasons = together((unit["label"], unit["error"]) for unit in failed)
            told = [f"{', '.join(labels)}: {text}" for text, labels in reasons.items()]
            result |= {
                "failed": True,
                "msg": " ".join([*told, ending(units)] if interrupted else told),
                # Whatever shows tasks prints the whole result of one that failed.
                "units": [_in_short(unit) for unit in units],
            }
            del result["diff"]
        return result

    async def _unit(self, one: Planned, *more: t.Any) -> dict[str, t.Any]:
        unit = await self._worked_on(one, *more)
        left = account.left(one.plan.steps, unit["done"]) if unit["error"] else {}
        return unit | {"left": [host for host, words in left.items() if words]}

    async def _worked_on(
        self,
        one: Planned,
        targets: dict[str, Target],
        execution: ExecutionOptions,
        options: dict[str, t.Any],
        turns: dict[str, asyncio.Lock],
        count: pipe.Count,
        pool: session.SessionPool,
        asked: Callable[[], int],
    ) -> dict[str, t.Any]:
        unit = self._untouched(one)
        label = unit["label"]
        approved = options["approved"]
        if approved is not None and unit["steps"] and one.digest not in approved:
            return unit | {
                "error": f"the keys of its key servers have changed since the plan was approved. {NOTHING_CHANGED}; "
                "plan again."
            }
        touched = set(one.plan.changes)
        outside = touched - set(options["allowed_hosts"]) if options["allowed_hosts"] is not None else set()
        if outside:
            return unit | {
                "error": f"the plan also changes {', '.join(sorted(outside))}, which this run is not allowed to touch. "
                f"{NOTHING_CHANGED}; run without --limit."
            }
        if self.check or not unit["steps"]:
            return unit
        progress = Progress(lambda text: _say(f"{label}: {text}"), count, unit["done"], asked=asked)
        self._running.append((one, progress))
        try:
            with execute.locked(label, one.unit.hosts):
                async with AsyncExitStack() as waiting:
                    for host in sorted(one.plan.needs):
                        await waiting.enter_async_context(turns[host])
                    await execute.run_plan(one.plan, targets, execution, progress, pool)
        except VpnKeysError as error:
            unit |= {"error": rendered(error.marked, self._names), "interrupted": error.code == "interrupted"}
        except Exception as error:  # noqa: BLE001 - one unit must not end the work on the others
            unit["error"] = str(internal_error(label, error))
        return unit

    def _interrupted(self, times: int) -> None:
        """What the user is told at once."""
        if times > 1:
            self._give_account()
        else:
            self._announce()

    def _announce(self) -> None:
        doing = {host: None for _one, progress in self._running for host in progress.doing}
        first = f"{', '.join(doing)} {'is' if len(doing) == 1 else 'are'} being finished, " if doing else ""
        _say(
            f"interrupted: {first}no other key server is started. A second interrupt stops at once and leaves "
            "work half done."
        )

    def _give_account(self) -> None:
        """Who is done and who is not, for people and for the callback: nobody sees the result of this task any more."""
        for one, progress in self._running:
            label, steps = Label(str(one.unit.label)), one.plan.steps
            _say(f"{label}: stopped at once. {account.how_far(label, steps, progress.done, progress.doing)}")
            for host, state in account.by_state(steps, progress.done, progress.doing).items():
                found = "changed" if state == "Done" else "not finished"
                pipe.tell("result", host=host, unit=survey.title(one.unit), result=found, message=f"{state}.")
        _say(RUN_AGAIN)


def _diff(one: Planned, unit: Mapping[str, t.Any]) -> dict[str, str]:
    touched = {host for step in one.plan.steps for host in step.fills}
    before = {server["host"]: server["fingerprint"] or "(none)" for server in unit["key_servers"]}
    after = {host: unit["fingerprint"] or "(new)" if host in touched else held for host, held in before.items()}
    return {
        "before_header": unit["label"],
        "after_header": unit["label"],
        "before": "".join(f"{host}: {held}\n" for host, held in before.items()),
        "after": "".join(f"{host}: {held}\n" for host, held in after.items()),
    }
