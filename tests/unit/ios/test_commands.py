# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.effort import examples

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.module_utils._ios import commands, key_listings
from ansible_collections.vpnops.keys.plugins.module_utils._ios.key_listings import KeyRing, RsaKey
from ansible_collections.vpnops.keys.plugins.module_utils._ios.labels import Label

PLUGINS = Path(commands.__file__).parents[2]
TRANSCRIPTS = Path(__file__).parent / "transcripts"
PASSPHRASE = "Abcdefgh12345678Abcdefgh12345678"

LABELS = st.from_regex(r"[A-Za-z0-9._][A-Za-z0-9._-]{0,40}", fullmatch=True)


def ring(*labels: str) -> KeyRing:
    return KeyRing(
        tuple(
            RsaKey(label, "general", 2048, True, "private-config", True, False, None, b"") for label in labels
        )
    )


def free(name: str) -> key_listings.FreeLabel:
    return ring("another").free(Label(name))


def held(name: str) -> key_listings.HeldLabel:
    return ring("another", name).held(Label(name))


# -- labels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["K", "getvpnkey", "KS-1.vpn.lab", "a_b", "9", "_", "modulus2048", "x" * 64])
def test_good_labels(name: str) -> None:
    label = Label.parse(name)
    assert str(label) == label.name == name
    assert label.scratch.name == f"{name}.vpnops-new"
    assert label.scratch.is_scratch
    assert not label.is_scratch
    assert label.scratch.scratch == label.scratch


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a b",
        'a"b',
        "a'b",
        "a?",
        "a\n",
        "a\x00",
        "a\tb",
        "a;b",
        "-a",
        "ä",
        "x" * 65,
        "ERROR",
        "Error",
        "a/b",
        "a:b",
    ]
    + [
        "K.server",
        ".server",
        "modulus",
        "rsa",
        "EXPORTABLE",
        "pem",
        "K.vpnops-new",
        ".vpnops-new",
        "a\r\nreload",
        "$(x)",
    ],
)
def test_bad_labels(name: str) -> None:
    with pytest.raises(VpnKeysError) as raised:
        Label.parse(name)
    assert raised.value.code == "bad_input"
    assert str(raised.value).isprintable()
    assert str(raised.value).endswith(".")
    assert str(raised.value).count("\n") == 0


@pytest.mark.parametrize("name", [None, 7, b"K", ["K"]])
def test_labels_are_texts(name: Any) -> None:
    with pytest.raises(VpnKeysError, match="must be text"):
        Label(name)


def test_the_limit_says_whose_it_is() -> None:
    with pytest.raises(VpnKeysError, match="65 characters long; this collection allows 64"):
        Label.parse("x" * 65)


@given(st.text())
def test_a_label_never_holds_what_a_command_line_could_misread(text: str) -> None:
    try:
        label = Label.parse(text)
    except VpnKeysError:
        return
    assert re.fullmatch(r"[A-Za-z0-9._][A-Za-z0-9._-]{0,63}", label.name)


# -- command lines ---------------------------------------------------------------------------------------------


def test_the_lines() -> None:
    assert commands.show_keys() == "show crypto key mypubkey rsa"
    assert (
        commands.generate(free("K"), "general", True)
        == "crypto key generate rsa general-keys label K exportable"
    )
    assert commands.generate(free("K"), "signature", False) == "crypto key generate rsa signature label K"
    assert commands.regenerate(held("K"), "encryption", False) == "crypto key generate rsa encryption label K"
    assert (
        commands.export(held("K"), "3des", PASSPHRASE)
        == f"crypto key export rsa K pem terminal 3des {PASSPHRASE}"
    )
    assert commands.remove(held("K")) == "crypto key zeroize rsa K"
    assert commands.show_coop("gdoi") == "show crypto gdoi ks coop"
    assert commands.show_members("gkm") == "show crypto gkm ks members"
    assert commands.show_policy("gkm") == "show crypto gkm ks policy"


def test_the_lines_about_groups() -> None:
    assert commands.enter_group("gkm", "EUROPE") == ("crypto gkm group EUROPE", "server local")
    assert commands.sign_with(held("K")) == "rekey authentication mypubkey rsa K"
    assert commands.rekey_now("gdoi", "EUROPE", False) == "crypto gdoi ks rekey group EUROPE"
    assert commands.rekey_now("gdoi", "EUROPE", True) == "crypto gdoi ks rekey group EUROPE replace-now"
    assert commands.show_startup_groups() == "show startup-config | section crypto g"


@pytest.mark.parametrize("name", ["", "a b", "a\nreload", "a?", "!a", "a|b", '"a"', "-a", "ä", "x" * 81])
def test_a_group_name_that_a_command_line_could_misread_is_refused(name: str) -> None:
    for build in (lambda: commands.enter_group("gdoi", name), lambda: commands.rekey_now("gdoi", name, False)):
        with pytest.raises(VpnKeysError, match="cannot be used in an IOS command"):
            build()


def test_imports_are_tried_from_the_surest_spelling_on() -> None:
    exportable = commands.imports(free("K"), True, PASSPHRASE, "general")
    assert exportable == (
        f"crypto key import rsa K exportable pem terminal {PASSPHRASE}",
        f"crypto key import rsa K pem exportable terminal {PASSPHRASE}",
        f"crypto key import rsa K exportable terminal {PASSPHRASE}",
        f"crypto key import rsa K pem terminal exportable {PASSPHRASE}",
    )
    private = commands.imports(free("K"), False, PASSPHRASE, "encryption")
    assert private == (
        f"crypto key import rsa K pem encryption terminal {PASSPHRASE}",
        f"crypto key import rsa K encryption terminal {PASSPHRASE}",
    )


PROVED: dict[str, Callable[[Any], object]] = {
    "generate": lambda proof: commands.generate(proof, "general", True),
    "regenerate": lambda proof: commands.regenerate(proof, "general", True),
    "export": lambda proof: commands.export(proof, "3des", PASSPHRASE),
    "imports": lambda proof: commands.imports(proof, True, PASSPHRASE, "general"),
    "remove": commands.remove,
    "sign_with": commands.sign_with,
}


@pytest.mark.parametrize("name", PROVED)
@pytest.mark.parametrize(
    "proof", ["K", None, "", Label("K"), ring("K"), 1], ids=["str", "none", "empty", "label", "ring", "int"]
)
def test_nothing_acts_on_a_label_without_a_proof(name: str, proof: object) -> None:
    with pytest.raises(TypeError, match="Label is needed"):
        PROVED[name](proof)


@pytest.mark.parametrize("name", PROVED)
def test_the_other_proof_is_no_proof(name: str) -> None:
    wrong = held("K") if name in {"generate", "imports"} else free("K")
    with pytest.raises(TypeError, match="Label is needed"):
        PROVED[name](wrong)


def test_a_forged_proof_is_looked_at_again() -> None:
    proof = held("K")
    forged = copy.copy(proof)
    object.__setattr__(forged, "label", Label("other"))
    with pytest.raises(VpnKeysError, match="no key other"):
        commands.remove(forged)
    object.__setattr__(forged, "label", "")
    with pytest.raises(TypeError):
        commands.remove(forged)
    with pytest.raises(VpnKeysError, match="no key other"):
        dataclasses.replace(proof, label=Label("other"))
    empty = object.__new__(key_listings.HeldLabel)
    with pytest.raises((TypeError, AttributeError)):
        commands.remove(empty)


def lines(result: object) -> Iterator[str]:
    if isinstance(result, str):
        yield result
    elif isinstance(result, tuple):
        for part in result:
            yield from lines(part)


BUILDERS = [
    value
    for name, value in vars(commands).items()
    if inspect.isfunction(value) and value.__module__ == commands.__name__ and name != "paste_lines"
]
ANYTHING = st.one_of(
    st.text(max_size=40),
    st.integers(),
    st.booleans(),
    st.none(),
    st.sampled_from(
        ["general", "signature", "encryption", "3des", "des", "aes", "gdoi", "gkm", PASSPHRASE, "usage-keys"]
    ),
    LABELS.map(lambda name: f"{name} modulus 2048"),
)


@given(st.sampled_from(BUILDERS), LABELS, st.lists(ANYTHING, min_size=4, max_size=4))
@settings(max_examples=examples(1500), deadline=None)
def test_no_builder_makes_a_line_that_destroys_unasked(builder: Any, name: str, values: list[object]) -> None:
    try:
        proofs: dict[str, object] = {"free": free(name), "held": held(name)}
    except VpnKeysError:
        return
    names = list(inspect.signature(builder).parameters)
    arguments = [proofs.get(parameter, values[number]) for number, parameter in enumerate(names)]
    try:
        result = builder(*arguments)
    except (VpnKeysError, TypeError, ValueError, AttributeError):
        return
    for line in lines(result):
        assert "\n" not in line
        assert "\r" not in line
        assert "?" not in line
        assert line.isascii()
        if builder is commands.check_passphrase:
            continue
        words = line.split()
        if "zeroize" in words:
            assert words == ["crypto", "key", "zeroize", "rsa", name]
        if words[:3] == ["crypto", "key", "generate"]:
            assert "modulus" not in words
            assert words[words.index("label") + 1] == name
        if words[:2] == ["crypto", "key"]:
            assert name in words


def test_no_other_file_knows_a_key_command() -> None:
    word = re.compile(
        r"crypto\s+key\s+(?:generate|zeroize|import|export|move|encrypt|decrypt|lock|unlock)|zeroize\s+rsa"
    )
    shown_to_people = {"modules", "doc_fragments"}
    for path in sorted(PLUGINS.rglob("*.py")):
        if path.name == "commands.py" or path.relative_to(PLUGINS).parts[0] in shown_to_people:
            continue
        code = "\n".join(without_docstrings(path))
        assert not word.search(code), path


def without_docstrings(path: Path) -> Iterator[str]:
    """The strings that a module could send: its constants, without docstrings and comments."""
    import ast

    tree = ast.parse(path.read_text())
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def test_usage_cipher_kind_are_checked() -> None:
    with pytest.raises(VpnKeysError, match="usage"):
        commands.generate(free("K"), "modulus 2048", True)  # type: ignore[arg-type]
    with pytest.raises(VpnKeysError, match="cipher"):
        commands.export(held("K"), "rot13", PASSPHRASE)
    with pytest.raises(VpnKeysError, match="kind"):
        commands.show_coop("gdoi | redirect flash:x")  # type: ignore[arg-type]


# -- passphrases -----------------------------------------------------------------------------------------------


def test_one_time_passphrases() -> None:
    made = {commands.one_time_passphrase() for dummy in range(50)}
    assert len(made) == 50
    assert all(
        re.fullmatch(r"[A-Za-z0-9]{32}", one) and commands.check_passphrase(one) == one for one in made
    )


@pytest.mark.parametrize("text", ["Aussuper!", "PASSWORD!123", "a-b_c.d,e", "12345678", "x" * 128])
def test_good_passphrases(text: str) -> None:
    assert commands.check_passphrase(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1234567",
        "x" * 129,
        "12345678?",
        "1234 5678",
        "12345678\n",
        "12345678\t",
        '12345678"',
        "12345678'",
        "12345678é",
    ]
    + ["12345678\x16", "12345678\x7f", "`12345678", "12345678\x00"],
)
def test_bad_passphrases_are_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(VpnKeysError) as raised:
        commands.check_passphrase(text)
    assert raised.value.code == "bad_input"
    assert not text.strip() or text not in str(raised.value)


@given(st.text())
def test_passphrases_that_pass_are_one_word(text: str) -> None:
    try:
        commands.check_passphrase(text)
    except VpnKeysError:
        return
    assert text.split() == [text]
    assert text.isprintable()
    assert text.isascii()
    assert not set(text) & set("?\"'`")


# -- pasting ---------------------------------------------------------------------------------------------------

BLOCK = re.compile(r"-----BEGIN [A-Z ]+-----\n(?:.*\n)*?-----END [A-Z ]+-----\n")
BLOCKS = [
    block for path in sorted(TRANSCRIPTS.glob("export_*.txt")) for block in BLOCK.findall(path.read_text())
]


def test_pem_blocks_become_their_lines() -> None:
    assert len(BLOCKS) > 3
    for block in BLOCKS:
        assert "\n".join(commands.paste_lines(block)) + "\n" == block
        assert commands.paste_lines(block.replace("\n", "\r\n")) == commands.paste_lines(block)


@pytest.mark.parametrize(
    "line",
    [
        "quit",
        "QUIT",
        " quit",
        "",
        " ",
        "reload",
        "end\nreload",
        "crypto key zeroize rsa",
        "A" * 65,
        "AAAA BBBB",
        "\x03",
        "AA\x1aA",
    ]
    + [
        "-----BEGIN CERTIFICATE-----",
        "Proc-Type: 4,ENCRYPTED; reload",
        "DEK-Info: X",
        "AAAA?",
        "AAAA\rreload",
        "AAAA\u2028reload",
    ],
)
def test_other_lines_are_never_pasted(line: str) -> None:
    for block in BLOCKS:
        parts = block.split("\n")
        for at in (0, 1, 5, len(parts) - 2, len(parts) - 1):
            with pytest.raises(VpnKeysError) as raised:
                commands.paste_lines("\n".join([*parts[:at], line, *parts[at:]]))
            assert raised.value.code == "bad_input"
            assert line.strip() == "" or line not in str(raised.value)


OPEN = [
    "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
    "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    BLOCKS[0] + BLOCKS[1],
    BLOCKS[0] + "\n",
]


@pytest.mark.parametrize(
    "pem", ["", "\n", "AAAA", "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----", *OPEN]
)
def test_what_is_no_block_is_never_pasted(pem: str) -> None:
    with pytest.raises(VpnKeysError):
        commands.paste_lines(pem)


@given(st.text())
def test_anything_pasted_is_harmless(text: str) -> None:
    try:
        typed = commands.paste_lines(f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
    except VpnKeysError:
        return
    assert all(
        re.fullmatch(r"[A-Za-z0-9+/=]{1,64}|-----(BEGIN|END) PUBLIC KEY-----|[PD].*", line) for line in typed
    )
    assert "quit" not in typed
