#!/usr/bin/python3
"""Many virtual routers on one node, all master: trivet with leases and without, and
keepalived, each on a node of its own, looked at during the same seconds.  As root.

	tests/bench/vrrp_many.py [--instances N] [--seconds N] [--families 4,6]
	tests/bench/vrrp_many.py --soak ADVERTS [--instances N]

  start    until the last instance is BACKUP, seconds (one node after another; its links
           are ready before)
  master   from there until the last address is there (the protocol's own wait is 3.6 s)
  CPU      of the processes at rest, per cent of one processor
  memory   resident, KiB, all its processes; and for each instance, above that of one
  jitter   p50 and p99 of how far the adverts of one router are from a second apart,
           milliseconds

IPv6 has vip_lease 10 where it has leases: the kernel's renewals of IPv6 addresses are
dearer.

--soak: a pair with N instances at 10 ms, until the backup has heard ADVERTS of them:
descriptors and memory of both along the way, and what was sent and heard.
"""

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "net"))

from lab import Lab, wait_for  # noqa: E402
from vrrp import globals_of, instance  # noqa: E402

PER_LINK = 250
PATIENT = 120


def vip(k, family):
    link, host = k // PER_LINK, k % PER_LINK + 1
    return f"10.{4 + link}.9.{host}/32" if family == 4 else f"fd09:{link}::{host:x}/128"


def text(n, family, extra="", **more):
    return globals_of("r1") + "".join(
        instance(name=f"VI_{k}", vrid=k % PER_LINK + 1, interface=f"eth{k // PER_LINK}",
                 vips=[vip(k, family)], extra=extra, **more) for k in range(n))


def worked(pids):
    """Seconds of processor time; to the nanosecond, where ticks would be too coarse."""
    return sum(int(path.read_text().split()[0]) for pid in pids
               for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def resident(pids):
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def jitter(rows):
    """Of the adverts of each router: (p50, p99), milliseconds."""
    last, off = {}, []
    for vrid, at in rows:
        if vrid in last:
            off.append(abs(float(at) - last[vrid] - 1))
        last[vrid] = float(at)
    off.sort()
    return tuple(off[int(len(off) * q)] * 1000 for q in (0.5, 0.99)) if off else (float("nan"),) * 2


def is_ready(node, links):
    """Its links carry, and their addresses (their own link-local ones, too) are firm."""
    firm = [a["scope"] for i in range(links) for a in node.addresses(f"eth{i}")
            if not a.get("tentative")]
    return node.ip("link", "show", "up").count("LOWER_UP") >= links and (
        firm.count("global") == links and firm.count("link") == links)


def n_held(node, links):
    return sum(1 for i in range(links) for a in node.addresses(f"eth{i}")
               if ".9." in a["local"] or a["local"].startswith("fd09:"))


class Many:
    """n instances of one kind on a node."""

    def __init__(self, lab, kind, n, family, extra, name="r1"):
        self.kind, self.links = kind, (n + PER_LINK - 1) // PER_LINK
        self.node = node = lab.node(name)
        for i in range(self.links):
            node.attach(lab.switch(f"lan{i}"), f"10.{4 + i}.7.11/16" if family == 4
                        else f"fd07:{i}::11/64")
        wait_for(lambda: is_ready(node, self.links), "the links are there", PATIENT)
        conf = text(n, family, extra)
        began = time.monotonic()
        if kind == "trivet":
            proc = node.daemon("vrrpd", conf)
        else:
            proc = node.keepalived(conf, ready=False)
        wait_for(lambda: proc.log().count("Entering BACKUP") >= n, "all are there", PATIENT)
        self.start = time.monotonic() - began
        began = time.monotonic()
        wait_for(lambda: n_held(node, self.links) == n, "all are master", PATIENT, step=0.2)
        self.master = time.monotonic() - began

    def pids(self):
        return self.node.pids_of("vrrpd" if self.kind == "trivet" else "keepalived")

    def begin(self):
        self.capture = self.node.capture("vrrp or ip6 proto 112", dev="eth0")
        self.before, self.at = worked(self.pids()), time.monotonic()

    def end(self):
        self.cpu = (worked(self.pids()) - self.before) / (time.monotonic() - self.at) * 100
        self.memory = resident(self.pids())
        rows = self.capture.stop().tshark("vrrp", "vrrp.virt_rtr_id", "frame.time_epoch")
        self.p50, self.p99 = jitter(rows)


def alone(kind, family, extra):
    """Resident with one instance."""
    with Lab() as lab:
        return resident(Many(lab, kind, 1, family, extra).pids())


def compare(n, seconds, family):
    leased = "" if family == 4 else "vip_lease 10"
    kinds = (("trivet", "trivet", leased), ("trivet, no leases", "trivet", "vip_lease off"),
             ("keepalived", "keepalived", ""))
    one = [alone(kind, family, extra) for _, kind, extra in kinds]
    labs = [Lab() for _ in kinds]
    try:
        all_of = [Many(lab, kind, n, family, extra) for lab, (_, kind, extra) in zip(labs, kinds)]
        time.sleep(8)  # the second burst of announcements is over
        for many in all_of:
            many.begin()
        time.sleep(seconds)
        for many in all_of:
            many.end()
    finally:
        for lab in labs:
            lab.close()
    for (name, _, _), base, many in zip(kinds, one, all_of):
        print(f"{f'IPv{family}, {name}':<24} {many.start:>6.2f} {many.master:>7.2f} "
              f"{many.cpu:>7.2f} {many.memory:>7} {(many.memory - base) / n:>9.2f} "
              f"{many.p50:>7.2f} {many.p99:>7.2f}", flush=True)


def total(node, name):
    reply = node.call("vrrpd", "org.trivet.daemon.ListMetrics", {"prefix": name})
    return sum(int(m["value"]) for m in reply["metrics"] if m["name"] == name)


def soak(adverts, n):
    """A pair at 10 ms; a line whenever another tenth was heard."""
    with Lab() as lab:
        links = (n + PER_LINK - 1) // PER_LINK
        nodes = [lab.node("r1"), lab.node("r2")]
        for i in range(links):
            lab.switch(f"lan{i}")
            for node, host in zip(nodes, (11, 12)):
                node.attach(f"lan{i}", f"10.{4 + i}.7.{host}/16")
        for node, priority in zip(nodes, (100, 90)):
            node.daemon("vrrpd", text(n, 4, "version 3", advert_int=0.01, priority=priority))
            wait_for(lambda: n_held(nodes[0], links) == n, "all are master", PATIENT, step=0.2)
        pids = [node.daemon_pid("vrrpd") for node in nodes]
        first = total(nodes[1], "vrrpd_advertisements_received_total")
        print(f"{n} instances at 10 ms\n{'heard':>10} {'sent':>10} {'seconds':>8}   "
              "master: fds, KiB, CPU %   backup: fds, KiB, CPU %", flush=True)
        began, before = time.monotonic(), [worked([pid]) for pid in pids]
        for tenth in range(11):
            wait_for(lambda due=first + adverts * tenth // 10:
                     total(nodes[1], "vrrpd_advertisements_received_total") >= due,
                     "adverts are heard", 600, step=0.2)
            took = time.monotonic() - began
            state = ["{:>8} {:>7} {:>7.1f}".format(
                len(os.listdir(f"/proc/{pid}/fd")), resident([pid]),
                (worked([pid]) - then) / max(took, 0.1) * 100)
                for pid, then in zip(pids, before)]
            print(f"{total(nodes[1], 'vrrpd_advertisements_received_total'):>10} "
                  f"{total(nodes[0], 'vrrpd_advertisements_sent_total'):>10} {took:>8.1f}   "
                  f"{state[0]}   {state[1]}", flush=True)
        print(f"{n_held(nodes[0], links)} of {n} addresses are where they were, "
              f"{n_held(nodes[1], links)} on the backup")


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--instances", type=int)
    args.add_argument("--seconds", type=int, default=20)
    args.add_argument("--families", default="4,6")
    args.add_argument("--soak", type=int, metavar="ADVERTS")
    args = args.parse_args()
    if args.soak:
        soak(args.soak, args.instances or 200)
        return
    n = args.instances or 1000
    print(f"{f'{n} instances':<24}  start  master   CPU %  memory  for each  jitter p50, p99",
          flush=True)
    for family in args.families.split(","):
        compare(n, args.seconds, int(family))


main()
