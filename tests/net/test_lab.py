"""The laboratory itself: what the other tests stand on."""

import json
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from lab import LabError, Lab, holds_for, wait_for

VRRP_PAIR = """
global_defs {{ router_id {name} }}
vrrp_instance VI_1 {{
	state BACKUP
	interface eth0
	virtual_router_id 51
	priority {priority}
	advert_int 1
	virtual_ipaddress {{ 10.4.7.10 }}
}}
"""


def test_nodes_reach_each_other_and_nothing_else(lab):
    lab.switch("lan")
    a = lab.node("a", "10.4.7.11/24")
    b = lab.node("b", "10.4.7.12/24")
    b.web(8080)
    pulse = a.pulse("10.4.7.12", 8080)
    pulse.more(5)
    assert pulse.answers() == {"b"}
    assert a.holds("10.4.7.11") and not a.holds("10.4.7.12")
    assert a.run(["ip", "route", "get", "192.0.2.1"], check=False).returncode != 0
    a.attach("lan", "10.4.8.11/24", "second")
    devices = {link["ifname"] for link in json.loads(a.ip("-json", "link"))}
    assert {"eth0", "second"} <= devices == set(a.run(["ls", "/sys/class/net"]).stdout.split())
    with pytest.raises(OSError, match="eth1"):
        a.holds("10.4.7.11", "eth1")


def test_a_cut_cable_and_a_link_set_down(lab):
    lab.switch("lan")
    a = lab.node("a", "10.4.7.11/24")
    b = lab.node("b", "10.4.7.12/24")
    ping = ["ping", "-c1", "-W1", "10.4.7.12"]
    a.run(ping)
    a.cable("eth0", "down")
    assert a.run(ping, check=False).returncode != 0
    a.cable("eth0", "up")
    wait_for(lambda: a.run(ping, check=False).returncode == 0, "the cable is back")
    b.link("eth0", "down")
    assert a.run(ping, check=False).returncode != 0


def test_keepalived_pair_elects_one_and_its_packets_are_clean(lab):
    lab.switch("lan")
    nodes = [lab.node("r1", "10.4.7.11/24"), lab.node("r2", "10.4.7.12/24")]
    capture = nodes[1].capture("proto 112")
    for node, priority in zip(nodes, (100, 90)):
        node.keepalived(VRRP_PAIR.format(name=node.name, priority=priority))
    wait_for(lambda: nodes[0].holds("10.4.7.10"), "r1 holds the VIP", timeout=8)
    wait_for(lambda: len(capture.packets()) >= 2, "two adverts", timeout=5)
    capture.stop()
    assert not nodes[1].holds("10.4.7.10")
    assert capture.malformed() == []
    assert {row[0] for row in capture.tshark("vrrp", "vrrp.prio")} <= {"100", "0"}


def test_tshark_finds_a_bad_checksum(lab):
    lab.switch("lan")
    a = lab.node("a", "10.4.7.11/24")
    capture = a.capture("proto 112")
    a.run(["/usr/bin/python3", "-c", textwrap.dedent("""
        from scapy.layers.l2 import Ether
        from scapy.layers.vrrp import IP, VRRP
        from scapy.sendrecv import sendp
        sendp(Ether(dst="01:00:5e:00:00:12") /
             IP(src="10.4.7.11", dst="224.0.0.18", ttl=255, proto=112) /
             VRRP(version=2, vrid=1, priority=1, chksum=0x1234, addrlist=["10.4.7.10"]),
             iface="eth0", verbose=0)
        """)])
    wait_for(capture.packets, "the packet is captured")
    capture.stop()
    assert len(capture.malformed()) == 1


def test_a_process_that_ends_early_is_told_with_its_log(lab):
    a = lab.node("a")
    proc = a.spawn(["sh", "-c", "echo why it failed; exit 3"], "short")
    with pytest.raises(LabError, match="(?s)ended with 3.*why it failed"):
        proc.wait_log("ready")


def test_who_starts_a_process_lasts_as_long(lab):
    """PR_SET_PDEATHSIG is about the thread that started a process, not about all of this one."""
    a = lab.node("a")
    before = threading.active_count()
    proc = a.spawn(["sleep", "1000"])
    holds_for(lambda: threading.active_count() == before + 1, "its thread is there", 0.3)
    assert proc.kill9() == -9
    wait_for(lambda: threading.active_count() == before, "its thread has ended")


def test_kill_all_leaves_nothing_running(lab):
    a = lab.node("a")
    service = a.service("svc")
    a.spawn(["sh", "-c", "trap '' TERM; sleep 1000 & wait"], "stubborn")
    assert subprocess.run(["killall", "-0", service.comm], check=False).returncode == 0
    wait_for(lambda: len(a.pids()) >= 3, "three processes")
    a.kill_all()
    assert a.pids() == []
    assert subprocess.run(["killall", "-q", "-0", service.comm], check=False).returncode != 0


def test_a_dead_runs_leftovers_are_swept(tmp_path):
    code = textwrap.dedent(f"""
        import os, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from lab import Lab
        lab = Lab()
        lab.switch("lan")
        node = lab.node("a", "10.4.7.11/24")
        proc = node.spawn(["sleep", "1000"])
        print(lab.id, proc.pid, flush=True)
        os.kill(os.getpid(), 9)
        """)
    died = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    name, pid = died.stdout.split()
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
    assert name in listed and os.path.exists(f"/proc/{pid}")
    with Lab():
        pass
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
    assert name not in listed
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "its process is gone")
