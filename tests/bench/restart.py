"""What restarts cost, on two machines with a real systemd and the packages installed:
the numbers to put beside nginx's, haproxy's and keepalived's.

usage: restart.py [--times N] [PART...]      parts: proxyd vrrpd hang checkd suite size

Needs `make deb deb-next` (the packages are taken from there); minutes; as root.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CHECKOUT / "tests/systemd"), str(CHECKOUT / "tests/net")]

from container import workplace  # noqa: E402
from lab import wait_for  # noqa: E402
from load import Caller, Load, Ping  # noqa: E402
from test_pair import DAEMONS, UNIT, VIP, Pair  # noqa: E402
from vrrp import AddressLog  # noqa: E402

INTERVALS = {"1 s": "advert_int 1", "100 ms": "version 3\n\tadvert_int 0.1",
             "10 ms": "version 3\n\tadvert_int 0.01"}


def row(what, *numbers):
    print(f"{what:<46} " + "  ".join(numbers), flush=True)


def configure(pair, interval="1 s"):
    for machine in pair.machines.values():
        machine.configure(machine.conf.replace("advert_int 1", INTERVALS[interval]))
        machine.run("trivet", "reload")
    pair.settle()


def monotonic_us(machine, grep, unit):
    out = machine.run("journalctl", "-o", "json", "-u", unit, "-n", "200").stdout
    entries = [json.loads(line) for line in out.splitlines()]
    return [int(e["__MONOTONIC_TIMESTAMP"]) for e in entries
            if re.search(grep, str(e.get("MESSAGE", "")))]


def exec_share_ms(machine):
    """From systemd's fork to the new process's first line: sandbox, exec, libraries."""
    unit = UNIT["proxyd"]
    began = int(machine.container.show(unit, "ExecMainStartTimestampMonotonic"))
    first = [t for t in monotonic_us(machine, r"digest [0-9a-f]{16}|listener", unit) if t > began]
    return (min(first) - began) / 1000 if first else float("nan")


def bench_proxyd(pair, times):
    longest, shares = 0.0, []
    with Load(pair.client, VIP, idle=2000, bulk=4) as load:
        for _ in range(times):
            began = time.monotonic()
            pair.n1.systemctl("restart", UNIT["proxyd"])
            longest = max(longest, time.monotonic() - began)
            shares.append(exec_share_ms(pair.n1))
            load.goes_on()
    said = load.report()
    pauses = [int(n) for n in re.findall(r"sessions in (\d+) ms",
                                         pair.n1.container.journal(UNIT["proxyd"]))][-times:]
    row(f"restart trivet-proxyd x{times}, short + 2000 idle + bulk",
        f"refused {said['refused']}", f"failed {said['failed']}",
        f"idle lost {said['idle_lost']}", f"bytes wrong {len(said['bulk_wrong'])}",
        f"pings lost {said['pings_lost']}")
    row("", f"longest: pause of the data path {max(pauses)} ms (median {sorted(pauses)[len(pauses) // 2]})",
        f"a connection {said['longest_ms']} ms", f"systemctl {longest * 1000:.0f} ms",
        f"fork to first line {max(shares):.0f} ms", f"{said['short']} connections")


def bench_vrrpd(pair, times):
    for interval in INTERVALS:
        configure(pair, interval)
        for how in ("restart", "kill -9"):
            if how == "kill -9" and interval == "10 ms":
                continue
            seen = [AddressLog(m.node) for m in pair.machines.values()]
            ping = Ping(pair.client, VIP)
            wait_for(lambda: len(ping.numbers()) > 10, "pings are answered")
            n = times if how == "restart" else max(2, times // 4)
            for _ in range(n):
                if how == "restart":
                    pair.n1.systemctl("restart", UNIT["vrrpd"])
                else:  # three adoptions in ten leases, three crashes in ten seconds: no loop
                    pair.n1.wait_successor("vrrpd", pair.n1.kill("vrrpd", "KILL"))
                    time.sleep(11)
            ping.finish()
            moves = sum(len(log.removals(VIP)) for log in seen)
            row(f"{how} trivet-vrrpd x{n} on the master, {interval}",
                f"{len(ping.missing())} of {len(ping.numbers())} probes lost", f"{moves} moves")
    configure(pair)


def bench_hang(pair, _times):
    for interval in INTERVALS:
        configure(pair, interval)
        both = []
        victim = pair.n1.kill("vrrpd", "STOP")
        began = time.monotonic()

        def taken_over():
            holders = pair.holders()
            if len(holders) == 2:
                both.append(time.monotonic())
            return holders == ["n2"]
        wait_for(taken_over, "n2 alone holds the address", 12, step=0.005)
        row(f"SIGSTOP of vrrpd, {interval}", f"moved after {time.monotonic() - began:.2f} s",
            f"both hold it for {both[-1] - both[0] if both else 0:.2f} s")
        pair.n1.wait_successor("vrrpd", victim, timeout=30)
        pair.settle()
    configure(pair)
    victim = pair.n1.kill("proxyd", "STOP")
    began = time.monotonic()
    pair.settle("n2")
    row("SIGSTOP of proxyd behind the address", f"moved after {time.monotonic() - began:.2f} s")
    pair.n1.wait_successor("proxyd", victim, timeout=30)
    pair.settle()


def bench_checkd(pair, times):
    def changes():
        return sum(len(re.findall(r"effective priority|is down|FAULT|never answered",
                                  pair.n1.container.journal(UNIT[name])))
                   for name in ("vrrpd", "checkd", "proxyd"))
    before = changes()
    for _ in range(times):
        pair.n1.systemctl("restart", UNIT["checkd"])
    row(f"restart trivet-checkd x{times}", f"{changes() - before} changes of a verdict seen")


def first_request(pair, act, timeout=30.0):
    caller = Caller(pair.client, VIP, timeout)
    caller.start()
    wait_for(lambda: caller.done > 5, "clients call")
    began = time.monotonic()
    act()
    after = time.monotonic()
    wait_for(lambda: [t for t in caller.good_at if t > after], "requests are answered", 30)
    caller.ended = True
    caller.join()
    good = [t for t in caller.good_at if t > began]
    return (max(b - a for a, b in zip([began] + good, good)) * 1000,
            sum("Refused" in e for _, e in caller.errors), len(caller.errors))


def bench_suite(pair, _times):
    def killed():
        victims = pair.n1.pids()
        pair.n1.run("kill", "-KILL", *victims.values())
        for name in DAEMONS:
            pair.n1.wait_successor(name, victims[name])

    def power_cut():
        pair.n1.node.cable("eth0", "down")
        pair.n1.container.power_cut()
        wait_for(pair.n2.holds_vip, "n2 holds the address", 15)
    acts = {
        "all three restarted at once": lambda: pair.n1.systemctl("restart", *UNIT.values()),
        "trivet.target restarted": lambda: pair.n1.systemctl("restart", "trivet.target"),
        "all three killed at once": killed,
        "systemctl stop trivet.target (to the peer)":
            lambda: pair.n1.systemctl("stop", "trivet.target"),
    }
    for what, act in acts.items():
        gap, refused, failed = first_request(pair, act, timeout=0.5)
        row(what, f"longest time without an answer {gap:.0f} ms", f"refused {refused}",
            f"failed {failed}")
        pair.n1.systemctl("start", "trivet.target")
        pair.settle()
    gap, refused, failed = first_request(pair, power_cut, timeout=0.5)
    row("the master loses power", f"longest time without an answer {gap:.0f} ms",
        f"refused {refused}", f"failed {failed}")


def pss_kb(pids):
    return sum(int(re.search(r"^Pss: +(\d+)", Path(f"/proc/{p}/smaps_rollup").read_text(),
                             re.MULTILINE).group(1)) for p in pids)


def libraries(pids):
    return len({line.split()[-1] for p in pids for line in open(f"/proc/{p}/maps")
                if ".so" in line})


def tree(pid):
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [pid] + [p for child in path.read_text().split() for p in tree(int(child))]


def bench_size(pair, _times):
    node = pair.n2.node
    pids = [p for name in DAEMONS + ("trivet-runner",) for p in node.pids_of(name)]
    kib = sum(int(subprocess.run(["dpkg-deb", "-f", deb, "Installed-Size"], text=True,
                                 capture_output=True).stdout)
              for deb in sorted((pair.n2.container.root / "var/debs/now").glob("*.deb")))
    row("trivet: three daemons and the runner, idle", f"PSS {pss_kb(pids)} kB",
        f"{libraries(pids)} shared libraries", f"installed {kib} kB")
    peer = pair.lab.node("peer", "10.4.7.90/24")
    keepalived = peer.keepalived("vrrp_instance V { interface eth0\nvirtual_router_id 9\n"
                                 "priority 100\nvirtual_ipaddress {\n10.4.7.99\n}\n}\n")
    nginx = peer.nginx("stream { upstream s { server 10.4.7.21:8080; server 10.4.7.22:8080; }\n"
                       "server { listen 80; proxy_pass s; } }", ready=80)
    pids = tree(keepalived.pid) + tree(nginx.pid)
    said = subprocess.run(["dpkg-query", "-W", "-f", "${Installed-Size}\\n", "keepalived",
                           "nginx-light", "nginx-common", "libnginx-mod-stream"],
                          capture_output=True, text=True).stdout.split()
    row("keepalived + nginx stream, one worker, idle", f"PSS {pss_kb(pids)} kB",
        f"{libraries(pids)} shared libraries", f"installed {sum(map(int, said))} kB")


# The power cut of "suite" is the end of the pair.
PARTS = {"size": bench_size, "proxyd": bench_proxyd, "vrrpd": bench_vrrpd, "hang": bench_hang,
         "checkd": bench_checkd, "suite": bench_suite}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("parts", nargs="*", help=" ".join(PARTS))
    args = parser.parse_args()
    if not set(args.parts) <= set(PARTS):
        parser.error(f"parts are {', '.join(PARTS)}")
    directory = workplace()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
    pair = Pair(directory)
    try:
        for name in PARTS:
            if not args.parts or name in args.parts:
                PARTS[name](pair, args.times)
    finally:
        pair.close()
        shutil.rmtree(directory, ignore_errors=True)


main()
