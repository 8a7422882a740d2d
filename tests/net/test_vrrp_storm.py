"""Floods: of packets that are nobody's business, of packets that are wrong, of
address changes by others.  The election stays, the cost is bounded."""

import os
from pathlib import Path

import pytest

from lab import holds_for, wait_for
from storm import frame
from vrrp import VIP, Pair, globals_of, instance, metric

TICKS = os.sysconf("SC_CLK_TCK")
LINE = "ignoring an advert"


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def pair_of(lab, **more):
    """r1 master, r2 backup, by multicast; and a stranger."""
    pair = Pair(lab, lambda name, priority, own, peer:
                globals_of(name) + instance(priority=priority, **more))
    pair.settle("r1")
    return pair, lab.node("stranger", "10.4.7.99/24")


def storm(node, seconds, *frames):
    """Sends; how many, and how many a second."""
    sent, took = node.run(["/usr/bin/python3", Path(__file__).with_name("storm.py"), "eth0",
                           seconds, *frames], timeout=30 + seconds).stdout.split()
    return int(sent), int(sent) / float(took)


def errors(node):
    return node.instance("VI_1")["counters"]["packetErrors"]


@pytest.fixture(name="settled")
def _settled(lab):
    return pair_of(lab)


def unmoved(pair):
    assert pair.holders() == ["r1"]
    states = [node.instance("VI_1") for node in pair.nodes]
    assert [s["state"] for s in states] == ["master", "backup"]
    assert [s["counters"]["becameMaster"] for s in states] == [1, 0]


def test_other_virtual_routers(settled):
    """Dropped by the kernel before they cost anything, however many."""
    pair, stranger = settled
    pids = [proc.pid for proc in pair.procs]
    before = [cpu_seconds(pid) for pid in pids]
    sent, rate = storm(stranger, 5, *(frame(vrid=v, good=True) for v in (1, 50, 52, 255)))
    used = [cpu_seconds(pid) - was for pid, was in zip(pids, before)]
    print(f"{sent} foreign adverts, {rate:.0f} a second: {used} s of CPU in 5 s")
    assert rate > 10000, "that was no storm"
    assert all(u < 0.25 for u in used), used
    unmoved(pair)
    for node in pair.nodes:
        assert not any(errors(node).values())
        assert metric(node, "vrrpd_packet_storms_total") == 0


@pytest.mark.parametrize("what, reason", [
    (dict(first=0x71), "version"),
    (dict(first=0x22), "type"),
    (dict(ttl=254, good=True), "ttl"),
])
def test_what_the_strict_filter_knows(settled, what, reason):
    """Counted and told until it is a storm, then dropped; and counted again afterwards."""
    pair, stranger = settled
    pid = pair.procs[0].pid
    before = cpu_seconds(pid)
    sent, rate = storm(stranger, 5, frame(**what))
    used = cpu_seconds(pid) - before
    counted = errors(pair.r1)[reason]
    print(f"{sent} of {reason}, {rate:.0f} a second: {counted} counted, {used} s of CPU in 5 s")
    assert 1000 <= counted < sent / 2, "counted at first"
    assert metric(pair.r1, "vrrpd_packet_storms_total") == 1
    assert used < 0.5
    unmoved(pair)
    assert pair.procs[0].log().count(LINE) < 10
    holds_for(lambda: pair.holders() == ["r1"], "the storm's filter lets the good ones through", 3)

    def counts_again():
        storm(stranger, 0.001, frame(**what))
        return errors(pair.r1)[reason] > counted
    wait_for(counts_again, "the filter is lax again", timeout=15, step=0.3)


def test_nothing_tells_them_from_good_ones(settled):
    """Wrong only in the checksum: each is read, and each is counted; adverts go on."""
    pair, stranger = settled
    sent, rate = storm(stranger, 5, frame())
    print(f"{sent} of checksum, {rate:.0f} a second: "
          f"{[errors(node)['checksum'] for node in pair.nodes]} counted")
    unmoved(pair)
    for node, proc in zip(pair.nodes, pair.procs):
        counted = {k: v for k, v in errors(node).items() if v}
        assert list(counted) == ["checksum"] and 1000 < counted["checksum"] <= sent
        assert proc.log().count(LINE) < 10


def test_counted_exactly(settled):
    """Below a storm every one is counted, by its reason."""
    pair, stranger = settled
    frames = [frame(first=0x71), frame(ttl=3, good=True), frame(), frame(first=0x22)]
    sent, _ = storm(stranger, 0.0001, *frames)
    assert sent == 800
    for node in pair.nodes:
        wait_for(lambda n=node: sum(errors(n).values()) == 800, "all are counted")
        assert {k: v for k, v in errors(node).items() if v} == \
            {"version": 200, "ttl": 200, "checksum": 200, "type": 200}


def test_unicast_sources(lab):
    """A storm of perfectly good adverts of higher priority, from somebody who is no peer."""
    pair = Pair(lab, lambda name, priority, own, peer:
                globals_of(name) + instance(priority=priority, peer=peer, source=own))
    pair.settle("r1")
    stranger = lab.node("stranger", "10.4.7.99/24")
    mac = pair.r1.mac().replace(":", "")
    before = cpu_seconds(pair.procs[0].pid)
    sent, rate = storm(stranger, 5, frame(group="10.4.7.11", good=True, mac=mac))
    used = cpu_seconds(pair.procs[0].pid) - before
    print(f"{sent}, {rate:.0f} a second: {errors(pair.r1)['source']} counted, {used} s of CPU")
    assert metric(pair.r1, "vrrpd_packet_storms_total") == 1
    assert 1000 <= errors(pair.r1)["source"] < sent / 2 and used < 0.5
    unmoved(pair)
    # The peer is heard all the while: it would be master otherwise, when r1 goes.
    pair.procs[1].kill9()
    pair.start(1)
    holds_for(lambda: pair.holders() == ["r1"], "r1 stays", 2)


def test_foreign_addresses(lab):
    """Tens of thousands of address changes by others: no advert is late enough to matter."""
    pair, _ = pair_of(lab, advert_int=0.1, extra="version 3")
    for round_ in range(4):
        verb = "add" if round_ % 2 == 0 else "del"
        changes = "".join(f"addr {verb} 10.{99 + i // 62500}.{i // 250 % 250}.{i % 250 + 1}/32 "
                          "dev lo\n" for i in range(8000))
        for node in pair.nodes:
            node.run(["ip", "-force", "-batch", "-"], input=changes, timeout=60)
        unmoved(pair)
    holds_for(lambda: pair.holders() == ["r1"], "nothing moves afterwards", 1)
    unmoved(pair)
    assert VIP in [a["local"] for a in pair.r1.addresses()]
