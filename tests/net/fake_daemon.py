#!/usr/bin/python3
"""A child for `trivet run` that does what its mode file says, and writes down what it saw.

It stands beside a copy of trivet under the names of the real daemons.  FAKE_DIR
holds NAME.mode, read at each start: words of

	late        READY=1 only when NAME.go exists
	mute        ready, but no sign of life ever (the watchdog)
	deaf        ignores SIGTERM
	config      ends with 78
	crash       ends with 3 at once
	store       gives a pipe into the fd store and writes into it
and FAKE_DIR/log, a line of JSON for each thing that happened.
"""

import array
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

NAME = Path(sys.argv[0]).name
DIR = Path(os.environ["FAKE_DIR"])
MODE = (DIR / f"{NAME}.mode").read_text().split() if (DIR / f"{NAME}.mode").exists() else []


def note(what, **more):
    line = json.dumps({"name": NAME, "pid": os.getpid(), "what": what, "at": time.monotonic(),
                       **more})
    with open(DIR / "log", "a", encoding="utf-8") as log:
        log.write(line + "\n")


def notify(text, *fds):
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(os.environ["NOTIFY_SOCKET"])
        sock.sendmsg([text.encode()], control)


def barrier():
    """sd_notify_barrier(3): our end hangs up when everything before was dealt with."""
    ours, theirs = os.pipe()
    notify("BARRIER=1", theirs)
    os.close(theirs)
    return os.read(ours, 1) == b""


def ask(line):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(2)
        sock.connect(os.environ["TRIVET_SUPERVISOR"])
        sock.sendall(line.encode())
        return sock.makefile().readline().strip()


def on_term(*_):
    try:
        job = ask(f"job {NAME}\n")
    except OSError as error:
        job = f"nobody: {error}"
    note("term", job=job)
    if "deaf" not in MODE:
        note("end")
        os._exit(0)


def passed():
    """The fds handed back: {name: what can be read from it}."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return {}
    names = os.environ["LISTEN_FDNAMES"].split(":")
    found = {}
    for i, name in enumerate(names):
        os.set_blocking(3 + i, False)
        found[name] = os.read(3 + i, 100).decode()
    return found


def fill_store():
    read_end, write_end = os.pipe()
    os.write(write_end, b"kept over the restart")
    notify("FDSTORE=1\nFDNAME=parcel\nFDPOLL=0", read_end)
    hung, end = os.pipe()
    os.close(end)
    notify("FDSTORE=1\nFDNAME=hung", hung)  # polled: leaves the store by itself
    notify("FDSTORE=1\nFDNAME=removed\nFDPOLL=0", read_end)
    notify("FDSTOREREMOVE=1\nFDNAME=removed")
    note("barrier", passed=barrier())


def main():
    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGHUP, lambda *_: note("hup"))
    note("start", argv=sys.argv[1:], fds=passed(), pgrp=os.getpgrp(), parent=os.getppid(),
         watchdog=os.environ.get("WATCHDOG_USEC"), nofile=len(os.listdir("/proc/self/fd")))
    if "config" in MODE:
        sys.exit(78)
    if "crash" in MODE:
        sys.exit(3)
    while "late" in MODE and not (DIR / f"{NAME}.go").exists():
        time.sleep(0.01)
    if "store" in MODE:
        fill_store()
    note("ready")
    notify("READY=1\nSTATUS=here")
    while True:
        time.sleep(0.5)
        if "mute" not in MODE:
            notify("WATCHDOG=1")


main()
