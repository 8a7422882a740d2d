#!/usr/bin/python3
"""A pair of trivet nodes beside a pair of keepalived nodes, fault by fault, in
one run: make bench-vrrp, as root.

	tests/bench/vrrp.py [--runs N] [--faults stop,restart,...] [--intervals 1,0.1,0.01]
	                    [--kinds trivet,keepalived]

For each fault at the settled master (medians of the runs):
  outage   longest time without an answer to a prober that asks every 10 ms (2 ms at
           intervals of 10 ms), less its period
  double   time during which both nodes had the address, by the kernel's own
           events; "+": still so when the watch ended
  moves    how often another node answered than before
  taken    from the fault until the other node had the address (where it moves)

Absolute figures drift on shared machines: compare the two columns.
"""

import argparse
import os
import signal
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "net"))

from holders import Prober, Watch  # noqa: E402
from lab import Lab, LabError, wait_for  # noqa: E402
from vrrp import R1, R2, VIP, globals_of  # noqa: E402


def text(kind, name, priority, interval, flag, check):
    version = "    version 3\n" if interval < 1 else ""
    secure = "    script_user root\n    enable_script_security\n"
    script = (f'vrrp_script chk {{\n    script "/usr/bin/test -e {flag}"\n    interval 2\n'
              "    weight -20\n    rise 1\n    fall 1\n}\n") if check else ""
    track = "    track_script {\n        chk\n    }\n" if check else ""
    return (globals_of(name, secure) + script + "vrrp_instance VI_1 {\n"
            f"{version}    state BACKUP\n    interface eth0\n    virtual_router_id 51\n"
            f"    priority {priority}\n    advert_int {interval}\n    virtual_ipaddress {{\n"
            f"        {VIP}/24\n    }}\n{track}}}\n")


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

    def __init__(self, lab, kind, interval, check, first=True):
        self.lab, self.interval = lab, interval
        lab.switch("lan")
        self.r1, self.r2 = lab.node("r1", f"{R1}/24"), lab.node("r2", f"{R2}/24")
        self.client = lab.node("c", "10.4.7.99/24")
        self.flag = lab.dir / "up"
        self.flag.touch()
        self.a, self.b = (
            KINDS[kind](node, text(kind, node.name, priority, interval, self.flag
                                   if node is self.r1 else "/", check), check)
            for node, priority in ((self.r1, 100), (self.r2, 90)))
        self.b.start()
        if first:
            self.a.start()
        holder = self.r1 if first else self.r2
        wait_for(lambda: [n for n in (self.r1, self.r2) if n.holds(VIP)] == [holder],
                 f"{holder.name} alone holds it", 15)

    def one_way(self):
        """What r1 says of VRRP goes nowhere."""
        _, bridge, port = self.r1.attached[0]
        self.lab_sh("ip", "netns", "exec", bridge, "nft", "add table netdev cut; add chain netdev "
                    f"cut in {{ type filter hook ingress device \"{port}\" priority 0; }}; add "
                    "rule netdev cut in meta l4proto 112 drop")

    @staticmethod
    def lab_sh(*argv):
        import subprocess
        subprocess.run(argv, check=True)

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


# name: what is done, seconds to watch (at 1 s; shorter intervals need less), with a check
FAULTS = {
    "none": (lambda s: None, 9),
    "stop": (lambda s: s.a.stop(), 5),
    "restart": (lambda s: s.a.restart(), 9),
    "kill9": (lambda s: os.kill(s.a.worker(), signal.SIGKILL), 9),
    "kill9-all": (lambda s: s.r1.kill_all(), 8),
    "hang": (lambda s: s.hang(), 12),
    "link-down": (lambda s: s.link(s.r1.link), 12),
    "cable": (lambda s: s.link(s.r1.cable), 12),
    "one-way": (lambda s: s.one_way(), 9),
    "check": (lambda s: s.flag.unlink(), 9),
    "recover": (lambda s: s.a.start(), 9),
}


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def measure(kind, interval, fault):
    """(outage, double, still double, moves, taken), in seconds."""
    act, watch_s = FAULTS[fault]
    watch_s = watch_s if interval >= 1 else max(watch_s - 3, 3)
    period = 0.002 if interval < 0.05 else 0.01
    with Lab() as lab:
        site = Site(lab, kind, interval, fault == "check", first=fault != "recover")
        prober = Prober(site.client, VIP, period)
        watch = Watch((site.r1, site.r2), VIP)
        begin = time.monotonic()
        act(site)
        time.sleep(max(0, begin + watch_s - time.monotonic()))
        end = time.monotonic()
        seen = [row for row in prober.answers() if begin - 0.2 <= row[0] <= end]
        outage = prober.silence(begin, end)
    moves = sum(a[1] != b[1] for a, b in zip(seen, seen[1:]))
    double, still = watch.double(begin, end)
    return max(outage, 0), double, still, moves, watch.taken("r2", begin, end)


def cell(results):
    outage, double, still, moves, taken = zip(*results)
    return "{:>6.0f} {:>6.0f}{} {:>3.0f} {:>6}".format(
        median(outage) * 1000, median(double) * 1000, "+" if any(still) else " ", median(moves),
        "-" if median(taken) is None else f"{median(taken) * 1000:.0f}")


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--runs", type=int, default=1)
    args.add_argument("--faults", default=",".join(f for f in FAULTS if f != "none"))
    args.add_argument("--intervals", default="1,0.1,0.01")
    args.add_argument("--kinds", default="trivet,keepalived")
    args = args.parse_args()
    kinds = args.kinds.split(",")
    head = "outage double moves taken"
    print(f"milliseconds, medians of {args.runs}")
    print(f"{'':<18}" + "".join(f"| {kind + ':':<26}" for kind in kinds))
    print(f"{'fault, interval':<18}" + "".join(f"| {head:<26}" for _ in kinds), flush=True)
    for interval in (float(i) for i in args.intervals.split(",")):
        for fault in args.faults.split(","):
            cells = []
            for kind in kinds:
                try:
                    cells.append(cell([measure(kind, interval, fault)
                                       for _ in range(args.runs)]))
                except LabError as error:
                    cells.append(str(error).split("\n", maxsplit=1)[0][:26])
            print(f"{fault:<10} {interval * 1000:>5.0f}ms " +
                  "".join(f"| {c:<26}" for c in cells), flush=True)


if __name__ == "__main__":
    main()
