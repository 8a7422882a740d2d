"""Everything of one instance at once: eight addresses of both families on macvlans with the
virtual MAC, routes and rules of both, through a move, a respawn and a kill."""

import json

from lab import holds_for, wait_for
from vrrp import Pair, globals_of, instance

FOUR = [f"10.4.7.{100 + i}" for i in range(4)]
SIX = ["fe80::100"] + [f"fd00:9::{100 + i}" for i in range(3)]
EXTRA = """
version 3
dual_stack
use_vmac
virtual_routes {
    10.20.0.0/16 via 10.4.7.254 metric 10
    blackhole 10.22.0.0/16
    2001:db8:20::/64 via fd00:9::fe metric 50
}
virtual_rules {
    from 10.30.0.0/16 table 100 priority 1000
    from 2001:db8:30::/48 table 100 priority 1001
}
"""


def conf(name, priority, own, peer):
    return globals_of(name) + instance(
        priority=priority, extra=EXTRA,
        vips=[f"{a}/24" for a in FOUR] + [f"{a}/64" for a in SIX])


def shown(node, *what):
    return json.loads(node.run(["ip", "-j", *what], check=False).stdout or "[]")


def state(node):
    """(addresses on the macvlans, destinations of routes, priorities of rules)"""
    macvlans = [link["ifname"] for link in shown(node, "link")
                if link["ifname"] in ("vrrp.51", "vrrp6.51")]
    held = {a["local"] for dev in macvlans for a in node.addresses(dev)}
    routes = {r["dst"] for six in ("-4", "-6")
              for r in shown(node, six, "route", "show", "table", "all", "proto", "112")}
    rules = {r["priority"] for six in ("-4", "-6") for r in shown(node, six, "rule")
             if r["priority"] in (1000, 1001)}
    return held & set(FOUR + SIX), routes & {"10.20.0.0/16", "10.22.0.0/16", "2001:db8:20::/64"}, \
        rules


WHOLE = (set(FOUR + SIX), {"10.20.0.0/16", "10.22.0.0/16", "2001:db8:20::/64"}, {1000, 1001})
NOTHING = (set(), set(), set())


def settle(pair, holder, other):
    wait_for(lambda: (state(holder), state(other)) == (WHOLE, NOTHING),
             f"{holder.name} has all of it, the other none", 30, step=0.2)


def test_all_at_once(lab):
    pair = Pair(lab, conf, start=False)
    client = lab.node("c", "10.4.7.50/24")
    client.ip("addr", "add", "fd00:9::50/64", "dev", "eth0", "nodad")
    for i, node in enumerate(pair.nodes, 11):
        node.ip("addr", "add", f"fd00:9::{i}/64", "dev", "eth0", "nodad")
    pair.start(0)
    pair.start(1)
    settle(pair, pair.r1, pair.r2)

    def answers(addresses):
        return all(client.run(["ping", "-c", "1", "-W", "1", a], check=False).returncode == 0
                   for a in addresses)
    everywhere = FOUR + SIX[1:]
    wait_for(lambda: answers(everywhere), "each address answers", 20)

    pair.procs[0].stop()
    settle(pair, pair.r2, pair.r1)
    wait_for(lambda: answers(everywhere), "each answers from the other node", 20)
    pair.start(0)
    settle(pair, pair.r1, pair.r2)

    pair.procs[0].kill9()
    pair.start(0)
    pair.procs[0].wait_log(r"resumed as master")
    holds_for(lambda: (state(pair.r1), state(pair.r2)) == (WHOLE, NOTHING),
              "a respawn takes nothing away and moves nothing", 2, step=0.2)

    pair.procs[0].kill9()
    wait_for(lambda: state(pair.r2) == WHOLE, "the other one takes over", 30, step=0.2)
    # Rules and what is not tied to an address outlive a kill, until the next start.
    wait_for(lambda: state(pair.r1)[0] == set(), "no address is left behind", 20, step=0.2)
    wait_for(lambda: answers(everywhere), "each answers", 20)
    pair.texts = (conf("r1", 50, None, None), pair.texts[1])
    pair.start(0)
    wait_for(lambda: state(pair.r1) == NOTHING, "the next process removes the rest", 20, step=0.2)
