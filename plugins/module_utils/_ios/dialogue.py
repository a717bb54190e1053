# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The conversation with an IOS terminal, without any I/O.

Everything here is a generator that yields `Exchange` (what to send, how long to listen) and is sent what the device
printed: text, or None when it stayed silent for that long. Any transport can drive it, a transcript in a test too.

The end of an answer is a recognized prompt behind the echo of our own line, never "nothing more came".
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from .._errors import NOTHING_CHANGED, VpnKeysError
from . import commands, screen
from .output import TAIL, Output

T = t.TypeVar("T")


@dataclass(frozen=True)
class Exchange:
    """One move of the terminal: send this, then listen until text comes or `wait` seconds are over."""

    send: str = field(default="", repr=False)
    wait: float = 1.0


Dialogue = Generator[Exchange, "str | None", T]
Answer = t.Union[str, Callable[[str], str]]


@dataclass(frozen=True)
class Reply:
    """What the device printed for one line: `text` without noise, echo and prompt; `end` is the text that ended it."""

    text: str = field(repr=False)
    end: str = field(repr=False)

    @property
    def at_prompt(self) -> bool:
        return re.fullmatch(screen.ANY_PROMPT, self.end.strip()) is not None


CANCEL = "\x03"
LEAVE_CONFIG = "\x1a"

FIRST_PROBE = 1.0
"""Seconds of silence after which the device is nudged with a bare carriage return; doubled each time."""
LONGEST_WAIT = 15.0
QUESTION_PAUSE = 3.0
"""Seconds of silence after which something that looks like a question is taken for one."""
DEFAULT_TIMEOUT = 30.0
MAY_HAVE_HAPPENED = "The command that was running may or may not have been carried out"
SAME_QUESTION = 2
"""How often the same question is answered. A device that asks again did not like the answer."""


def snooze(seconds: float) -> Dialogue[None]:
    """Let time pass; what the device prints meanwhile is dropped. One that does not stop is not waited for."""
    dropped = 0
    while seconds > 0 and dropped <= TAIL:
        wait = min(seconds, LONGEST_WAIT)
        text = yield Exchange(wait=wait)
        if text is None:
            seconds -= wait
        else:
            dropped += len(text)


def _nobody_notes(saved: bool) -> None:
    """What is known of saving ends with the session."""


class Terminal:
    """One logged-in terminal of one device. `name` is what people call the host; it opens every error sentence."""

    def __init__(self, name: str, timeout: float = DEFAULT_TIMEOUT) -> None:
        self.name = name
        self.timeout = timeout
        self._host = ""
        """How the host name in its prompts begins, as soon as that is known."""
        self.note: object = None
        """What the last answer said, so that no question is sent twice; forgotten when anything else is sent."""
        self.wrote = False
        """Whether a command that changes keys was sent: from then on no sentence says that nothing was changed."""
        self.saved: bool | None = None
        """Whether the device has saved its keys, where its listing does not tell: its own word, `[OK]`, and that
        nothing was sent since that changes keys. None: not known."""
        self.on_saved: Callable[[bool], None] = _nobody_notes
        self._last_prompt = ""
        self._pasting = False
        self._pending_prompts = 0
        """Prompts that may still come for what was sent before; they do not answer the next line."""

    def will_write(self) -> None:
        """A command that changes keys comes next."""
        self.wrote, self.saved = True, False
        self.on_saved(False)

    def has_saved(self) -> None:
        """The device said that it wrote its configuration, and its keys with it."""
        self.saved = True
        self.on_saved(True)

    @property
    def in_config(self) -> bool:
        # The settings of a key server are at `(gdoi-local-server)#`, on IOS XE at `(gkm-local-server)#`.
        return any(mode in self._last_prompt for mode in ("(config", "(gdoi-", "(gkm-"))

    @property
    def privileged(self) -> bool:
        return self._last_prompt.endswith("#")

    # ---------------------------------------------------------------- logging in

    def login(self, enable_password: str | None, enable: bool) -> Dialogue[None]:
        """From the first byte to a privileged prompt with paging, wrapping and log messages off."""
        yield from self._first_prompt()
        # Only the prompt behind the echo of our own lines is surely one; before it, a banner may look like it.
        yield from self.send_ahead(commands.terminal_setup())
        self._host = screen.host_of(self._last_prompt)[: screen.SHOWN_HOST_NAME]
        if not self.privileged:
            yield from self._enable(enable_password, enable)

    def _first_prompt(self) -> Dialogue[None]:
        out, silent, send = Output(self.name), 0.0, ""
        wait = FIRST_PROBE
        while silent < self.timeout:
            text = yield Exchange(send, wait)
            send = ""
            if text is not None:
                out.add(text)
                if self._prompt_in(out.tail):
                    return
                continue
            silent += wait
            if re.search(rf"(?:{screen.LOGIN_QUESTION})\s*\Z", out.tail):
                raise VpnKeysError(
                    "auth_failed",
                    "the device asks for a user name again inside the session",
                    host=self.name,
                    state=NOTHING_CHANGED,
                    advice="check its AAA settings and ansible_user",
                )
            send, wait = "\r", min(wait * 2, LONGEST_WAIT)
            self._pending_prompts += 1
        raise VpnKeysError(
            "timeout",
            f"connected, but no prompt appeared within {self.timeout:.0f} s",
            host=self.name,
            state=NOTHING_CHANGED,
            advice="log in by SSH yourself and check what the device shows",
        )

    def _enable(self, password: str | None, wanted: bool) -> Dialogue[None]:
        if not wanted:
            raise VpnKeysError(
                "no_privilege",
                "the login ends at an unprivileged prompt",
                host=self.name,
                state=NOTHING_CHANGED,
                advice="set ansible_become: true, ansible_become_method: enable and ansible_become_password",
            )
        asked = 0

        def secret(question: str) -> str:
            nonlocal asked
            asked += 1
            if asked > 1 or not password:
                what = "the enable password was not accepted" if password else "an enable password is needed"
                raise VpnKeysError(
                    "auth_failed",
                    what,
                    host=self.name,
                    state=NOTHING_CHANGED,
                    advice="check ansible_become_password (or -K)",
                )
            return password

        reply = yield from self.ask(commands.enable(), answers=[(screen.PASSWORD_QUESTION, secret)], probe=False)
        if not self.privileged:
            raise VpnKeysError(
                "no_privilege",
                f"enable was refused{self._said(reply.text)}",
                host=self.name,
                state=NOTHING_CHANGED,
                advice="check ansible_become_password and the user's rights",
            )

    # ---------------------------------------------------------------- one line, one answer

    def ask(
        self,
        line: str,
        *,
        answers: Sequence[tuple[str, Answer]] = (),
        until: Sequence[str] = (),
        timeout: float | None = None,
        probe: bool = True,
    ) -> Dialogue[Reply]:
        """Send one line; return what came up to the prompt, or up to a text that matches one of `until`.

        `answers`: (regex, answer) for the questions that the device may ask meanwhile.
        `probe`: nudge a silent device with a carriage return. Not where that would answer a question.
        Raises VpnKeysError timeout, unexpected_question, or what an answer raises.
        """
        return (yield from self._await(line + "\r", line, answers, until, timeout or self.timeout, probe))

    def send_ahead(self, lines: Sequence[str]) -> Dialogue[None]:
        """Send harmless lines in one go: one round trip. What the device says to them does not matter."""
        self._pending_prompts += len(lines) - 1
        yield from self._await("".join(f"{line}\r" for line in lines), lines[-1], (), (), self.timeout, True)

    def _await(
        self,
        send: str,
        echo: str,
        answers: Sequence[tuple[str, Answer]],
        until: Sequence[str],
        timeout: float,
        probe: bool,
    ) -> Dialogue[Reply]:
        out, silent, wait = Output(self.name), 0.0, FIRST_PROBE
        pending, nudges = self._pending_prompts, 0
        self.note = None
        echoed = not echo
        asked: list[str] = []
        while True:
            text = yield Exchange(send, wait)
            send, paging, quiet = "", "", text is None
            if quiet:
                silent, wait = silent + wait, min(wait * 2, LONGEST_WAIT)
            else:
                out.add(text or "")
                if text and text.strip():
                    silent, wait = 0.0, FIRST_PROBE
            echoed = echoed or echo in out.head
            tail = out.tail
            if (echoed or (quiet and out.prompts(self._host) > pending)) and self._prompt_in(tail):
                owed = pending + nudges
                self._pending_prompts = max(0, owed + 1 - out.prompts(self._host)) if owed else 0
                return self._reply(out, echo)

            # After a silence a question counts wherever it stands: a log message may have been printed behind it.
            place = "" if quiet else r"\s*\Z"
            for pattern in until:
                if found := re.search(f"(?:{pattern}){place}", tail):
                    return Reply(tail[: found.start()], found.group())
            if known := next((known for known in answers if re.search(f"(?:{known[0]}){place}", tail)), None):
                send = yield from self._answer(*known, tail, asked)
            elif re.search(rf"(?:{screen.MORE})\s*\Z", out.raw_tail):
                send = paging = " "
            if send:
                out.answered()
            # A pager that does not go on is a device that is silent.
            if send and not (quiet and paging):
                silent, wait = 0.0, FIRST_PROBE
                continue
            if not quiet:
                continue
            # A carriage return would answer a question, so one that is not foreseen is never probed.
            question = re.search(rf"(?:{screen.ANY_QUESTION}) *\Z", tail)
            if question and silent >= QUESTION_PAUSE:
                yield from self._give_up(tail)
            if silent >= timeout:
                yield from self._time_out(timeout)
            if probe and not question and not paging:
                send, nudges = "\r", nudges + 1

    def _answer(self, pattern: str, answer: Answer, question: str, asked: list[str]) -> Dialogue[str]:
        """What to type; `asked`: the patterns of the questions so far. Nothing is typed to one that comes back."""
        asked.append(pattern)
        if asked.count(pattern) > SAME_QUESTION:
            yield from self._give_up(question)
        return (answer(question) if callable(answer) else answer) + "\r"

    def _time_out(self, timeout: float) -> Dialogue[t.NoReturn]:
        yield from self.recover()
        raise VpnKeysError(
            "timeout",
            f"no answer within {timeout:.0f} s",
            host=self.name,
            state=MAY_HAVE_HAPPENED,
            advice="run it again; it first reads what the device has now",
        )

    def _give_up(self, tail: str) -> Dialogue[t.NoReturn]:
        question = screen.quote(tail.strip().rsplit("\n", 1)[-1])
        yield from self.recover()
        raise VpnKeysError(
            "unexpected_question", f'the device asked an unexpected question: "{question}"', host=self.name
        )

    # ---------------------------------------------------------------- pasting

    def paste(self, lines: Sequence[str]) -> Dialogue[Reply | None]:
        """Type lines into a question that shows no prompt. Each waits for the echo of the one before, so that a device
        that stops reading is noticed at once and nothing more reaches its command line.

        None: all were taken; a Reply: the device went back to its prompt.
        """
        self._pasting = True
        blind = bare = False  # no echo at all; of the line's end alone
        for line in lines:
            out, send = Output(self.name), line + "\r"
            while True:
                text = yield Exchange(send, 0.05 if blind else FIRST_PROBE)
                send = ""
                out.add(text or "")
                if self._prompt_in(out.tail):
                    self._pasting = False
                    return self._reply(out, line)
                if text is None or line in out.head or line in out.tail or (bare and "\n" in out.raw_tail):
                    blind = blind or not out
                    bare = bare or (text is None and len(out) > 0 and not out.head.strip())
                    break
        return None

    def end_paste(self, line: str, until: Sequence[str], timeout: float | None = None) -> Dialogue[Reply]:
        """The line that closes a paste (an empty one or `quit`), and what the device says to the whole of it."""
        reply = yield from self._await(line + "\r", line, (), until, timeout or self.timeout, False)
        self._pasting = not reply.at_prompt
        return reply

    # ---------------------------------------------------------------- getting back to the prompt

    def recover(self) -> Dialogue[bool]:
        """Leave whatever the terminal is in. True: the prompt is back; False: the session is of no use any more.

        A carriage return comes last, and only to a device that has said something that is no question: it would be an
        answer.
        """
        out = Output(self.name)
        for move in [*([commands.leave_paste() + "\r"] if self._pasting else []), CANCEL, LEAVE_CONFIG, "\r"]:
            said = out.tail
            if move == "\r" and (not said.strip() or re.search(rf"(?:{screen.ANY_QUESTION}) *\Z", said)):
                return False
            send, quiet = move, 0
            while quiet < 2:
                text = yield Exchange(send, 0.5)
                send = ""
                if text is None:
                    quiet += 1
                    continue
                out.add(text)
                if self._prompt_in(out.tail):
                    self._pasting = False
                    return True
        return False

    # ---------------------------------------------------------------- reading

    def _prompt_in(self, tail: str) -> bool:
        if found := screen.prompt_at_end(tail, self._host):
            self._last_prompt = found[1]
        return found is not None

    def _reply(self, out: Output, echo: str) -> Reply:
        text: str = out.text()
        end = ""
        if found := screen.prompt_at_end(text, self._host):
            start, end = found
            text = text[:start]
        if echo and echo in text:
            text = text.split(echo, 1)[1].removeprefix("\n")
        return Reply(screen.Clean(text), end)

    @staticmethod
    def _said(text: str) -> str:
        found = screen.refusal(text)
        return f' ("{found.line}")' if found else ""
