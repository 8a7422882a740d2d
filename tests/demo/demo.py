#!/usr/bin/python3
"""`make demo`: a pair of nodes in network namespaces, a failure, the move.

Two nodes run trivet from packaging/examples/kube-apiserver, two nginx stand
behind them, and a client asks the service address again and again.  Nothing
touches the host's network, and everything is removed at the end, also after ^C.
"""

import os
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "net"))

from lab import CHECKOUT, Lab, LabError, wait_for  # noqa: E402

EXAMPLE = CHECKOUT / "packaging/examples/kube-apiserver"
VIP = "10.4.7.10"
COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def styled(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def chapter(text):
    print("\n" + styled("1", f"== {text}"), flush=True)


def say(text):
    print(f"   {text}", flush=True)


def show(node, *args):
    """A command as a person would type it on the node, and what it prints."""
    print(styled("36", f"{node.name}# trivet {' '.join(map(str, args))}"), flush=True)
    done = node.trivet(*args, check=False)
    print("   " + "\n   ".join((done.stdout + done.stderr).rstrip().splitlines()), flush=True)


class Story:
    """The pair, its surroundings, and what the client saw."""

    def __init__(self, lab):
        lab.switch("lan")
        self.n1 = lab.node("n1", "10.4.7.11/24")
        self.n2 = lab.node("n2", "10.4.7.12/24")
        self.client = lab.node("client", "10.4.7.2/24")
        self.webs = [lab.node("api1", "10.4.7.21/24"), lab.node("api2", "10.4.7.22/24")]
        self.rows = []

    def start(self):
        self.servers = [web.web(6443) for web in self.webs]
        self.services = {node: node.web(8080) for node in (self.n1, self.n2)}
        conf = (EXAMPLE / "trivet.conf").read_text()
        for node in (self.n1, self.n2):
            script = node.script("check_port.sh", (EXAMPLE / "check_port.sh").read_text())
            node.suite(conf.replace("/etc/trivet/check_port.sh", str(script)),
                       args=("-i", node.name))
        wait_for(lambda: self.n1.holds(VIP), f"n1 holds {VIP}", timeout=15)
        self.pulse = self.client.pulse(VIP, 7443, every=0.02, timeout=3)

    def measured(self, what, act, until):
        """Do it, wait until it shows; a row: how long, and what the client noticed."""
        self.pulse.more(10)
        before = time.monotonic()
        act()
        until()
        took = time.monotonic() - before
        self.pulse.more(25)
        seen = [r for r in self.pulse.results() if r["at"] + r["took"] >= before]
        failed = sum(not r["ok"] for r in seen)
        ends = [before] + [r["at"] + r["took"] for r in seen if r["ok"]]
        gap = max(b - a for a, b in zip(ends, ends[1:]))
        holder = [n.name for n in (self.n1, self.n2) if n.holds(VIP)]
        self.rows.append((what, took, ", ".join(holder) or "nobody", len(seen), failed, gap))
        say(f"{len(seen)} requests meanwhile, {failed} failed; "
            f"longest time without an answer: {gap * 1000:.0f} ms")

    def table(self):
        head = ("what happened", "seen after", "address at", "requests", "failed", "longest gap")
        rows = [(w, f"{t:.2f} s", h, str(n), str(f), f"{g * 1000:.0f} ms")
                for w, t, h, n, f, g in self.rows]
        widths = [max(len(r[i]) for r in [head] + rows) for i in range(len(head))]
        for row in [head] + rows:
            cells = [c.ljust(w) if i in (0, 2) else c.rjust(w)
                     for i, (c, w) in enumerate(zip(row, widths))]
            line = "   " + "  ".join(cells).rstrip()
            print(styled("1", line) if row is head else line)

    # ---- the chapters ----

    def at_rest(self):
        chapter(f"Two nodes, one address: {VIP}, port 7443, in front of two API servers")
        say(f"configuration, for both nodes: {EXAMPLE.relative_to(CHECKOUT)}/trivet.conf")
        conf = self.n1.dir / "trivet.conf"
        show(self.n1, "check", "-i", "n1", conf, "-i", "n2", conf)
        show(self.n1, "status")
        wait_for(lambda: len(self.pulse.answers()) == 2, "both servers answer")
        say("")
        say(f"a client asks {VIP}:7443 every 20 ms; answers come from "
            f"{' and '.join(sorted(self.pulse.answers()))}")

    def service_stops(self):
        chapter("The service that chk_ingress watches is stopped on n1")
        self.measured("service on n1 stopped", self.services[self.n1].stop,
                      lambda: wait_for(lambda: self.n2.holds(VIP) and not self.n1.holds(VIP),
                                       "the address moves to n2", timeout=15))
        show(self.n1, "why", "VI_1")
        show(self.n2, "why", "VI_1")

    def service_returns(self):
        chapter("It is started again")

        def start():
            self.services[self.n1] = self.n1.web(8080, name="web8080-again")
        self.measured("service on n1 back", start,
                      lambda: wait_for(lambda: self.n1.holds(VIP) and not self.n2.holds(VIP),
                                       "the address returns to n1", timeout=15))

    def daemon_killed(self, name):
        chapter(f"kill -9 of {name} on n1")
        pid = self.n1.daemon_pid(name)

        def again():
            try:
                return self.n1.daemon_pid(name) != pid
            except (OSError, EOFError):
                return False
        self.measured(f"{name} on n1 killed", lambda: os.kill(pid, signal.SIGKILL),
                      lambda: wait_for(again, f"{name} is back", timeout=15))

    def server_stops(self):
        chapter("One of the two API servers stops")

        def down():
            servers = self.n1.call("proxyd", "org.trivet.proxy.ListUpstreams")["servers"]
            return any(s["state"] == "down" for s in servers)
        self.measured("API server api1 stopped", self.servers[0].stop,
                      lambda: wait_for(down, "proxyd calls it down", timeout=15))
        show(self.n1, "status")


def interrupted(signum, _frame):
    raise SystemExit(128 + signum)


def main():
    if os.geteuid() != 0:
        sys.exit("make demo: network namespaces need root: sudo make demo")
    for signum in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(signum, interrupted)
    with Lab() as lab:
        story = Story(lab)
        story.start()
        story.at_rest()
        story.service_stops()
        story.service_returns()
        story.daemon_killed("checkd")
        story.daemon_killed("vrrpd")
        story.server_stops()
        chapter("All of it")
        story.table()


try:
    main()
except LabError as error:
    sys.exit(f"\nmake demo: {error}")
