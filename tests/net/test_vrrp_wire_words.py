"""What keepalived's users tune on the wire: TTLs, pauses, who is answered, who is logged."""

import ipaddress
import socket
import struct

import pytest

from lab import holds_for, wait_for
from peers import inside
from vrrp import VIP, R1, R2, Pair, globals_of, instance


def send(node, priority, destination="224.0.0.18", ttl=255, vrid=51, interval=1, address=VIP):
    """A version 2 advert from r2, with our own IP header."""
    pdu = struct.pack(">BBBBBBH", 0x21, vrid, priority, 1, 0, interval, 0) + \
        ipaddress.ip_address(address).packed + bytes(8)
    total = sum(struct.unpack(f">{len(pdu) // 2}H", pdu))
    total = (total & 0xffff) + (total >> 16)
    pdu = pdu[:6] + struct.pack(">H", ~((total & 0xffff) + (total >> 16)) & 0xffff) + pdu[8:]
    header = struct.pack(">BBHHHBBH", 0x45, 0xc0, 20 + len(pdu), 1, 0, ttl, 112, 0) + \
        ipaddress.ip_address(R2).packed + ipaddress.ip_address(destination).packed
    with inside(node), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(R2))
        s.sendto(header + pdu, (destination, 0))


def alone(lab, extra="", globs="", **more):
    """r1 as master, r2 a node that says what the test wants."""
    pair = Pair(lab, lambda name, priority, own, peer: globals_of(name, globs) + instance(
        priority=priority, source=own, extra=extra, **more), start=False)
    pair.start(0)
    return pair


def counters(node):
    return node.instance("VI_1")["counters"]


def test_ttl_of_a_peer(lab):
    """Sent as configured, heard in its range only."""
    def conf(name, priority, own, peer):
        return globals_of(name) + instance(
            priority=priority, peer=f"{peer} min_ttl 60 max_ttl 64", source=own,
            extra="unicast_ttl 64")
    pair = Pair(lab, conf, start=False)
    capture = pair.r2.capture("proto 112")
    pair.start(0)
    pair.settle("r1")
    for ttl in (59, 65, 255):
        before = counters(pair.r1)["packetErrors"]["ttl"]
        send(pair.r2, 200, R1, ttl)
        wait_for(lambda: counters(pair.r1)["packetErrors"]["ttl"] == before + 1, "not heard")
    send(pair.r2, 50, R1, 60)
    wait_for(lambda: counters(pair.r1)["advertisementsReceived"] == 1, "heard")
    assert pair.holders() == ["r1"]
    pair.start(1)
    wait_for(lambda: counters(pair.r2)["advertisementsReceived"] >= 2, "the pair hears itself")
    sent = [p for p in capture.stop().packets() if p["IP"].src == R1]
    assert sent and {p["IP"].ttl for p in sent} == {64}
    assert capture.malformed() == []


def test_who_is_answered(lab):
    """lower_prio_no_advert, higher_prio_send_advert: seen between two adverts in turn."""
    words = "lower_prio_no_advert\nhigher_prio_send_advert"
    pair = Pair(lab, lambda name, priority, own, peer: globals_of(name) + instance(
        priority=255, advert_int=30, source=own, extra=words), start=False)
    pair.start(0)
    pair.settle("r1")  # an owner need not wait
    pair.r1.write("trivet.conf", pair.texts[0].replace("priority 255", "priority 100"))
    pair.r1.call("vrrpd", "org.trivet.daemon.control.Reload")
    wait_for(lambda: pair.r1.instance("VI_1")["effectivePriority"] == 100, "it is none any more")
    before = counters(pair.r1)
    send(pair.r2, 50, interval=30)
    wait_for(lambda: counters(pair.r1)["advertisementsReceived"]
             == before["advertisementsReceived"] + 1, "the losing one is heard")
    assert counters(pair.r1)["advertisementsSent"] == before["advertisementsSent"]
    send(pair.r2, 200, interval=30)
    wait_for(lambda: pair.r1.instance("VI_1")["state"] == "backup", "the winning one, too")
    assert counters(pair.r1)["advertisementsSent"] == before["advertisementsSent"] + 1


def test_pauses_between_announcements(lab):
    """Three addresses, twice each, 0.2 s apart on their interface; and after a losing advert."""
    vips = [f"10.4.7.{n}/24" for n in (10, 20, 30)]
    pair = alone(lab, vips=vips, extra="garp_master_delay 0\ngarp_master_repeat 2\n"
                 "garp_interval 0.2\ngarp_lower_prio_repeat 1\ngarp_lower_prio_delay 0")
    watcher = lab.node("w", "10.4.7.50/24")
    capture = watcher.capture("arp")

    def seen():
        return [(float(p.time), p["ARP"].psrc) for p in capture.packets()
                if p.haslayer("ARP") and p["ARP"].psrc == p["ARP"].pdst]
    wait_for(lambda: len(seen()) >= 6, "two rounds", timeout=12)
    assert [a for _, a in seen()] == [v.split("/")[0] for v in vips] * 2
    assert all(b[0] - a[0] > 0.15 for a, b in zip(seen(), seen()[1:]))
    send(pair.r2, 50)
    wait_for(lambda: len(seen()) >= 9, "one more round", timeout=5)
    # ... and another when the other one has fallen silent: no advert of it for so long.
    wait_for(lambda: len(seen()) >= 12, "and one more", timeout=8)
    holds_for(lambda: len(seen()) == 12, "and that was all", 1)


def test_unknown_routers_are_logged_when_asked_for(lab):
    pair = alone(lab, globs="    log_unknown_vrids\n")
    pair.settle("r1")
    send(pair.r2, 100, vrid=99)
    pair.procs[0].wait_log("an advert from 10.4.7.12 on eth0 is for virtual router 99, which is "
                           "none of ours")
    assert pair.holders() == ["r1"]


@pytest.mark.parametrize("skip", ["on", "off"])
def test_addresses_compared_with_the_first_only(lab, skip):
    """skip_check_adv_addr: the same sender's list is not looked at again."""
    pair = alone(lab, extra=f"skip_check_adv_addr {skip}")
    pair.settle("r1")
    send(pair.r2, 50)
    wait_for(lambda: counters(pair.r1)["advertisementsReceived"] == 1, "heard")
    send(pair.r2, 50, address="10.4.7.99")
    wait_for(lambda: counters(pair.r1)["advertisementsReceived"] == 2, "heard")
    assert pair.r1.instance("VI_1")["peerDiffers"] == ([] if skip == "on" else ["addresses"])
