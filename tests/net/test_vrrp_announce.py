"""When the segment is told where an address is."""

import json
import signal

from lab import wait_for
from vrrp import VIP, R2, Pair, globals_of, instance


def test_again_when_the_deaf_one_gave_way(lab):
    """One-way loss: the old master says the address is its own and then gives way.  The client
    that believed it is corrected soon, not with the second burst after five seconds."""
    pair = Pair(lab, lambda name, priority, own, peer:
                globals_of(name) + instance(priority=priority, advert_int=0.2,
                                             extra="version 3\nvip_lease off"))
    pair.settle("r1")
    watcher = lab.node("w", "10.4.7.50/24")
    # The bursts of r1's own beginning are over: what follows is about this.
    pair.procs[0].wait_log("MASTER STATE")
    capture = watcher.capture("arp")
    pair.r2.run(["nft", "add table inet cut; "
                 "add chain inet cut in { type filter hook input priority 0; }; "
                 "add rule inet cut in meta l4proto 112 drop"])
    wait_for(lambda: pair.holders() == ["r2"], "r1 has given way", 6)
    macs = {pair.r1.mac(): "r1", pair.r2.mac(): "r2"}

    def said():
        rows = capture.tshark(f"arp.isgratuitous && arp.src.proto_ipv4 == {VIP}",
                              "frame.time_relative", "arp.src.hw_mac")
        return [(float(t), macs[mac]) for t, mac in rows]
    wait_for(lambda: said() and said()[-1][1] == "r2", "r2 has the last word", 3, step=0.2)
    began = next(t for t, who in said() if who == "r2")
    wait_for(lambda: any(0.4 < t - began < 1.5 and who == "r2" for t, who in said()),
             "and had it soon", 3, step=0.2)
    assert R2 in pair.r1.instance("VI_1")["reason"]


def test_until_the_lease_is_over(lab):
    """A master that hangs holds the address until its lease ends, and its kernel answers who
    asks for it: who has learned it there is told better once that is over, long before the
    second burst."""
    pair = Pair(lab, lambda name, priority, own, peer: globals_of(name) + instance(
        priority=priority, advert_int=0.1,
        extra="version 3\nvip_lease 5\ngarp_master_delay 3600\ngarp_master_refresh 0"))
    pair.settle("r1")
    client = lab.node("c", "10.4.7.50/24")
    macs = {pair.r1.mac(): "r1", pair.r2.mac(): "r2"}
    pair.procs[0].kill(signal.SIGSTOP)
    wait_for(lambda: pair.holders() == ["r1", "r2"], "both hold it")

    def mislead():
        """The client learns of r1 again.  Is it over?"""
        client.ip("neigh", "replace", VIP, "lladdr", pair.r1.mac(), "nud", "stale", "dev", "eth0")
        return pair.holders() == ["r2"]

    def known():
        return [macs[n["lladdr"]] for n in json.loads(client.ip("-json", "neigh", "show", VIP))]
    wait_for(mislead, "the lease of r1 is over")
    wait_for(lambda: known() == ["r2"], "the client knows better")
    pair.procs[0].kill(signal.SIGCONT)
