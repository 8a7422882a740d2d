"""IPv6 addresses and the routes beside them; and what keepalived left behind."""

import pytest

from lab import holds_for, wait_for
from vrrp import globals_of, instance

FOREVER = 2**32 - 1
VIPS = ["fe80::100/64", "fd00:9::100/64"]
PREFIX = "fd00:9::/64"


def start(lab, addresses, vips=VIPS, extra=""):
    lab.switch("lan")
    node = lab.node("r1")
    node.attach("lan", [*addresses, "fe80::11/64"])
    node.vrrpd = node.daemon("vrrpd", globals_of("r1") + instance(
        vips=vips, source="fe80::11", extra="version 3\n" + extra))
    wait_for(lambda: node.holds(vips[-1].split("/")[0]), "r1 is master", timeout=8)
    return node


def routes(node, protocol):
    return [line for line in node.ip("-6", "route", "show", "proto", protocol).splitlines()
            if line.startswith(PREFIX)]


def reaches(node, address):
    """Has a usable route that is no default route."""
    out = node.run(["ip", "-6", "route", "get", address], check=False)
    return out.returncode == 0 and "dev eth0" in out.stdout


def test_the_nodes_own_route_stays(lab):
    """A /64 VIP beside a permanent /64: the lease ends, the subnet does not."""
    node = start(lab, ["fd00:9::11/64"])
    assert len(routes(node, "kernel")) == 1 and not routes(node, "112")
    shown = next(a for a in node.addresses() if a["local"] == "fd00:9::100")
    assert shown["prefixlen"] == 64 and shown["valid_life_time"] <= 3
    assert shown["preferred_life_time"] == 0
    node.vrrpd.kill9()
    wait_for(lambda: not node.holds("fd00:9::100"), "the kernel removes it", timeout=4.5)

    def own_stays():
        own = routes(node, "kernel")
        return len(own) == 1 and "expires" not in own[0] and node.holds("fd00:9::11")
    holds_for(own_stays, "the node's own route and address", 60, step=0.5)
    assert reaches(node, "fd00:9::50")


def test_a_route_of_our_own(lab):
    """No address of the VIP's prefix on the node: its neighbours are reached all the same."""
    node = start(lab, [])
    client = lab.node("c")
    client.attach("lan", ["fd00:9::50/64"])
    wait_for(lambda: routes(node, "112"), "a route with our number")
    assert "expires" in routes(node, "112")[0] and "metric 1112" in routes(node, "112")[0]
    wait_for(lambda: client.run(["ping", "-c", "1", "-W", "1", "fd00:9::100"],
                                check=False).returncode == 0, "the VIP answers")
    holds_for(lambda: reaches(node, "fd00:9::50"), "renewed with the lease", 4)

    node.ip("addr", "add", "fd00:9::11/64", "dev", "eth0", "nodad")
    wait_for(lambda: not routes(node, "112"), "not needed any more")
    assert len(routes(node, "kernel")) == 1
    # Linux leaves the route of an address that is removed beside one with noprefixroute.
    node.ip("addr", "del", "fd00:9::11/64", "dev", "eth0")
    node.ip("-6", "route", "del", PREFIX, "dev", "eth0", "proto", "kernel")
    wait_for(lambda: routes(node, "112"), "needed again")

    node.vrrpd.kill9()
    wait_for(lambda: not reaches(node, "fd00:9::50"), "ends with the lease", timeout=5)


@pytest.mark.parametrize("extra", ["", "vip_lease off"])
def test_the_route_goes_with_the_address(lab, extra):
    node = start(lab, [], extra=extra)
    wait_for(lambda: routes(node, "112"), "a route with our number")
    assert node.vrrpd.stop() == 0
    assert not node.holds("fd00:9::100") and not routes(node, "112")


def test_a_permanent_route_left_behind(lab):
    node = start(lab, [], extra="vip_lease off")
    wait_for(lambda: routes(node, "112"), "a route with our number")
    node.vrrpd.kill9()
    (node.run_dir / "vrrpd" / "state").unlink()
    node.vrrpd = node.daemon("vrrpd")
    node.vrrpd.wait_log("removing fd00:9::100 from eth0: left by an earlier run")
    assert not routes(node, "112")


def test_noprefixroute_means_it(lab):
    node = start(lab, [], vips=["fe80::100/64", "fd00:9::100/64 noprefixroute"])
    holds_for(lambda: not routes(node, "112"), "no route", 1)


@pytest.mark.parametrize("own, subnet, vips, source", [
    ("10.4.7.11/24", "10.4.7.0/24", [f"10.4.7.{n}/24" for n in range(60, 68)], None),
    ("fd00:9::11/64", PREFIX, [f"fd00:9::{n}/64" for n in range(60, 68)], "fe80::11"),
], ids=["IPv4", "IPv6"])
def test_after_keepalived(lab, own, subnet, vips, source):
    """Eight addresses that a killed keepalived left for ever become leases, and end as such."""
    lab.switch("lan")
    node = lab.node("r1")
    node.attach("lan", [own, "fe80::11/64"])
    vips = vips if source is None else ["fe80::100/64", *vips]
    text = globals_of("r1") + instance(vips=vips, source=source, extra="version 3")
    plain = [v.split("/")[0] for v in vips]
    node.keepalived(text)
    wait_for(lambda: all(node.holds(v) for v in plain), "keepalived is master", timeout=8)
    node.kill_all()
    assert all(node.holds(v) for v in plain)

    def lives():
        return {a["local"]: a["valid_life_time"] for a in node.addresses()}
    node.vrrpd = node.daemon("vrrpd", text)
    wait_for(lambda: all(lives().get(v, FOREVER) <= 3 for v in plain), "all are leased", 8)
    holds_for(lambda: all(0 < lives().get(v, 0) <= 3 for v in plain), "and renewed", 4)
    assert lives()[own.split("/")[0]] == FOREVER
    node.vrrpd.kill9()
    wait_for(lambda: not any(node.holds(v) for v in plain), "all end", timeout=5)
    assert node.holds(own.split("/")[0])
    assert subnet in node.ip("-6" if source else "-4", "route")
