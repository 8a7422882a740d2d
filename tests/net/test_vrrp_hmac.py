"""auth_hmac: adverts that prove who sent them, and what becomes of those that do not.
The proof is computed here a second time, with Python's own HMAC."""

import hashlib
import hmac
import ipaddress
import socket
import struct
import time

import pytest

from lab import holds_for, wait_for
from peers import inside
from vrrp import VIP, R1, R2, Pair, globals_of, instance

KEYS = {1: bytes(range(32)), 2: b"another key of thirty-two bytes!"}
BLOCK = """auth_hmac {{
key 1 hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
key 2 file:{path}
active_key {active}
{more}
}}"""


def signed(lab, active=1, more="", **wire):
    """A Pair's conf(): every node with both keys, the second one in a file."""
    def conf(name, priority, own, peer):
        path = lab.nodes[name].write("vrrp.key", KEYS[2].decode() + "\n")
        block = BLOCK.format(path=path, active=active, more=more)
        return globals_of(name) + instance(priority=priority, peer=peer if wire.get("unicast")
                                           else None, source=own, extra=block + "\n" +
                                           wire.get("extra", ""))
    return conf


def errors(node):
    return node.instance("VI_1")["counters"]["packetErrors"]


def mac_of(key, source, version, vrid, pdu, head):
    sender = bytes([4, version, vrid, 0]) + ipaddress.ip_address(source).packed.ljust(16, b"\0")
    bare = pdu[:6] + b"\0\0" + pdu[8:]
    return hmac.new(key, sender + bare + head + bytes(16), hashlib.sha256).digest()[:16]


def cksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def advert(priority=200, key=KEYS[1], key_id=1, source=R2, at=None):
    """A version 2 message with its trailer, as bytes; key None: without."""
    pdu = struct.pack(">BBBBBBH", 0x21, 51, priority, 1, 0, 1, 0) + \
        ipaddress.ip_address(VIP).packed + bytes(8)
    pdu = pdu[:6] + struct.pack(">H", cksum(pdu)) + pdu[8:]
    if key is None:
        return pdu
    now = time.time() if at is None else at
    head = struct.pack(">BBHIHH", 1, key_id, 0, int(now), int(now % 1 * 65536), 0)
    return pdu + head + mac_of(key, source, 2, 51, pdu, head)


def send(node, message, source=R2):
    """To the group, with our own IP header, so that the source may be anybody's."""
    header = struct.pack(">BBHHHBBH", 0x45, 0xc0, 20 + len(message), 1, 0, 255, 112, 0) + \
        ipaddress.ip_address(source).packed + ipaddress.ip_address("224.0.0.18").packed
    with inside(node), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(R2))
        s.sendto(header + message, ("224.0.0.18", 0))


@pytest.mark.parametrize("wire", [{}, {"unicast": True}, {"extra": "version 3"}],
                         ids=["multicast", "unicast", "version3"])
def test_a_signed_pair(lab, wire):
    pair = Pair(lab, signed(lab, **wire), start=False)
    capture = pair.r2.capture("proto 112")
    pair.start(0), pair.start(1)
    pair.settle("r1")
    wait_for(lambda: pair.r2.instance("VI_1")["counters"]["advertisementsReceived"] >= 2,
             "r2 hears r1", timeout=5)
    pair.procs[0].stop()
    pair.settle("r2", timeout=5)
    assert sum(errors(pair.r2).values()) == 0
    # What tcpdump has not written yet would be lost with it.
    wait_for(lambda: sum(p["IP"].src == R1 for p in capture.packets()) >= 3, "they are captured")
    seen, last = 0, 0
    for packet in capture.stop().packets():
        payload = bytes(packet["IP"].payload)
        pdu, head, mac = payload[:-28], payload[-28:-16], payload[-16:]
        source = packet["IP"].src
        assert mac == mac_of(KEYS[1], source, pdu[0] >> 4, 51, pdu, head)
        if source == R1:
            sequence = int.from_bytes(head[4:], "big")
            assert head[:4] == b"\1\1\0\0" and sequence > last
            seen, last = seen + 1, sequence
    assert seen >= 3


def test_what_is_not_proved_is_not_heard(lab):
    """Unsigned, signed with a strange key, replayed, of another time: each has its counter."""
    pair = Pair(lab, signed(lab, more="time_window 30"), start=False)
    pair.start(0)
    pair.settle("r1")
    rows = [("hmac-missing", advert(key=None)), ("hmac", advert(key=bytes(32))),
            ("hmac", advert(key_id=9)), ("hmac-stale", advert(at=time.time() - 60)),
            ("hmac-stale", advert(at=time.time() + 60))]
    for reason, message in rows:
        before = errors(pair.r1)[reason]
        send(pair.r2, message)
        wait_for(lambda: errors(pair.r1)[reason] == before + 1, f"counted as {reason}")
    good = advert(priority=50)
    send(pair.r2, good)
    wait_for(lambda: pair.r1.instance("VI_1")["counters"]["advertisementsReceived"] == 1,
             "a good one is heard")
    send(pair.r2, good)
    wait_for(lambda: errors(pair.r1)["hmac-stale"] == 3, "but once only")
    send(pair.r2, advert(source=R1), source="10.4.7.77")
    wait_for(lambda: errors(pair.r1)["hmac"] == 3, "the sender is signed too")
    assert pair.holders() == ["r1"] and pair.r1.instance("VI_1")["state"] == "master"
    send(pair.r2, advert())  # and what all of these were not
    pair.procs[0].wait_log("higher priority 200, ours 100")


def test_a_key_changes_hands(lab):
    """Rotation by reloads: nobody misses an advert, nothing moves."""
    pair = Pair(lab, signed(lab))
    pair.settle("r1")
    changed = [node.instance("VI_1")["lastTransitionUsec"] for node in pair.nodes]
    capture = pair.r2.capture("proto 112")
    for node, priority, own, peer in ((pair.r2, 90, R2, R1), (pair.r1, 100, R1, R2)):
        node.write("trivet.conf", signed(lab, active=2)(node.name, priority, own, peer))
        reply = node.call("vrrpd", "org.trivet.daemon.control.Reload")
        assert KEYS[1].hex() not in str(reply) and KEYS[2].decode() not in str(reply)
    wait_for(lambda: any(bytes(p["IP"].payload)[-27] == 2 for p in capture.packets()),
             "signed with the other key", timeout=4)
    holds_for(lambda: pair.holders() == ["r1"], "nothing moves", 1.5)
    assert changed == [node.instance("VI_1")["lastTransitionUsec"] for node in pair.nodes]
    assert sum(errors(pair.r2).values()) == 0


def test_coming_from_no_authentication(lab):
    """permissive: hears the others until all of them sign, and says that it is no protection."""
    conf = signed(lab, more="mode permissive")
    pair = Pair(lab, conf, start=False)
    pair.texts = (pair.texts[0], globals_of("r2") + instance(priority=110, source=R2))
    pair.start(1)
    pair.settle("r2")
    pair.start(0)
    wait_for(lambda: pair.r1.instance("VI_1")["counters"]["advertisementsReceived"] >= 2,
             "the unsigned ones are heard", timeout=6)
    assert pair.holders() == ["r2"] and sum(errors(pair.r1).values()) == 0


def test_no_key_is_ever_shown(lab):
    pair = Pair(lab, signed(lab))
    pair.settle("r1")
    shown = pair.r1.trivet("check", "-c", pair.r1.dir / "trivet.conf", check=False)
    texts = [shown.stdout, shown.stderr, pair.procs[0].log(),
             str(pair.r1.call("vrrpd", "org.trivet.daemon.GetStatus"))]
    assert all(KEYS[1].hex() not in t and KEYS[2].decode() not in t for t in texts)
