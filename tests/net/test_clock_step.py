"""Somebody sets the wall clock, by an hour, either way: times in logs jump, nothing else."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from lab import BUILD, wait_for
from vrrp import R1, R2, VIP, AddressLog, globals_of, instance

SOURCE = Path(__file__).with_name("wall_clock.c")
CHECK = """
check probe {
    port 8080
    interval 200ms
    weight -20
}
"""
STREAM = """
stream {
    server {
        listen 10.4.7.10:80;
        proxy_timeout 10m;
        proxy_pass 127.0.0.1:8080;
    }
}
"""


class Clock:
    """A node's wall clock, beside the one it shares with the host."""

    def __init__(self, node):
        self.file = node.dir / "wall-clock"
        self.shim = node.dir / "wall_clock.so"
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", self.shim, SOURCE], check=True)
        self.set(0)
        self.env = {"LD_PRELOAD": str(self.shim), "WALL_CLOCK_FILE": str(self.file)}

    def set(self, seconds):
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds}\n")
        os.chmod(new, 0o644)
        os.rename(new, self.file)


@pytest.mark.skipif(b"__asan_init" in (BUILD / "vrrpd").read_bytes()
                    if (BUILD / "vrrpd").exists() else False,
                    reason="the sanitizers' own interposition has to come first")
def test_an_hour_either_way(lab):
    lab.switch()
    nodes, clocks, suites = [], [], []
    for name, priority, own, peer in (("r1", 100, R1, R2), ("r2", 90, R2, R1)):
        node = lab.node(name, f"{own}/24")
        node.listener(8080)
        clock = Clock(node)
        text = globals_of(name) + CHECK + instance(
            priority=priority, peer=peer, source=own,
            extra="track_check {\nprobe\n}") + STREAM
        suites.append(node.suite(text, env=clock.env))
        nodes.append(node)
        clocks.append(clock)
    r1, r2 = nodes
    wait_for(lambda: r1.holds(VIP) and not r2.holds(VIP), "r1 alone holds the address", 15)
    seen = [AddressLog(node) for node in nodes]
    client = lab.node("client", "10.4.7.50/24")
    session = client.spawn(["socat", "-T", "60", "SYSTEM:sleep 1000", f"TCP:{VIP}:80"])
    before = r1.instance("VI_1")["counters"]

    for which in (0, 1):
        for step in (3600, -3600, 0):
            clocks[which].set(step)
            sent = r1.instance("VI_1")["counters"]["advertisementsSent"]
            ran = nodes[which].check("probe")["lastCheckedUsec"]
            wait_for(lambda: r1.instance("VI_1")["counters"]["advertisementsSent"] > sent + 2,
                     "adverts go on")
            wait_for(lambda: nodes[which].check("probe")["lastCheckedUsec"] > ran, "checks go on")
    assert [log.removals(VIP) for log in seen] == [[], []]
    after = r1.instance("VI_1")["counters"]
    assert after["releasedMaster"] == before["releasedMaster"]
    assert after["becameMaster"] == before["becameMaster"]
    assert r1.check("probe")["state"] == "up" and r1.instance("VI_1")["effectivePriority"] == 100
    assert session.alive()
    # The clocks did jump, for the daemons: what they say is stamped by it.
    clocks[0].set(86400 * 400)
    r1.trivet("reload")
    year = max(int(y) for y in re.findall(r"^(\d{4})-\d\d-\d\dT", suites[0].log(), re.MULTILINE))
    assert year > int(re.match(r"\d{4}", r2.status("vrrpd")["startedAt"]).group())
