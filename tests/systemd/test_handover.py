"""proxyd's restarts and crashes under a real systemd, while clients talk to it:
nothing refused, nothing dropped, the store neither grows nor is lost.

Only proxyd, from the build directory, with the unit that is shipped.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from container import Container, workplace

CHECKOUT = Path(__file__).resolve().parents[2]
BUILD = CHECKOUT / (os.environ.get("TRIVET_BUILD") or "build")
sys.path.insert(0, str(CHECKOUT / "tests/net"))
os.environ.setdefault("TRIVET_BUILD", str(BUILD))

from peers import (Drain, Server, Stream, connect, digest, echo, ending,  # noqa: E402
                   make_socket, read_exactly)

UNIT = "trivet-proxyd.service"
IDLE, BULK = 500, 64 << 20
CONF = """
stream {
	server { listen 127.0.0.1:80; proxy_pass 127.0.0.1:8080; }
	server { listen 127.0.0.1:81; proxy_pass 127.0.0.1:8081; }
}
"""


class Machine:
    """A booted container with proxyd in it; a node as tests/net/peers.py wants one."""

    def __init__(self, container):
        self.container = container
        self.netns = f"tlsd{os.getpid()}"
        root = container.root
        shutil.copy(BUILD / "proxyd", root / "usr/sbin/proxyd")
        shutil.copy(CHECKOUT / "packaging/systemd" / UNIT, root / "etc/systemd/system")
        (root / "etc/trivet").mkdir()
        (root / "etc/trivet/trivet.conf").write_text(CONF)
        shutil.copy(CHECKOUT / "packaging/sysusers.conf", root / "etc/trivet/sysusers")
        shutil.copy(CHECKOUT / "packaging/tmpfiles.conf", root / "etc/trivet/tmpfiles")
        container.run("systemd-sysusers", "/etc/trivet/sysusers")
        container.run("systemd-tmpfiles", "--create", "/etc/trivet/tmpfiles")
        container.run("systemctl", "daemon-reload")
        subprocess.run(["ip", "netns", "attach", self.netns, str(container.leader)], check=True)

    def close(self):
        subprocess.run(["ip", "netns", "del", self.netns], check=False)

    def systemctl(self, *words, check=True):
        return self.container.run("systemctl", *words, UNIT, check=check)

    def show(self, name):
        return self.container.show(UNIT, name)

    def said(self, text):
        return self.container.journal(UNIT).count(text)

    def connect(self, port=80):
        return connect(self, "127.0.0.1", port)


@pytest.fixture(scope="module")
def machine():
    if os.geteuid() != 0:
        pytest.skip("containers need root")
    directory = workplace()
    with Container(directory) as container:
        one = Machine(container)
        yield one
        print(container.journal(UNIT)[-6000:])
        one.close()
    shutil.rmtree(directory)


def patient(conn):
    conn.settimeout(None)
    echo(conn)


@pytest.fixture(scope="module", autouse=True)
def services(machine):
    Server(machine, "127.0.0.1", 8080, backlog=4096).serve(patient)
    Server(machine, "127.0.0.1", 8081).serve(patient)


@pytest.fixture(autouse=True)
def running(machine):
    machine.systemctl("start")


def until(predicate, what, timeout=15):
    limit = time.monotonic() + timeout
    while not predicate():
        assert time.monotonic() < limit, f"not within {timeout} s: {what}"
        time.sleep(0.05)


def ask(sock, text):
    sock.sendall(text)
    return read_exactly(sock, len(text))


class Caller(threading.Thread):
    """Short connections one after another."""

    def __init__(self, machine):
        super().__init__(daemon=True)
        self.machine, self.ended, self.done, self.longest, self.errors = machine, False, 0, 0, []
        self.start()

    def run(self):
        while not self.ended:
            began = time.monotonic()
            try:
                with self.machine.connect() as sock:
                    if ask(sock, b"hello") != b"hello":
                        self.errors.append("no answer")
            except OSError as error:
                self.errors.append(repr(error))
            self.longest = max(self.longest, time.monotonic() - began)
            self.done += 1

    def stop(self):
        self.ended = True
        self.join()
        return self.errors


def test_restarts(machine):
    """systemctl restart, try-restart, and over a re-execution of systemd itself."""
    idle = [machine.connect() for _ in range(IDLE)]
    for sock in idle:
        assert ask(sock, b"one") == b"one"
    stream_side = machine.connect(81)
    stream, drain = Stream(stream_side, "bulk", BULK), Drain(stream_side)
    caller = Caller(machine)
    for verb in ("restart", "restart", "try-restart", "reload-or-restart", "restart"):
        pid, done = machine.show("MainPID"), caller.done
        if verb == "reload-or-restart":
            machine.container.run("systemctl", "daemon-reexec")
            verb = "restart"
        machine.systemctl(verb)
        assert machine.show("MainPID") != pid
        assert machine.show("NFileDescriptorStore") == "1", "the listeners, nothing else"
        until(lambda: caller.done > done + 5, "clients go on")
    assert caller.stop() == []
    for sock in idle:
        assert ask(sock, b"again") == b"again"
        sock.close()
    stream.join(60)
    drain.join(60)
    assert (drain.size, drain.hash.hexdigest()) == (BULK, digest("bulk", BULK))
    assert machine.said("took over 2 listeners") == 5
    print(f"{caller.done} short connections, the longest {caller.longest * 1000:.0f} ms")


def test_crash(machine):
    """kill -9, and a hang that the watchdog ends: connects wait, none is refused."""
    caller = Caller(machine)
    for signal in ("KILL", "ABRT"):
        pid = machine.show("MainPID")
        machine.container.run("kill", f"-{signal}", pid)
        until(lambda: machine.show("MainPID") not in ("0", pid) and
              machine.show("ActiveState") == "active", "it is back")
    done = caller.done
    until(lambda: caller.done > done + 5, "clients go on")
    errors = caller.stop()
    assert not [e for e in errors if "Refused" in e]
    assert len(errors) <= 2
    assert machine.said("took over 2 listeners, no sessions") == 2


def test_stop_is_a_stop(machine):
    """Sessions end, nothing listens, nothing stays in the store."""
    client = machine.connect()
    assert ask(client, b"hello") == b"hello"
    machine.systemctl("stop")
    assert ending(client) == "reset"
    with make_socket(machine) as refused, pytest.raises(ConnectionRefusedError):
        refused.connect(("127.0.0.1", 80))
    assert machine.show("NFileDescriptorStore") == "0"
    machine.systemctl("start")
    assert ask(machine.connect(), b"hello") == b"hello"
