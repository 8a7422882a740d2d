"""`trivet run` with children that do as they are told: order, restarts, the
watchdog, the fd store, the job question, the end."""

import json
import os
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest
from lab import BUILD, wait_for

FAKE = Path(__file__).with_name("fake_daemon.py")
NAMES = ("trivet-runner", "checkd", "proxyd", "vrrpd")


class Fakes:
    """A directory with trivet and four pretenders; what they wrote down."""

    def __init__(self, node):
        self.node = node
        self.dir = node.dir / "bin"
        self.dir.mkdir(mode=0o755)
        os.chmod(node.dir, 0o777)  # the pretenders' log
        shutil.copy(BUILD / "trivet", self.dir / "trivet")
        for name in NAMES:
            shutil.copy(FAKE, self.dir / name)

    def mode(self, name, *words):
        (self.dir / f"{name}.mode").write_text(" ".join(words))

    def run(self, *args):
        self.proc = self.node.spawn(
            [self.dir / "trivet", "run", "-c", "nowhere.conf", "--run-dir", self.node.run_dir,
             "--state-dir", self.node.state_dir, *args], "run", env={"FAKE_DIR": str(self.dir)})
        return self.proc

    def log(self, name=None, what=None):
        path = self.dir / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [e for e in map(json.loads, lines)
                if name in (None, e["name"]) and what in (None, e["what"])]

    def wait(self, name, what, count=1, timeout=10.0):
        return wait_for(lambda: self.log(name, what)[count - 1:count],
                        f"{name}: {what} for the {count}. time", timeout)[0]

    def ready(self):
        self.proc.wait_log(r"\d of \d ready")

    def ask(self, line):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(str(self.node.run_dir / "supervisor.sock"))
            sock.sendall(line)
            return sock.recv(100).decode()


@pytest.fixture
def fakes(lab):
    return Fakes(lab.node("r1"))


def test_order(fakes):
    """vrrpd starts when the others are ready and ends before they are told to."""
    fakes.mode("proxyd", "late")
    fakes.run()
    fakes.wait("checkd", "ready")
    fakes.wait("proxyd", "start")
    assert not fakes.log("vrrpd")
    (fakes.dir / "proxyd.go").touch()
    fakes.ready()
    assert fakes.proc.stop() == 0
    events = [(e["name"], e["what"]) for e in fakes.log()]
    assert events.index(("trivet-runner", "ready")) < events.index(("checkd", "start"))
    assert events.index(("proxyd", "ready")) < events.index(("vrrpd", "start"))
    for name in ("checkd", "proxyd"):
        assert events.index(("vrrpd", "end")) < events.index((name, "term"))
        assert events.index((name, "end")) < events.index(("trivet-runner", "term"))
    assert {e["job"] for e in fakes.log(what="term")} == {"stop"}


def test_command_line(fakes):
    """What a child is given; and that a ^C at the terminal is not its business."""
    fakes.run("-i", "n1", "-v", "--only", "vrrpd")
    fakes.ready()
    start = fakes.log("vrrpd", "start")[0]
    assert start["argv"] == ["-c", "nowhere.conf", "-i", "n1", "--run-dir",
                             str(fakes.node.run_dir), "--state-dir", str(fakes.node.state_dir),
                             "-v"]
    assert start["pgrp"] == start["pid"]
    assert start["parent"] == fakes.proc.pid
    assert int(start["watchdog"]) > 0
    assert start["nofile"] == 4, "0, 1, 2 and the listing itself: nothing of ours leaks"
    assert {e["name"] for e in fakes.log()} == {"trivet-runner", "vrrpd"}


def test_killed_comes_back(fakes):
    fakes.run()
    fakes.ready()
    killed = time.monotonic()
    os.kill(fakes.log("vrrpd", "start")[0]["pid"], signal.SIGKILL)
    again = fakes.wait("vrrpd", "start", 2)
    assert again["at"] - killed < 1.0
    assert len(fakes.log("checkd", "start")) == 1
    fakes.proc.wait_log(r"\(vrrpd\) killed by signal 9 \(Killed\); again in 0\.000 s")


def test_crash_loop_does_not_hold_the_others(fakes):
    """Growing waits; vrrpd starts without a proxyd that never comes up."""
    fakes.mode("proxyd", "crash")
    fakes.run()
    fakes.wait("vrrpd", "ready")
    starts = [fakes.wait("proxyd", "start", n)["at"] for n in (1, 2, 3, 4)]
    gaps = [b - a for a, b in zip(starts, starts[1:])]
    assert gaps[0] > 0.1 and gaps[1] > 0.2 and gaps[2] > 0.4
    fakes.mode("proxyd")
    fakes.wait("proxyd", "ready")


def test_configuration_refused_by_one(fakes):
    """It rests, the others run; a reload gives it another chance."""
    fakes.mode("checkd", "config")
    fakes.run()
    fakes.ready()
    fakes.proc.wait_log(r"\(checkd\) ended with status 78: it refuses its configuration")
    fakes.wait("vrrpd", "ready")
    fakes.mode("checkd")
    fakes.proc.hup()
    fakes.wait("checkd", "ready")
    assert len(fakes.log("checkd", "start")) == 2


def test_configuration_refused_by_all(fakes):
    for name in ("checkd", "proxyd", "vrrpd"):
        fakes.mode(name, "config")
    assert fakes.run().wait() == 78
    assert [e["name"] for e in fakes.log(what="end")] == ["trivet-runner"]


def test_watchdog(fakes):
    """A child that falls silent is aborted and replaced, even one that is stopped."""
    fakes.mode("checkd", "mute")
    fakes.run()
    fakes.ready()
    os.kill(fakes.log("checkd", "start")[0]["pid"], signal.SIGSTOP)
    fakes.mode("checkd")
    fakes.proc.wait_log(r"\(checkd\) silent for 5\.0 s: aborting it", timeout=12)
    fakes.proc.wait_log(r"\(checkd\) killed by signal (6|9)", timeout=5)
    fakes.wait("checkd", "ready", 2)
    assert len(fakes.log("vrrpd", "start")) == 1


def test_store(fakes):
    """Descriptors outlive a crash and a restart; hung up and removed ones do not."""
    fakes.mode("proxyd", "store")
    fakes.run()
    fakes.ready()
    assert fakes.log("proxyd", "barrier")[0]["passed"]
    assert fakes.log("proxyd", "start")[0]["fds"] == {}
    fakes.mode("proxyd")
    os.kill(fakes.log("proxyd", "start")[0]["pid"], signal.SIGKILL)
    assert fakes.wait("proxyd", "start", 2)["fds"] == {"parcel": "kept over the restart"}
    fakes.wait("proxyd", "ready", 2)


def test_restart(fakes):
    """Asked for by the command: the child learns it is one, the answer comes when it is back."""
    fakes.run()
    fakes.ready()
    fakes.node.run([fakes.dir / "trivet", "--run-dir", fakes.node.run_dir, "restart", "vrrpd"])
    assert fakes.log("vrrpd", "term")[0]["job"] == "restart"
    assert len(fakes.log("vrrpd", "ready")) == 2
    assert len(fakes.log("checkd", "start")) == 1


def test_restart_that_fails(fakes):
    fakes.run()
    fakes.ready()
    fakes.mode("proxyd", "config")
    done = fakes.node.run([fakes.dir / "trivet", "--run-dir", fakes.node.run_dir, "restart",
                           "proxyd"], check=False)
    assert done.returncode == 1
    assert "proxyd: its configuration is refused" in done.stderr


def test_terminated_by_hand(fakes):
    """A child that somebody sends SIGTERM comes back, and leaves things standing for that."""
    fakes.run()
    fakes.ready()
    os.kill(fakes.log("vrrpd", "start")[0]["pid"], signal.SIGTERM)
    assert fakes.wait("vrrpd", "term")["job"] == "restart"
    fakes.wait("vrrpd", "ready", 2)


@pytest.mark.parametrize("line, answer", [
    (b"job nobody\n", "unknown\n"),
    (b"job\n", "unknown\n"),
    (b"\n", "unknown\n"),
    (b"reboot vrrpd\n", "unknown\n"),
    (b"job vrrpd\nrestart vrrpd\n", "restart\n"),
    (b"x" * 500, ""),
], ids=["nobody", "no name", "empty", "other verb", "two lines", "too long"])
def test_questions(fakes, line, answer):
    fakes.run("--only", "vrrpd")
    fakes.ready()
    try:
        assert fakes.ask(line) == answer
    except ConnectionResetError:
        assert answer == ""
    assert fakes.ask(b"job vrrpd\n") == "restart\n", "it still answers"


def test_restart_is_for_root(fakes):
    fakes.run("--only", "vrrpd")
    fakes.ready()
    code = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
            "s.sendall(b'restart vrrpd\\n'); print(s.recv(99).decode(), end='')")
    done = fakes.node.run(["setpriv", "--reuid=_trivet-checkd", "--regid=_trivet-checkd",
                           "--groups=_trivet", "/usr/bin/python3", "-c", code,
                           fakes.node.run_dir / "supervisor.sock"])
    assert done.stdout == "failed: only root may restart\n"
    assert len(fakes.log("vrrpd", "start")) == 1


def test_not_the_childs_word(fakes):
    """READY=1 from another process, even with the right to write, is not believed."""
    fakes.mode("vrrpd", "late")
    fakes.run("--only", "vrrpd")
    fakes.wait("vrrpd", "start")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(str(fakes.node.run_dir / "notify/vrrpd"))
        sock.send(b"READY=1")
    assert fakes.ask(b"job vrrpd\n") == "restart\n"  # a turn of the loop later
    assert "(vrrpd) ready" not in fakes.proc.log()
    (fakes.dir / "vrrpd.go").touch()
    fakes.proc.wait_log(r"\(vrrpd\) ready")


def test_supervisor_killed(fakes):
    """Its children get SIGTERM, and nobody answers their question: that means stop."""
    fakes.run()
    fakes.ready()
    fakes.proc.kill9()
    for name in NAMES:
        assert fakes.wait(name, "term")["job"].startswith("nobody")
    wait_for(lambda: not fakes.node.pids(), "all are gone")


def test_second_signal_hastens(fakes):
    fakes.mode("checkd", "deaf")
    fakes.run()
    fakes.ready()
    fakes.proc.kill(signal.SIGINT)
    fakes.wait("checkd", "term")
    fakes.proc.kill(signal.SIGINT)
    assert fakes.proc.wait() == 0
    assert not fakes.node.pids()


def test_two_supervisors(fakes):
    fakes.run()
    fakes.ready()
    first = fakes.proc
    assert fakes.run().wait() == 1
    assert "another trivet run is at work here" in fakes.proc.log()
    assert first.alive() and len(fakes.log("vrrpd", "start")) == 1


def test_outer_service_manager(fakes):
    """READY=1 upward when all are ready; the children have a notify socket of their own."""
    path = str(fakes.node.dir / "outer")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as outer:
        outer.bind(path)
        outer.settimeout(10)
        proc = fakes.node.spawn(
            [fakes.dir / "trivet", "run", "--run-dir", fakes.node.run_dir], "run",
            env={"FAKE_DIR": str(fakes.dir), "NOTIFY_SOCKET": path, "LISTEN_FDS": "1"})
        assert outer.recv(1000) == b"READY=1\nSTATUS=4 of 4 ready"
        assert len(fakes.log(what="ready")) == 4
        assert fakes.log("vrrpd", "start")[0]["fds"] == {}
        proc.kill(signal.SIGTERM)
        assert outer.recv(1000) == b"STOPPING=1"


def test_first_process(fakes):
    """As process 1 of a container: orphans are reaped, SIGTERM ends it."""
    inner = fakes.node.spawn(
        ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc",
         fakes.dir / "trivet", "run", "--run-dir", fakes.node.run_dir, "--only", "vrrpd"],
        "run", env={"FAKE_DIR": str(fakes.dir)})
    inner.wait_log(r"2 of 2 ready")
    one = int(Path(f"/proc/{inner.pid}/task/{inner.pid}/children").read_text().split()[0])
    enter = ["nsenter", "-t", str(one), "-p", "-m"]
    fakes.node.run([*enter, "sh", "-c", "sleep 0 & exec sleep 0.1 &"])

    def zombies():
        out = fakes.node.run([*enter, "ps", "-e", "-o", "stat="]).stdout
        return [s for s in out.split() if s.startswith("Z")]
    wait_for(lambda: not zombies(), "no zombie is left")
    os.kill(one, signal.SIGTERM)
    assert inner.wait() == 0


def test_run_dir_is_made(fakes):
    fakes.node.run_dir = fakes.node.dir / "a/b/run"
    fakes.run("--only", "vrrpd")
    fakes.ready()
    assert (fakes.node.run_dir.stat().st_mode & 0o7777) == 0o755


def test_run_dir_too_long(fakes):
    """unix(7): 107 characters.  One line, not four crash loops."""
    fakes.node.run_dir = fakes.node.dir / ("x" * 90)
    assert fakes.run().wait() == 1
    assert fakes.proc.log().count("\n") == 1 and "File name too long" in fakes.proc.log()


def test_program_missing(fakes):
    (fakes.dir / "proxyd").unlink()
    assert fakes.run().wait() == 1
    assert "proxyd: not found beside trivet" in fakes.proc.log()
    assert not fakes.log()


def test_needs_root(fakes):
    done = fakes.node.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                           fakes.dir / "trivet", "run", "--run-dir", "/tmp/never"], check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "run needs root" in done.stderr
