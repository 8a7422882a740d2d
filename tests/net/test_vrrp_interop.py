"""trivet beside keepalived and FRR on the wire, in both roles: the better node is
master, its end hands the address over, its return takes it back; tshark
judges every packet of ours.  The matrix of it is printed at the end of a run
(conftest.py)."""

import pytest

from frr import Frr
from lab import wait_for
from vrrp import globals_of

OUR4, THEIR4, OUR6, THEIR6 = "10.4.7.11", "10.4.7.12", "fe80::11", "fe80::12"
VIPS4, VIPS6 = ["10.4.7.10/24"], ["fe80::100/64", "fd00:9::100/64"]
PASS = "authentication {\n        auth_type PASS\n        auth_pass secret1234\n    }\n"

# name: (version, VIPs, unicast, for both, for ours alone)
WIRE = {
    "v2 IPv4 multicast": (2, VIPS4, False, "", ""),
    "v2 IPv4 multicast, PASS": (2, VIPS4, False, PASS, ""),
    "v2 IPv4 unicast": (2, VIPS4, True, "", ""),
    "v2 IPv4 unicast, PASS": (2, VIPS4, True, PASS, ""),
    "v3 IPv4 multicast": (3, VIPS4, False, "", ""),
    "v3 IPv4 unicast": (3, VIPS4, True, "", ""),
    "v3 IPv4 unicast, message form answered": (3, VIPS4, True, "", "v3_checksum_as_v2"),
    "v3 IPv6 multicast": (3, VIPS6, False, "", ""),
    "v3 IPv6 unicast": (3, VIPS6, True, "", ""),
}
FRR_CAN = ["v2 IPv4 multicast", "v3 IPv4 multicast", "v3 IPv6 multicast"]
ROWS = [("keepalived", name) for name in WIRE] + [("FRR", name) for name in FRR_CAN]


def text_of(name, ours, priority):
    version, vips, unicast, both, alone = WIRE[name]
    six = ":" in vips[0]
    us, them = (OUR6, THEIR6) if six else (OUR4, THEIR4)
    if not ours:
        us, them = them, us
    interval = 1 if version == 2 else 0.2
    lines = [f"unicast_src_ip {us}\n    unicast_peer {{\n        {them}\n    }}"
             if unicast else f"mcast_src_ip {us}", both.rstrip(), alone if ours else ""]
    return (globals_of("a" if ours else "b") + "vrrp_instance VI_1 {\n"
            f"    version {version}\n    state BACKUP\n    interface eth0\n"
            f"    virtual_router_id 51\n    priority {priority}\n    advert_int {interval}\n"
            + "".join(f"    {line}\n" for line in lines if line)
            + "    virtual_ipaddress {\n" + "".join(f"        {v}\n" for v in vips) + "    }\n}\n")


class Ours:
    def __init__(self, node, name, priority):
        self.node, self.proc = node, None
        self.text = text_of(name, True, priority)

    def start(self):
        self.proc = self.node.daemon("vrrpd", self.text)

    def stop(self):
        assert self.proc.stop() == 0

    def holds(self, vip):
        return self.node.holds(vip)


class Keepalived(Ours):
    def __init__(self, node, name, priority):
        super().__init__(node, name, priority)
        self.text = text_of(name, False, priority)

    def start(self):
        self.proc = self.node.keepalived(self.text)


class FrrPeer:
    def __init__(self, node, name, priority):
        self.node, self.name, self.priority, self.frr = node, name, priority, None

    def start(self):
        version, vips, *_ = WIRE[self.name]
        self.frr = Frr(self.node, 51, self.priority, vips, version,
                       1000 if version == 2 else 200)

    def stop(self):
        self.frr.stop()

    def holds(self, vip):
        return self.frr is not None and self.frr.holds(vip)


def judge(capture, name):
    """Every packet of ours is right, whichever form of the checksum it has."""
    version, vips, unicast, *_ = WIRE[name]
    six = ":" in vips[0]
    ours = f"{'ipv6' if six else 'ip'}.src == {OUR6 if six else OUR4} && vrrp"
    rows = capture.tshark(ours, "frame.number", "vrrp.version", "vrrp.virt_rtr_id",
                          "ipv6.hlim" if six else "ip.ttl", "ipv6.dst" if six else "ip.dst")
    assert rows, "we sent nothing"
    to = {True: {THEIR6 if six else THEIR4}, False: {"ff02::12" if six else "224.0.0.18"}}[unicast]
    for row in rows:
        assert row[1:4] == [str(version), "51", "255"] and row[4] in to, row
    bad = capture.malformed()
    wrong = [row[0] for row in rows if any(line.split()[0] == row[0] for line in bad)]
    return [row[0] for row in rows], wrong


@pytest.mark.parametrize("role", ["better", "lesser"])
@pytest.mark.parametrize("peer, name", ROWS, ids=[f"{p}-{n}".replace(" ", "_") for p, n in ROWS])
def test_interop(lab, record_property, peer, name, role):
    record_property("interop", [peer, name, role])
    lab.switch("lan")
    nodes = [lab.node("r1"), lab.node("r2")]
    for node, four, six in zip(nodes, (OUR4, THEIR4), (OUR6, THEIR6)):
        node.attach("lan", [f"{four}/24", f"{six}/64"])
    mine, theirs = (200, 100) if role == "better" else (100, 200)
    us = Ours(nodes[0], name, mine)
    them = {"keepalived": Keepalived, "FRR": FrrPeer}[peer](nodes[1], name, theirs)
    better, lesser = (us, them) if role == "better" else (them, us)
    vip = WIRE[name][1][-1].split("/")[0]
    capture = nodes[1].capture("proto 112" if "." in vip else "ip6 proto 112")

    def alone(who, other):
        return lambda: who.holds(vip) and not other.holds(vip)
    first_is_ours = "answered" in name and role == "better"
    if first_is_ours:
        us.start()
        wait_for(alone(us, them), "we speak before we have heard anybody", 8)
    them.start()
    if not first_is_ours:
        us.start()
    wait_for(alone(better, lesser), "the better one alone holds it", 12)

    def counters():
        return nodes[0].instance("VI_1")["counters"]
    if role == "lesser":
        wait_for(lambda: counters()["advertisementsReceived"] > 0, "we hear them")
    heard = counters()
    assert not any(v for k, v in heard["packetErrors"].items() if k != "own"), heard
    better.stop()
    wait_for(alone(lesser, better), "the other takes it", 8)
    better.start()
    wait_for(alone(better, lesser), "and gives it back", 12)
    rows, wrong = judge(capture, name)
    if first_is_ours:
        # tshark, like keepalived, knows one form only: ours, until we had heard the peer.
        assert rows[0] in wrong
        wait_for(lambda: (lambda rows, wrong: rows[-1] not in wrong)(*judge(capture, name)),
                 "the peer's form", 5, step=0.3)
    else:
        assert wrong == []
    record_property("packets", len(rows))
