#!/usr/bin/python3
"""Many virtual routers on one node, all master: trivet with leases and without,
keepalived, one after another.  As root.

	tests/bench/vrrp_many.py [INSTANCES [SECONDS]]

  start    until the last instance is BACKUP, seconds
  master   from there until the last address is there (the protocol's own wait is 3.6 s)
  CPU      of the process at rest, per cent of one processor
  memory   resident, KiB, all its processes; and for each instance, above that of one
  jitter   p99 of how far the adverts of one router are from a second apart, milliseconds
"""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "net"))

from lab import Lab, wait_for  # noqa: E402
from vrrp import globals_of, instance  # noqa: E402

PER_LINK = 250
PATIENT = 120


def text(n, extra):
    return globals_of("r1") + "".join(
        instance(name=f"VI_{k}", vrid=k % PER_LINK + 1, interface=f"eth{k // PER_LINK}",
                 vips=[f"{vip(k)}/32"], extra=extra) for k in range(n))


def vip(k):
    return f"10.{4 + k // PER_LINK}.9.{k % PER_LINK + 1}"


def ticks(pids):
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def resident(pids):
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def p99_jitter(rows):
    last, off = {}, []
    for vrid, at in rows:
        if vrid in last:
            off.append(abs(float(at) - last[vrid] - 1))
        last[vrid] = float(at)
    return sorted(off)[int(len(off) * 0.99)] * 1000 if off else float("nan")


def n_held(node, links):
    return sum(1 for i in range(links) for a in node.addresses(f"eth{i}") if ".9." in a["local"])


def measure(kind, extra, n, seconds):
    links = (n + PER_LINK - 1) // PER_LINK
    with Lab() as lab:
        node = lab.node("r1")
        for i in range(links):
            node.attach(lab.switch(f"lan{i}"), f"10.{4 + i}.7.11/16")
        began = time.monotonic()
        if kind == "trivet":
            proc = node.daemon("vrrpd", text(n, extra))
        else:
            proc = node.keepalived(text(n, extra), ready=False)
        wait_for(lambda: proc.log().count("Entering BACKUP") >= n, "all are there", PATIENT)
        started = time.monotonic()
        wait_for(lambda: n_held(node, links) == n, "all are master", PATIENT, step=0.2)
        master = time.monotonic()
        time.sleep(8)  # the second burst of announcements is over
        pids = node.pids_of("vrrpd" if kind == "trivet" else "keepalived")
        capture, before = node.capture("proto 112"), ticks(pids)
        time.sleep(seconds)
        cpu = (ticks(pids) - before) / seconds
        rows = capture.stop().tshark("vrrp", "vrrp.virt_rtr_id", "frame.time_epoch")
        return started - began, master - started, cpu * 100, resident(pids), p99_jitter(rows)


def main():
    n, seconds = (int(a) for a in (sys.argv[1:] + ["1000", "10"][len(sys.argv) - 1:]))
    print(f"{n} instances      start  master   CPU %  memory  for each  jitter", flush=True)
    for name, kind, extra in (("trivet", "trivet", ""),
                              ("trivet, no leases", "trivet", "vip_lease off"),
                              ("keepalived", "keepalived", "")):
        one = measure(kind, extra, 1, 1)
        start, master, cpu, memory, jitter = measure(kind, extra, n, seconds)
        print(f"{name:<18} {start:>6.2f} {master:>7.2f} {cpu:>7.2f} {memory:>7} "
              f"{(memory - one[3]) / n:>9.2f} {jitter:>7.2f}", flush=True)


main()
