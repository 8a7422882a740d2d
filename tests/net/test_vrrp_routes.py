"""Routes and rules that come and go with mastership, and those the node has while vrrpd runs."""

import json

from lab import holds_for, wait_for
from vrrp import VIP, Pair, globals_of, instance

TAG = 112
GATEWAY = "10.4.7.254"

ROUTING = f"""
virtual_routes {{
    default via {GATEWAY} metric 10
    10.20.0.0/16 via {GATEWAY} dev eth0 table 100 mtu 1400 src 10.4.7.11
    10.21.0.0/16 metric 7 nexthop via {GATEWAY} dev eth0 weight 3 nexthop via 10.4.7.253 dev eth0
    blackhole 10.22.0.0/16
    2001:db8:20::/64 via fd00::fe dev eth0 metric 50
    unreachable 2001:db8:22::/64
}}
virtual_rules {{
    from 10.30.0.0/16 table 100 priority 1000
    iif eth0 fwmark 0x7/0xff to 10.31.0.0/16 table 100 suppress_prefixlength 0 priority 1001
    from 2001:db8:30::/48 unreachable priority 1002
}}
"""


def routes(node, family=4, table="all"):
    """Ours, by destination."""
    out = node.run(["ip", f"-{family}", "-d", "-j", "route", "show", "table", table,
                    "proto", str(TAG)], check=False).stdout
    return {r["dst"]: r for r in json.loads(out or "[]")}


def rules(node, family=4):
    out = node.run(["ip", f"-{family}", "-d", "-j", "rule"]).stdout
    return {r["priority"]: r for r in json.loads(out) if r.get("protocol") == str(TAG)}


def has_all(node):
    return (set(routes(node)) == {"default", "10.20.0.0/16", "10.21.0.0/16", "10.22.0.0/16"}
            and set(routes(node, 6)) == {"2001:db8:20::/64", "2001:db8:22::/64"}
            and set(rules(node)) == {1000, 1001} and set(rules(node, 6)) == {1002})


def has_none(node):
    return not (routes(node) or rules(node) or rules(node, 6) or routes(node, 6))


def alone(lab, extra=ROUTING, text=""):
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    node.ip("addr", "add", "fd00::11/64", "dev", "eth0", "nodad")
    node.text = globals_of("r1") + text + instance(extra=extra)
    node.vrrpd = node.daemon("vrrpd", node.text)
    wait_for(lambda: node.holds(VIP), "r1 is master", timeout=6)
    return node


def test_with_mastership(lab):
    """All of the vocabulary reaches the kernel, leaves with the VIP, and the tie holds."""
    pair = Pair(lab, lambda name, priority, own, peer:
                globals_of(name) + instance(priority=priority, extra=ROUTING), start=False)
    for node, own in ((pair.r1, "fd00::11/64"), (pair.r2, "fd00::12/64")):
        node.ip("addr", "add", own, "dev", "eth0", "nodad")
    # The preferred source that is written is the node's own.
    pair.texts = (pair.texts[0], pair.texts[1].replace("src 10.4.7.11", "src 10.4.7.12"))
    pair.start(0), pair.start(1)
    pair.settle("r1")
    wait_for(lambda: has_all(pair.r1), "r1 has routes and rules")
    assert has_none(pair.r2)
    four, six, rule = routes(pair.r1), routes(pair.r1, 6), rules(pair.r1)
    assert (four["default"]["gateway"], four["default"]["metric"]) == (GATEWAY, 10)
    assert four["default"]["prefsrc"] == VIP, "tied to the VIP of the gateway's subnet"
    assert four["10.20.0.0/16"]["table"] == "100"
    assert four["10.20.0.0/16"]["prefsrc"] == "10.4.7.11", "what is written stays"
    assert four["10.20.0.0/16"]["metrics"] == [{"mtu": 1400}]
    assert [(h["gateway"], h["weight"]) for h in four["10.21.0.0/16"]["nexthops"]] == \
        [(GATEWAY, 3), ("10.4.7.253", 1)]
    assert four["10.22.0.0/16"]["type"] == "blackhole"
    assert six["2001:db8:22::/64"]["type"] == "unreachable"
    assert 0 < six["2001:db8:20::/64"]["expires"] <= 3, "leased"
    assert (rule[1001]["iif"], rule[1001]["fwmark"], rule[1001]["fwmask"]) == ("eth0", "0x7", "0xff")
    assert rule[1001]["suppress_prefixlen"] == 0 and rule[1001]["dst"] == "10.31.0.0"
    holds_for(lambda: has_all(pair.r1), "renewed", 4, step=0.3)
    pair.procs[0].stop()
    assert has_none(pair.r1)
    pair.settle("r2")
    wait_for(lambda: has_all(pair.r2), "r2 has them now")


def test_deleted_by_a_stranger(lab):
    """Each kind is put back; another's route of the same destination is left alone."""
    node = alone(lab)
    wait_for(lambda: has_all(node), "all there")
    node.ip("route", "del", "default", "metric", "10")
    node.ip("route", "del", "10.22.0.0/16")
    node.ip("-6", "route", "del", "2001:db8:20::/64")
    node.ip("rule", "del", "priority", "1000")
    node.ip("-6", "rule", "del", "priority", "1002")
    wait_for(lambda: has_all(node), "all back")
    node.vrrpd.wait_log(r"\(VI_1\) default route of IPv4 in table 254 was gone: put back")
    node.ip("addr", "del", f"{VIP}/24", "dev", "eth0")
    wait_for(lambda: node.holds(VIP) and has_all(node), "back with the VIP")


def test_another_hand(lab):
    """A route of the node's with the same destination and metric: IPv4's gives precedence and
    stays, IPv6's is a conflict that is said."""
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    node.ip("addr", "add", "fd00::11/64", "dev", "eth0", "nodad")
    node.ip("route", "add", "default", "via", "10.4.7.253")
    node.ip("-6", "route", "add", "2001:db8:20::/64", "via", "fd00::fd")
    proc = node.daemon("vrrpd", globals_of("r1") + instance(extra=f"""
        virtual_routes {{
            default via {GATEWAY}
            2001:db8:20::/64 via fd00::fe
        }}"""))
    wait_for(lambda: "default" in routes(node), "r1 is master", timeout=6)
    assert GATEWAY in node.ip("route", "get", "192.0.2.1")
    proc.wait_log("another route has this destination and metric: write another 'metric'")
    assert node.status("vrrpd")["health"] == "degraded"
    node.ip("-6", "route", "del", "2001:db8:20::/64")
    wait_for(lambda: "2001:db8:20::/64" in routes(node, 6), "tried again")
    wait_for(lambda: node.status("vrrpd")["health"] == "ok", "and well")
    proc.stop()
    assert "10.4.7.253" in node.ip("route", "get", "192.0.2.1"), "the node's own is still there"


def test_a_link_that_goes_down_and_comes_back(lab):
    """The kernel says nothing of IPv4's routes then."""
    node = alone(lab, extra="virtual_routes {\n 10.40.0.0/16 via 10.5.0.254\n}\n")
    wait_for(lambda: node.status("vrrpd")["health"] == "degraded", "no way to that gateway yet")
    node.attach("lan", "10.5.0.1/24", "eth1")
    wait_for(lambda: "10.40.0.0/16" in routes(node), "added when it can be")
    node.link("eth1", "down")
    wait_for(lambda: "10.40.0.0/16" not in routes(node), "gone with the link")
    node.link("eth1", "up")
    wait_for(lambda: "10.40.0.0/16" in routes(node), "back with the link")
    wait_for(lambda: node.status("vrrpd")["health"] == "ok", "and well")


def test_killed(lab):
    """What is tied and leased goes with the VIP by itself; the next process removes the rest."""
    node = alone(lab)
    wait_for(lambda: has_all(node), "all there")
    node.vrrpd.kill9()
    wait_for(lambda: not node.holds(VIP), "the lease ends", timeout=6)
    left = routes(node)
    assert "default" not in left and "10.22.0.0/16" not in left, "tied to the VIP"
    assert set(rules(node)) == {1000, 1001}, "rules outlive us"
    node.vrrpd = node.daemon("vrrpd", globals_of("r1") + instance(priority=50))
    wait_for(lambda: has_none(node), "leftovers are found by their number")


def test_adopted(lab):
    """A respawned process goes on with them: nothing is deleted."""
    node = alone(lab)
    wait_for(lambda: has_all(node), "all there")
    monitor = node.spawn(["ip", "monitor", "route", "rule"], "monitor")
    wait_for(lambda: "2001:db8:20::/64" in monitor.log(), "the monitor hears renewals")
    node.vrrpd.kill9()
    node.vrrpd = node.daemon("vrrpd")
    node.vrrpd.wait_log("resumed as master")
    holds_for(lambda: has_all(node), "they stay", 2, step=0.2)
    assert "Deleted" not in monitor.log()


def test_reload(lab):
    node = alone(lab)
    wait_for(lambda: has_all(node), "all there")
    node.write("trivet.conf", node.text.replace("blackhole 10.22.0.0/16", "blackhole 10.23.0.0/16")
               .replace("priority 1000", "priority 999"))
    node.vrrpd.hup()
    wait_for(lambda: set(routes(node)) == {"default", "10.20.0.0/16", "10.21.0.0/16",
                                           "10.23.0.0/16"} and set(rules(node)) == {999, 1001},
             "as the new file says")


def test_static(lab):
    """While vrrpd runs, whoever is master: over a restart too, not after a stop."""
    text = """
static_ipaddress {
    10.6.0.1/24 brd + dev eth0
    10.4.7.11/24 dev eth0
    fd06::1/64 dev eth0
}
static_routes {
    10.60.0.0/16 via 10.6.0.254
    2001:db8:60::/64 via fd06::fe
}
static_rules {
    from 10.60.0.0/16 table 60 priority 600
}
"""
    node = alone(lab, extra="", text=text)

    def there():
        return (node.holds("10.6.0.1") and node.holds("fd06::1") and set(rules(node)) == {600}
                and set(routes(node)) == {"10.60.0.0/16"}
                and set(routes(node, 6)) == {"2001:db8:60::/64"})
    wait_for(there, "static ones are there")
    fd = next(a for a in node.addresses() if a["local"] == "fd06::1")
    assert fd["valid_life_time"] == 2**32 - 1 and not fd.get("deprecated")
    assert "fd06::/64" in node.ip("-6", "route"), "an ordinary address has its subnet"
    node.ip("addr", "del", "10.6.0.1/24", "dev", "eth0")
    node.ip("rule", "del", "priority", "600")
    wait_for(there, "put back")
    node.vrrpd.kill9()
    assert there()
    node.vrrpd = node.daemon("vrrpd")
    holds_for(there, "and taken up by the next", 1)
    assert node.vrrpd.stop() == 0
    assert not node.holds("10.6.0.1") and not node.holds("fd06::1") and has_none(node)
    assert node.holds("10.4.7.11"), "the node's own before us"
