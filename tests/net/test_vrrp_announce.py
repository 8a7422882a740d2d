"""When the segment is told where an address is."""

from lab import wait_for
from vrrp import VIP, R2, Pair, globals_of, instance


def test_again_after_three_intervals(lab):
    """One-way loss: the old master says the address is its own and then gives way.  The client
    that believed it is corrected soon, not with the second burst after five seconds."""
    pair = Pair(lab, lambda name, priority, own, peer:
                globals_of(name) + instance(priority=priority, advert_int=0.2, extra="version 3"))
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
