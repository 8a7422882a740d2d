"""dual_stack: an address of each family under one name, two instances on the wire."""

from lab import holds_for, wait_for
from vrrp import VIP, Pair, globals_of, instance

SIX = "fd00:9::100"
BOTH = [f"{VIP}/24", "fe80::100/64", f"{SIX}/64"]


def text(name, priority, extra="", own=None, peer=None):
    return globals_of(name) + instance(
        priority=priority, vips=BOTH, extra="dual_stack\nversion 3\n" + extra,
        source=own, peer=peer)


def make(lab, extra="", start=True):
    pair = Pair(lab, lambda name, priority, own, peer: text(name, priority, extra), start=False)
    for i, node in enumerate(pair.nodes, 11):
        node.ip("addr", "add", f"fd00:9::{i}/64", "dev", "eth0", "nodad")
    if start:
        pair.start(0), pair.start(1)
    return pair


def settle(pair, holder, timeout=12):
    wait_for(lambda: pair.holders() == [holder] and pair.holders(SIX) == [holder],
             f"{holder} has both", timeout)


def test_move_together(lab):
    """Both adverts are sent; an address list of one family each; a stop moves both."""
    pair = make(lab)
    capture = pair.r2.capture("proto 112 or ip6 proto 112")
    settle(pair, "r1")
    wait_for(lambda: capture.tshark("vrrp && ip") and capture.tshark("vrrp && ipv6"),
             "adverts of both families", step=0.3)
    assert not capture.malformed()
    shown = pair.r1.call("vrrpd", "org.trivet.vrrp.ListInstances", {"name": "VI_1"})["instances"]
    assert [(i["key"], i["name"], i["group"], i["syncGroup"], i["family"]) for i in shown] == [
        ("VI_1/ipv4", "VI_1", "VI_1", None, "ipv4"), ("VI_1/ipv6", "VI_1", "VI_1", None, "ipv6")]
    assert [[v["address"] for v in i["virtualAddresses"]] for i in shown] == \
        [[VIP], ["fe80::100", SIX]]
    pair.procs[0].wait_log(r"\(VI_1\) Both families are MASTER")
    pair.procs[0].stop()
    settle(pair, "r2", timeout=6)


def test_one_familys_trouble_moves_both(lab):
    """The adverts of IPv6 alone cannot be sent: the node gives both up."""
    pair = make(lab, "track_src_ip\nmcast_src_ip fd00:9::11\n", start=False)
    pair.texts = (pair.texts[0], pair.texts[1].replace("fd00:9::11", "fd00:9::12"))
    pair.start(0), pair.start(1)
    settle(pair, "r1")
    pair.r1.ip("addr", "del", "fd00:9::11/64", "dev", "eth0")
    settle(pair, "r2")
    states = {i["key"]: i["state"] for i in pair.r1.call(
        "vrrpd", "org.trivet.vrrp.ListInstances", {})["instances"]}
    assert states == {"VI_1/ipv4": "fault", "VI_1/ipv6": "fault"}
    pair.r1.ip("addr", "add", "fd00:9::11/64", "dev", "eth0", "nodad")
    settle(pair, "r1")


def test_restart_and_operator(lab):
    """A respawn moves neither; one word of the operator moves both."""
    pair = make(lab)
    settle(pair, "r1")
    pair.procs[0].kill9()
    pair.start(0).wait_log("resumed as master", count=2)
    holds_for(lambda: pair.holders() == ["r1"] and pair.holders(SIX) == ["r1"], "no move", 3)
    pair.r1.trivet("failover", "VI_1")
    settle(pair, "r2")


def test_beside_keepalived(lab):
    """A keepalived with two instances of that VRID is the peer of both halves."""
    def conf(name, priority, own, peer):
        if name == "r1":
            return text(name, priority)
        return globals_of(name) + instance(priority=priority, extra="version 3") + instance(
            name="VI_6", priority=priority, vips=BOTH[1:], extra="version 3")
    pair = Pair(lab, conf, kinds=("trivet", "keepalived"), start=False)
    for i, node in enumerate(pair.nodes, 11):
        node.ip("addr", "add", f"fd00:9::{i}/64", "dev", "eth0", "nodad")
    pair.start(1)
    settle(pair, "r2")
    pair.start(0)
    settle(pair, "r1")
    pair.procs[0].stop()
    settle(pair, "r2")
