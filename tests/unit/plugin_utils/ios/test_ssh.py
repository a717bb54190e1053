# Copyright (c) 2026 the vpnops.keys authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ~/.ssh/config may do to a session with a device, tried against a real SSH server that records what is asked."""

from __future__ import annotations

import asyncio
import functools
import os
import subprocess
import typing as t
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import asyncssh
import pytest

from ansible_collections.vpnops.keys.plugins.module_utils._errors import VpnKeysError
from ansible_collections.vpnops.keys.plugins.plugin_utils.ios import known_hosts, ssh
from ansible_collections.vpnops.keys.plugins.plugin_utils.ios import session as ios_session
from ansible_collections.vpnops.keys.plugins.plugin_utils.ios.options import Target, read_target

T = t.TypeVar("T")
REAL, OTHER, AUTHORITY = (asyncssh.generate_private_key("ssh-ed25519") for dummy in range(3))


@dataclass
class Server:
    """One sshd; it records who logged in and what every session asked for."""

    port: int = 0
    passwords: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    tunnels: list[tuple[str, int]] = field(default_factory=list)


class _Login(asyncssh.SSHServer):
    def __init__(self, server: Server) -> None:
        self.server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connection = conn

    def begin_auth(self, username: str) -> bool:
        self.server.users.append(username)
        return not username.startswith("jump")

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self.server.passwords.append(password)
        return True

    def session_requested(self) -> asyncssh.SSHServerSession[str]:
        return _Shell(self)

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        self.server.tunnels.append((dest_host, dest_port))
        return True

    def server_requested(self, listen_host: str, listen_port: int) -> bool:
        self.server.asked.append("remote forward")
        return False


class _Shell(asyncssh.SSHServerSession[str]):
    """A terminal that echoes each line, shows a prompt, and has written down what else was asked for."""

    def __init__(self, login: _Login) -> None:
        self.login, self.asked = login, login.server.asked

    def connection_made(self, chan: asyncssh.SSHServerChannel[str]) -> None:
        self.channel = chan

    def pty_requested(self, term_type: str, term_size: t.Any, term_modes: t.Any) -> bool:
        return True

    def shell_requested(self) -> bool:
        return True

    def exec_requested(self, command: str) -> bool:
        self.asked.append("command")
        return True

    def session_started(self) -> None:
        self.asked += [f"variable {name}" for name in self.channel.get_environment()]
        self.asked += ["agent"] if self.channel.get_agent_path() else []
        self.asked += ["display"] if self.channel.get_x11_display() else []
        self.asked += [] if self.channel.get_terminal_type() else ["no terminal"]
        self.channel.write("R1#")

    def data_received(self, data: str, datatype: t.Any) -> None:
        self.channel.write("".join(f"{line}\r\nR1#" for line in data.split("\r")[:-1]))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The .ssh of a home directory of its own; nothing of the machine's counts."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setattr(ssh, "GLOBAL_FILES", (str(tmp_path / "global"),))
    (tmp_path / ".ssh").mkdir()
    return tmp_path / ".ssh"


def session(
    work: Callable[[Server], Target], key: asyncssh.SSHKey = REAL, certificate: asyncssh.SSHCertificate | None = None
) -> tuple[Server, VpnKeysError | None]:
    """What a server saw of one session with it, and why there was none."""

    async def run() -> tuple[Server, VpnKeysError | None]:
        server = Server()
        listener = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=lambda: _Login(server),
            server_host_keys=[(key, certificate) if certificate else key],
            agent_forwarding=True,
            x11_forwarding=True,
            line_editor=False,
        )
        server.port = listener.sockets[0].getsockname()[1]
        try:
            async with ios_session.session(work(server)):
                return server, None
        except VpnKeysError as error:
            return server, error
        finally:
            listener.close()
            await listener.wait_closed()

    return asyncio.run(run())


def target(server: Server, host: str = "127.0.0.1", **more: t.Any) -> Target:
    whole: dict[str, t.Any] = {"user": "ops", "password": "pass-word", "connect_timeout": 10.0} | more
    return Target("ks1", host, port=server.port, **whole)


def line(name: str, key: asyncssh.SSHKey, port: int | None = None) -> str:
    return f"{f'[{name}]:{port}' if port else name} {key.export_public_key().decode().strip()}\n"


# -- host keys -----------------------------------------------------------------------------------------------

CONFIGS: dict[str, tuple[str, str, str]] = {
    "default": ("", ".ssh/known_hosts", "127.0.0.1"),
    "second default": ("", ".ssh/known_hosts2", "127.0.0.1"),
    "machine": ("", "global", "127.0.0.1"),
    "user's file": ("UserKnownHostsFile ~/mine", "mine", "127.0.0.1"),
    "global file": ("GlobalKnownHostsFile {home}/all", "all", "127.0.0.1"),
    "default beside a global file": ("GlobalKnownHostsFile {home}/all", ".ssh/known_hosts", "127.0.0.1"),
    "no user's file": ("UserKnownHostsFile none\nGlobalKnownHostsFile {home}/all", "all", "127.0.0.1"),
    "first of two": ("UserKnownHostsFile ~/one ~/two", "one", "127.0.0.1"),
    "second of two": ("UserKnownHostsFile ~/one ~/two", "two", "127.0.0.1"),
    "block of the host": ("Host other\n UserKnownHostsFile ~/x\nHost 127.*\n UserKnownHostsFile ~/y", "y", "127.0.0.1"),
    "match": ("Match user ops\n UserKnownHostsFile ~/z", "z", "127.0.0.1"),
    "match final": ("Match final host 127.0.0.1\n UserKnownHostsFile ~/last", "last", "127.0.0.1"),
    "host in the name": ("UserKnownHostsFile ~/kh-%h-%r-%n", "kh-127.0.0.1-ops-127.0.0.1", "127.0.0.1"),
    "alias in the name": ("HostKeyAlias ks\nUserKnownHostsFile ~/kh-%k", "kh-ks", "ks"),
    "variable in the name": ("UserKnownHostsFile ${{HOME}}/v", "v", "127.0.0.1"),
    "alias": ("HostKeyAlias key-server", ".ssh/known_hosts", "key-server"),
    "alias in capitals": ("HostKeyAlias Key-Server", ".ssh/known_hosts", "key-server"),
    "name in capitals": ("", ".ssh/known_hosts", "LOCALHOST"),
}


def host_of(name: str) -> str:
    return "LocalHost" if name == "LOCALHOST" else "127.0.0.1"


def configured(home: Path, text: str) -> None:
    (home / "config").write_text(text.format(home=home.parent) + "\n")


@pytest.mark.parametrize("how", CONFIGS)
@pytest.mark.parametrize("with_port", [False, True])
def test_a_changed_key_is_refused_wherever_it_is_recorded(home: Path, how: str, with_port: bool) -> None:
    config, file, name = CONFIGS[how]
    configured(home, config)

    def work(server: Server) -> Target:
        recorded = line(name, OTHER, server.port if with_port else None)
        (home.parent / file).write_text(recorded)
        return target(server, host_of(name), host_key_auto_add=True)

    server, error = session(work)
    assert error is not None
    assert (error.code, server.passwords) == ("host_key_changed", [])
    assert REAL.get_fingerprint() in str(error)
    assert (home.parent / file).read_text().count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "file", "name"),
    [
        ("-o UserKnownHostsFile='~/one ~/two'", "two", "127.0.0.1"),
        ("-o UserKnownHostsFile=~/kh-%h", "kh-127.0.0.1", "127.0.0.1"),
        ("-o GlobalKnownHostsFile=~/all", "all", "127.0.0.1"),
        ("-o HostKeyAlias=ks", ".ssh/known_hosts", "ks"),
        ("-F ~/own", "mine", "127.0.0.1"),
    ],
)
@pytest.mark.parametrize("learn", ["-o StrictHostKeyChecking=accept-new", ""])
def test_ssh_arguments_say_where_keys_are_recorded(
    home: Path, arguments: str, file: str, name: str, learn: str
) -> None:
    (home.parent / "own").write_text("UserKnownHostsFile ~/mine\n")
    variables = {
        "ansible_host": "127.0.0.1",
        "ansible_user": "ops",
        "ansible_password": "pass-word",
        "ansible_ssh_common_args": f"{arguments} {learn}".replace("-F ~", f"-F {home.parent}"),
    }

    def work(server: Server) -> Target:
        (home.parent / file).write_text(line(name, OTHER))
        return read_target("ks1", variables | {"ansible_port": server.port}, {})

    server, error = session(work)
    assert error is not None
    assert (error.code, server.passwords) == ("host_key_changed", [])


@pytest.mark.parametrize("how", [name for name in CONFIGS if name not in ("machine", "no user's file")])
def test_a_new_key_is_remembered_in_the_first_file_and_believed_from_then_on(home: Path, how: str) -> None:
    config, dummy, name = CONFIGS[how]
    configured(home, config)
    for learn in (True, False):
        server, error = session(functools.partial(target, host=host_of(name), host_key_auto_add=learn))
        assert error is None
        # The next server has another port: what was remembered is put there.
        for file in home.parent.rglob("*"):
            if file.is_file() and file.name != "config":
                text = file.read_text()
                assert REAL.export_public_key().decode().split()[1] in text
                file.write_text(line(name.lower(), REAL))
        assert server.passwords == ["pass-word"]
    written = [file for file in home.parent.rglob("*") if file.is_file() and file.name != "config"]
    first = {"second of two": "one", "second default": "known_hosts", "global file": "known_hosts"}
    assert [file.name for file in written] == [first.get(how, Path(CONFIGS[how][1]).name)]


@pytest.mark.parametrize(
    ("marker", "key", "code"),
    [
        ("@cert-authority ", AUTHORITY, "host_key_changed"),
        ("@revoked ", REAL, "host_key_changed"),
        ("@revoked ", OTHER, None),
        ("", REAL, None),
    ],
)
def test_markers_count(home: Path, marker: str, key: asyncssh.SSHKey, code: str | None) -> None:
    """Where an authority certifies the keys, a bare one is a changed one."""

    def work(server: Server) -> Target:
        (home / "known_hosts").write_text(marker + line("127.0.0.1", key))
        return target(server, host_key_auto_add=True)

    error = session(work)[1]
    assert (error and error.code) == code


def test_a_certificate_counts_for_the_name_that_the_host_is_known_by(home: Path) -> None:
    (home / "known_hosts").write_text("@cert-authority " + line("*", AUTHORITY))
    for name, code in (("127.0.0.1", None), ("somebody.else", "host_key_changed")):
        certificate = AUTHORITY.generate_host_certificate(REAL, "ks", principals=[name])
        error = session(target, certificate=certificate)[1]
        assert (error and error.code) == code


def test_hashed_names_count(home: Path) -> None:
    (home / "known_hosts").write_text(line("localhost", OTHER))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", home / "known_hosts"], check=True, capture_output=True)
    (home / "known_hosts.old").unlink()
    assert "localhost" not in (home / "known_hosts").read_text()
    error = session(lambda server: target(server, "LocalHost", host_key_auto_add=True))[1]
    assert error is not None
    assert error.code == "host_key_changed"


def test_a_key_is_remembered_on_a_line_of_its_own(home: Path) -> None:
    known = home / "known_hosts"
    known.write_text(line("another", OTHER).rstrip("\n"))
    server, error = session(lambda server: target(server, host_key_auto_add=True))
    assert error is None
    assert known.read_text() == line("another", OTHER) + line("127.0.0.1", REAL, server.port)


@pytest.mark.parametrize("alias", ["*", "a,b", "!x", "|1|x", "#x"])
def test_no_pattern_gets_into_known_hosts(home: Path, alias: str) -> None:
    configured(home, f"HostKeyAlias '{alias}'")
    server, error = session(lambda server: target(server, host_key_auto_add=True))
    assert error is not None
    assert (error.code, server.passwords) == ("host_key_unknown", [])
    assert not (home / "known_hosts").exists()


def test_without_a_file_nothing_is_learned_and_nobody_is_believed(home: Path) -> None:
    """asyncssh by itself takes any key if UserKnownHostsFile is none."""
    configured(home, "UserKnownHostsFile none")
    for learn in (True, False):
        server, error = session(functools.partial(target, host_key_auto_add=learn))
        assert error is not None
        assert (error.code, server.passwords) == ("host_key_unknown", [])


@pytest.mark.parametrize("content", [b"\xff\xfe\n", b"one-word\n"])
def test_a_file_that_cannot_be_read_stops(home: Path, content: bytes) -> None:
    (home / "known_hosts").write_bytes(content)
    server, error = session(lambda server: target(server, host_key_auto_add=True))
    assert error is not None
    assert (error.code, server.passwords) == ("bad_input", [])
    assert str(home / "known_hosts") in str(error)


def test_the_directory_of_the_file_may_be_missing(home: Path) -> None:
    configured(home, "UserKnownHostsFile ~/deep/er/hosts")
    assert session(lambda server: target(server, host_key_auto_add=True))[1] is None
    assert (home.parent / "deep" / "er" / "hosts").exists()


def test_the_tokens_are_those_of_openssh() -> None:
    place = known_hosts.Place("ks", "ks.example", 2222, "ops", "")
    asked = subprocess.run(
        ["ssh", "-G", "-F", "none", "-o", "HostName=ks.example", "-p", "2222", "-l", "ops", "ks"],
        check=True,
        capture_output=True,
    )
    assert b"hostname ks.example" in asked.stdout
    assert place.expanded("%h|%n|%p|%r|%k|%%") == "ks.example|ks|2222|ops|ks.example|%"
    assert place.expanded("%d") == os.path.expanduser("~")
    with pytest.raises(known_hosts.Unusable):
        place.expanded("%Z")
    assert replace(place, alias="a").expanded("%k") == "a"


# -- names ---------------------------------------------------------------------------------------------------

BAD_HOSTS = [
    "-oProxyCommand=touch x",
    "$(touch x)",
    "`touch x`",
    "a;b",
    "a&b",
    "a|b",
    "a b",
    "a\nb",
    "a\tb",
    "a\x1bb",
    "a\u202eb",
    "a'b",
    'a"b',
    "a\\b",
    "a<b",
    "a>b",
    "(a)",
    "{a}",
    "$HOME",
    "*",
    "a,b",
    "#a",
]
BAD_USERS = [
    "-l",
    "$(x)",
    "`x`",
    "a;b",
    "a&b",
    "a|b",
    "a'b",
    'a"b',
    "a<b",
    "a>b",
    "(a",
    "{a}",
    "a -b",
    "a\\",
    "a\nb",
    "a\x00b",
]


@pytest.mark.parametrize("bad", BAD_HOSTS)
def test_hosts_that_openssh_refuses_are_refused(bad: str) -> None:
    for name, variables in ((bad, {}), ("ks1", {"ansible_host": bad})):
        with pytest.raises(VpnKeysError, match="is not a valid host name") as caught:
            read_target(name, variables, {})
        assert caught.value.code == "bad_input"


@pytest.mark.parametrize("bad", BAD_USERS)
def test_users_that_openssh_refuses_are_refused(bad: str) -> None:
    with pytest.raises(VpnKeysError, match="is not a valid user name") as caught:
        read_target("ks1", {"ansible_user": bad}, {})
    assert caught.value.code == "bad_input"


@pytest.mark.parametrize("good", ["ks1", "192.0.2.1", "2001:db8::1", "fe80::1%eth0", "ks-1.example.com", "ks_1"])
def test_ordinary_hosts_are_taken(good: str) -> None:
    assert read_target("ks1", {"ansible_host": good}, {}).host == good


@pytest.mark.parametrize("good", ["ops", "CORP\\ops", "ops@example.com", "host$", "j. doe", "jürgen"])
def test_ordinary_users_are_taken(good: str) -> None:
    assert read_target("ks1", {"ansible_user": good}, {}).user == good


def refusal(home: Path, config: str, **more: t.Any) -> str:
    """The sentence that a configuration is refused with; nothing may have been started."""
    configured(home, config)
    (home / "known_hosts").write_text(line("127.0.0.1", REAL))
    server, error = session(lambda server: target(server, **more))
    assert error is not None
    assert (error.code, error.host, server.users) == ("bad_input", "ks1", []), error
    assert not (home.parent / "started").exists()
    return str(error)


@pytest.mark.parametrize(
    ("config", "more"),
    [
        ("HostName '-oX=y'", {}),
        ("HostName '$(touch {home}/started)'", {}),
        ("User '$(touch {home}/started)'", {"user": None}),
        ("ProxyJump 'a;touch {home}/started'", {}),
        ("ProxyJump '-oProxyCommand=x'", {}),
        ("ProxyJump 'good,-bad'", {}),
        ("ProxyJump '$(x)@good'", {}),
        ("Host 127.*\n ProxyJump inner\nHost inner\n HostName '$(x)'", {}),
        ("Host 127.*\n ProxyJump inner\nHost inner\n User '`x`'", {}),
        ("ProxyCommand sh -c 'touch {home}/started; nc %h %p'\nHostName '-x'", {}),
        ("ProxyCommand sh -c 'touch {home}/started; echo \"%r\"'\nUser '$PATH'", {"user": None}),
        ("", {"proxy_command": 'touch {home}/started; echo "%r"', "user": "$PATH"}),
        ("", {"proxy_jump": "good,-bad"}),
        ("UserKnownHostsFile ~/%Z", {}),
        ("CanonicalizeHostname yes\nCanonicalDomains example.com", {}),
        ("Host *\n ProxyJump bastion.invalid", {}),
    ],
)
def test_names_of_the_configuration_are_checked_before_anything_is_started(
    home: Path, config: str, more: dict[str, t.Any]
) -> None:
    refusal(
        home, config, **{name: str(value).format(home=home.parent) if value else value for name, value in more.items()}
    )


@pytest.mark.parametrize("user", ["j. doe", "ops*", "~root", "a=b", "host%h"])
def test_a_shell_reads_nothing_in_what_is_filled_into_a_proxy_command(home: Path, user: str) -> None:
    (home / "known_hosts").write_text(line("127.0.0.1", REAL))
    said = home.parent / "said"
    command = f'sh -c \'printf "%%s\\n" "$@" > {said}\' x %h %p %r'
    session(lambda server: target(server, user=user, proxy_command=command))
    words = said.read_text().splitlines()
    assert (words[0], words[2:]) == ("127.0.0.1", [user])


# -- what is never done --------------------------------------------------------------------------------------

EVERYTHING = """
ForwardAgent yes
ForwardX11 yes
ForwardX11Trusted yes
PermitLocalCommand yes
LocalCommand touch {home}/started
RemoteCommand show version
RequestTTY no
SendEnv SECRET LANG LC_*
SetEnv SECRET=one
LocalForward 127.0.0.1:0 127.0.0.1:22
RemoteForward 0 127.0.0.1:22
DynamicForward 0
Tunnel yes
GSSAPIDelegateCredentials yes
EnableSSHKeySign yes
Compression yes
"""


def test_nothing_is_forwarded_sent_or_run_whatever_the_configuration_says(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(home, EVERYTHING)
    (home / "known_hosts").write_text(line("127.0.0.1", REAL))
    monkeypatch.setenv("SECRET", "two")
    monkeypatch.setenv("DISPLAY", ":0")
    agent = subprocess.Popen(
        ["ssh-agent", "-D", "-a", home / "agent"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    monkeypatch.setenv("SSH_AUTH_SOCK", str(home / "agent"))
    try:
        server, error = session(target)
    finally:
        agent.terminate()
        agent.wait(10)
    assert error is None
    assert server.asked == []
    assert not (home.parent / "started").exists()


def test_the_recording_server_sees_what_asyncssh_does_by_itself(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: without our options the same configuration asks for all of it."""
    configured(home, EVERYTHING)
    (home / "known_hosts").write_text(line("127.0.0.1", REAL))
    monkeypatch.setenv("SECRET", "two")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(home / "agent"))
    monkeypatch.setattr(ssh, "ALWAYS", {"canonicalize_hostname": False})
    server, dummy = session(target)
    assert {"agent", "variable SECRET", "command"} <= set(server.asked)


OPTIONS = {
    "agent_forward_path": None,
    "x11_forwarding": False,
    "command": None,
    "env": None,
    "send_env": None,
    "gss_delegate_creds": False,
    "client_host_keysign": None,
    "compression_algs": [b"none"],
    "canonicalize_hostname": False,
}


@pytest.mark.parametrize("jump", [False, True])
def test_the_options_hold_for_devices_and_for_jump_hosts(home: Path, jump: bool) -> None:
    configured(home, EVERYTHING.replace("EnableSSHKeySign yes\n", ""))
    options = ssh._resolved(Target("ks1", "127.0.0.1", jump=jump))
    assert {name: getattr(options, name) for name in OPTIONS} == OPTIONS


def test_a_jump_host_is_checked_and_gets_no_password_of_the_device(home: Path) -> None:
    """The device is reached through it, and its own host key counts, also where that of the device does not."""

    def work(server: Server) -> Target:
        configured(home, f"Host bastion\n HostName 127.0.0.1\n Port {server.port}\n User jump\n{EVERYTHING}")
        return target(server, proxy_jump="bastion", host_key_checking=False)

    server, error = session(work)
    assert error is not None
    assert (error.code, server.passwords, server.tunnels) == ("host_key_unknown", [], [])
    assert "jump host bastion" in str(error)
    (home / "known_hosts").write_text(line("127.0.0.1", REAL))
    server, error = session(work)
    assert error is None
    assert (server.users, server.passwords) == (["jump", "ops"], ["pass-word"])
    assert server.tunnels == [("127.0.0.1", server.port)]
    assert server.asked == []


def test_the_configuration_is_read_once(home: Path) -> None:
    """What was checked is what is used: a command of `Match exec` could say something else the second time."""
    configured(home, "Match exec 'echo x >> {home}/runs'\n User ops")
    (home / "known_hosts").write_text(line("127.0.0.1", REAL))
    server, error = session(lambda server: target(server, user=None))
    assert error is None
    assert (home.parent / "runs").read_text() == "x\n"
    assert server.users == ["ops"]


# -- keys that no host may have ------------------------------------------------------------------------------


def public(*keys: asyncssh.SSHKey) -> str:
    return "# of stolen routers\n\n" + "".join(key.export_public_key().decode() for key in keys)


@pytest.mark.parametrize("more", [{}, {"host_key_checking": False}, {"host_key_auto_add": True}])
@pytest.mark.parametrize(
    ("config", "keys", "code"),
    [
        ("RevokedHostKeys {home}/revoked", (OTHER, REAL), "host_key_changed"),
        ("RevokedHostKeys ~/.ssh/none-%p {home}/revoked", (REAL,), "bad_input"),
        ("RevokedHostKeys {home}/revoked", (OTHER,), None),
        ("RevokedHostKeys none", (REAL,), None),
        ("Host elsewhere\n RevokedHostKeys {home}/revoked", (REAL,), None),
        ("Match host 127.* final\n RevokedHostKeys {home}/revoked", (REAL,), "host_key_changed"),
    ],
)
def test_a_revoked_key_is_refused(
    home: Path, config: str, keys: tuple[asyncssh.SSHKey, ...], code: str | None, more: dict[str, t.Any]
) -> None:
    """However well it is known, and where any other key is taken; before a password is sent."""
    (home / "known_hosts").write_text(line("127.0.0.1", REAL))
    (home / "revoked").write_text(public(*keys))
    configured(home, config.replace("{home}", str(home)))
    server, error = session(lambda server: target(server, **more))
    assert (error and error.code) == code
    assert bool(server.passwords) == (code is None)


def test_a_certificate_of_a_revoked_authority_is_refused(home: Path) -> None:
    (home / "known_hosts").write_text("@cert-authority " + line("*", AUTHORITY))
    (home / "revoked").write_text(public(AUTHORITY))
    certificate = AUTHORITY.generate_host_certificate(REAL, "ks", principals=["127.0.0.1"])
    assert session(target, certificate=certificate)[1] is None
    configured(home, f"RevokedHostKeys {home}/revoked")
    server, error = session(target, certificate=certificate)
    assert error is not None
    assert error.code == "host_key_changed"
    assert not server.passwords


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "revoked of RevokedHostKeys cannot be read"),
        (b"SSHKRL\n\0\x00\x00\x00\x01" + bytes(28), "is a key revocation list, which cannot be read here"),
        (b"SSHKRL\n\0\xff", "revoked of RevokedHostKeys cannot be read"),
        (b"ssh-ed25519 AAAA", "revoked of RevokedHostKeys cannot be read"),
        (b"* ssh-ed25519 AAAA", "revoked of RevokedHostKeys cannot be read"),
    ],
)
def test_without_the_revoked_keys_nobody_is_believed(home: Path, content: bytes | None, what: str) -> None:
    if content is not None:
        (home / "revoked").write_bytes(content)
    sentence = refusal(home, "RevokedHostKeys ~/.ssh/revoked")
    assert what in sentence
    assert "a text file with a public key on each line" in sentence


@pytest.mark.parametrize("more", [{}, {"host_key_checking": False}])
def test_a_command_for_host_keys_is_not_run(home: Path, more: dict[str, t.Any]) -> None:
    sentence = refusal(home, f"KnownHostsCommand /usr/bin/touch {home.parent}/started", **more)
    assert "KnownHostsCommand of ~/.ssh/config is not supported" in sentence
    configured(home, "KnownHostsCommand none")
    assert session(target)[1] is None
