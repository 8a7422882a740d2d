"""vrrp_sync_group: two segments, one address on each, and they move together."""

import signal

import pytest

from lab import holds_for, wait_for
from vrrp import globals_of, instance

IN, OUT = "10.4.7.10", "192.0.2.10"
HOSTS = {"r1": 11, "r2": 12}
PRIORITIES = (100, 90)


class Routers:
    """r1 and r2 with a foot in either segment, in a group; r1 the better one."""

    def __init__(self, lab, kinds=("trivet", "trivet"), group="", more=""):
        lab.switch("inside"), lab.switch("outside")
        self.nodes, self.procs, self.kinds = [], [], kinds
        self.group, self.more, self.proxyd = group, more, []
        for i, (name, host) in enumerate(HOSTS.items()):
            node = lab.node(name, f"10.4.7.{host}/24", "inside")
            node.attach("outside", f"192.0.2.{host}/24")
            self.nodes.append(node)
            self.procs.append(self.start(i))
        self.r1, self.r2 = self.nodes

    def conf(self, i, grouped=True):
        name = self.nodes[i].name
        group = f"vrrp_sync_group G {{\n group {{\n IN\n OUT\n }}\n {self.group}\n}}\n"
        return globals_of(name) + (group if grouped else "") + self.more + instance(
            "IN", 51, PRIORITIES[i], vips=[f"{IN}/24"]) + instance(
            "OUT", 52, PRIORITIES[i], interface="eth1", vips=[f"{OUT}/24"])

    def start(self, i):
        if self.more:
            self.proxyd.append(self.nodes[i].daemon("proxyd", self.conf(i)))
        if self.kinds[i] == "trivet":
            return self.nodes[i].daemon("vrrpd", self.conf(i))
        return self.nodes[i].keepalived(self.conf(i))

    def holders(self):
        """Who holds the inner, and who the outer address."""
        return ([n.name for n in self.nodes if n.holds(IN)],
                [n.name for n in self.nodes if n.holds(OUT, "eth1")])

    def settle(self, name, timeout=12):
        wait_for(lambda: self.holders() == ([name], [name]), f"{name} holds both", timeout)


@pytest.mark.parametrize("kinds", [("trivet", "trivet"), ("trivet", "keepalived"),
                                   ("keepalived", "trivet")], ids="-".join)
@pytest.mark.parametrize("dev", ["eth0", "eth1"])
def test_one_leg_lost(lab, kinds, dev):
    """The other segment is fine, and its address moves all the same."""
    routers = Routers(lab, kinds)
    routers.settle("r1")
    routers.r1.cable(dev, "down")
    wait_for(lambda: routers.holders()[0] == ["r2"] and routers.holders()[1] == ["r2"],
             "r2 holds both", timeout=8)
    if kinds[0] == "trivet":
        lost, whole = ("IN", "OUT") if dev == "eth0" else ("OUT", "IN")
        routers.procs[0].wait_log(rf"\({whole}\) Entering FAULT STATE: {lost} is in FAULT: "
                                  rf"interface {dev} is down: no carrier")
        assert "sync group G" in routers.r1.trivet("why", whole).stdout
    routers.r1.cable(dev, "up")
    routers.settle("r1")


def test_a_priority_lowered_on_one_side(lab):
    """The operator's term is the group's: both go, or none."""
    routers = Routers(lab)
    routers.settle("r1")
    routers.r1.trivet("priority", "OUT", "-50")
    routers.settle("r2", timeout=8)
    for member in ("IN", "OUT"):
        assert routers.r1.instance(member)["effectivePriority"] == 50
    holds_for(lambda: routers.holders() == (["r2"], ["r2"]), "r2 keeps both", 6)
    routers.r1.trivet("priority", "OUT", "none")
    routers.settle("r1")


def test_proxyd_behind_one_of_them(lab):
    """A weight on one member is the group's: else the others would keep it where it is."""
    stream = f"stream {{\n server {{\n listen {OUT}:80;\n proxy_pass 10.4.7.99:80;\n }}\n}}\n"
    routers = Routers(lab, more=stream)
    routers.settle("r1")
    for node in routers.nodes:
        for member in ("IN", "OUT"):
            assert "proxy" in [t["kind"] for t in node.instance(member)["terms"]]
    routers.proxyd[0].kill9()
    routers.settle("r2", timeout=9)


def test_restart_stop_and_kill(lab):
    """A respawned vrrpd goes on with the whole group; a stop hands it over."""
    routers = Routers(lab)
    routers.settle("r1")
    routers.procs[0].kill9()
    routers.procs[0] = routers.start(0)
    for member in ("IN", "OUT"):
        routers.procs[0].wait_log(rf"\({member}\) resumed as master")
    holds_for(lambda: routers.holders() == (["r1"], ["r1"]), "r1 keeps both", 5)
    assert "MASTER STATE" not in routers.procs[1].log()
    routers.procs[0].stop()
    routers.settle("r2", timeout=3)


def test_adopted_whole_or_not_at_all(lab):
    """One member's address is gone meanwhile: the other one's is no ground to be master."""
    routers = Routers(lab)
    routers.settle("r1")
    routers.procs[0].kill9()
    routers.r1.ip("addr", "del", f"{OUT}/24", "dev", "eth1")
    routers.procs[0] = routers.start(0)
    for member in ("IN", "OUT"):
        routers.procs[0].wait_log(rf"\({member}\) Entering BACKUP STATE \(init\)")
    assert "resumed" not in routers.procs[0].log()
    wait_for(lambda: len(set(map(tuple, routers.holders()))) == 1 and
             len(routers.holders()[0]) == 1, "one node holds both", timeout=12)


def test_scripts_of_the_group(lab):
    """Told once for all members, in keepalived's words."""
    lab.switch("unused")
    probe = lab.node("files")
    told = probe.dir / "told"
    told.touch(mode=0o666)
    told.chmod(0o666)
    script = probe.script("notify.sh", f'#!/bin/sh\necho "$@" >> {told}\n')
    routers = Routers(lab, group=f'notify "{script}"\n notify_master "{script} master"')
    routers.settle("r1")
    wait_for(lambda: "GROUP G MASTER 0" in told.read_text(), "told of r1")
    routers.r1.cable("eth0", "down")
    wait_for(lambda: "GROUP G FAULT 0" in told.read_text(), "told of r1's fault")
    wait_for(lambda: told.read_text().count("GROUP G MASTER 0") == 2, "told of r2")
    routers.procs[1].stop()
    wait_for(lambda: "GROUP G STOP 0" in told.read_text(), "told of r2's end")
    lines = told.read_text().splitlines()
    assert sorted(lines) == sorted([
        "GROUP G BACKUP 0", "GROUP G BACKUP 0", "master", "GROUP G MASTER 0",
        "GROUP G FAULT 0", "master", "GROUP G MASTER 0", "GROUP G STOP 0"])


def test_group_by_reload(lab):
    """Made and dissolved without a move; then each goes its own way."""
    routers = Routers(lab)
    routers.settle("r1")
    for grouped in (False, True):
        for node, i in ((routers.r1, 0), (routers.r2, 1)):
            node.write("trivet.conf", routers.conf(i, grouped))
            assert node.trivet("reload").returncode == 0
            assert (node.instance("IN")["syncGroup"] == "G") is grouped
        holds_for(lambda: routers.holders() == (["r1"], ["r1"]), "r1 keeps both", 2)
        if not grouped:
            routers.r1.cable("eth0", "down")
            wait_for(lambda: routers.holders() == (["r2"], ["r1"]), "each by itself", timeout=8)
            routers.r1.cable("eth0", "up")
            routers.settle("r1")
