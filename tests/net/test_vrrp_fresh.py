"""Fast preempt asks checkd first: a fault that both nodes have does not move the address
to and fro."""

import re
import signal
import time

import pytest

from lab import PATIENCE, holds_for, wait_for
from vrrp import R1, R2, VIP, instance

PORT = 7443


def pair(lab, conf):
    """conf(node, priority) -> text; checkd and vrrpd on two nodes that serve, r1 the master."""
    lab.switch()
    nodes = [lab.node("r1", f"{R1}/24"), lab.node("r2", f"{R2}/24")]
    for node, priority in zip(nodes, (100, 90)):
        text = conf(node, priority)
        node.serving = node.listener(PORT)
        node.checkd = node.daemon("checkd", text)
        node.vrrpd = node.daemon("vrrpd", text)
    wait_for(lambda: [n.name for n in nodes if n.holds(VIP)] == ["r1"], "r1 is master", timeout=15)
    wait_for(lambda: nodes[1].instance("VI_1")["effectivePriority"] == 90
             and any(t["kind"] == "script" and t["up"] for t in nodes[1].instance("VI_1")["terms"]),
             "the peer knows that it is well")
    return nodes


def moves(nodes):
    """Times that somebody became master, beyond the first."""
    return sum(len(re.findall("Entering MASTER STATE", n.vrrpd.log())) for n in nodes) - 1


def port_check(extra=""):
    def conf(node, priority):
        return (f"check service {{\n    port {PORT}\n    weight -30\n}}\n"
                + instance(priority=priority,
                           extra=f"track_check {{\n        service\n    }}\n{extra}"))
    return conf


@pytest.mark.parametrize("preempt", ["", "nopreempt"], ids=["preempt", "nopreempt"])
def test_the_same_fault_one_second_apart_is_one_move(lab, preempt, record_property):
    r1, r2 = pair(lab, port_check(preempt))
    began = time.monotonic()
    r1.serving.kill(signal.SIGTERM)
    time.sleep(1)  # the case itself: not a wait for something
    moved = r2.holds(VIP)
    r2.serving.kill(signal.SIGTERM)
    wait_for(lambda: r2.check("service")["state"] == "down", "the peer's is down as well")
    wait_for(lambda: r1.instance("VI_1")["effectivePriority"] == 70
             and r2.instance("VI_1")["effectivePriority"] == 60, "both have heard")
    record_property("moved_within_1s", moved)
    print(f"moved within a second: {moved}")
    held = [n.holds(VIP) for n in (r1, r2)]
    # Longer than a master-down interval.
    holds_for(lambda: moves((r1, r2)) <= 1, "at most one move", 5)
    if moved:
        assert held == [False, True] and moves((r1, r2)) == 1
        assert "lowered by as much" in r1.instance("VI_1")["barred"]
        assert "lowered by as much" in r1.trivet("why", "VI_1").stdout
    assert time.monotonic() - began < 30 * PATIENCE


def test_a_move_by_a_port_check_is_quick(lab, record_property):
    r1, r2 = pair(lab, port_check())
    began = time.monotonic()
    r1.serving.kill(signal.SIGTERM)
    wait_for(lambda: r2.holds(VIP), "the peer has it", timeout=10)
    took = time.monotonic() - began
    record_property("seconds", round(took, 3))
    print(f"{took:.2f} s from the fault to the address on the peer")
    # A skew time and a little: the verdict asked for comes meanwhile; without it, 3.6 s.
    assert took < 3 * PATIENCE


def test_the_peer_is_asked_and_knows_that_it_is_no_better(lab):
    """Its own run is a minute away: without a question it would take over in good faith."""
    def conf(node, priority):
        fault = lab.dir / "fault"
        script = node.script("chk.sh", f"#!/bin/sh\n[ ! -e {fault} ]\n")
        interval = "200ms" if node.name == "r1" else "60s"
        return (f'check service {{\n    script "{script}"\n    interval {interval}\n'
                "    timeout 5s\n    weight -30\n}\n"
                + instance(priority=priority, extra="track_check {\n        service\n    }"))

    r1, r2 = pair(lab, conf)
    (lab.dir / "fault").touch()
    wait_for(lambda: r2.instance("VI_1")["effectivePriority"] == 60, "the peer has found out")
    assert r2.check("service")["state"] == "down"
    assert moves((r1, r2)) == 0
    holds_for(lambda: r1.holds(VIP) and not r2.holds(VIP), "nothing moves", 5)


def test_without_checkd_the_ordinary_interval_bounds_the_wait(lab):
    r1, r2 = pair(lab, port_check())
    r2.checkd.kill9()
    r1.serving.kill(signal.SIGTERM)
    wait_for(lambda: r2.holds(VIP), "the peer has it all the same", timeout=15)
