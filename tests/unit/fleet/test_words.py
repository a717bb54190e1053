# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words of a gateway are always visibly its words: they stand between quotation marks in everything that is ours."""

from __future__ import annotations

import copy
import functools
import json
import re
import typing as t

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.effort import examples
from unit.fleet import fleets, samples, views
from unit.fleet.samples import Data, entry, fp, key, names, seen, snapshot

from ansible_collections.vpnops.keys.plugins.action import gateway_report
from ansible_collections.vpnops.keys.plugins.module_utils._fleet import outcome, plan, verify
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.findings import sentences
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.model import Directory
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.observed import Observation
from ansible_collections.vpnops.keys.plugins.module_utils._fleet.status import status
from ansible_collections.vpnops.keys.plugins.module_utils._printable import quoted
from ansible_collections.vpnops.keys.plugins.plugin_utils import claimed_variables, device_answer
from ansible_collections.vpnops.keys.plugins.plugin_utils.device_answer import Asked
from ansible_collections.vpnops.keys.plugins.plugin_utils.gateways import action as gateway_action
from ansible_collections.vpnops.keys.plugins.plugin_utils.progress import results
from ansible_collections.vpnops.keys.plugins.plugin_utils.reasons import of_connection
from ansible_collections.vpnops.keys.plugins.plugin_utils.tables import gateways as tables

NAMES = names(3)
LIAR = "gw1"
FLEET = [samples.rotating("gw1"), *map(entry, NAMES[1:])]
IN_QUOTES = re.compile(r'"(?:[^"\\]|\\.|\\(?!"))*"(?: \[\d+ more characters\])?')
EVIL = "EVIL"
PIECES = (
    EVIL, '"', '".', '\\"', "\\", "\\\\", "'", '" [3 more characters]', "\n", "\r\n", "\t", " ", ".", "\x1b[2J", "\x00",
    "\u201d", "\u201c", "\uff02", "\u2033", "\u02ba", "\u3003", "\u202e", "\u05d0", "\u2028", "\ud800", "\u0301",
    "gw2: MAY STILL ACCEPT THE OLD KEY: gw2.", "gw2 (unreachable)", "It says ", 'it says "', "gw2 says: ",
    "No peer accepts the old key any more.",
    "\u2500" * 20, "\u2502", "| gw2 | ok |", "  gw2      2  9a8b  current  as recorded  2/2",
    "fatal: [gw2]: FAILED! => {",
    "The error appears to be in", "Task failed: ",
    "TASK [Retire the old key] ***", "<b>", "{{ x }}", "O(adopt)", "gw2: refused: its answer cannot be read: ",
)  # fmt: skip
"""What imitates sentences, tables and marks of ours."""
HOSTILE = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=12).map(
    lambda parts: f"{EVIL}{''.join(parts)}{EVIL}"
) | st.integers(1, 4000).map(lambda number: EVIL * number)


def info(words: str, **about: t.Any) -> Data:
    """What gateway_info prints, with these words wherever words are free."""
    found = copy.deepcopy(fleets.said(seen(LIAR, NAMES), NAMES)) | about
    gateway = found["gateway"]
    gateway["change"] = {
        "step": "failed", "key": fp(LIAR, 2), "at": 1.0, "began": 1.0, "deadline": 2.0, "error": words,
    }  # fmt: skip
    gateway["at_restart"] = [words, words]
    gateway["blocked"] = [{"peer": "", "fingerprint": fp("gw2"), "why": words}]
    gateway["tunnels"] = [{**one, "proof": words, "peer": words} for one in gateway["tunnels"]]
    gateway["stored"] = [{**one, "peer": words} for one in gateway["stored"]]
    return found


def arrived(module: str, printed: Data, **options: t.Any) -> Data:
    return device_answer.arrived(LIAR, Asked(module, options), json.dumps(printed))


def told(words: str) -> list[str]:
    """Every text of ours about a fleet in which one gateway says this."""
    failed = arrived("gateway_info", {"failed": True, "msg": words, "code": "refused"})
    unknown = arrived("gateway_info", {**info(words), words: 1})
    claim = {"gateway": words, "public_key": None, "role": "withdrawn"}
    peer = {"name": "gw2", "platform": "wireguard", "current": key("gw2")}
    left_out = {
        "changed": False, "stored": [claim], "neighbors": [], "diff": {},
        "refused": [{"gateway": "gw2", "why": words}],
    }  # fmt: skip
    answers = {
        "failed": failed,
        "left out": arrived("gateway_peers", left_out, peers=[peer]),
    }
    away = {"unreachable": True, "msg": gateway_action._of_ansible(words), "reason": of_connection(words)}
    texts = [failed["msg"], results.sentence(failed), *unknown["findings"], *answers["left out"]["findings"]]
    texts += [str(claimed_variables.refusal(LIAR, [words])), *claimed_variables.result([words])["findings"]]
    refusing = arrived("gateway_info", info(words, obstacles=[words, words]))
    for result in (away, {"unreachable": True, "msg": words}, failed, unknown, refusing):
        texts += _observed(device_answer.observations({LIAR: result})[LIAR])
    for result in (*answers.values(), away):
        texts += _answered(device_answer.answer(LIAR, "gateway_peers", result))
    return texts


def _observed(one: Observation) -> list[str]:
    entries = samples.result(*FLEET)
    directory = Directory.from_result(entries)
    others = {name: seen(name, NAMES) for name in NAMES}
    every = {**others, LIAR: one}
    found = status(directory, every)
    planned = [
        plan.plan(directory, every, [name], plan.PlanOptions(mode=mode, minimum_share=100, unreachable="fail"))
        for name in NAMES
        for mode in plan.AGAINST
    ]
    proofs = verify.verify(directory, others, every, NAMES, 100)
    return [
        tables.status(found, 100_000),
        *sentences(found.findings),
        *(cells["finding"] for cells in views.of_page(entries, every)[1].findings),
        *(text for made in planned for text in (tables.plan(made, 100_000), *made.refusals)),
        tables.outcome(outcome.outcome(directory, planned[0], proofs), planned[0], False, 100_000),
        *(proof.problem for proof in proofs.values()),
    ]


def _answered(answer: device_answer.Answer) -> list[str]:
    directory = snapshot(entry("gw1"), samples.revoked("gw2"), entry("gw3"), pending={"gw1": ["gw2"]})
    answers = {LIAR: gateway_report._reached(answer)}
    made = plan.plan(directory, {}, ["gw2"], plan.PlanOptions(mode=plan.REVOKE))
    found = outcome.converged(directory, directory, answers)
    after = plan.dropped(directory, answers, made)
    return [
        tables.converged(found, 100_000),
        tables.dropped(after, 100_000),
        *sentences(found.findings),
        *plan.still_accepting(after),
    ]


def _without_words(text: str) -> str:
    """Also without the width of a table, which its longest cell decides."""
    return re.sub("\u2500+", "\u2500", IN_QUOTES.sub('""', text))


@functools.cache
def _harmless() -> list[str]:
    return [_without_words(text) for text in told("no")]


@settings(max_examples=examples(400), deadline=None)
@given(HOSTILE)
def test_whatever_a_gateway_says_stands_between_quotation_marks(words: str) -> None:
    """With what is quoted left out, all our sentences, tables and messages are as if it had said something harmless."""
    found = [_without_words(text) for text in told(words)]
    assert found == _harmless()
    assert not any(EVIL in text for text in found)


@settings(max_examples=examples(2000))
@given(HOSTILE, st.integers(1, 200))
def test_nothing_gets_out_of_the_quotation_marks(words: str, longest: int) -> None:
    shown = quoted(words, longest)
    assert shown.isprintable()
    found = IN_QUOTES.fullmatch(shown)
    assert found
    assert len(found[0].partition('" [')[0] if found[0].endswith("characters]") else found[0][:-1]) <= longest + 1
    assert not set(shown) & set("\u201d\u201c\uff02\u2033\u02ba\u3003\u05d0\u0301\u2500\u2502")
