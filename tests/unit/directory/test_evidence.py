# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gateways have seen of a directory counts if the directory signed it, and stops nobody else if it did not."""

from __future__ import annotations

import os
import shutil
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from unit.directory.samples import Data, Directory, gateway, mesh, names, new_key

from ansible_collections.vpnops.keys.plugins.module_utils import _tampered
from ansible_collections.vpnops.keys.plugins.module_utils._directory import note, signing
from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError


def path_of(directory: Directory) -> str:
    return directory.url.removeprefix("sqlite:///")


def note_of(directory: Directory) -> str:
    return t.cast(str, directory.read()["directory"]["checkpoint"]["note"])


def seen(text: str, *gateways: str, **more: t.Any) -> list[Data]:
    return [{"gateway": name, "note": text, **more} for name in gateways or ("gw1",)]


def forget(directory: Directory) -> None:
    """Another control node: it remembers nothing."""
    Path(f"{directory.key_path}.witness").unlink()


@pytest.fixture
def old(directory: Directory, tmp_path: Path) -> tuple[Directory, str]:
    """A directory that was put back to an old copy, and a note of its newest state."""
    mesh(directory)
    shutil.copy(path_of(directory), tmp_path / "old")
    directory.write("revoked", gateways=names("gw3"), lost=True)
    newest = note_of(directory)
    shutil.copy(tmp_path / "old", path_of(directory))
    forget(directory)
    return directory, newest


def test_gateways_show_that_a_directory_was_put_back(old: tuple[Directory, str]) -> None:
    """The lost gateway would be accepted again."""
    directory, newest = old
    assert "gw3" in directory.read()["directory"]["gateways"]
    forget(directory)
    found = directory.read(witnesses=seen(newest, "gw1", "gw2"))
    assert found["directory"]["tampered"] == [
        {"gateway": None, "serial": None, "what": "rolled back", "seen_by": ["gw1", "gw2"]}
    ]
    assert (found["peers"], found["directory"]["gateways"]) == ([], {})
    with pytest.raises(VpnKeysError) as caught:
        directory.read(witnesses=seen(newest), fail_on_tampered=True)
    assert f"{_tampered.WHOLE['rolled back']} (seen by gw1)" in str(caught.value)
    steps: list[tuple[str, Data]] = [
        ("prepared", {"gateways": names("gw1")}),
        ("present", {"gateways": [gateway("gw9", new_key())]}),
    ]
    for state, given in steps:
        with pytest.raises(VpnKeysError, match="seen by gw1") as caught:
            directory.write(state, witnesses=seen(newest), **given)
        assert caught.value.code == "tampered"
    assert not os.path.exists(f"{directory.key_path}.witness"), "an old copy is not remembered as the newest one"


@pytest.mark.parametrize("ignored", [["gw1"], ["all"]])
def test_the_operator_can_go_on_without_believing_them(old: tuple[Directory, str], ignored: list[str]) -> None:
    directory, newest = old
    given: Data = {"witnesses": seen(newest), "ignored_witnesses": ignored}
    assert directory.read(**given)["directory"]["tampered"] == []
    assert directory.write("prepared", gateways=names("gw1"), **given)["changed"]
    if ignored == ["gw1"]:
        both = seen(newest, "gw1", "gw2")
        tampered = directory.read(witnesses=both, ignored_witnesses=ignored)["directory"]["tampered"]
        assert [one["seen_by"] for one in tampered] == [["gw2"]]


def test_who_has_stored_something_already_is_told_and_stops_nothing(old: tuple[Directory, str]) -> None:
    """In an emergency most of all."""
    directory, newest = old
    found = directory.write("revoked", gateways=names("gw3"), witnesses=seen(newest, late=True))
    assert found["changed"]
    assert [one["gateway"] for one in found["claimed"]] == ["gw1"]
    assert _tampered.WHOLE["rolled back"] in found["claimed"][0]["why"]


def test_a_repair_goes_beyond_what_gateways_have_seen(old: tuple[Directory, str]) -> None:
    directory, newest = old
    given: Data = {"repair": True, "witnesses": seen(newest)}
    with pytest.raises(VpnKeysError) as caught:
        directory.write(**given)
    confirm = str(caught.value).rpartition("confirm=")[2].rstrip(".")
    directory.write(**given, confirm=confirm)
    found = directory.read(witnesses=seen(newest))
    assert found["directory"]["tampered"] == []
    assert found["claimed"] == []


def test_what_was_seen_of_the_past_is_no_trouble(directory: Directory) -> None:
    mesh(directory)
    notes = [note_of(directory)]
    directory.write(events=[{"what": "looked"}])
    notes.append(note_of(directory))
    directory.write("rekeyed")
    directory.write(events=[{"what": "looked"}])
    witnesses = [one for text in notes for one in seen(text)]
    found = directory.read(witnesses=witnesses)
    assert (found["directory"]["tampered"], found["claimed"]) == ([], [])


def test_two_histories_are_seen(directory: Directory, tmp_path: Path) -> None:
    mesh(directory)
    shutil.copy(path_of(directory), tmp_path / "old")
    directory.write(gateways=[gateway("gw8", new_key())])
    one = note_of(directory)
    shutil.copy(tmp_path / "old", path_of(directory))
    forget(directory)
    for name in ("gw6", "gw7"):
        directory.write(gateways=[gateway(name, new_key())])
    tampered = directory.read(witnesses=seen(one))["directory"]["tampered"]
    assert [found["what"] for found in tampered] == ["two histories"]


def forged(directory: Directory) -> dict[str, str]:
    """What a gateway can make of all that it has ever seen."""
    newest = note_of(directory)
    number = f"number {directory.read()['directory']['checkpoint']['number']}"
    key = signing.new_private_key()
    text = newest.partition("\n\n")[0].replace(number, "number 99999") + "\n"
    return {
        "a high number": newest.replace(number, "number 99999"),
        "a high number, signed by itself": note.sign(text, text.partition("\n")[0], key),
        "another directory": newest.replace("vpnops.keys/", "vpnops.keys/x"),
        "no signature": newest.partition("\n\n")[0] + "\n\n",
        "no note": "?",
        "much": "x" * 2000,
    }


FORGED = ("a high number", "a high number, signed by itself", "another directory", "no signature", "no note", "much")


@pytest.mark.parametrize("what", FORGED)
def test_a_gateway_that_claims_what_it_cannot_prove_is_named_and_stops_nobody(directory: Directory, what: str) -> None:
    mesh(directory)
    given = forged(directory)
    assert set(given) == set(FORGED)
    found = directory.read(witnesses=seen(given[what], "gw2"), fail_on_tampered=True)
    assert set(found["directory"]["gateways"]) == {"gw1", "gw2", "gw3"}
    # Without its signature it may be what the directory had once: then it says nothing.
    assert [one["gateway"] for one in found["claimed"]] == ([] if what == "no signature" else ["gw2"])
    done = directory.write("prepared", gateways=names("gw1"), witnesses=seen(given[what], "gw2"))
    assert done["changed"]
    assert "\x1b" not in str(done["claimed"])


@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("key", ["the same", "another"])
def test_an_empty_directory_does_not_begin_anew_where_gateways_have_keys_of_another_one(
    directory: Directory, key: str, made: bool
) -> None:
    mesh(directory)
    newest = note_of(directory)
    folder = directory.key_path.parent / "new"
    folder.mkdir()
    fresh = replace(directory, url=f"sqlite:///{folder}/directory.db", key_path=folder / "key")
    if key == "the same":
        shutil.copy(directory.key_path, fresh.key_path)
    if made:
        fresh.write()
    given: Data = {"gateways": [gateway("gw1", new_key())], "witnesses": seen(newest, "gw1", "gw2")}
    said = fresh.refused("tampered", **given)
    assert "is empty, and gw1, gw2 have the keys of another one" in said
    assert "would number all keys from 1 again" in said
    assert fresh.write(**given, ignored_witnesses=["gw1", "gw2"])["changed"]


@pytest.mark.parametrize("liars", [1, 2, 3])
def test_a_few_that_speak_of_another_directory_are_left_out_of_a_new_one(directory: Directory, liars: int) -> None:
    """Anybody can write such a note. Most of them do not by chance."""
    root, moment = "A" * 43 + "=", "2026-11-28T00:00:00Z"
    strange = (
        f"vpnops.keys/elsewhere).\n1\n{root}\nnumber 7\nprevious {root}\ntime {moment}\nexpires {moment}\n\n"
        "\u2014 x eA==\n"
    )
    everybody = [f"gw{number}" for number in range(1, 6)]
    given: Data = {
        "gateways": [gateway(name, new_key()) for name in everybody],
        "witnesses": seen(strange, *everybody[:liars]),
    }
    assert "the keys of another one" in directory.refused("tampered", **given)
    if liars == 3:
        assert "is empty" in directory.refused("tampered", **given, skip_refused=True)
        return
    done = directory.write(**given, skip_refused=True)
    assert list(done["directory"]["gateways"]) == everybody[liars:]
    assert {one["gateway"]: one["code"] for one in done["refused"]} == dict.fromkeys(everybody[:liars], "tampered")
    assert done["refused"][0]["why"] == (
        'gw1: it says that it has the keys of another directory, "elsewhere)." If it shall use this directory, '
        "name it in O(ignored_witnesses)."
    )


def test_as_many_signatures_are_verified_as_there_are_different_notes(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh(directory)
    text, opened = note_of(directory), note.opened
    counted: list[str] = []

    def count(found: str, *given: t.Any) -> str | None:
        counted.append(found)
        return opened(found, *given)

    monkeypatch.setattr(note, "opened", count)
    directory.read(witnesses=seen(text, *(f"gw{number}" for number in range(500))))
    # One is that of the directory itself.
    assert len(counted) <= 2


@pytest.mark.parametrize(
    "step",
    [
        ("prepared", {"gateways": names("gw1")}),
        ("revoked", {"gateways": names("gw3"), "lost": True}),
        ("present", {"gateways": [gateway("gw9", new_key())]}),
        ("rekeyed", {}),
    ],
    ids=lambda step: step[0],
)
def test_what_check_mode_predicts_is_not_signed(directory: Directory, step: tuple[str, Data]) -> None:
    """A gateway that was given the note could show it beside what became the next checkpoint: another history."""
    mesh(directory)
    state, options = step
    predicted = directory.write(state, check=True, **options)["directory"]["checkpoint"]
    assert predicted["number"] == directory.read()["directory"]["checkpoint"]["number"] + 1
    assert predicted["note"] == ""


def test_check_mode_signs_no_directory_that_is_not_there(directory: Directory) -> None:
    added = directory.write(check=True, gateways=[gateway("gw1", new_key())])
    assert added["directory"]["checkpoint"]["note"] == ""
    assert directory.write(check=True)["directory"]["checkpoint"]["note"] == ""
