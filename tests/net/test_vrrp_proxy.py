"""proxyd behind the address: the VIP does not stay where nobody forwards, nor on
the node that reaches no upstream while its peer does (design.md sections 1.3, 2)."""

import signal

import pytest

from lab import holds_for, wait_for
from vrrp import R1, R2, VIP, globals_of, instance

WEB = "10.4.7.21"
STREAM = f"""
stream {{
    upstream web {{
        server {WEB}:8080 max_fails=1 fail_timeout=1s;
    }}
    server {{
        listen {VIP}:80;
        proxy_connect_timeout 300ms;
        proxy_pass web;
    }}
}}
"""


class Site:
    """A pair with vrrpd and proxyd each, a web server, and a client that asks all the time."""

    def __init__(self, lab, extra=""):
        lab.switch("lan")
        self.nodes = [lab.node("r1", f"{R1}/24"), lab.node("r2", f"{R2}/24")]
        self.r1, self.r2 = self.nodes
        self.web = lab.node("w1", f"{WEB}/24")
        self.web.web(8080)
        self.client = lab.node("client", "10.4.7.31/24")
        self.proxyd, self.vrrpd = [], []
        for node, priority, own, peer in ((self.r1, 100, R1, R2), (self.r2, 90, R2, R1)):
            conf = globals_of(node.name) + instance(
                priority=priority, peer=peer, source=own, extra=extra) + STREAM
            self.proxyd.append(node.daemon("proxyd", conf))
            self.vrrpd.append(node.daemon("vrrpd"))
        self.settle("r1")
        self.pulse = self.client.pulse(VIP, 80, timeout=1.0)
        self.pulse.more(5)

    def holders(self):
        return [node.name for node in self.nodes if node.holds(VIP)]

    def settle(self, holder, timeout=12):
        wait_for(lambda: self.holders() == [holder], f"{holder} alone holds the VIP", timeout)

    def cut(self, node, on=True):
        """Between this node and the web server nothing gets through."""
        if on:
            node.ip("route", "add", "blackhole", WEB)
        else:
            node.ip("route", "del", "blackhole", WEB)


def term(node, kind):
    return next(t for t in node.instance("VI_1")["terms"] if t["kind"] == kind)


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_proxyd_gone(lab, how):
    """Killed and not respawned, or hung: its listeners may live on, nobody serves them."""
    site = Site(lab)
    assert term(site.r1, "proxy")["up"] is True, "implied by the listener on the VIP"
    site.proxyd[0].kill(signal.SIGKILL if how == "killed" else signal.SIGSTOP)
    site.vrrpd[0].wait_log("proxyd is silent: ")
    site.settle("r2", timeout=3 + 3.7 + 0.5)  # the hold, and at most a whole election
    site.vrrpd[0].wait_log(
        r"\(VI_1\) Changing effective priority from 100 to 1: proxyd is not serving: no answer \(")
    site.pulse.more(5)
    assert site.r1.instance("VI_1")["effectivePriority"] == 1
    why = site.r1.trivet("why", "VI_1").stdout
    assert "-253" in why and "no answer (" in why
    if how == "stopped":
        site.proxyd[0].kill(signal.SIGCONT)
        site.settle("r1")
        site.vrrpd[0].wait_log(r"from 1 to 100: proxyd is serving")


def test_proxyd_respawned_within_its_hold(lab):
    site = Site(lab)
    site.proxyd[0].kill9()
    wait_for(lambda: "held" in (term(site.r1, "proxy")["evidence"] or ""), "shown as held")
    assert any("proxyd does not serve" in r for r in site.r1.status("vrrpd")["healthReasons"])
    site.r1.daemon("proxyd")
    holds_for(lambda: site.holders() == ["r1"], "the VIP stays", 4)
    assert term(site.r1, "proxy")["up"] is True
    assert site.r1.status("vrrpd")["healthReasons"] == []
    assert "Changing effective priority" not in site.vrrpd[0].log()


def test_track_proxy_off(lab):
    site = Site(lab, extra="track_proxy off")
    assert [t["kind"] for t in site.r1.instance("VI_1")["terms"]] == ["base", "interface"]
    site.proxyd[0].kill9()
    holds_for(lambda: site.holders() == ["r1"], "the VIP stays", 5)


def test_proxyd_never_there(lab):
    """Counts as down once the hold is over; with nobody better there is a master all the same."""
    lab.switch("lan")
    r1 = lab.node("r1", f"{R1}/24")
    vrrpd = r1.daemon("vrrpd", globals_of("r1") + instance(extra="track_proxy hold 1s") + STREAM)
    vrrpd.wait_log("from 100 to 1: proxyd: proxyd never answered")
    wait_for(lambda: r1.holds(VIP), "r1 has the VIP", timeout=8)


def test_upstreams_cut_off_from_one_node(lab):
    site = Site(lab, extra="track_upstream web")
    site.cut(site.r1)
    site.settle("r2", timeout=6)
    site.vrrpd[0].wait_log(r"\(VI_1\) Changing effective priority from 100 to 1: "
                           r"upstream web is not available: 0 of 1 servers available")
    site.pulse.more(5)
    site.cut(site.r1, False)
    site.settle("r1")
    site.vrrpd[0].wait_log(r"from 1 to 100: upstream web is available")


def test_upstreams_cut_off_from_both(lab):
    """Nobody is better off: it moves once at most, and somebody has it all the time."""
    site = Site(lab, extra="track_upstream web")
    for node in site.nodes:
        site.cut(node)
    for node in site.nodes:
        wait_for(lambda n=node: n.instance("VI_1")["effectivePriority"] == 1,
                 f"{node.name} has noticed", timeout=10)
    wait_for(lambda: len(site.holders()) == 1, "one holder")
    holder = site.holders()
    holds_for(lambda: site.holders() == holder, "it stays where it is", 5)
    moves = sum(n.instance("VI_1")["counters"]["becameMaster"] for n in site.nodes) - 1
    assert moves <= 1
