"""Two nodes and one address: who holds it, and how it moves.  Between two
trivet nodes, and between trivet and the real keepalived in both roles."""

import signal
import time

import pytest

from lab import PATIENCE, holds_for, wait_for
from vrrp import VIP, Pair, globals_of, instance

SKEW_100, SKEW_90 = 156 / 256, 166 / 256
SLACK = 1.5 * PATIENCE  # a machine with other work; a master-down interval is longer


def unicast(name, priority, own, peer):
    return globals_of(name) + instance(priority=priority, peer=peer, source=own,
                                       password="secret12")


def multicast(name, priority, own, peer):
    return globals_of(name) + instance(priority=priority, source=own, password="secret12")


def version3(name, priority, own, peer):
    return globals_of(name) + instance(priority=priority, extra="version 3")


WIRES = {"unicast": unicast, "multicast": multicast, "version3": version3}
KINDS = {"trivet-trivet": ("trivet", "trivet"), "trivet-keepalived": ("trivet", "keepalived"),
         "keepalived-trivet": ("keepalived", "trivet")}


@pytest.fixture(params=WIRES)
def wire(request):
    return WIRES[request.param]


@pytest.mark.parametrize("kinds", KINDS.values(), ids=KINDS.keys())
def test_one_holder_and_a_stop(lab, wire, kinds):
    pair = Pair(lab, wire, kinds, start=False)
    capture = pair.r2.capture("proto 112 or arp")
    pair.start(0), pair.start(1)
    pair.settle("r1")
    holds_for(lambda: pair.holders() == ["r1"], "exactly one holder at rest", 2.5)

    began = time.monotonic()
    pair.procs[0].kill(signal.SIGTERM)
    pair.settle("r2", timeout=5)
    took = time.monotonic() - began
    assert took < SKEW_90 + SLACK, "priority 0 makes it one skew time"
    pair.procs[0].wait()

    pair.start(0)
    pair.settle("r1")
    capture.stop()
    assert capture.malformed() == []
    sent = capture.tshark("vrrp && ip", "ip.ttl", "ip.dsfield", "ip.flags.df", "eth.src")
    ours = [row for row in sent if row[3] == pair.r1.mac()] if kinds[0] == "trivet" else \
           [row for row in sent if row[3] == pair.r2.mac()]
    assert ours and {tuple(row[:3]) for row in ours} == {("255", "0xc0", "0")}
    announced = capture.tshark(f"arp.isgratuitous && arp.src.proto_ipv4 == {VIP}", "eth.src")
    assert {row[0] for row in announced} == {pair.r1.mac(), pair.r2.mac()}


def test_log_lines_in_the_words_of_the_field(lab):
    pair = Pair(lab, unicast)
    pair.settle("r1")
    pair.procs[0].wait_log(r"\(VI_1\) Entering BACKUP STATE \(init\)")
    pair.procs[0].wait_log(r"\(VI_1\) Entering MASTER STATE: no advert for 3\.6\d\d s")
    pair.procs[0].stop()
    pair.procs[1].wait_log(r"\(VI_1\) Entering MASTER STATE: 10\.4\.7\.11 resigned \(priority 0\)")


@pytest.mark.parametrize("peer", ["trivet", "keepalived"])
def test_kill9_of_everything(lab, peer):
    """A dead node does not keep the address: lease + 0.5 s (design.md section 10)."""
    pair = Pair(lab, unicast, ("trivet", peer))
    pair.settle("r1")
    began = time.monotonic()
    pair.r1.kill_all()
    wait_for(lambda: not pair.r1.holds(VIP), "the dead node loses the VIP", timeout=6)
    assert time.monotonic() - began < 3.5 + SLACK
    pair.settle("r2", timeout=5)


def test_hang(lab):
    """SIGSTOP: the kernel takes the address, the peer has it, and the woken one listens first."""
    pair = Pair(lab, unicast)
    pair.settle("r1")
    pid = pair.r1.daemon_pid("vrrpd")
    pair.procs[0].kill(signal.SIGSTOP)
    assert pid == pair.procs[0].pid
    wait_for(lambda: pair.r2.holds(VIP), "r2 takes over", timeout=6)
    wait_for(lambda: not pair.r1.holds(VIP), "r1 has lost it", timeout=2)
    took_over = pair.procs[1].wait_log("Entering MASTER STATE: no advert from 10.4.7.11 for ")
    assert took_over

    # On waking it may not claim what it has not held: r2 would hear an advert, or see it add
    # the address, before it has itself heard r2 and has its own right by the ordinary rules.
    pair.procs[0].kill(signal.SIGCONT)
    pair.procs[0].wait_log("Entering BACKUP STATE: a timer expired ")
    pair.settle("r1")  # it outranks r2 and takes over in order
    pair.procs[0].wait_log(r"Entering MASTER STATE: 10\.4\.7\.12 has lower priority 90, ours 100")


def nopreempt(name, priority, own, peer):
    """As people write it: state MASTER with nopreempt on the first node only."""
    first = name == "r1"
    return globals_of(name) + instance(priority=priority, state="MASTER" if first else "BACKUP",
                                       source=own, password="11111111",
                                       extra="nopreempt" if first else "")


@pytest.mark.parametrize("kinds,ends_on", [(("trivet", "trivet"), "r2"),
                                           (("trivet", "keepalived"), "r2"),
                                           (("keepalived", "trivet"), "r1")])
def test_nopreempt_beside_state_master(lab, kinds, ends_on):
    """trivet honours it, keepalived drops it (config.md section 3)."""
    pair = Pair(lab, nopreempt, kinds)
    pair.settle("r1")
    pair.procs[0].stop()
    pair.settle("r2")
    pair.start(0)
    if ends_on == "r2":
        holds_for(lambda: pair.holders() == ["r2"], "r2 keeps it", 5)
    else:
        pair.settle("r1")


def test_only_listed_peers_are_heard(lab):
    """A stranger with a higher priority is nobody (keepalived gives way to it)."""
    pair = Pair(lab, unicast)
    pair.settle("r1")
    stranger = lab.node("r3", "10.4.7.13/24")
    stranger.keepalived(globals_of("r3") + instance(
        priority=200, peer="10.4.7.11", source="10.4.7.13", password="secret12",
        vips=["10.4.7.99/24"]))
    wait_for(lambda: pair.r1.instance("VI_1")["counters"]["packetErrors"]["source"] >= 2,
             "its adverts are counted")
    assert pair.holders() == ["r1"]
    assert pair.r1.instance("VI_1")["counters"]["advertisementsReceived"] == 0


def test_peer_differs(lab):
    """Another address list: said once, shown, and the election goes on."""
    def conf(name, priority, own, peer):
        vips = [f"{VIP}/24"] + ([] if name == "r1" else ["10.4.7.77/24"])
        return globals_of(name) + instance(priority=priority, vips=vips, extra="version 3")
    pair = Pair(lab, conf)
    pair.settle("r1")
    wait_for(lambda: pair.r2.instance("VI_1")["peerDiffers"] == ["addresses"], "shown on r2")
    holds_for(lambda: pair.holders() == ["r1"], "one holder all the same", 2)
    assert pair.procs[1].log().count("another list of virtual addresses") == 1


@pytest.mark.parametrize("kinds", KINDS.values(), ids=KINDS.keys())
def test_ipv6(lab, kinds):
    """Version 3 over IPv6: the VIP is no source of ordinary traffic, the subnet route stays."""
    vip = "fd00:4:7::10"

    def conf(name, priority, own, peer):
        return globals_of(name) + instance(priority=priority, vips=["fe80::10/64", f"{vip}/64"],
                                           extra="version 3")
    pair = Pair(lab, conf, kinds, start=False)
    for node, address in ((pair.r1, "fd00:4:7::11/64"), (pair.r2, "fd00:4:7::12/64")):
        node.ip("addr", "add", address, "dev", "eth0", "nodad")
        wait_for(lambda: "tentative" not in node.ip("-6", "addr"), "its link-local address is firm")
    capture = pair.r2.capture()
    pair.start(0), pair.start(1)
    wait_for(lambda: pair.holders(vip) == ["r1"], "r1 alone holds the VIP", timeout=10)
    holds_for(lambda: pair.holders(vip) == ["r1"], "exactly one holder at rest", 2)
    pair.procs[0].kill(signal.SIGTERM)
    wait_for(lambda: pair.holders(vip) == ["r2"], "r2 alone holds the VIP", timeout=5)
    if kinds[1] == "trivet":
        held = next(a for a in pair.r2.addresses() if a["local"] == vip)
        assert held["noprefixroute"] and held["nodad"] and held["preferred_life_time"] == 0
    pair.procs[1].stop()
    wait_for(lambda: pair.holders(vip) == [], "nobody holds it")
    for node in pair.nodes:
        assert "fd00:4:7::/64" in node.ip("-6", "route")
    capture.stop()
    assert capture.malformed() == []
    assert {row[0] for row in capture.tshark("vrrp", "ipv6.hlim")} == {"255"}
    assert capture.tshark(f"icmpv6.nd.na.target_address == {vip}")
