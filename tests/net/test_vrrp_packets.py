"""Bad input from the wire: counted by reason, never acted upon."""

from lab import holds_for, wait_for
from vrrp import VIP, Scapy, globals_of, instance, metric, scapy, scapy_argv

# A higher priority than ours, right in everything but one thing each.  `good` would end our
# mastership: that it does is the last test.
GOOD = """
def advert(src="10.4.7.12", dst="10.4.7.11", ttl=255, auth=b"secret12", **fields):
    base = dict(version=2, vrid=51, priority=200, adv=1, authtype=1, addrlist=["10.4.7.10"],
                auth1=int.from_bytes(auth[:4], "big"), auth2=int.from_bytes(auth[4:], "big"))
    base["ipcount"] = len(base["addrlist"])
    base.update(fields)
    return IP(src=src, dst=dst, ttl=ttl, tos=0xc0, proto=112) / VRRP(**base)
def emit(packet, mac=None, n=1):
    mac = mac or getmacbyip("10.4.7.11")
    sendp([Ether(src=get_if_hwaddr(iface), dst=mac) / packet] * n, iface=iface, verbose=0)
def multicast(**fields):
    emit(advert(dst="224.0.0.18", **fields), "01:00:5e:00:00:12")
"""

ROWS = [
    ("checksum", "emit(advert(chksum=0x1234))"),
    ("version", "emit(advert(version=7))"),
    ("type", "emit(advert(type=2))"),
    ("auth-type", "emit(advert(authtype=0, auth1=0, auth2=0))"),
    ("auth-data", "emit(advert(auth=b'wrongpwd'))"),
    ("interval", "emit(advert(adv=7))"),
    ("source", "emit(advert(src='10.4.7.99'))"),
    ("length", "emit(IP(src='10.4.7.12', dst='10.4.7.11', ttl=255, proto=112) / "
               "Raw(bytes(advert()[VRRP])[:14]))"),
]


def start(lab, extra="", **more):
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    attacker = lab.node("r2", "10.4.7.12/24")
    attacker.ip("addr", "add", "10.4.7.99/24", "dev", "eth0")
    node.daemon("vrrpd", globals_of("r1") + instance(extra=extra, **more))
    wait_for(lambda: node.holds(VIP), "r1 is master", timeout=6)
    return node, attacker


def unicast(lab):
    return start(lab, peer="10.4.7.12", source="10.4.7.11", password="secret12")


def errors(node):
    return node.instance("VI_1")["counters"]["packetErrors"]


def test_every_reason(lab):
    node, attacker = unicast(lab)
    say = Scapy(attacker, GOOD)
    for reason, program in ROWS:
        before = errors(node)
        say(program)
        wait_for(lambda: errors(node)[reason] > before[reason], f"counted as {reason}", timeout=60)
        after = errors(node)
        assert {k: after[k] - before[k] for k in after if after[k] != before[k]} == {reason: 1}
        assert metric(node, "vrrpd_packet_errors_total", iname="VI_1", reason=reason) == \
            after[reason]
    shown = node.instance("VI_1")
    assert shown["state"] == "master" and shown["counters"]["becameMaster"] == 1
    assert shown["counters"]["advertisementsReceived"] == 0


def test_unknown_virtual_router(lab):
    """Ordinary on a segment, and nobody's business: the socket filter drops it, uncounted."""
    node, attacker = unicast(lab)
    scapy(attacker, GOOD + "emit(advert(vrid=99)); emit(advert(vrid=52)); emit(advert(adv=7))")
    wait_for(lambda: errors(node)["interval"] == 1, "the last one is there")
    assert metric(node, "vrrpd_unclaimed_packets_total", reason="vrid") == 0
    assert sum(errors(node).values()) == 1


def test_multicast_with_another_ttl(lab):
    node, attacker = start(lab, password="secret12")
    say = Scapy(attacker, GOOD)
    for count, ttl in enumerate((254, 64, 1), 1):
        say(f"multicast(ttl={ttl})")
        wait_for(lambda: errors(node)["ttl"] == count, f"{ttl} is counted", timeout=60)
    assert node.instance("VI_1")["state"] == "master"


def test_multicast_for_a_unicast_instance(lab):
    node, attacker = unicast(lab)
    # A second instance joins the group, so that the socket hears it at all.
    node.write("trivet.conf", globals_of("r1")
               + instance(peer="10.4.7.12", source="10.4.7.11", password="secret12")
               + instance(name="VI_2", vrid=52, vips=["10.4.7.20/24"]))
    node.call("vrrpd", "org.trivet.daemon.control.Reload")
    scapy(attacker, GOOD + "multicast()")
    wait_for(lambda: errors(node)["destination"] == 1, "counted")
    assert node.instance("VI_1")["state"] == "master"


def test_a_flood_is_one_line_now_and_then(lab):
    node, attacker = unicast(lab)
    scapy(attacker, GOOD + "emit(advert(chksum=1), n=3000)")
    wait_for(lambda: errors(node)["checksum"] >= 2000, "counted", timeout=5)
    proc = node.procs[0]
    assert proc.log().count("ignoring an advert") < 20
    holds_for(lambda: node.holds(VIP), "and nothing else", 2)


def test_random_bytes(lab):
    """Anything with protocol 112: no crash, no change."""
    node, attacker = unicast(lab)
    scapy(attacker, GOOD + """
import random
r = random.Random(51)
for i in range(300):
    body = bytes(r.randrange(256) for _ in range(r.randrange(0, 60)))
    if i % 2:
        body = b"\\x21\\x33" + body
    emit(IP(src="10.4.7.12", dst="10.4.7.11", ttl=255, proto=112) / Raw(body))
""")
    wait_for(lambda: sum(errors(node).values()) > 50, "counted", timeout=5)
    shown = node.instance("VI_1")
    assert shown["state"] == "master" and shown["counters"]["advertisementsReceived"] == 0


def test_the_good_one_is_acted_upon(lab):
    node, attacker = unicast(lab)
    # For as long as we look: a master that falls silent is replaced after 3.6 s.
    attacker.spawn(scapy_argv(GOOD + "for i in range(60):\n    emit(advert())\n    time.sleep(1)"),
                   "scapy")
    node.procs[0].wait_log(r"Entering BACKUP STATE: received advert from 10\.4\.7\.12 with higher "
                           r"priority 200, ours 100")
    wait_for(lambda: not node.holds(VIP), "the address is given up")
