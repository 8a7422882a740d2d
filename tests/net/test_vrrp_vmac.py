"""use_vmac: the address and the adverts have the virtual router's own MAC, and a move changes
nothing for the neighbours."""

import json

import pytest

from frr import Frr
from lab import holds_for, wait_for
from vrrp import VIP, AddressLog, Pair, globals_of, instance

VMAC = "00:00:5e:00:01:33"  # VRID 51
DEV = "vrrp.51"


def links(node):
    out = node.run(["ip", "-d", "-j", "link"]).stdout
    return {link["ifname"]: link for link in json.loads(out)}


def is_up(node, dev=DEV):
    return dev in links(node) and "UP" in links(node)[dev]["flags"]


def holders(pair, vip=VIP, dev=DEV):
    return [node.name for node in pair.nodes if dev in links(node) and node.holds(vip, dev)]


def settle(pair, holder, dev=DEV, vip=VIP, timeout=12):
    wait_for(lambda: holders(pair, vip, dev) == [holder], f"{holder} alone holds it", timeout)


def neighbour(client, address):
    out = client.run(["ip", "-j", "neigh", "show", address]).stdout
    return [n["lladdr"] for n in json.loads(out) if "lladdr" in n]


def pings(client, address):
    return client.run(["ping", "-c", "1", "-W", "1", address], check=False).returncode == 0


def make(lab, kinds=("trivet", "trivet"), extra="use_vmac\n", strict_filter=False, start=True):
    pair = Pair(lab, lambda name, priority, own, peer:
                globals_of(name) + instance(priority=priority, extra=extra), kinds=kinds,
                start=False)
    for node in pair.nodes:
        if strict_filter:
            node.run(["sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1",
                      "net.ipv4.conf.eth0.rp_filter=1"])
    if start:
        pair.start(0), pair.start(1)
    return pair


def test_one_mac_for_both_nodes(lab):
    """Strict reverse-path filters; the neighbour's table does not change when the VIP moves."""
    pair = make(lab, strict_filter=True)
    client = lab.node("c", "10.4.7.50/24")
    capture = client.capture("vrrp or arp")
    settle(pair, "r1")
    link = links(pair.r1)[DEV]
    assert (link["address"], link["linkinfo"]["info_kind"], link["link"]) == \
        (VMAC, "macvlan", "eth0")
    assert not pair.r1.holds(VIP, "eth0")
    assert not is_up(pair.r2), "a backup sends nothing from that MAC"
    wait_for(lambda: pings(client, VIP), "the VIP answers")
    assert neighbour(client, VIP) == [VMAC]
    assert pings(client, "10.4.7.11") and neighbour(client, "10.4.7.11") == [pair.r1.mac()]
    # The node's own traffic does not teach the neighbour another MAC for the VIP.
    client.run(["ip", "neigh", "flush", "dev", "eth0"])
    pair.r1.run(["ip", "neigh", "flush", "dev", "eth0"])
    pair.r1.run(["ping", "-c", "1", "-W", "1", "-I", VIP, "10.4.7.50"], check=False)
    wait_for(lambda: pings(client, VIP), "it answers still")
    assert neighbour(client, VIP) == [VMAC]
    pair.procs[0].stop()
    assert DEV not in links(pair.r1), "a stop removes it"
    settle(pair, "r2", timeout=6)
    wait_for(lambda: pings(client, VIP), "the VIP answers from r2")
    assert neighbour(client, VIP) == [VMAC]
    sources = {row[0] for row in capture.tshark("vrrp.prio > 0", "eth.src")}
    assert sources == {VMAC}, "adverts come from it"
    announced = {row[0] for row in capture.tshark(f"arp.src.proto_ipv4 == {VIP}",
                                                  "arp.src.hw_mac")}
    assert announced == {VMAC}


def test_two_masters_end(lab):
    """Both hold the MAC after a partition: each still hears the other, and one remains."""
    pair = make(lab)
    settle(pair, "r1")
    pair.r1.run(["nft", "-f", "-"], input="""table inet cut {
        chain in { type filter hook input priority 0; ip protocol 112 drop; }
        chain out { type filter hook output priority 0; ip protocol 112 drop; }
    }""")
    wait_for(lambda: holders(pair) == ["r1", "r2"], "both are masters", timeout=8)
    pair.r1.run(["nft", "delete", "table", "inet", "cut"])
    settle(pair, "r1", timeout=6)
    wait_for(lambda: not is_up(pair.r2), "the other is quiet")


def test_from_one_process_to_the_next(lab):
    pair = make(lab)
    settle(pair, "r1")
    log = AddressLog(pair.r1)
    pair.procs[0].kill9()
    pair.start(0).wait_log("resumed as master")
    holds_for(lambda: holders(pair) == ["r1"] and is_up(pair.r1), "it never moved", 4)
    assert log.removals(VIP) == []
    # Left by a killed process whose successor does not want it.
    pair.procs[0].kill9()
    wait_for(lambda: not pair.r1.holds(VIP, DEV), "the lease ends", timeout=6)
    assert DEV in links(pair.r1)
    pair.procs[0] = pair.r1.daemon("vrrpd", globals_of("r1") + instance(vrid=77, priority=50))
    pair.procs[0].wait_log(f"removing interface {DEV}: left by an earlier run")
    wait_for(lambda: DEV not in links(pair.r1), "removed")


def test_its_interface_goes_and_comes_back(lab):
    """With it the macvlan, which is made anew; so is one that somebody deletes."""
    pair = make(lab)
    settle(pair, "r1")
    pair.r1.ip("link", "del", DEV)
    wait_for(lambda: pair.r1.holds(VIP, DEV) and is_up(pair.r1), "made again", timeout=4)
    pair.r1.ip("link", "del", "eth0")
    settle(pair, "r2")
    pair.r1.attach("lan", "10.4.7.11/24", "eth0")
    settle(pair, "r1")
    assert links(pair.r1)[DEV]["address"] == VMAC


@pytest.mark.parametrize("kinds", [("trivet", "keepalived"), ("keepalived", "trivet")],
                         ids=["master", "backup"])
def test_beside_keepalived(lab, kinds):
    """Also with use_vmac there: the one MAC goes back and forth.  (The ARP requests of keepalived's
    own interface name the VIP, so what a neighbour knows while it is master is not our matter.)"""
    pair = make(lab, kinds)
    client = lab.node("c", "10.4.7.50/24")
    capture = client.capture("vrrp")

    def holds(i):
        settle(pair, pair.nodes[i].name)
        wait_for(lambda: pings(client, VIP), "the VIP answers")
        if kinds[i] == "trivet":
            client.run(["ip", "neigh", "flush", "dev", "eth0"])
            wait_for(lambda: pings(client, VIP), "the VIP answers")
            assert neighbour(client, VIP) == [VMAC]
    holds(0)
    pair.procs[0].stop()
    holds(1)
    pair.start(0)
    holds(0)
    assert {row[0] for row in capture.tshark("vrrp", "eth.src")} == {VMAC}


def test_beside_frr(lab):
    """It knows no other way: the MAC goes from its macvlan to ours, and back.  (The address
    always stands there: without arp_ignore its own interface would answer for it.)"""
    lab.switch()
    ours, theirs = lab.node("r1", "10.4.7.11/24"), lab.node("r2", "10.4.7.12/24")
    client = lab.node("c", "10.4.7.50/24")
    capture = client.capture("vrrp")
    theirs.run(["sysctl", "-qw", "net.ipv4.conf.eth0.arp_ignore=1"])
    frr = Frr(theirs, 51, 90, [f"{VIP}/24"])

    def settled(node):
        wait_for(lambda: (is_up(ours) and ours.holds(VIP, DEV), frr.holds(VIP)) ==
                 (node is ours, node is theirs), f"{node.name} alone holds it", timeout=12)
        wait_for(lambda: pings(client, VIP), "the VIP answers")
        client.run(["ip", "neigh", "flush", "dev", "eth0"])
        wait_for(lambda: pings(client, VIP), "the VIP answers")
        assert neighbour(client, VIP) == [VMAC]
    settled(theirs)
    proc = ours.daemon("vrrpd", globals_of("r1") + instance(priority=100,
                                                            extra="version 3\nuse_vmac\n"))
    settled(ours)
    proc.stop()
    settled(theirs)
    assert {row[0] for row in capture.tshark("vrrp", "eth.src")} == {VMAC}
    assert not capture.malformed()


def test_ipv6(lab):
    """VRID 51 of IPv6 has another MAC; the adverts come from the interface's own address."""
    vmac, vip = "00:00:5e:00:02:33", "fd00:9::100"
    pair = Pair(lab, lambda name, priority, own, peer: globals_of(name) + instance(
        priority=priority, vips=["fe80::100/64", f"{vip}/64"], extra="version 3\nuse_vmac\n"),
        start=False)
    for i, node in enumerate(pair.nodes, 11):
        node.ip("addr", "add", f"fd00:9::{i}/64", "dev", "eth0", "nodad")
    client = lab.node("c")
    client.attach("lan", ["fd00:9::50/64"])
    capture = client.capture("ip6 proto 112")
    pair.start(0), pair.start(1)
    settle(pair, "r1", "vrrp6.51", vip)
    wait_for(lambda: pings(client, vip), "the VIP answers")
    assert neighbour(client, vip) == [vmac]
    wait_for(lambda: capture.tshark("vrrp", "eth.src"), "adverts", step=0.3)
    assert {row[0] for row in capture.tshark("vrrp", "eth.src")} == {vmac}
    assert not capture.malformed()
    pair.procs[0].stop()
    settle(pair, "r2", "vrrp6.51", vip)
    wait_for(lambda: pings(client, vip), "the VIP answers from r2")
    assert neighbour(client, vip) == [vmac]


def test_xmit_base(lab):
    """Adverts from the interface's own MAC, the address from the virtual one."""
    pair = make(lab, extra="use_vmac vip0\nvmac_xmit_base\n")
    client = lab.node("c", "10.4.7.50/24")
    capture = client.capture("vrrp")
    settle(pair, "r1", "vip0")
    wait_for(lambda: pings(client, VIP), "the VIP answers")
    assert neighbour(client, VIP) == [VMAC]
    wait_for(lambda: capture.tshark("vrrp.prio == 100", "eth.src"), "adverts", step=0.3)
    assert {row[0] for row in capture.tshark("vrrp.prio == 100", "eth.src")} == {pair.r1.mac()}
