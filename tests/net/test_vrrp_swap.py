"""One reload in which instances trade what they have: all of it, or none."""

import pytest

from lab import holds_for, wait_for
from vrrp import R1, R2, AddressLog, Pair, globals_of, instance

A, B, C = "10.4.7.10", "10.4.7.20", "10.4.7.30"
RELOAD = "org.trivet.daemon.control.Reload"


def two(first, second, vrids=(51, 52), **more):
    """VI_1 with these addresses and VI_2 with those."""
    return instance(name="VI_1", vrid=vrids[0], vips=[f"{a}/24" for a in first], **more) + \
        instance(name="VI_2", vrid=vrids[1], vips=[f"{a}/24" for a in second], **more)


def start(lab):
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    node.vrrpd = node.daemon("vrrpd", globals_of("r1") + two([A, B], [C]))
    wait_for(lambda: all(map(node.holds, (A, B, C))), "master of both", timeout=8)
    return node


def reload(node, text):
    node.write("trivet.conf", globals_of(node.name) + text)
    node.call("vrrpd", RELOAD)


def addresses(node, name):
    return [v["address"] for v in node.instance(name)["virtualAddresses"] if v["present"]]


@pytest.mark.parametrize("there, back", [(([A], [C, B]), ([A, B], [C])),
                                         (([B, A, C], []), ([A, B], [C]))],
                         ids=["to-the-second", "to-the-first"])
def test_an_address_moves_to_another_instance(lab, there, back):
    """Neither loses its mastership, and the address is there when the reload is over."""
    node = start(lab)
    log = AddressLog(node)
    changed = [node.instance(n)["lastTransitionUsec"] for n in ("VI_1", "VI_2")]
    for first, second in (there, back):
        reload(node, two(first, second))
        for name, wanted in (("VI_1", first), ("VI_2", second)):
            wait_for(lambda: sorted(addresses(node, name)) == sorted(wanted), f"{name} has them")
        holds_for(lambda: all(map(node.holds, (A, B, C))), "and they stay, renewed", 3.5)
    assert changed == [node.instance(n)["lastTransitionUsec"] for n in ("VI_1", "VI_2")]
    assert "deleted by somebody else" not in node.vrrpd.log()
    # It went and came back at once where its first owner let go before the other had it.
    moved = B if C in there[1] else C
    assert len(log.removals(moved)) == 1 and log.removals(A) == []


def test_virtual_router_ids_are_swapped(lab):
    """On both nodes of a pair: two routers begin anew under each other's number."""
    def conf(vrids):
        return lambda name, priority, own, peer: globals_of(name) + two(
            [A, B], [C], vrids, priority=priority, source=own)
    pair = Pair(lab, conf((51, 52)))
    wait_for(lambda: all(map(pair.r1.holds, (A, B, C))), "r1 is master of both", timeout=10)
    for node, priority, own, peer in ((pair.r1, 100, R1, R2), (pair.r2, 90, R2, R1)):
        node.write("trivet.conf", conf((52, 51))(node.name, priority, own, peer))
    for node in pair.nodes:
        node.call("vrrpd", RELOAD)
    for node in pair.nodes:
        assert [node.instance(n)["virtualRouterId"] for n in ("VI_1", "VI_2")] == [52, 51]

    def settled():
        return all(map(pair.r1.holds, (A, B, C))) and not any(map(pair.r2.holds, (A, B, C))) and \
            [pair.r2.instance(n)["state"] for n in ("VI_1", "VI_2")] == ["backup", "backup"]
    wait_for(settled, "by the ordinary rules", timeout=12)
    assert pair.r2.instance("VI_1")["peerDiffers"] == []


def test_a_bad_file_changes_nothing_of_it(lab):
    """The first instance is right, the second is not: neither is taken."""
    node = start(lab)
    before = [node.instance(n) for n in ("VI_1", "VI_2")]
    node.write("trivet.conf", globals_of("r1") + two([A], [C, B], (77, 78)).replace(
        "virtual_router_id 78", "virtual_router_id 780"))
    with pytest.raises(Exception, match="ConfigInvalid"):
        node.call("vrrpd", RELOAD)
    holds_for(lambda: all(map(node.holds, (A, B, C))), "all stays", 1.5)
    for was in before:
        now = node.instance(was["name"])
        assert (now["virtualRouterId"], now["lastTransitionUsec"]) == (
            was["virtualRouterId"], was["lastTransitionUsec"])
