"""no_accept: the address is had and found, and what is sent to it is not taken."""

import json

from lab import wait_for
from vrrp import VIP, globals_of, instance

SIX = "fd00:9::100"


def pings(client, address):
    return client.run(["ping", "-c", "1", "-W", "1", address], check=False).returncode == 0


def knows(client, address):
    out = client.run(["ip", "-j", "neigh", "show", address]).stdout
    return any("lladdr" in n for n in json.loads(out))


def tables(node):
    return node.run(["nft", "list", "tables"]).stdout


def test_no_accept(lab):
    lab.switch("lan")
    node, client = lab.node("r1"), lab.node("c")
    node.attach("lan", ["10.4.7.11/24", "fd00:9::11/64"])
    client.attach("lan", ["10.4.7.50/24", "fd00:9::50/64"])
    text = globals_of("r1") + instance(
        vips=[f"{VIP}/24", "fe80::100/64", f"{SIX}/64"], extra="dual_stack\nversion 3\nno_accept")
    proc = node.daemon("vrrpd", text)
    wait_for(lambda: node.holds(VIP) and node.holds(SIX), "r1 is master", timeout=8)
    assert "inet trivet-vrrpd" in tables(node)
    assert pings(client, "10.4.7.11") and pings(client, "fd00:9::11"), "the node's own answer"
    assert not pings(client, VIP) and not pings(client, SIX)
    assert knows(client, VIP) and knows(client, SIX), "the neighbours find it"
    # A reload changes it, both ways.
    node.write("trivet.conf", text.replace("no_accept", "accept"))
    proc.hup()
    wait_for(lambda: pings(client, VIP) and pings(client, SIX), "accepted")
    assert "trivet" not in tables(node)
    node.write("trivet.conf", text)
    proc.hup()
    wait_for(lambda: not pings(client, VIP), "not any more")
    node.write("trivet.conf", text.replace(f"{SIX}/64", f"{SIX}/64\nfd00:9::101/64"))
    proc.hup()
    wait_for(lambda: node.holds("fd00:9::101"), "one address more")
    assert not pings(client, "fd00:9::101") and not pings(client, SIX)
    assert node.status("vrrpd")["health"] == "ok"
    # It ends with the process, however that ends.
    proc.kill9()
    wait_for(lambda: "trivet" not in tables(node), "gone")
