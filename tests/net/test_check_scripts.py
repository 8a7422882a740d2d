"""Scripts that do what they should not, and a host that has nothing left to give:
contained, counted as failed with the reason, and over when it is over."""

import re
import subprocess
from pathlib import Path

from lab import wait_for
from test_checkd import check, make  # noqa: F401 (a fixture)

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
    for i, (body, _) in enumerate(HOSTILE.values()):
        c.node.script(f"s{i}.sh", f"#!/bin/sh\n{body}\n")
        conf += check(f"s{i}", f'script "{c.node.dir}/s{i}.sh"', interval="4s", timeout="2s")
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


def limit(pid, files):
    subprocess.run(["prlimit", f"--nofile={files}:", "--pid", str(pid)], check=True)


def test_a_runner_that_cannot_start_anything(make):
    """No descriptor for the script's output: failed, as what it is, until there is one."""
    c = make()
    c.node.script("good.sh", "#!/bin/sh\nexit 0\n")
    c.start(check("s", f'script "{c.node.dir}/good.sh"', interval="200ms"))
    c.wait("s", "up")
    [runner] = c.node.pids_of("trivet-runner")
    limit(runner, 3)
    seen = c.wait("s", "down")
    assert seen["lastReason"] in ("exec", "system"), seen
    assert "Too many open files" in seen["lastDetail"], seen
    limit(runner, 1024)
    c.wait("s", "up")
