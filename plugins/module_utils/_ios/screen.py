# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What IOS prints around the answers: noise, prompts, questions, closing lines, refusals. PRIVATE to the collection.

Sources: "seen" means a transcript of a device, "guess" that no transcript is known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NoReturn

from .._errors import VpnKeysError
from .._printable import printable

# -- noise ---------------------------------------------------------------------------------------------------

_MONTH = r"[JFMASOND][a-z]{2} "
_TIME = r"\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?"
# The name of a zone is what `clock timezone` says: UTC, NL-DST, GMT+1, +05:30, <-03>.
_ZONE = r"(?: [A-Za-z+<-][\w+<>-]{0,30}(?::\d{2})?)?"
_DATE = rf" ?\d{{1,2}} (?:\d{{4}} )?{_TIME}(?: \d{{4}})?{_ZONE}(?: \d{{4}})?: "
_ISO_DATE = rf"\d{{4}}-\d{{2}}-\d{{2}}[T ]{_TIME}(?:Z|[+-]\d{{2}}:?\d{{2}})?{_ZONE}: "
_UPTIME_REST = r"(?:\d:\d{2}:\d{2}(?:\.\d{1,9})?|\d{0,3}[dwy]\d{1,2}[hdw]): "
_UPTIME = rf"\d{_UPTIME_REST}"
_FACILITY = r"%[A-Za-z]\w{0,40}(?:-\w{1,40}){0,4}?-[0-7]-\w{1,60}(?:-\d{1,8})?: ?"
_HEADS = (
    _FACILITY,
    _MONTH + _DATE,
    _ISO_DATE,
    rf"[*.](?:{_MONTH}{_DATE}|{_ISO_DATE}|{_UPTIME})",
    _UPTIME + _FACILITY,
    # Of 2026: asked for by nobody, and without a facility.
    r"SECURITY WARNING - Module: ",
    r"INSECURE DYNAMIC WARNING - Module: ",
    r"RSA key size needs to be at ?least ",
    r"%RSA key size needs to be at ?least ",
)
"""How a log message begins. Each with something that few places begin with: most places cost next to nothing."""
_HEAD = "|".join(_HEADS)
# A sequence number has six digits, after a million messages more, and fewer where a device does not fill it up. It is
# one at the beginning of a line or behind a prompt, and so is an uptime without a facility. Elsewhere nobody can tell
# where it begins: it stays, and makes that line unreadable.
_LOG_MESSAGE = re.compile(
    rf"(?:{_HEAD}|\d(?<![^#>\n]\d)(?:\d{{0,9}}: (?:{_HEAD}|{_UPTIME})|{_UPTIME_REST})"
    rf"|[ \t](?<=^[ \t])[ \t]{{0,7}}(?:\d{{1,10}}: )?(?:{_HEAD})"
    r"|-(?<=^-)(?:Traceback|Process)= )[^\n]*\n?",
    re.MULTILINE,
)
# What the device tells everybody, and the frame of what somebody sends to everybody. The words of `send` are no form.
_TO_EVERYBODY = re.compile(
    r"^\*\*\*(?: --- SHUTDOWN [^\n]{1,40} ---(?: \*\*\*)?| Message from \S{1,40} to all terminals:)?[ \t]*(?:\n|\Z)",
    re.MULTILINE,
)
# Quick looks: this runs for every piece that arrives. A pattern that begins with a literal is found fast.
_LOG_HINTS = (
    re.compile(r"%[A-Za-z]"),
    re.compile(rf":\d{{2}}(?:\.\d{{1,9}})?(?:Z|[+-]\d{{2}}:?\d{{2}})?(?: \d{{4}})?{_ZONE}(?: \d{{4}})?: "),
    re.compile(r"[dwy]\d{1,2}[hdw]: "),
)
_LOG_WORDS = ("WARNING - ", "key size needs", "-Traceback=", "-Process=")

MORE = r" ?--More-- ?"
_MORE_REMNANT = re.compile(r" ?--More-- ?(?:\r *\r|\x08{1,80} {0,80}\x08{0,80})?")
_LINE_END = re.compile(r"\r{1,4}\n|\r")


class Clean(str):
    """Text without noise."""

    __slots__ = ()


def strip_noise(text: str) -> Clean:
    """What the device was asked for, with LF: no paging, no corrected typing, no log messages.

    A log message goes with its line end; what stood before it stays, and the next line continues it.
    The device's own messages ("% " and a text) stay.
    """
    if isinstance(text, Clean):
        return text
    text = text.replace("\x00", "").replace("\x07", "")
    if "--More--" in text:
        text = _MORE_REMNANT.sub("", text)
    text = text.replace("\r\n", "\n")
    if "\r" in text:
        text = _LINE_END.sub("\n", text)
    if "\b" in text:
        text = _backspaced(text)
    if any(word in text for word in _LOG_WORDS) or any(hint.search(text) for hint in _LOG_HINTS):
        text = _LOG_MESSAGE.sub("", text)
    if "***" in text:
        text = _TO_EVERYBODY.sub("", text)
    return Clean(text)


def _backspaced(text: str) -> str:
    kept: list[str] = []
    for char in text:
        if char != "\b":
            kept.append(char)
        elif kept and kept[-1] != "\n":
            kept.pop()
    return "".join(kept)


# -- prompts and questions: patterns without anchors, to be looked for at the end of what was printed --------

_HOST = r"[\w.+:/\[\]-]"
_MODE = r"(?:\([^()\s]{1,60}\)){0,3}[>#]"
ANY_PROMPT = rf"{_HOST}{{1,64}}{_MODE}"
# IOS shows fewer characters of a long host name, the deeper the mode is.
SHOWN_HOST_NAME = 10

LOGIN_QUESTION = r"(?:[Uu]sername|[Ll]ogin): ?"
PASSWORD_QUESTION = r"[Pp]assword: ?"
REPLACE_QUESTION = r"replace them\? *\[yes/no\]: ?"
REMOVE_QUESTION = r"remove these keys\? *\[yes/no\]: ?"
MODULUS_QUESTION = r"How many bits in the modulus *\[\d{1,6}\]: ?"
_QUIT = r"[\"']quit[\"'] on a line by itself\."
PUBLIC_PEM_PROMPT = rf"Enter PEM-formatted public [^\n]{{1,80}}\n\s*% End with a blank line or {_QUIT}"
PRIVATE_PEM_PROMPT = rf"Enter PEM-formatted (?:encrypted )?private [^\n]{{1,80}}\n\s*% End with {_QUIT}"
DESTINATION_QUESTION = r"Destination filename *\[[^\]\n]{0,200}\]\? ?"
OVERWRITE_NVRAM_QUESTION = r"Overwrite the previous NVRAM configuration\? ?\[confirm\] ?"
# "[yes/no]: ", "[confirm]", "[512]: ", "Destination filename [x]? ", "Password: ", and the paste questions.
ANY_QUESTION = r"(?:\[[^\]\n]{0,200}\] ?[:?]?|[^\s:][:?]|on a line by itself\.) ?"

_MODULUS_RANGE = re.compile(r"in the range of\s{1,4}(\d{1,6})\s{1,4}to\s{1,4}(\d{1,6})\b")
_PROMPT = re.compile(ANY_PROMPT)
_PROMPT_PARTS = re.compile(rf"({_HOST}{{1,64}}?){_MODE}")


def prompt_at_end(text: str, host: str) -> tuple[int, str] | None:
    """Where the prompt begins with which a text ends, and the prompt. `host`: how its host name begins."""
    text = text.rstrip()
    start = text.rfind("\n") + 1
    line = text[start:]
    return (start, line) if line.startswith(host) and _PROMPT.fullmatch(line) else None


def prompts(text: str, host: str) -> int:
    """How many lines begin with a prompt, also those with something behind it."""
    if host not in text:
        return 0
    return sum(line.startswith(host) and _PROMPT.match(line) is not None for line in text.split("\n"))


_ECHO = re.compile(rf"(?:{ANY_PROMPT})?[ \t]*(?:(?:do )?show [\w |.-]*)?")


def is_echo(line: str) -> bool:
    """Whether a line is a prompt, or what was typed to look at something, or both."""
    return ("show " in line or line[-1:] in ("#", ">")) and _ECHO.fullmatch(line) is not None


def host_of(prompt: str) -> str:
    """The host name in a prompt; empty where there is none."""
    found = _PROMPT_PARTS.fullmatch(prompt.strip())
    return found[1] if found else ""


def modulus_range(text: str) -> tuple[int, int] | None:
    """What "Choose the size of the key modulus in the range of 360 to 4096" offers."""
    found = _MODULUS_RANGE.search(strip_noise(text))
    return (int(found[1]), int(found[2])) if found else None


# -- closing lines: success is one of these, never the absence of a complaint --------------------------------

_OK = re.compile(r"\[OK\]")
_BACKGROUND = re.compile(r"^[ \t]*% Generating crypto RSA keys in background", re.MULTILINE)
_IMPORTED = re.compile(r"^[ \t]*% Key pair import succeeded\.", re.MULTILINE)
_PRIVILEGE = re.compile(r"Current privilege level is (\d{1,2})\b")


def generation(text: str) -> Literal["done", "background"] | None:
    """How `crypto key generate` ended. "background": the key is still being made, and must be looked for."""
    text = strip_noise(text)
    if _BACKGROUND.search(text):
        return "background"
    return "done" if _OK.search(text) else None


def imported(text: str) -> bool:
    return _IMPORTED.search(strip_noise(text)) is not None


def saved(text: str) -> bool:
    ok = _OK.search(strip_noise(text))
    return ok is not None and refusal(text) is None


def read_privilege(text: str) -> int | None:
    found = _PRIVILEGE.search(strip_noise(text))
    return int(found[1]) if found else None


# -- refusals ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refusal:
    """What a device said instead of doing what it was asked. `line` holds no secret."""

    code: str
    line: str


COMMAND_UNKNOWN = frozenset({"ambiguous", "incomplete", "invalid_input", "unknown_command"})
COMMAND_REFUSED = COMMAND_UNKNOWN | {"not_authorized"}

# The first row that matches the beginning of a line decides.
_SEEN_REFUSALS = (
    (r"% ?Invalid input detected", "invalid_input"),
    (r"% ?Ambiguous command", "ambiguous"),
    (r"% ?Incomplete command", "incomplete"),
    (r"% ?(?:Unknown|Unrecognized) command", "unknown_command"),
    (r"(?:% ?)?(?:Command )?authori[sz]ation failed", "not_authorized"),
    (r"% ?(?:Bad secrets|Bad passwords?|Access denied|Error in authentication)", "bad_secret"),
    (r"% ?No password set", "no_secret"),
    (r"%.{0,200}\bis not exportable", "not_exportable"),
    (r"% ?Please define a (?:domain-?name|hostname)", "domain_name_missing"),
    (r"% ?They will be replaced", "will_be_replaced"),
    (r".{0,200}\bno space left", "no_space"),
    (r"(?:% ?)?Configuration (?:mode )?(?:is )?locked", "config_locked"),
    (r"(?:% ?)?Config mode cannot be entered", "config_locked"),
    # Seen for `crypto pki import`, the sister command:
    (r"(?:%.{0,200}\b)?unable to decode key", "undecodable"),
    (r"% ?(?:Key pair|PEM files) import failed", "import_failed"),
    (r"%.{0,200}\bis in use\b", "in_use"),
)
# No transcript is known for any of these.
_GUESSED_REFUSALS = (
    (r"%.{0,200}\bnot exportable", "not_exportable"),
    (r"%.{0,200}\bpass(?:phrase|word)\b.{0,80}\b(?:at ?least|minimum|short|characters)", "short_passphrase"),
    (r"%.{0,200}\b(?:bad|wrong|invalid|incorrect) pass(?:phrase|word)", "bad_passphrase"),
    (r"%.{0,200}\bpass(?:phrase|word) (?:is )?(?:bad|wrong|invalid|incorrect)", "bad_passphrase"),
    (r"%.{0,200}\b(?:unable to|failed to|cannot|could not|error in|error) decrypt", "bad_passphrase"),
    (r"%.{0,200}\b(?:mismatch|do(?:es)? not match)", "mismatch"),
    (r"%.{0,200}\balready (?:in use|exists?|defined)\b", "in_use"),
    (r"%.{0,200}\b(?:not found|does(?: not|n't) exist|no such)\b", "not_found"),
    (r"% ?No .{0,40}\bkeys?\b", "not_found"),
    (r"%.{0,200}\b(?:not enough|insufficient) (?:space|memory|room)", "no_space"),
    (r"%.{0,200}\bnvram.{0,40}\bfull\b", "no_space"),
    (r".{0,40}\bopen failed \(Device or resource busy\)", "busy"),
    (r".{0,40}\bopen failed \(Not enough space\)", "no_space"),
    (r"(?:% ?)?Configuration (?:mode )?is currently locked", "config_locked"),
    (r"% ?A decimal number between", "bad_number"),
)
_OTHER_REFUSALS = (
    (r"(?:% ?)?Command rejected", "other"),
    (r"%\S{0,3} ?Error", "other"),
    (r"% [^%]", "other"),
)
_CODES = tuple(code for dummy, code in (*_SEEN_REFUSALS, *_GUESSED_REFUSALS, *_OTHER_REFUSALS))
_REFUSAL = re.compile(
    "|".join(f"({pattern})" for pattern, dummy in (*_SEEN_REFUSALS, *_GUESSED_REFUSALS, *_OTHER_REFUSALS)),
    re.IGNORECASE,
)
_ALREADY_THERE = re.compile(r"% You already have \w{1,6} keys defined", re.IGNORECASE)
_AND_THEN = re.compile(r"% (?:They will be replaced|Do you really want)", re.IGNORECASE)

# Messages with "% " that come while a device does what it was asked.
_REMARK = re.compile(
    r"% (?:Key name:|Key pair was generated|Key pair import succeeded|The key modulus size|Generating \w|Importing \w|"
    r"Enter PEM|End with|Keys to be removed|All \w+ certs issued|All (?:RSA )?keys will be removed|"
    r"Do you really want|You already have|Please answer|Choose the size|Warning\b)",
    re.IGNORECASE,
)
# A quick look before the long table: every refusal begins with "%" or holds one of these.
_REFUSAL_WORDS = ("authori", "unable to decode", "locked", "cannot be", "rejected", "no space", "open failed")


def refusal(text: str) -> Refusal | None:
    """The first thing in an output that says "no"; None where there is none, which proves nothing."""
    text = strip_noise(text)
    lines = [line.strip() for line in text.split("\n")]
    lowered = text.lower()
    only_percent = not any(word in lowered for word in _REFUSAL_WORDS)
    for number, line in enumerate(lines):
        if only_percent and not line.startswith("%"):
            continue
        following = lines[number + 1 : number + 4]
        if _ALREADY_THERE.match(line) and not any(map(_AND_THEN.match, following)):
            return Refusal("in_use", quote(line))
        if _REMARK.match(line):
            continue
        if found := _REFUSAL.match(line):
            return Refusal(_CODES[(found.lastindex or 1) - 1], quote(line))
    return None


# What devices say about passphrases. A line with nothing but these words behind "passphrase" holds none.
_HARMLESS = (
    r"(?:[ ,.;:!()]|\b(?:a|and|at|atleast|bad|be|can|cannot|char|characters?|chars|contain|contains|decrypt|failed|for|"
    r"has|have|in|incorrect|invalid|is|key|least|length|long|match|maximum|minimum|missing|more|must|needs|no|not|of|or|"
    r"private|required|set|short|shorter|should|spaces?|than|the|to|too|used|was|with|wrong|\d{1,3})\b)*"
)
_SECRETS = (
    (
        re.compile(rf"(pass ?phrase|password|secret)\b(?!{_HARMLESS}\Z)(?=.*\S).*", re.IGNORECASE),
        r"\1 ...",
    ),
    (re.compile(r"\b(3des|des|aes|terminal|url) +\S.*", re.IGNORECASE), r"\1 ..."),
    (re.compile(r"[A-Za-z0-9+/]{20,}={0,2}"), "..."),
)
_QUOTED = 160


def quote(line: str) -> str:
    """A line of the device fit for an error message: one line, short, nothing in it that could be secret."""
    line = printable(" ".join(line[: 4 * _QUOTED].split()), 4 * _QUOTED)
    for pattern, replacement in _SECRETS:
        line = pattern.sub(replacement, line)
    return line if len(line) <= _QUOTED else line[: _QUOTED - 4] + " ..."


def unreadable(message: str) -> NoReturn:
    raise VpnKeysError("unreadable", message)


def expect_no_refusal(text: str, what: str) -> None:
    """Where nothing was listed: the device must not have refused to list."""
    found = refusal(text)
    if found and found.code != "not_found":
        unreadable(f'The device did not show {what}: "{found.line}".')
