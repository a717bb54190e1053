# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the scripts of the Makefile say and choose, with stand-ins for the tools."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from integration.conftest import KEPT
from integration.gateways.conftest import BRIEF

ROOT = Path(__file__).parents[2]
PIP = """#!/bin/sh
for number in $(seq 1 30); do echo "Collecting package-$number"; done
echo "Installing collected packages: package-1"
{end}
"""
TOOL = '#!/bin/sh\necho "$(basename "$0") $*" >> "$TOLD"\n'


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def pip_install(python: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "scripts/pip-install", python, "x"], capture_output=True, text=True, check=False)


def test_the_setup_says_how_far_it_is(tmp_path: Path) -> None:
    done = pip_install(executable(tmp_path / "python", PIP.format(end="echo 'Successfully installed package-1'")))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "  25 packages so far: package-25",
        "  30 packages are here; installing them ...",
    ]


def test_a_setup_that_fails_says_all(tmp_path: Path) -> None:
    done = pip_install(executable(tmp_path / "python", PIP.format(end="echo 'ERROR: no network' >&2; exit 3")))
    assert done.returncode == 3
    assert "Collecting package-1\n" in done.stderr
    assert "ERROR: no network" in done.stderr


def test_the_time_that_the_setup_announces_is_the_measured_one() -> None:
    text = (ROOT / "scripts/setup").read_text()
    (announced,) = re.findall(r"This takes (\d+) to (\d+) seconds, plus the download", text)
    (measured,) = re.findall(r"(\d+) s of one core .*, (\d+) s on a busy machine, measured", text)
    least, most = map(int, announced)
    assert all(least <= int(one) <= most for one in measured)


def quick(checkout: Path) -> dict[str, str]:
    """What each tool was asked to look at in a checkout, by its name; pytest is python."""
    tools = checkout.parent / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("ruff", "mypy", "yamllint", "python"):
        executable(tools / name, TOOL)
    told = checkout.parent / "told"
    told.write_text("")
    env = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "TOLD": str(told)}
    subprocess.run([ROOT / "scripts/quick"], cwd=checkout, env=env, check=True, capture_output=True)
    return {line.split()[0]: line for line in told.read_text().splitlines()}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A branch with a changed plugin, a new test that is not committed, and a file that is gone."""
    place = tmp_path / "checkout"
    (place / "plugins").mkdir(parents=True)
    (place / "tests").mkdir()
    for name in ("plugins/same.py", "plugins/other.py", "plugins/gone.py", "same.yml"):
        (place / name).write_text("")

    def git(*words: str) -> None:
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.net"]
        subprocess.run(["git", *identity, *words], cwd=place, check=True, capture_output=True)

    git("init", "--initial-branch", "main")
    git("add", ".")
    git("commit", "--message", "first")
    git("switch", "--create", "change")
    (place / "plugins/other.py").write_text("# changed\n")
    (place / "plugins/gone.py").unlink()
    git("add", "--all")
    git("commit", "--message", "second")
    (place / "tests/test_new.py").write_text("")
    return place


def test_quick_looks_at_what_changed_and_at_nothing_else(checkout: Path) -> None:
    told = quick(checkout)
    assert told["ruff"].split()[-2:] == ["plugins/other.py", "tests/test_new.py"]
    assert told["mypy"].split()[-2:] == [
        ".build/ansible_collections/vpnops/keys/plugins/other.py",
        "tests/test_new.py",
    ]
    assert "same.py" not in " ".join(told.values())
    assert "yamllint" not in told
    assert "@tests/quick.txt" in told["python"]


def test_quick_fails_where_a_part_fails(checkout: Path) -> None:
    quick(checkout)
    executable(checkout.parent / "tools/ruff", "#!/bin/sh\nexit 1\n")
    env = {**os.environ, "PATH": f"{checkout.parent / 'tools'}:{os.environ['PATH']}", "TOLD": "/dev/null"}
    done = subprocess.run([ROOT / "scripts/quick"], cwd=checkout, env=env, check=False, capture_output=True)
    assert done.returncode == 1


def test_what_quick_and_the_others_leave_out_is_there() -> None:
    """Whoever moves a test moves it in the lists, too."""
    for name in (ROOT / "tests/quick.txt", *(ROOT / "tests/matrix").glob("*.txt")):
        if name.name != "versions.txt":
            for line in name.read_text().splitlines():
                path = line.removeprefix("--ignore=").partition("::")[0]
                assert line.startswith(("#", "-m")) or not path or (ROOT / path).exists(), (name, line)


@pytest.mark.parametrize(("place", "table"), [("", KEPT), ("gateways", BRIEF)], ids=["KEPT", "BRIEF"])
def test_what_make_test_runs_of_long_files_is_there(place: str, table: dict[str, object]) -> None:
    for file, names in table.items():
        text = (ROOT / "tests/integration" / place / file).read_text(encoding="utf-8")
        for name in names:  # type: ignore[attr-defined]
            assert f"def {name.partition('[')[0]}(" in text, (file, name)
