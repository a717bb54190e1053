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
from ..plugin_utils import advice, interruption, key_files
from ..plugin_utils.internal import internal_error
from ..plugin_utils.ios import session
from ..plugin_utils.ios.options import Target
from ..plugin_utils.key_servers import account, execute, survey
from ..plugin_utils.key_servers.action import IosAction, Result, display
from ..plugin_utils.key_servers.execute import ExecutionOptions, Progress
from ..plugin_utils.key_servers.survey import Planned
from ..plugin_utils.progress import pipe
from ..plugin_utils.tables.key_servers import RUN_AGAIN, ending


def _in_short(unit: dict[str, t.Any]) -> dict[str, t.Any]:
    """A unit of a result that failed: how far it came, and why not further."""
    hosts = [{"host": server["host"]} for server in unit["key_servers"]]
    kept = ("label", "groups", "done", "left", "error", "interrupted")
    return {key: unit[key] for key in kept} | {"key_servers": hosts}


def _say(text: str) -> None:
    display.display(f"vpnops.keys: {text}", stderr=True)


class ActionModule(IosAction):
    BYPASS_HOST_LOOP = True
    PER_HOST = False
    ARGUMENT_SPEC = ARGUMENT_SPEC
    CONSTRAINTS = {"mutually_exclusive": FLEET_MUTUALLY_EXCLUSIVE, "required_by": REQUIRED_BY}

    async def operate(self, options: dict[str, t.Any]) -> Result:
        if options["backup_directory"]:
            key_files.check_passphrase(options["backup_passphrase"])
            if not os.path.isdir(options["backup_directory"]):
                raise VpnKeysError(
                    "bad_input",
                    f"O(backup_directory) {options['backup_directory']} is no directory",
                    state=NOTHING_DONE,
                )
        targets = self.fleet(options)
        async with session.SessionPool() as pool:
            # What was opened for the look is used for the work, unless that were more sessions than are wanted at once.
            opener = pool.session if len(targets) <= options["parallel"] else session.session
            seen = await survey.observe(list(targets.values()), options["parallel"], options["timeout"], opener)
            addresses = survey.own_addresses(targets, self.variables.get("hostvars", {}))
            plans = survey.plan_all(seen, options, addresses)
            planned = plans.planned
            needed = {host for one in planned for host in execute.hosts_of(one.plan.steps)}
            await pool.only(set() if self.check else needed)
            done = await self._carry_out(planned, targets, options, pool)
            return done | {"claims": survey.claims_to_result(plans.claims, self._names)}

    @property
    def _names(self) -> Mapping[str, str]:
        return advice.of_task(self._task)

    async def _carry_out(
        self,
        planned: list[Planned],
        targets: dict[str, Target],
        options: dict[str, t.Any],
        pool: session.SessionPool,
    ) -> Result:
        wishes = ExecutionOptions(
            options["save"],
            options["generation_timeout"],
            options["backup_directory"],
            options["backup_passphrase"],
        )
        # Units that share a device take turns: two sessions must not write the configuration of one device at once.
        turns = {name: asyncio.Lock() for name in sorted(targets)}
        operations = 0 if self.check else sum(execute.operations_of(one.plan.steps) for one in planned)
        count = pipe.Count(operations, "operations")
        with interruption.in_hand(reports=True) as asked:
            self._running: list[tuple[Planned, Progress]] = []
            watch = asyncio.ensure_future(interruption.watch(asked, self._interrupted))
            work = (self._unit(one, targets, wishes, options, turns, count, pool, asked) for one in planned)
            units = await asyncio.gather(*work)
            watch.cancel()
            interrupted = bool(asked())
        failed = [unit for unit in units if unit["error"]]
        result: Result = {
            "changed": any(unit["done"] or (unit["steps"] and not unit["error"]) for unit in units),
            "units": units,
            "interrupted": interrupted,
            "diff": [self._diff(unit) for unit in units if unit["steps"]],
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
        wishes: ExecutionOptions,
        options: dict[str, t.Any],
        turns: dict[str, asyncio.Lock],
        count: pipe.Count,
        pool: session.SessionPool,
        asked: Callable[[], int],
    ) -> dict[str, t.Any]:
        unit = survey.to_result(one, self._names) | {"done": {}, "error": None, "interrupted": False}
        label = unit["label"]
        approved = options["approved"]
        if approved is not None and unit["steps"] and one.digest not in approved:
            return unit | {
                "error": f"what the key servers hold has changed since the plan was approved. {NOTHING_CHANGED}; plan "
                "again."
            }
        touched = set(execute.hosts_of(one.plan.steps, sources=False))
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
                    for host in sorted(execute.hosts_of(one.plan.steps)):
                        await waiting.enter_async_context(turns[host])
                    await execute.run_plan(one.plan, targets, wishes, progress, pool)
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
        finished = f"{', '.join(doing)} {'is' if len(doing) == 1 else 'are'} finished, " if doing else ""
        _say(
            f"interrupted: {finished}no other key server is started. The next interrupt ends at once, with work "
            "half done."
        )

    def _give_account(self) -> None:
        """Who is done and who is not, for people and for the callback: nobody sees the result of this task any more."""
        for one, progress in self._running:
            label, steps = Label(str(one.unit.label)), one.plan.steps
            _say(f"{label}: ended at once. {account.how_far(label, steps, progress.done, progress.doing)}")
            for host, state in account.by_state(steps, progress.done, progress.doing).items():
                found = "changed" if state == "Done" else "not finished"
                pipe.tell("result", host=host, unit=survey.title(one.unit), result=found, message=f"{state}.")
        _say(RUN_AGAIN)

    @staticmethod
    def _diff(unit: dict[str, t.Any]) -> dict[str, str]:
        touched = {
            host
            for step in unit["steps"]
            if step["kind"] == "distribute"
            for host in (*step["missing"], *step["replace"])
        }
        touched |= {step["host"] for step in unit["steps"] if step["kind"] in ("finish", "generate")}
        before = {server["host"]: server["fingerprint"] or "(none)" for server in unit["key_servers"]}
        after = {host: unit["fingerprint"] or "(new)" if host in touched else held for host, held in before.items()}
        return {
            "before_header": unit["label"],
            "after_header": unit["label"],
            "before": "".join(f"{host}: {held}\n" for host, held in before.items()),
            "after": "".join(f"{host}: {held}\n" for host, held in after.items()),
        }
