"""Scripts that do what they should not, and a host that has nothing left to give:
contained, counted as failed with the reason, and over when it is over."""

import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from lab import proc_status, wait_for
from test_checkd import check, connects, make  # noqa: F401 (a fixture)

HOSTILE = {
    "ignores TERM": ("trap '' TERM; while :; do sleep 0.1; done", "timeout"),
    "traps TERM and is content": ("trap 'exit 0' TERM; while :; do sleep 0.05; done", "timeout"),
    "is another program": ("exec sleep 1000", "timeout"),
    "closes everything": ("exec <&- >&- 2>&-; while :; do :; sleep 0.1; done", "timeout"),
    "reads what is not there": ("exec cat", None),  # its input is empty: it ends at once
    "fills its output": ("exec yes 'a line and no end of lines'", "timeout"),
    "has children that ignore TERM": (
        "for i in 1 2 3; do (trap '' TERM; exec sleep 1000) & done; wait", "timeout"),
    "leaves, and its children stay": ("sleep 1000 & sleep 1000 & exit 1", "exit"),
    "is a daemon": ("setsid sh -c 'exec sleep 1001' & exit 3", "exit"),
    "kills itself": ("kill -KILL $$", "signal"),
    "kills its group": ("kill -KILL 0", "signal"),
    "stops itself": ("kill -STOP $$; exit 0", "timeout"),
    "prints bytes of every kind": (r"printf '\000\377\033[2J\n\n'; exit 1", "exit"),
}


def scripts_in(node):
    """Processes of the node that are one of them."""
    found = []
    for pid in node.pids():
        try:
            if re.search(r"/s[0-9]+\.sh", Path(f"/proc/{pid}/cmdline").read_text()):
                found.append(pid)
        except (OSError, UnicodeDecodeError):
            pass
    return found


def test_scripts_that_do_anything(make):
    """All at once, beside one that behaves."""
    c = make()
    conf = ""
    for i, (body, reason) in enumerate(HOSTILE.values()):
        c.node.script(f"s{i}.sh", f"#!/bin/sh\n{body}\n")
        conf += check(f"s{i}", f'script "{c.node.dir}/s{i}.sh"', interval="4s",
                      timeout="2s" if reason == "timeout" else "20s")
    c.node.script("good.sh", "#!/bin/sh\nexit 0\n")
    c.start(conf + check("good", f'script "{c.node.dir}/good.sh"', interval="500ms", timeout="5s"))
    for i, (what, (_, reason)) in enumerate(HOSTILE.items()):
        seen = c.wait(f"s{i}", "down" if reason else "up", timeout=20)
        assert seen["lastReason"] == (reason or "ok"), (what, seen)
        assert len(seen["lastDetail"]) < 640, what
    runs = c.get("good")["lastCheckedUsec"]
    wait_for(lambda: c.get("good")["lastCheckedUsec"] > runs, "the good one goes on")
    assert c.state("good") == "up"
    c.reload(check("p", "port 1"))
    wait_for(lambda: not scripts_in(c.node), "none is left", timeout=15)


# ---- a host that has nothing left ----


def limit(pid, what, n):
    """Its soft limit, set as its own user may; n None: as much as it may have."""
    what = getattr(resource, f"RLIMIT_{what.upper()}")
    status = proc_status(pid)
    argv = ["setpriv", "--reuid", status["Uid"].split()[0], "--regid", status["Gid"].split()[0],
            "--clear-groups", sys.executable, "-c",
            "import resource,sys\n"
            "pid,what,n=map(int,sys.argv[1:])\n"
            "hard=resource.prlimit(pid,what)[1]\n"
            "resource.prlimit(pid,what,(n if n>=0 else hard,hard))\n",
            str(pid), str(int(what)), str(-1 if n is None else n)]
    subprocess.run(argv, check=True)


def test_a_runner_that_cannot_start_anything(make):
    """No descriptor for the script's output: failed, as what it is, until there is one."""
    c = make()
    c.node.script("good.sh", "#!/bin/sh\nexit 0\n")
    c.start(check("s", f'script "{c.node.dir}/good.sh"', interval="200ms"))
    c.wait("s", "up")
    runner = c.runner()
    limit(runner, "nofile", 3)
    seen = c.wait("s", "down")
    assert seen["lastReason"] in ("exec", "system"), seen
    assert "Too many open files" in seen["lastDetail"], seen
    limit(runner, "nofile", None)
    c.wait("s", "up")


def is_down(c, name, detail):
    def so():
        seen = c.get(name)
        return seen["state"] == "down" and detail in seen["lastDetail"] and seen
    seen = wait_for(so, f"{name} is down: {detail}")
    assert seen["lastReason"] == "exec", seen


def test_no_process_for_a_scripts_user(make):
    """His limit is reached: his script fails, root's beside it does not, until he has room."""
    c = make()
    c.node.script("good.sh", "#!/bin/sh\nexit 0\n")
    script = f'script "{c.node.dir}/good.sh"'
    c.start(check("his", script, interval="200ms", user="nobody") +
            check("roots", script, interval="200ms", user="root"))
    c.wait("his", "up")
    c.wait("roots", "up")
    runner = c.runner()
    c.node.spawn(["setpriv", "--reuid", "nobody", "--clear-groups", "sleep", "1000"], "his")
    limit(runner, "nproc", 0)
    is_down(c, "his", f"cannot execute {c.node.dir}/good.sh as user nobody: "
            "Resource temporarily unavailable")
    assert c.state("roots") == "up"
    limit(runner, "nproc", None)
    c.wait("his", "up")


def test_a_fork_that_fails(make):
    """A runner without root, which its user's limit binds: no process at all, and no other user."""
    c = make()
    c.node.script("good.sh", "#!/bin/sh\nexit 0\n")
    script = f'script "{c.node.dir}/good.sh"'
    conf = c.node.write("trivet.conf", check("own", script, interval="200ms") +
                        check("other", script, interval="200ms", user="root"))
    for path in c.node.run_dir, c.node.state_dir:
        path.mkdir()
        shutil.chown(path, "_trivet-checkd")
    runner = c.node.spawn(["setpriv", "--reuid", "_trivet-checkd", "--regid", "_trivet",
                           "--clear-groups", c.node.binary("trivet-runner"), "-c", conf,
                           "--run-dir", c.node.run_dir, "--state-dir", c.node.state_dir], "runner")
    wait_for(lambda: connects(c.node.run_dir / "runner.sock") or not runner.alive(), "it serves")
    c.start()
    c.wait("own", "up")
    is_down(c, "other", "cannot become user root: Operation not permitted")
    limit(runner.pid, "nproc", 1)
    is_down(c, "own", "cannot start a process: Resource temporarily unavailable")
    is_down(c, "other", "cannot start a process: Resource temporarily unavailable")
    limit(runner.pid, "nproc", None)
    c.wait("own", "up")
