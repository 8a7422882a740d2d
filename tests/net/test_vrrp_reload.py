"""A reload changes what the file changed and nothing else."""

import pytest

from lab import VarlinkError, holds_for, wait_for
from vrrp import R1, R2, VIP, AddressLog, globals_of, instance

RELOAD = "org.trivet.daemon.control.Reload"


@pytest.fixture
def node(lab):
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    node.vrrpd = node.daemon("vrrpd", globals_of("r1") + instance())
    wait_for(lambda: node.holds(VIP), "r1 is master", timeout=6)
    return node


def reload(node, *instances):
    node.write("trivet.conf", globals_of("r1") + "".join(instances))
    return node.call("vrrpd", RELOAD)


def changed(node):
    return node.instance("VI_1")["lastTransitionUsec"]


def test_nothing_changed(node):
    before, log = changed(node), AddressLog(node)
    reload(node, instance())
    holds_for(lambda: node.holds(VIP), "it stays", 1.5)
    assert (changed(node), log.removals(VIP)) == (before, [])


def test_parameters_in_place(node):
    before, log = changed(node), AddressLog(node)
    reload(node, instance(priority=120, advert_int=2, extra="garp_master_delay 1"))
    shown = node.instance("VI_1")
    assert (shown["basePriority"], shown["effectivePriority"]) == (120, 120)
    assert shown["advertisementIntervalMs"] == 2000
    wait_for(lambda: next(a["valid_life_time"] for a in node.addresses() if a["local"] == VIP) > 3,
             "the lease follows the interval")
    holds_for(lambda: node.holds(VIP), "it stays", 4)
    assert (changed(node), log.removals(VIP)) == (before, [])


def test_addresses_come_and_go(node):
    before, log = changed(node), AddressLog(node)
    reload(node, instance(vips=[f"{VIP}/24", "10.4.7.20/24"]))
    wait_for(lambda: node.holds("10.4.7.20"), "the new one is added")
    reload(node, instance(vips=[f"{VIP}/24"]))
    wait_for(lambda: not node.holds("10.4.7.20"), "and goes")
    assert (changed(node), log.removals(VIP)) == (before, [])


def test_lease_switched_off_and_on(node):
    def lifetime():
        return next((a["valid_life_time"] for a in node.addresses() if a["local"] == VIP), None)
    reload(node, instance(extra="vip_lease off"))
    wait_for(lambda: lifetime() == 2**32 - 1, "permanent")
    reload(node, instance())
    wait_for(lambda: lifetime() is not None and lifetime() <= 3, "leased again")
    assert "10.4.7.0/24" in node.ip("route")


def test_instances_come_and_go(node):
    before, log = changed(node), AddressLog(node)
    second = instance(name="VI_2", vrid=52, vips=["10.4.7.20/24"])
    reload(node, instance(), second)
    wait_for(lambda: node.holds("10.4.7.20"), "the new instance is master", timeout=6)
    reload(node, instance())
    wait_for(lambda: not node.holds("10.4.7.20"), "its address went with it")
    with pytest.raises(VarlinkError):
        node.instance("VI_2")
    assert (changed(node), log.removals(VIP)) == (before, [])


def test_another_virtual_router_id(node):
    """Another router on the wire: it begins anew."""
    reload(node, instance(vrid=77))
    assert node.instance("VI_1")["virtualRouterId"] == 77
    wait_for(lambda: node.instance("VI_1")["state"] == "master", "by the ordinary rules", timeout=6)
    assert node.holds(VIP)


def test_a_broken_file_changes_nothing(node):
    before = changed(node)
    node.write("trivet.conf", globals_of("r1") + instance().replace("priority", "prioriy"))
    with pytest.raises(VarlinkError) as error:
        node.call("vrrpd", RELOAD)
    assert error.value.error == "org.trivet.daemon.control.ConfigInvalid"
    holds_for(lambda: node.holds(VIP), "it stays", 1.5)
    assert changed(node) == before


def test_hangup_reloads_too(node):
    node.write("trivet.conf", globals_of("r1") + instance(priority=77))
    node.vrrpd.hup()
    wait_for(lambda: node.instance("VI_1")["basePriority"] == 77, "SIGHUP reloads")


def test_what_is_wrong_with_an_instance_ends_with_it(node):
    """proxyd is not there, so what VI_2 needs of it is not known; then VI_2 is not there."""
    second = instance(name="VI_2", vrid=52, vips=["10.4.7.20/24"], extra="track_upstream web")
    stream = "stream {\n\tupstream web {\n\t\tserver 10.4.7.21:80;\n\t}\n}\n"
    reload(node, instance(), second, stream)
    wait_for(lambda: node.status("vrrpd")["healthReasons"], "it says what is missing")
    reload(node, instance())
    assert node.status("vrrpd")["healthReasons"] == []
    assert node.status("vrrpd")["health"] == "ok"


def test_unicast_peers_come_and_go(lab):
    """Whom it tells and whom it hears changes with the file, and the master stays master."""
    third = "10.4.7.13"
    lab.switch("lan")
    r1, r2, r3 = (lab.node(name, f"{address}/24") for name, address in
                  (("r1", R1), ("r2", R2), ("r3", third)))

    def text(*peers):
        return instance(source=R1, peer="\n        ".join(peers))
    r1.daemon("vrrpd", globals_of("r1") + text(R2))
    wait_for(lambda: r1.holds(VIP), "r1 is master", timeout=20)
    before, log = changed(r1), AddressLog(r1)
    told = {node: node.spawn(["tcpdump", "-lni", "eth0", f"proto 112 and src {R1}"])
            for node in (r2, r3)}
    for dump in told.values():
        dump.wait_log("listening on")

    def n_told(node):
        return told[node].log().count(f"IP {R1} > ")

    def tells(node, more=2):
        goal = n_told(node) + more
        wait_for(lambda: n_told(node) >= goal, f"{node.name} is told", 20)
    tells(r2)
    assert n_told(r3) == 0
    reload(r1, text(R2, third))
    tells(r3), tells(r2)
    reload(r1, text(third))
    tells(r3, 1)
    silent = n_told(r2)
    tells(r3, 3)
    assert n_told(r2) == silent, "a peer that was removed"
    # A better one, which is none of ours just now.
    r2.daemon("vrrpd", globals_of("r2") + instance(priority=200, source=R2, peer=R1))
    wait_for(lambda: r2.holds(VIP), "r2 hears nobody", timeout=20)
    tells(r3, 3)
    assert (changed(r1), log.removals(VIP), r1.holds(VIP)) == (before, [], True)
    reload(r1, text(third, R2))
    wait_for(lambda: not r1.holds(VIP), "a peer again, it is heard", timeout=20)
    assert r2.holds(VIP)
