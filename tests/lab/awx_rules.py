# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the API of AWX 24.6 refuses, and in which words: surveys and the answers to them, rules of schedules, types of
credentials, variables. Pure; each function gives the complaint, or an empty text."""

from __future__ import annotations

import json
import re
import typing as t

import yaml
from dateutil import rrule
from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

Data = dict[str, t.Any]

# ------------------------------------------------------------------ fields

NO = {
    str: "Not a valid string.", bool: "Must be a valid boolean.", int: "A valid integer is required.",
    dict: "Expected a dictionary of items.", list: "Expected a list of items.",
}  # fmt: skip
TRUTH: dict[t.Any, bool] = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}
WHOLE = re.compile(r"-?[0-9]{1,18}")


def field(kind: type, value: t.Any) -> t.Any:
    """`value` as a field of this kind keeps it. Raises ValueError with the complaint."""
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    if kind is str and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if kind is int and isinstance(value, str) and WHOLE.fullmatch(value):
        return int(value)
    if kind is bool and isinstance(value, str) and value in TRUTH:
        return TRUTH[value]
    if kind is dict and isinstance(value, str) and not isinstance(variables(value), str):
        return variables(value)
    raise ValueError(NO[kind])


# ------------------------------------------------------------------ variables


def variables(text: str) -> Data | str:
    """JSON or YAML, as a mapping; or the complaint."""
    if not isinstance(text, str):
        return "Not a valid string."
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except ValueError as not_json:
        try:
            found = yaml.safe_load(text) or {}
        except (yaml.YAMLError, ValueError) as not_yaml:  # ValueError: the 31st of February
            return f"Cannot parse as JSON (error: {not_json}) or YAML (error: {not_yaml})."
    if not isinstance(found, dict):
        return f"Input type `{type(found).__name__}` is not a dictionary"
    return found


# ------------------------------------------------------------------ surveys

KINDS: dict[str, type | tuple[type, ...]] = {
    "text": str, "textarea": str, "password": str, "multiplechoice": str, "multiselect": str,
    "integer": int, "float": (float, int),
}  # fmt: skip
CHOOSE = ("multiplechoice", "multiselect")


def survey(spec: object) -> str:
    if not isinstance(spec, dict):
        return "Survey spec is not a json object."
    for name, kind in (("name", str), ("description", str), ("spec", list)):
        if name not in spec:
            return f"Field '{name}' is missing from survey spec."
        if not isinstance(spec[name], kind):
            return f"Expected {kind.__name__} for field '{name}', received {type(spec[name]).__name__} type."
    if not spec["spec"]:
        return "'spec' doesn't contain any items."
    seen: set[str] = set()
    return next(filter(None, (_question(number, one, seen) for number, one in enumerate(spec["spec"]))), "")


def _question(number: int, one: object, seen: set[str]) -> str:
    if not isinstance(one, dict):
        return f"Survey question {number} is not a json object."
    for name in ("type", "question_name", "variable", "required"):
        kind, called = (bool, "boolean") if name == "required" else (str, "string")
        if name not in one:
            return f"'{name}' missing from survey question {number}"
        if not isinstance(one[name], kind):
            return f"'{name}' in survey question {number} expected to be {called}."
    if one["variable"] in seen:
        return f"'variable' '{one['variable']}' duplicated in survey question {number}."
    seen.add(one["variable"])
    if one["type"] not in KINDS:
        return f"'{one['type']}' in survey question {number} is not one of '{', '.join(KINDS)}' allowed question types."
    return _default(number, one) or _limits(number, one) or _choices(number, one)


def _default(number: int, one: Data) -> str:
    default = one.get("default", "")
    called = one["type"] if one["type"] in ("integer", "float") else "string"
    if default == "" or (isinstance(default, KINDS[one["type"]]) and not isinstance(default, bool)):
        return ""
    return f"Default value {default} in survey question {number} expected to be {called}."


def _limits(number: int, one: Data) -> str:
    wrong = [name for name in ("min", "max") if one.get(name) not in (None, "") and not isinstance(one[name], int)]
    return f"The {wrong[0]} limit in survey question {number} expected to be integer." if wrong else ""


def choices(one: Data) -> list[str]:
    """A list, or lines."""
    found = one.get("choices", [])
    return [line for line in found.splitlines() if line.strip()] if isinstance(found, str) else list(found)


def _choices(number: int, one: Data) -> str:
    if one["type"] not in CHOOSE:
        return ""
    if "choices" not in one:
        return f"Survey question {number} of type {one['type']} must specify choices."
    if not isinstance(one["choices"], (str, list)):
        return f"Choices of survey question {number} expected to be a list."
    defaults = [line for line in one.get("default", "").splitlines() if line.strip()]
    if one["type"] == "multiplechoice" and len(defaults) > 1:
        return "Multiple Choice (Single Select) can only have one default value."
    listed = choices(one)
    known = all(one in listed for one in defaults)
    return "" if known else "Default choice must be answered from the choices listed."


def answers(spec: t.Sequence[Data], given: Data, started: bool = True) -> list[str]:
    """What is wrong with the variables `given` to a survey. `started`: what is required must be there."""
    return [found for one in spec if (found := _answer(one, given, started))]


def _answer(one: Data, given: Data, started: bool) -> str:
    name = one["variable"]
    if name not in given:
        return f"'{name}' value missing" if one["required"] and started and "default" not in one else ""
    value, kind = given[name], one["type"]
    if kind == "multiplechoice":
        return "" if value in choices(one) else f"Value {value} for '{name}' expected to be one of {choices(one)}."
    if kind == "multiselect" and isinstance(value, list):
        wrong = [choice for choice in value if choice not in choices(one)]
        return f"Value {wrong[0]} for '{name}' expected to be one of {choices(one)}." if wrong else ""
    wanted: t.Any = list if kind == "multiselect" else KINDS[kind]
    called = {"integer": "an integer", "float": "a numeric type", "multiselect": "a list"}.get(kind, "a string")
    if not isinstance(value, wanted) or isinstance(value, bool):
        return f"Value {value} for '{name}' expected to be {called}."
    size = len(value) if isinstance(value, str) else value
    if one.get("min") not in (None, "") and size < int(one["min"]):
        return f"'{name}' value {value} is too small (must be at least {one['min']})."
    if one.get("max") not in (None, "") and size > int(one["max"]):
        return f"'{name}' value {value} is too large (must be no more than {one['max']})."
    return ""


# ------------------------------------------------------------------ schedules

NOT_SUPPORTED = {
    "secondly": "SECONDLY is not supported",
    "byyearday": "BYYEARDAY not supported",
    "byweekno": "BYWEEKNO not supported",
}


def rule(text: str) -> list[str]:
    """DTSTART with a zone, and at least one rule with an INTERVAL, that python-dateutil understands."""
    starts = re.findall(r"DTSTART(?:;[^:]+)?:[0-9]+T[0-9]+Z?", text)
    found = []
    if not starts:
        found.append("Valid DTSTART required in rrule. Value should start with: DTSTART:YYYYMMDDTHHMMSSZ")
    if re.search(r"DTSTART:[0-9]+T[0-9]+\s", text):
        found.append("DTSTART cannot be a naive datetime without ;TZINFO= or YYYYMMDDTHHMMSSZZ")
    if len(starts) > 1:
        found.append("Multiple DTSTART is not supported.")
    rules = re.findall(r"RULE:[^\s]*", text)
    if "rrule:" not in text.lower():
        found.append("One or more rule required in rrule.")
    for one in rules:
        found += _one_rule(one)
    try:
        rrule.rrulestr(text, forceset=True)
    except Exception as error:  # noqa: BLE001 - as AWX does: dateutil raises whatever comes
        found.append(f"rrule parsing failed validation: {error}")
    return found


def _one_rule(one: str) -> list[str]:
    found = [words for name, words in NOT_SUPPORTED.items() if name in one.lower()]
    if "interval" not in one.lower():
        found.append(f"INTERVAL required in rrule: {one}")
    if re.search(r"BYDAY[:=][0-9]+[a-zA-Z]{2}", one):
        found.append("BYDAY with numeric prefix not supported")
    if "COUNT" in one and "UNTIL" in one:
        found.append("RRULE may not contain both COUNT and UNTIL")
    count = re.search(r"COUNT=([0-9]+)", one)
    if count and int(count[1]) > 999:
        found.append("COUNT > 999 is unsupported")
    return found


def hangs(text: str) -> bool:
    """AWX looks for the next time for ever."""
    return bool(re.search(r"INTERVAL=0+(;|\s|$)", text))


# ------------------------------------------------------------------ types of credentials

NAME = re.compile(r"[a-zA-Z_]+[a-zA-Z0-9_]*")
FIELD: dict[str, type | tuple[type, ...]] = {
    "id": str, "label": str, "type": str, "format": str, "choices": list, "default": (str, bool), "help_text": str,
    "multiline": bool, "secret": bool, "ask_at_runtime": bool,
}  # fmt: skip
NEVER = {"VIRTUAL_ENV", "PATH", "PYTHONPATH", "JOB_ID", "INVENTORY_ID", "REST_API_URL", "REST_API_TOKEN", "AWX_HOST"}
"""Of AWX's list of variables that no credential may set."""


def inputs(found: object) -> str:
    if not isinstance(found, dict):
        return f"{found!r} is not of type 'object'"
    unknown = sorted(found.keys() - {"fields", "required"})
    if unknown:
        return f"Additional properties are not allowed ({unknown[0]!r} was unexpected)"
    odd = [value for value in found.values() if not isinstance(value, list)]
    if odd:
        return f"{odd[0]!r} is not of type 'array'"
    ids: list[str] = []
    for one in found.get("fields", []):
        wrong = _field(one) or (f"field IDs must be unique ({one['id']})" if one["id"] in ids else "")
        if wrong:
            return wrong
        ids.append(one["id"])
    missing = [name for name in found.get("required", []) if name not in ids]
    return f"{missing[0]!r} is required, and no field" if missing else ""


def _field(one: object) -> str:
    if not isinstance(one, dict):
        return f"{one!r} is not of type 'object'"
    for name in ("id", "label"):
        if name not in one:
            return f"{name!r} is a required property"
    for name, value in one.items():
        if name not in FIELD:
            return f"Additional properties are not allowed ({name!r} was unexpected)"
        if not isinstance(value, FIELD[name]):
            return f"{value!r} is not of the type of {name!r}"
    if one["id"] == "tower":
        return "'tower' is a reserved field name"
    if not NAME.fullmatch(one["id"]):
        return f"{one['id']!r} does not match {NAME.pattern!r}"
    if one.get("type", "string") not in ("string", "boolean"):
        return f"{one['type']!r} is not one of ['string', 'boolean']"
    odd = [name for name in ("multiline", "format", "choices", "secret") if name in one]
    return f"{odd[0]} not allowed for {one['type']} type" if one.get("type") == "boolean" and odd else ""


class _Tower:
    """What `tower.filename` is while templates are tried."""


def injectors(found: object, names: t.Iterable[str]) -> str:
    """`names`: the ids of the inputs."""
    if not isinstance(found, dict):
        return f"{found!r} is not of type 'object'"
    unknown = sorted(found.keys() - {"file", "env", "extra_vars"})
    if unknown:
        return f"Additional properties are not allowed ({unknown[0]!r} was unexpected)"
    odd = [value for value in found.values() if not isinstance(value, dict)]
    if odd:
        return f"{odd[0]!r} is not of type 'object'"
    files = found.get("file", {})
    wrong = _files(files) or next(filter(None, (_environment(name) for name in found.get("env", {}))), "")
    if wrong:
        return wrong
    known: Data = dict.fromkeys(names, "EXAMPLE")
    tower = _Tower()
    if set(files) == {"template"}:
        tower.filename = "EXAMPLE"  # type: ignore[attr-defined]
    elif files:
        tower.filename = _Tower()  # type: ignore[attr-defined]
        for name in files:
            setattr(tower.filename, name.removeprefix("template."), "EXAMPLE")  # type: ignore[attr-defined]
    known["tower"] = tower
    return next(filter(None, (_rendered(kind, name, value, known)
                              for kind, values in found.items() for name, value in values.items())), "")  # fmt: skip


def _files(files: Data) -> str:
    wrong = [name for name in files if not re.fullmatch(rf"template(\.{NAME.pattern})?", name)]
    if wrong:
        return f"{wrong[0]!r} does not match any of the regexes: '^template(\\\\.{NAME.pattern})?$'"
    return "Must use multi-file syntax when injecting multiple files" if len(files) > 1 and "template" in files else ""


def _environment(name: str) -> str:
    if name.startswith("ANSIBLE_"):
        return f"Environment variable {name} may affect Ansible configuration so its use is not allowed in credentials."
    if name in NEVER:
        return f"Environment variable {name} is not allowed to be used in credentials."
    return "" if NAME.fullmatch(name) else f"{name!r} is not a valid name of an environment variable"


def _rendered(kind: str, name: str, value: object, known: Data) -> str:
    """Extra variables may be nested."""
    if isinstance(value, (dict, list)) and kind == "extra_vars":
        parts = value.values() if isinstance(value, dict) else value
        return next(filter(None, (_rendered(kind, name, part, known) for part in parts)), "")
    if not isinstance(value, str):
        return "" if kind == "extra_vars" else f"{value!r} is not of type 'string'"
    try:
        ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(value).render(**known)
    except UndefinedError as error:
        return f"{name} uses an undefined field ({error})"
    except SecurityError as error:
        return f"Encountered unsafe code execution: {error}"
    except TemplateSyntaxError as error:
        return f"Syntax error rendering template for {name} inside of {kind} ({error})"
    except Exception as error:  # noqa: BLE001 - as AWX does: a template may fail with anything
        return f"Error rendering template for {name} inside of {kind} ({error})"
    return ""
