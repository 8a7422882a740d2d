"""Two nodes keep a service address alive: the pairs people have, from the text
they have for keepalived, between two trivet nodes and between trivet and
keepalived in both roles.

r1 is the node that is meant to be master.  Each test is the life of one pair:
at rest, its service stops, its service is back.
"""

import time

import pytest

from lab import holds_for, wait_for

VIP = "10.4.7.10"
ADDRESS = {"r1": "10.4.7.11", "r2": "10.4.7.12"}
PAIRS = [("trivet", "trivet"), ("trivet", "keepalived"), ("keepalived", "trivet")]
PAIR_NAMES = ["-".join(pair) for pair in PAIRS]

# A script every 2 s, three adverts and the skew, on a machine that is busy.
MOVE_LIMIT = 12
LEASE = 3.0  # ceil(3 x advert_int)

UNICAST = """! unicast pair, process check
global_defs {{
   router_id {name}
}}

vrrp_script chk_service {{
    script "killall -0 {service}"
    interval 2
    timeout 10
    weight -20
}}

vrrp_instance VI_1 {{
    state {state}
    interface eth0
    virtual_router_id 251
    priority {priority}
    advert_int 1
    unicast_src_ip {mine}
    unicast_peer {{
        {other}
    }}
    authentication {{
        auth_type PASS
        auth_pass 123456
    }}
    virtual_ipaddress {{
        10.4.7.10
    }}
    track_script {{
        chk_service
    }}
}}
"""

MULTICAST = """! multicast pair, port check, nopreempt beside state MASTER only
global_defs {{
    router_id {name}
}}
vrrp_script chk_port {{
    script "{script} 7443"
    interval 2
    timeout 10
    weight -20
}}
vrrp_instance VI_1 {{
    state {state}
    interface eth0
    mcast_src_ip {mine}
    virtual_router_id 251
    priority {priority}
    {nopreempt}
    advert_int 1
    authentication {{
        auth_type PASS
        auth_pass 11111111
    }}
    virtual_ipaddress {{
        10.4.7.10
    }}
    track_script {{
        chk_port
    }}
}}
"""

CHECK_PORT = """#!/bin/sh
# Is somebody listening on port $1?
if [ -z "$1" ]; then
	echo "Check Port Cant Be Empty!"
	exit 2
fi
if ! ss -Hltn "sport = :$1" | grep -q .; then
	echo "looked at $(ss -Hltn | wc -l) listeners"
	echo "Port $1 Is Not Used,End."
	exit 1
fi
"""


class Pair:
    """Two nodes of given kinds on one switch, a witness beside them, a capture."""

    def __init__(self, lab, kinds, style, serve=("r1", "r2")):
        self.lab = lab
        self.style = style
        self.kinds = dict(zip(("r1", "r2"), kinds))
        lab.switch("lan")
        self.r1 = lab.node("r1", f"{ADDRESS['r1']}/24")
        self.r2 = lab.node("r2", f"{ADDRESS['r2']}/24")
        self.nodes = (self.r1, self.r2)
        self.services = {}
        self.procs = {}
        self.capture = self.r2.capture("proto 112")
        for node in self.nodes:
            if node.name in serve:
                self.start_service(node)
            self.start(node)
            # Alone it becomes master; so the pair's rest does not hang on who started first.
            wait_for(self.holders, "the first node takes the VIP", timeout=MOVE_LIMIT)

    def start_service(self, node):
        if self.style is MULTICAST:
            self.services[node.name] = node.listener(7443)
        elif node.name in self.services:
            self.services[node.name] = node.respawn(self.services[node.name])
        else:
            self.services[node.name] = node.service("svc")

    def stop_service(self, node):
        self.services[node.name].stop()

    def text(self, node):
        first = node is self.r1
        return self.style.format(
            name=node.name, mine=ADDRESS[node.name], other=ADDRESS["r2" if first else "r1"],
            state="MASTER" if first else "BACKUP", priority=100 if first else 90,
            nopreempt="nopreempt" if first else "",
            service=getattr(self.services.get(node.name), "comm", ""),
            script=node.script("check_port.sh", CHECK_PORT))

    def start(self, node):
        text = self.text(node)
        if self.kinds[node.name] == "keepalived":
            self.procs[node.name] = node.keepalived(text)
        else:
            self.procs[node.name] = node.suite(text)

    def holders(self):
        return [node.name for node in self.nodes if node.holds(VIP)]

    def wait_holder(self, name, why, timeout=MOVE_LIMIT):
        """The VIP gets there; and both nodes never have it for long (make before break)."""
        wait_for(lambda: self.holders() == [name], f"{why}: the VIP is on {name} alone", timeout)

    def at_rest(self, name, seconds=3.0):
        holds_for(lambda: self.holders() == [name], f"at rest the VIP is on {name} alone", seconds)

    def packets_are_clean(self):
        self.capture.stop()
        assert self.capture.packets()
        assert self.capture.malformed() == []
        for row in self.capture.tshark("vrrp", "ip.src", "ip.dst", "ip.ttl", "vrrp.version",
                                       "vrrp.virt_rtr_id", "vrrp.adver_int", "vrrp.ip_addr"):
            source, target, ttl, *rest = row
            assert rest == ["2", "251", "1", VIP]
            assert ttl == "255" and source in ADDRESS.values()
            assert target == "224.0.0.18" if self.style is MULTICAST else target in ADDRESS.values()


@pytest.mark.parametrize("kinds", PAIRS, ids=PAIR_NAMES)
def test_unicast_pair(lab, kinds):
    pair = Pair(lab, kinds, UNICAST)
    pair.at_rest("r1")
    pair.stop_service(pair.r1)
    pair.wait_holder("r2", "the service on r1 stopped")
    pair.at_rest("r2", 2.0)
    pair.start_service(pair.r1)
    pair.wait_holder("r1", "the service on r1 is back")
    pair.at_rest("r1", 2.0)
    pair.packets_are_clean()
    sent = {row[0] for row in pair.capture.tshark(f"vrrp && ip.src == {ADDRESS['r1']}",
                                                  "vrrp.prio")}
    assert {"100", "80"} <= sent


@pytest.mark.parametrize("kinds", PAIRS, ids=PAIR_NAMES)
def test_multicast_nopreempt_pair(lab, kinds):
    pair = Pair(lab, kinds, MULTICAST)
    pair.at_rest("r1")
    pair.stop_service(pair.r1)
    pair.wait_holder("r2", "the service on r1 stopped")
    pair.start_service(pair.r1)
    if kinds[0] == "keepalived":
        # It drops nopreempt beside `state MASTER`, and says so.
        pair.procs["r1"].wait_log("nopreempt will not work with initial state MASTER")
        pair.wait_holder("r1", "the service on r1 is back, and keepalived preempts")
    else:
        wait_for(lambda: pair.r1.instance("VI_1")["effectivePriority"] == 100,
                 "r1's check is good again")
        pair.at_rest("r2", 6.0)  # longer than a master-down interval: it really stays
    pair.packets_are_clean()


@pytest.mark.parametrize("kinds", PAIRS, ids=PAIR_NAMES)
def test_a_stopped_node_hands_over_at_once(lab, kinds):
    pair = Pair(lab, kinds, UNICAST)
    pair.at_rest("r1", 1.0)
    stopped = time.monotonic()
    code = pair.procs["r1"].stop()
    pair.wait_holder("r2", "r1 was stopped", timeout=4)
    took = time.monotonic() - stopped
    assert code == 0
    # Priority 0, then the backup's skew time: nothing near the master-down interval of 3.6 s.
    if kinds[0] == "trivet":
        pair.capture.stop()
        assert pair.capture.tshark("vrrp.prio == 0")
        assert took < 3.0
    pair.start(pair.r1)
    pair.wait_holder("r1", "r1 is back")


def test_kill9_of_everything_on_the_master(lab):
    pair = Pair(lab, ("trivet", "trivet"), UNICAST)
    pair.at_rest("r1", 1.0)
    pair.r1.kill_all()
    killed = time.monotonic()
    wait_for(lambda: not pair.r1.holds(VIP), "the kernel removes the dead node's VIP",
             timeout=LEASE + 2)
    gone = time.monotonic() - killed
    assert gone <= LEASE + 0.5
    pair.wait_holder("r2", "r1 is dead", timeout=5)
    pair.at_rest("r2", 1.0)


def test_a_check_that_never_passed_moves_the_address_to_the_weaker_node(lab):
    """The service never ran on r1, which starts alone, as one does after an upgrade gone wrong."""
    pair = Pair(lab, ("trivet", "trivet"), MULTICAST, serve=("r2",))
    pair.wait_holder("r2", "only r2 has the service")
    pair.at_rest("r2", 5.0)
    assert pair.r1.instance("VI_1")["effectivePriority"] == 80


def test_why_explains_a_lowered_priority(lab):
    pair = Pair(lab, ("trivet", "trivet"), MULTICAST)
    pair.stop_service(pair.r1)
    pair.wait_holder("r2", "the service on r1 stopped")
    said = pair.r1.trivet("why", "VI_1").stdout
    for needle in ("100", "80", "-20", "chk_port", "exit 1", "Port 7443 Is Not Used,End."):
        assert needle in said, said
    term = next(t for t in pair.r1.instance("VI_1")["terms"] if t["name"] == "chk_port")
    assert term["up"] is False and term["contribution"] == -20
    assert "Port 7443 Is Not Used,End." in term["evidence"]
    log = pair.procs["r1"].log()
    assert "Changing effective priority from 100 to 80" in log


def test_a_link_that_goes_down_is_a_fault_and_the_other_node_takes_over(lab):
    pair = Pair(lab, ("trivet", "trivet"), UNICAST)
    pair.r1.link("eth0", "down")
    wait_for(lambda: pair.r1.instance("VI_1")["state"] == "fault", "r1 is in FAULT", timeout=3)
    pair.wait_holder("r2", "r1's link is down")
    pair.r1.link("eth0", "up")
    pair.wait_holder("r1", "r1's link is back")
