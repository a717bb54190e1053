# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One session on a device: modes, prompts, questions, and the loop that reads commands and runs them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from . import commands, filters, help
from .grammar import Args, Parsed, Wrong, first_word, parse
from .terminal import Hangup, Line, Terminal

if TYPE_CHECKING:
    from .device import Device
    from .faults import Cut

Action = Callable[["Shell", Args], Awaitable[None]]
_YES_NO = {"y": True, "ye": True, "yes": True, "n": False, "no": False}


class Shell:
    """A session. `transmit` sends text to the client, `drop` cuts the connection hard, `bye` closes it politely."""

    def __init__(
        self,
        device: Device,
        user: str,
        peer: str,
        transmit: Callable[[str], None],
        drop: Callable[[], None],
        bye: Callable[[], None],
        privilege: int,
    ) -> None:
        self.device, self.user, self.peer, self.privilege = device, user, peer, privilege
        self._transmit, self._drop, self._bye = transmit, drop, bye
        p = device.personality
        self.term = Terminal(
            self._send,
            max_line=p.max_line,
            scroll_redraw=p.scroll_redraw,
            output_wrap=p.output_wrap == "hard",
            typeahead_limit=p.typeahead_limit,
        )
        self.modes: list[str] = ["exec"]
        self.context: dict[str, Any] = {}  # the group, SA or stanza being configured
        self.monitor = False
        self.number = 0
        self.line = 0
        self._cut: Cut | None = None
        self._cut_after = 0

    # -- the session
    async def run(self, command: str | None = None) -> None:
        """Live until the client goes, or run the one command of an SSH exec request."""
        device = self.device
        try:
            if device.faults.silent_after_login:
                await self._hang()
            if command is not None:
                self.term.length = self.term.width = 0
                self.term.write("\n")
                await self.receive("command", command)
                await self._execute(command)
                await self._after_line()
                await self.term.flush()
                self._bye()
                return
            if device.config.motd:
                self.term.write("\n" + device.config.motd.strip("\n") + "\n")
            self.term.write("\n")
            typed = ""
            while True:
                typed = await self._one_line(typed)
        except Hangup:
            await self.term.flush()
            self._bye()

    async def _one_line(self, typed: str) -> str:
        """Read and run one line; returns what stands on the next one already (after `?`)."""
        term, prompt = self.term, self.prompt()
        fault = self.device.faults.syslog
        if fault is not None and fault.due("after_prompt", self.monitor):
            # the client sees the prompt, then the message, and nothing more
            term.write_raw(prompt)
            await term.flush()
            await asyncio.sleep(fault.delay_ms / 1000)
            term.write_raw("\r\n" + self._syslog_text().replace("\n", "\r\n") + "\r\n")
            prompt = ""
        line = await term.command(prompt, typed)
        if line.ended_by == "help":
            await term.page(help.text(self.tree(), line.text, self.privilege, self.caret()))
            return line.text
        if line.ended_by == "tab":
            return help.completed(self.tree(), line.text, self.privilege, term)
        if line.ended_by == "ctrl-c":
            self._to_exec()
            return ""
        if line.text.strip() or line.ended_by == "enter":
            await self.receive("command", line.text)
            await self._execute(line.text)
            await self._after_line()
        if line.ended_by == "ctrl-z":
            self._to_exec()
        return ""

    def _to_exec(self) -> None:
        if self.modes != ["exec"]:
            self.modes = ["exec"]
            self.context.clear()
            self.configured()

    def configured(self) -> None:
        """Configuration mode was left."""
        self.device.say_log("log_configured", user=self.user, line=self.line, peer=self.peer)

    def hang_up(self) -> None:
        """End this session (exit, logout)."""
        raise Hangup

    def gone(self) -> None:
        """The client has disconnected."""
        self.term.close()

    # -- prompts and modes
    @property
    def mode(self) -> str:
        """The innermost mode: exec, config, or the name of a submode."""
        return self.modes[-1]

    def prompt(self) -> str:
        """The prompt of the present mode."""
        name = self.device.config.hostname
        if self.mode == "exec":
            return name + (">" if self.privilege <= 1 else "#")
        return f"{name[:20]}({commands.prompt_of(self.mode, self.device.personality)})#"

    def tree(self) -> commands.Node:
        """The grammar of the present mode."""
        return commands.tree(self.mode, self.device.personality)

    def caret(self) -> int:
        """The column where the typed line starts."""
        return len(self.prompt())

    def typed(self) -> str:
        """The last line of this session; another one may have got a line since then."""
        return next(entry.text for entry in reversed(self.device.log) if entry.session == self.number)

    # -- running commands
    async def _execute(self, text: str) -> None:
        """Run one command line."""
        stripped = text.strip()
        if not stripped or stripped[0] == "!":
            return
        lie = self.device.faults.lie(text)
        if lie is not None:
            await self.term.page(lie)
            return
        mode = self.mode
        left, pipe, at = filters.split(text)
        parsed = self._parse(left)
        if isinstance(parsed, Wrong):
            self._complain(text, parsed)
            return
        if pipe is not None:
            if not parsed.action.startswith("show"):
                self._complain(text, Wrong("invalid", at))
                return
            filtered = filters.parse(pipe)
            if isinstance(filtered, Wrong):
                self._complain(text, Wrong(filtered.why, at + filtered.at))
                return
            self.context["filter"] = filtered
        try:
            await commands.ACTIONS[parsed.action](self, parsed.args)
        finally:
            self.context.pop("filter", None)
        if mode != "exec" and self.mode == "exec":
            self.configured()

    def _parse(self, text: str) -> Parsed | Wrong:
        """By the grammar of this mode; what a submode does not know may be a global configuration command."""
        p = self.device.personality
        parsed = parse(self.tree(), text, self.privilege, p.caret)
        if isinstance(parsed, Parsed) or self.mode in ("exec", "config"):
            return parsed
        if first_word(self.tree(), text) not in ("", "no") or parsed.why == "ambiguous":
            return parsed
        wider = parse(commands.tree("config", p), text, self.privilege, p.caret)
        if isinstance(wider, Parsed):
            if wider.action not in ("exit", "end", "do"):
                self.modes = ["exec", "config"]
            return wider
        return wider if (wider.why, wider.at) != ("invalid", 0) and wider.at >= parsed.at else parsed

    def _complain(self, text: str, wrong: Wrong) -> None:
        p, term = self.device.personality, self.term
        words = text.split()
        if wrong.why == "ambiguous":
            term.write(p.text("ambiguous", line=text.strip()))
        elif wrong.why == "incomplete":
            full = first_word(self.tree(), text, self.privilege)
            if len(words) == 1 and full in ("show", "clear") and self.mode == "exec":
                term.write(p.text("subcommands", line=full))
            else:
                term.write(p.text("incomplete"))
        elif p.unknown_command == "translate" and self.mode == "exec" and len(words) == 1 and wrong.at < len(words[0]):
            term.write(p.text("unknown_host", word=words[0]))
        else:
            column = self.caret() + wrong.at
            if term.width and column >= term.width:
                column = min(column, term.width - 1)
            term.write(" " * column + "^\n" + p.text("invalid"))

    async def run_exec(self, text: str, offset: int) -> None:
        """`do ...`: an exec command from configuration mode; `offset` is its column in the line."""
        modes, self.modes = self.modes, ["exec"]
        left, pipe, at = filters.split(text)
        parsed = parse(self.tree(), left, self.privilege, self.device.personality.caret)
        if pipe is not None and isinstance(parsed, Parsed):
            filtered = filters.parse(pipe)
            if isinstance(filtered, Wrong):
                parsed = Wrong(filtered.why, at + filtered.at)
            elif not parsed.action.startswith("show"):
                parsed = Wrong("invalid", at)
            else:
                self.context["filter"] = filtered
        self.modes = modes
        if isinstance(parsed, Wrong):
            self._complain("do " + text, Wrong(parsed.why, parsed.at + offset))
        else:
            await commands.ACTIONS[parsed.action](self, parsed.args)

    # -- talking
    def say(self, name: str, /, **values: object) -> None:
        """One of the device's texts."""
        self.term.write(self.device.personality.text(name, **values))

    async def show(self, text: str) -> None:
        """The output of a show command: filtered, paged."""
        chosen = self.context.get("filter")
        if chosen is not None:
            text = filters.apply(chosen, text)
        if text and self._syslog_due("during_output"):
            middle = text.find("\n", len(text) // 2) + 1 or len(text)
            text = text[:middle] + self._syslog_text() + "\n" + text[middle:]
        await self.term.page(text)

    async def ask(self, question: str, kind: str = "answer") -> str | None:
        """Ask, and read a line; None when the user broke off (ctrl-C, ctrl-Z)."""
        if self.device.personality.questions_drop_typeahead:
            self.term.drop_typeahead()
        self.term.write(question)
        if self._syslog_due("in_question"):
            self.term.write_raw("\r\n" + self._syslog_text().replace("\n", "\r\n") + "\r\n")
        line = await (self.term.secret() if kind == "password" else self.term.answer())
        if line.ended_by != "enter":
            return None
        await self.receive(kind, line.text)
        return line.text

    async def ask_yes_no(self, question: str) -> bool:
        """Ask until the answer is yes or no. Breaking off is a no."""
        while True:
            answer = await self.ask(question)
            if answer is None:
                return False
            verdict = _YES_NO.get(answer.strip().lower())
            if verdict is not None:
                return verdict
            self.say("answer_yes_or_no")

    async def confirm(self, question: str) -> bool:
        """A [confirm] question: one key, Enter or y is yes."""
        self.term.write(question)
        if self._syslog_due("in_question"):
            self.term.write_raw("\r\n" + self._syslog_text().replace("\n", "\r\n") + "\r\n")
        key = await self.term.key()
        await self.receive("answer", "" if key == "\r" else key)
        self.term.write_raw((key if key > " " else "") + "\r\n")
        return key in "\ryY"

    async def paste(self) -> Line:
        """One pasted line."""
        line = await self.term.answer(self.device.personality.pem_echo)
        if line.ended_by == "enter":
            await self.receive("paste", line.text)
        return line

    # -- faults
    async def receive(self, kind: str, text: str) -> None:
        """A line came in: note it, wait the latency, and cut if a fault says so."""
        device = self.device
        device.received(self.number, self.mode, kind, text)
        faults = device.faults
        if faults.latency_ms and kind == "command":
            await self.term.flush()
            await asyncio.sleep(faults.latency_ms / 1000)
        cut = faults.cut
        if cut is not None and cut.hits(kind, text):
            await self.term.flush()
            if cut.when == "before":
                await self._do(cut)
            else:
                self._cut, self._cut_after = cut, cut.bytes if cut.when == "during" else -1

    async def _after_line(self) -> None:
        """A command is done. Cut here if a fault waits for that."""
        if self._cut is not None:
            await self.term.flush()
        if self._cut is not None:
            await self._do(self._cut)

    async def _do(self, cut: Cut) -> None:
        self._cut = None
        if cut.do == "hang":
            await self._hang()
        if cut.do == "reload":
            self.device.reload()
            await asyncio.sleep(3600)  # the reload cancels this session
        await asyncio.sleep(0.002)  # what was written leaves first
        self._drop()
        self.term.close()
        raise Hangup

    async def _hang(self) -> None:
        """Say nothing, hear nothing, until the client gives up."""
        while not self.term.closed:
            await asyncio.sleep(0.05)
        raise Hangup

    async def _send(self, text: str) -> None:
        """Output on its way: faults may cut it to pieces, or off."""
        device = self.device
        faults = device.faults
        if self.term.closed:
            return
        if self._cut is not None and self._cut_after >= 0:
            head, self._cut_after = text[: self._cut_after], self._cut_after - len(text)
            if self._cut_after <= 0:
                await self._pieces(head)
                cut = self._cut
                await self._do_during(cut)
                return
        if faults.drop_after_bytes:
            left = faults.drop_after_bytes - device.output_bytes
            device.output_bytes += len(text)
            if len(text) >= left:
                device.faults = faults.changed({"drop_after_bytes": 0})
                await self._pieces(text[: max(left, 0)])
                await asyncio.sleep(0.002)
                self._drop()
                self.term.close()
                return
        await self._pieces(text)

    async def _do_during(self, cut: Cut) -> None:
        """Cut in the middle of output. After a drop the command still runs to its end on the device, unseen."""
        try:
            await self._do(cut)
        except Hangup:
            if cut.do == "hang":
                raise

    async def _pieces(self, text: str) -> None:
        faults = self.device.faults
        size = faults.chunk_bytes
        if not size:
            self._transmit(text)
            return
        for start in range(0, len(text), size):
            self._transmit(text[start : start + size])
            await asyncio.sleep(faults.chunk_delay_ms / 1000)

    def _syslog_due(self, where: str) -> bool:
        fault = self.device.faults.syslog
        return fault is not None and fault.due(where, self.monitor)

    def _syslog_text(self) -> str:
        fault = self.device.faults.syslog
        if fault and fault.text.startswith("*"):
            return fault.text
        now = self.device.now()
        return f"*{now.strftime('%b %e %H:%M:%S')}.{now.microsecond // 1000:03d}: {fault.text if fault else ''}"

    def interrupt(self, message: str) -> None:
        """A system message for this session, now."""
        self.term.interrupt(message, self.prompt() if self.device.personality.logging_synchronous else None)
