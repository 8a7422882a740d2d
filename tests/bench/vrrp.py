#!/usr/bin/python3
"""A pair of trivet nodes beside a pair of keepalived nodes, fault by fault, in
one run: make bench-vrrp, as root.

	tests/bench/vrrp.py [--runs N] [--faults stop,restart,...] [--intervals 1,0.1,0.01]
	                    [--kinds trivet,keepalived] [--sites N]

Five runs of everything take most of an hour, one run (--runs 1) a good ten minutes.
Both kinds are tried at the same time (--sites 2), so that what the machine does
besides meets both; more sites make it shorter and the figures at 10 ms worse.

For each fault at the settled master (medians of the runs):
  outage   longest time without an answer to a prober that asks every 10 ms (2 ms at
           intervals of 10 ms), less its period
  double   time during which both nodes had the address, by the kernel's own
           events; "+": still so when the watch ended in at least one run
  moves    how often another node answered than before
  taken    from the fault until the other node had the address (where it moves)

none        nothing: what the machine itself adds
stop        SIGTERM, nothing is started again
restart     trivet restart; keepalived is stopped and started
kill9       of the daemon that speaks VRRP alone; what supervises it starts it again
kill9-all   of every process on the node
hang        SIGSTOP for six seconds
link-down   ip link set down, for six seconds;  cable: the far end
one-way     what the master says of VRRP is lost, the rest is not
check       a script every 2 s with weight -20;  check-np: nopreempt on both nodes
process     the watched process ends (keepalived, to whose process tracker the kernel tells
            nothing in a network namespace: killall -0 every 2 s)
port        nothing listens any more (keepalived: a script every second)
both        the process ends on the master, and on the other node a second later
recover     the better node starts

Absolute figures drift on shared machines: compare the two columns.
"""

import argparse
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "net"))

from holders import Prober, Watch  # noqa: E402
from lab import Lab, LabError, wait_for  # noqa: E402
from vrrp import R1, R2, VIP, globals_of  # noqa: E402


PORT = 8080
SCRIPT = ('vrrp_script chk {{\n    script "{}"\n    interval {}\n    weight -20\n'
          "    rise 1\n    fall 1\n}}\n")
# What watches the service of a node: a block, and what refers to it.
CHECKS = {
    "script": (lambda kind, flag, comm: SCRIPT.format(f"/usr/bin/test -e {flag}", 2), "script"),
    "process": (lambda kind, flag, comm: f"check chk {{\n    process {comm}\n    weight -20\n}}\n"
                if kind == "trivet" else SCRIPT.format(f"/usr/bin/killall -0 {comm}", 2),
                "script"),
    "port": (lambda kind, flag, comm: f"check chk {{\n    port {PORT}\n    weight -20\n}}\n"
             if kind == "trivet" else SCRIPT.format(f"/usr/bin/socat /dev/null TCP4:127.0.0.1:{PORT}", 1),
             "script"),
}


def text(kind, name, priority, interval, check, nopreempt):
    """check: a block of CHECKS and its kind, or None."""
    version = "    version 3\n" if interval < 1 else ""
    secure = "    script_user root\n    enable_script_security\n"
    block, tracks = check or ("", None)
    track = f"    track_{tracks} {{\n        chk\n    }}\n" if tracks else ""
    more = "    nopreempt\n" if nopreempt else ""
    return (globals_of(name, secure) + block + "vrrp_instance VI_1 {\n"
            f"{version}    state BACKUP\n    interface eth0\n    virtual_router_id 51\n"
            f"    priority {priority}\n    advert_int {interval}\n    virtual_ipaddress {{\n"
            f"        {VIP}/24\n    }}\n{track}{more}}}\n")


class Trivet:
    def __init__(self, node, conf, check):
        self.node, self.conf = node, conf
        self.only = ["vrrpd", "checkd"] if check else ["vrrpd"]
        self.proc = None

    def start(self):
        self.proc = self.node.suite(self.conf, only=self.only)

    def stop(self):
        self.proc.stop()

    def restart(self):
        self.node.trivet("restart", "vrrpd")

    def worker(self):
        return self.node.daemon_pid("vrrpd")


class Keepalived:
    def __init__(self, node, conf, _):
        self.node, self.conf, self.proc = node, conf, None

    def start(self):
        self.proc = self.node.keepalived(self.conf)

    def stop(self):
        self.proc.stop()

    def restart(self):
        self.stop()
        self.start()

    def worker(self):
        return int((self.node.dir / "keepalived-vrrp.pid").read_text())


KINDS = {"trivet": Trivet, "keepalived": Keepalived}


class Site:
    """A settled pair, r1 the master, and a client."""

    def __init__(self, lab, kind, interval, fault):
        self.lab, self.interval = lab, interval
        lab.switch("lan")
        self.r1, self.r2 = lab.node("r1", f"{R1}/24"), lab.node("r2", f"{R2}/24")
        self.client = lab.node("c", "10.4.7.99/24")
        self.served = {}
        self.a, self.b = (
            KINDS[kind](node, text(kind, node.name, priority, interval,
                                   self.check(kind, node, fault.check), fault.nopreempt),
                        fault.check)
            for node, priority in ((self.r1, 100), (self.r2, 90)))
        if fault.first:
            self.a.start()
            wait_for(lambda: self.r1.holds(VIP), "r1 holds it", 15)
        self.b.start()
        holder = self.r1 if fault.first else self.r2
        wait_for(lambda: [n for n in (self.r1, self.r2) if n.holds(VIP)] == [holder],
                 f"{holder.name} alone holds it", 15)
        if fault.check == "process":
            time.sleep(1)  # its first run is over, on both

    def check(self, kind, node, what):
        """The service of a node, and the text of what watches it."""
        if what is None:
            return None
        flag = node.dir / "up"
        flag.touch()
        self.served[node.name] = (node.listener(PORT) if what == "port"
                                  else node.service("web") if what == "process" else None)
        block, tracks = CHECKS[what]
        return block(kind, flag, getattr(self.served[node.name], "comm", "")), tracks

    def fail(self, node):
        """Its service ends."""
        if self.served[node.name] is None:
            (node.dir / "up").unlink()
        else:
            self.served[node.name].kill9()

    def fail_both(self):
        self.fail(self.r1)
        time.sleep(1)
        self.fail(self.r2)

    def one_way(self):
        """What r1 says of VRRP goes nowhere."""
        _, bridge, port = self.r1.attached[0]
        subprocess.run(["ip", "netns", "exec", bridge, "nft", "add table netdev cut; add chain "
                        f"netdev cut in {{ type filter hook ingress device \"{port}\" priority "
                        "0; }; add rule netdev cut in meta l4proto 112 drop"], check=True)

    def hang(self):
        """For six seconds, unless somebody ends it."""
        pid = self.a.worker()
        os.kill(pid, signal.SIGSTOP)

        def go_on():
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        threading.Timer(6, go_on).start()

    def link(self, off):
        off(state="down")
        threading.Timer(6, lambda: off(state="up")).start()


class Fault:
    """act(site) is what is done, and 'watch' how many seconds to look (at 1 s; shorter
    intervals need less).  always: at every interval, not only at 1 s."""

    def __init__(self, act, watch, check=None, nopreempt=False, first=True, always=True):
        self.act, self.watch, self.check = act, watch, check
        self.nopreempt, self.first, self.always = nopreempt, first, always


FAULTS = {
    "none": Fault(lambda s: None, 5),
    "stop": Fault(lambda s: s.a.stop(), 5),
    "restart": Fault(lambda s: s.a.restart(), 9),
    "kill9": Fault(lambda s: os.kill(s.a.worker(), signal.SIGKILL), 9),
    "kill9-all": Fault(lambda s: s.r1.kill_all(), 8),
    "hang": Fault(lambda s: s.hang(), 12),
    "link-down": Fault(lambda s: s.link(s.r1.link), 12),
    "cable": Fault(lambda s: s.link(s.r1.cable), 12),
    "one-way": Fault(lambda s: s.one_way(), 9),
    "check": Fault(lambda s: s.fail(s.r1), 9, check="script"),
    "check-np": Fault(lambda s: s.fail(s.r1), 9, check="script", nopreempt=True, always=False),
    "process": Fault(lambda s: s.fail(s.r1), 7, check="process", always=False),
    "port": Fault(lambda s: s.fail(s.r1), 7, check="port", always=False),
    "both": Fault(lambda s: s.fail_both(), 9, check="process", always=False),
    "recover": Fault(lambda s: s.a.start(), 9, first=False),
}


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def measure(kind, interval, name):
    """(outage, double, still double, moves, taken), in seconds; or what went wrong."""
    fault = FAULTS[name]
    watch_s = fault.watch if interval >= 1 else max(fault.watch - 3, 3)
    period = 0.002 if interval < 0.05 else 0.01
    try:
        with Lab() as lab:
            site = Site(lab, kind, interval, fault)
            prober = Prober(site.client, VIP, period)
            watch = Watch((site.r1, site.r2), VIP)
            begin = time.monotonic()
            fault.act(site)
            time.sleep(max(0, begin + watch_s - time.monotonic()))
            end = time.monotonic()
            seen = [row for row in prober.answers() if begin - 0.2 <= row[0] <= end]
            outage = prober.silence(begin, end)
    except LabError as error:
        return str(error).split("\n", maxsplit=1)[0]
    moves = sum(a[1] != b[1] for a, b in zip(seen, seen[1:]))
    double, still = watch.double(begin, end)
    return max(outage, 0), double, still, moves, watch.taken("r2", begin, end)


def cell(results):
    failed = [r for r in results if isinstance(r, str)]
    if failed:
        return failed[0][:26]
    outage, double, still, moves, taken = zip(*results)
    return "{:>6.0f} {:>6.0f}{} {:>3.0f} {:>6}".format(
        median(outage) * 1000, median(double) * 1000, "+" if any(still) else " ", median(moves),
        "-" if median(taken) is None else f"{median(taken) * 1000:.0f}")


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--runs", type=int, default=5)
    args.add_argument("--faults", default=",".join(FAULTS))
    args.add_argument("--intervals", default="1,0.1,0.01")
    args.add_argument("--kinds", default="trivet,keepalived")
    args.add_argument("--sites", type=int, default=2)
    args = args.parse_args()
    kinds = args.kinds.split(",")
    head = "outage double moves taken"
    print(f"milliseconds, medians of {args.runs}")
    print(f"{'':<18}" + "".join(f"| {kind + ':':<26}" for kind in kinds))
    print(f"{'fault, interval':<18}" + "".join(f"| {head:<26}" for _ in kinds), flush=True)
    rows = [(interval, fault) for interval in (float(i) for i in args.intervals.split(","))
            for fault in args.faults.split(",") if interval >= 1 or FAULTS[fault].always]
    # A process for each site: a laboratory is named after its process.
    with ProcessPoolExecutor(args.sites, multiprocessing.get_context("forkserver")) as pool:
        asked = [[[pool.submit(measure, kind, *row) for kind in kinds] for _ in range(args.runs)]
                 for row in rows]
        for (interval, fault), runs in zip(rows, asked):
            cells = [cell([one.result() for one in results]) for results in zip(*runs)]
            print(f"{fault:<10} {interval * 1000:>5.0f}ms " +
                  "".join(f"| {c:<26}" for c in cells), flush=True)


if __name__ == "__main__":
    main()
