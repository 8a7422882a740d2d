"""System calls for each short TCP connection, as a row of proxy.py; needs strace.

A short connection: connect, 64 bytes there and back, the client closes first.
Counts only: strace makes every time meaningless.
"""

import re
import signal
import subprocess
from pathlib import Path

from lab import wait_for

BAR = 15.0  # nginx 18.3, haproxy 18.9


def data_thread(pid):
    """The first of proxyd's."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().startswith("data-"):
            return int(task.name)
    raise SystemExit(f"{pid} has no data thread")


def system_calls(lab, name, thread, load, connections):
    """How many, for each of so many connections that load() makes."""
    out = lab.dir / f"strace-{name}"
    strace = subprocess.Popen(["strace", "-c", "-p", str(thread), "-o", out],
                              stderr=subprocess.DEVNULL)
    wait_for(lambda: "TracerPid:\t0" not in Path(f"/proc/{thread}/status").read_text(), "traced")
    load()
    strace.send_signal(signal.SIGINT)
    strace.wait()
    rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", out.read_text(), re.M)
    calls = {call: int(n) / connections for n, call in rows if call != "total"}
    print("   " + name + ": " + ", ".join(f"{call} {n:.2f}" for call, n in
                                          sorted(calls.items(), key=lambda item: -item[1])
                                          if n >= 0.01))
    return sum(calls.values())
