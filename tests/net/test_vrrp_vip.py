"""The address itself: leased, tagged, put back, adopted, removed."""

import json
import signal

from lab import holds_for, wait_for
from vrrp import VIP, AddressLog, Pair, globals_of, instance, metric, protocol_of

TAG = 112


def alone(lab, extra="", **more):
    """One node, master of VI_1."""
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    node.text = globals_of("r1") + instance(extra=extra, **more)
    node.vrrpd = node.daemon("vrrpd", node.text)
    wait_for(lambda: node.holds(VIP), "r1 is master", timeout=6)
    return node


def vip_of(node, vip=VIP):
    return next(a for a in node.addresses() if a["local"] == vip)


def test_lease_and_tag(lab):
    node = alone(lab)
    assert protocol_of(node, VIP) == TAG
    assert protocol_of(node, "10.4.7.11") == 0
    holds_for(lambda: 0 < vip_of(node)["valid_life_time"] <= 3, "a lease of 3 s, renewed", 4)
    shown = node.instance("VI_1")["virtualAddresses"]
    assert [(v["address"], v["prefixLength"], v["present"]) for v in shown] == [(VIP, 24, True)]
    assert 0 < shown[0]["leaseMs"] <= 3000


def test_vip_lease_off(lab):
    node = alone(lab, extra="vip_lease off")
    assert vip_of(node)["valid_life_time"] == 2**32 - 1
    assert node.instance("VI_1")["virtualAddresses"][0]["leaseMs"] is None
    node.vrrpd.stop()
    assert not node.holds(VIP)


def test_shape(lab):
    """label, brd, scope, dev, and the default prefix of 32."""
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    node.attach("lan", "10.5.0.1/24", "eth1")
    node.daemon("vrrpd", globals_of("r1") + instance(
        vips=[f"{VIP}/24 brd + label eth0:vip", "10.4.7.20",
              "10.6.0.10/24 brd 10.6.0.200 dev eth1 scope link"]))
    wait_for(lambda: node.holds("10.6.0.10", "eth1"), "r1 is master", timeout=6)
    first, bare = vip_of(node), vip_of(node, "10.4.7.20")
    other = next(a for a in node.addresses("eth1") if a["local"] == "10.6.0.10")
    assert (first["label"], first["broadcast"], first["prefixlen"]) == \
        ("eth0:vip", "10.4.7.255", 24)
    assert bare["prefixlen"] == 32 and "broadcast" not in bare
    assert (other["broadcast"], other["scope"]) == ("10.6.0.200", "link")


def test_shape_ipv6(lab):
    """home, mngtmpaddr, nodad, noprefixroute, preferred_lft, peer; excluded ones as well."""
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    node.daemon("vrrpd", globals_of("r1") + instance(
        vips=["10.4.7.20/32 peer 10.4.7.21/32", f"{VIP}/24 preferred_lft 1"],
        extra="""virtual_ipaddress_excluded {
        2001:db8::1/64 home -nodad mngtmpaddr preferred_lft 2
        2001:db8::2/64 noprefixroute nodad
        2001:db8::3/128 peer 2001:db8::4/128
        10.4.7.22/24 noprefixroute
    }"""))
    wait_for(lambda: node.holds("2001:db8::3"), "r1 is master", timeout=6)
    shown = {a["local"]: a for a in json.loads(
        node.run(["ip", "-d", "-j", "addr", "show", "dev", "eth0"]).stdout)[0]["addr_info"]}
    assert shown["10.4.7.20"]["address"] == "10.4.7.21"
    assert shown[VIP]["preferred_life_time"] <= 1
    one, two = shown["2001:db8::1"], shown["2001:db8::2"]
    assert one["home"] and one["nodad"] and one["mngtmpaddr"]
    assert one["preferred_life_time"] in (1, 2)
    assert two["noprefixroute"] and two["deprecated"] and two["preferred_life_time"] == 0
    assert shown["2001:db8::3"]["address"] == "2001:db8::4"
    assert shown["10.4.7.22"]["noprefixroute"]
    assert all(shown[a]["valid_life_time"] <= 3 for a in shown if a.startswith("2001"))


def test_deleted_by_a_stranger(lab):
    """Put back at once, announced, counted; no change of state."""
    node = alone(lab)
    watcher = lab.node("w", "10.4.7.50/24")
    node.vrrpd.wait_log("MASTER STATE")
    capture = watcher.capture("arp")
    before = node.instance("VI_1")
    log = AddressLog(node)
    node.ip("addr", "del", f"{VIP}/24", "dev", "eth0")

    def after_deletion():
        seen = log.seen(VIP)
        return seen[[there for _, there in seen].index(False):] if log.removals(VIP) else []
    wait_for(lambda: after_deletion()[1:], "it is back")
    (gone, _), (back, there) = after_deletion()[:2]
    assert there and back - gone < 0.5, "well before a tick"
    wait_for(lambda: len(capture.tshark(f"arp.src.proto_ipv4 == {VIP}")) >= 5, "announced",
             step=0.2)
    node.vrrpd.wait_log(rf"\(VI_1\) address {VIP} of eth0 was deleted by somebody else")
    after = node.instance("VI_1")
    assert (after["state"], after["lastTransitionUsec"]) == ("master", before["lastTransitionUsec"])
    assert metric(node, "vrrpd_addresses_lost_total", iname="VI_1") == 1
    assert vip_of(node)["valid_life_time"] <= 3


def test_a_permanent_address_in_the_way(lab):
    """Somebody's own address is replaced by deleting it first, and becomes a lease."""
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    node.ip("addr", "add", f"{VIP}/24", "dev", "eth0")
    node.daemon("vrrpd", globals_of("r1") + instance())
    wait_for(lambda: any(a["local"] == VIP and a["valid_life_time"] <= 3
                         for a in node.addresses()), "it is ours now", timeout=6)
    assert protocol_of(node, VIP) == TAG
    assert "10.4.7.0/24" in node.ip("route"), "the node's own subnet route is still there"


def test_eight_addresses_one_deleted(lab):
    vips = [f"10.4.7.{n}/24" for n in range(60, 68)]
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    node.daemon("vrrpd", globals_of("r1") + instance(vips=vips))
    wait_for(lambda: node.holds("10.4.7.67"), "r1 is master", timeout=6)
    node.ip("addr", "del", "10.4.7.63/24", "dev", "eth0")
    wait_for(lambda: node.holds("10.4.7.63"), "it is back")
    holds_for(lambda: all(node.holds(v.split("/")[0]) for v in vips), "all stay", 4)


def test_link_down_and_back(lab):
    pair = Pair(lab, lambda name, priority, own, peer:
                globals_of(name) + instance(priority=priority, peer=peer, source=own))
    pair.settle("r1")
    pair.r1.link("eth0", "down")
    pair.procs[0].wait_log(r"\(VI_1\) Entering FAULT STATE: interface eth0 is down")
    wait_for(lambda: not pair.r1.holds(VIP), "removed at once", timeout=2)
    assert pair.r1.instance("VI_1")["state"] == "fault"
    pair.settle("r2")
    pair.r1.link("eth0", "up")
    pair.procs[0].wait_log(r"\(VI_1\) Entering BACKUP STATE: fault cleared")
    pair.settle("r1")


def test_carrier_lost(lab):
    pair = Pair(lab, lambda name, priority, own, peer:
                globals_of(name) + instance(priority=priority))
    pair.settle("r1")
    pair.r1.cable("eth0", "down")
    pair.procs[0].wait_log(r"Entering FAULT STATE: interface eth0 is down: no carrier")
    pair.settle("r2")
    pair.r1.cable("eth0", "up")
    pair.settle("r1")


def test_track_interface(lab):
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    node.attach("lan", "10.5.0.1/24", "eth1")
    proc = node.daemon("vrrpd", globals_of("r1") + instance(
        extra="track_interface {\n        eth1\n    }"))
    wait_for(lambda: node.holds(VIP), "r1 is master", timeout=6)
    node.link("eth1", "down")
    proc.wait_log(r"\(VI_1\) Entering FAULT STATE: interface eth1 is down: set down")
    wait_for(lambda: not node.holds(VIP), "given up")
    terms = {t["name"]: t for t in node.instance("VI_1")["terms"]}
    assert terms["eth1"]["fault"] and not terms["eth0"]["fault"]
    node.link("eth1", "up")
    wait_for(lambda: node.holds(VIP), "and back", timeout=6)


def test_an_interface_that_comes_late(lab):
    lab.switch("lan")
    node = lab.node("r1")
    proc = node.daemon("vrrpd", globals_of("r1") + instance())
    proc.wait_log(r"Entering FAULT STATE: interface eth0 is down: there is no such interface")
    node.attach("lan", "10.4.7.11/24")
    proc.wait_log("Entering BACKUP STATE: fault cleared")
    wait_for(lambda: node.holds(VIP), "r1 is master", timeout=6)


# ---- from one process to the next ----

def test_respawn_adopts(lab):
    """kill -9 and a new process at once: no move, no gap, terms and all."""
    pair = Pair(lab, lambda name, priority, own, peer:
                globals_of(name) + instance(priority=priority, peer=peer, source=own))
    pair.settle("r1")
    log = AddressLog(pair.r1)
    pair.procs[0].kill9()
    proc = pair.start(0)
    proc.wait_log(r"\(VI_1\) Entering MASTER STATE: resumed from the last process")
    holds_for(lambda: pair.holders() == ["r1"], "it never moved", 4)
    assert log.removals(VIP) == []
    assert "MASTER" not in pair.procs[1].log()
    assert pair.r1.instance("VI_1")["state"] == "master"


def test_respawn_adopts_under_a_long_lease(lab):
    """Renewed now and then; a respawn goes on all the same, as the adverts are the proof."""
    node = alone(lab, extra="vip_lease 40")
    log = AddressLog(node)
    wait_for(lambda: vip_of(node)["valid_life_time"] <= 35, "five seconds without a renewal")
    node.vrrpd.kill9()
    node.vrrpd = node.daemon("vrrpd")
    node.vrrpd.wait_log(r"\(VI_1\) resumed as master")
    wait_for(lambda: vip_of(node)["valid_life_time"] > 35, "renewed")
    assert log.removals(VIP) == []


def test_the_last_advert_is_proof(lab):
    """Permanent addresses prove nothing, and the role was written down longer ago than peers bear."""
    node = alone(lab, advert_int=0.1, extra="version 3\nvip_lease off\ndown_timer_adverts 30")
    holds_for(lambda: node.holds(VIP), "it is master for longer than that", 3.5)
    node.vrrpd.kill9()
    node.vrrpd = node.daemon("vrrpd")
    node.vrrpd.wait_log(r"\(VI_1\) Entering MASTER STATE: resumed from the last process")
    node.vrrpd.kill9()
    beats = node.run_dir / "vrrpd" / "beats"
    assert beats.stat().st_mode & 0o777 == 0o600 and beats.stat().st_size == 32
    beats.write_bytes(b"\xff" * 100)
    node.vrrpd = node.daemon("vrrpd")
    node.vrrpd.wait_log(r"\(VI_1\) Entering (BACKUP|MASTER) STATE")
    wait_for(lambda: node.holds(VIP), "nonsense there is no obstacle", timeout=6)


def test_too_old_is_not_adopted_and_leftovers_go(lab):
    """The VIPs of a process long dead are removed at the start of the next."""
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    text = globals_of("r1") + instance(extra="vip_lease 60")
    proc = node.daemon("vrrpd", text)
    wait_for(lambda: node.holds(VIP), "r1 is master", timeout=6)
    proc.kill9()
    other = globals_of("r1") + instance(vips=["10.4.7.88/24"], vrid=52)
    proc = node.daemon("vrrpd", other)
    proc.wait_log(f"removing {VIP} from eth0: left by an earlier run")
    assert not node.holds(VIP)
    assert node.holds("10.4.7.11"), "only what carries our number"


def test_a_damaged_state_file(lab):
    node = alone(lab)
    node.vrrpd.kill9()
    state = node.run_dir / "vrrpd" / "state"
    assert state.stat().st_mode & 0o777 == 0o600
    state.write_text("trivet-vrrpd 1\ninstance \x00 nonsense\n")
    proc = node.daemon("vrrpd")
    proc.wait_log("state: .*: starting without it")
    proc.wait_log(r"Entering BACKUP STATE \(init\)")
    assert not node.holds(VIP), "what cannot be vouched for is removed"
    wait_for(lambda: node.holds(VIP), "and comes back by the ordinary rules", timeout=6)


def test_crash_loop_ends_in_an_ordinary_start(lab):
    """At most three adoptions in ten leases."""
    node = alone(lab)
    for _ in range(3):
        node.vrrpd.kill9()
        node.vrrpd = node.daemon("vrrpd")
        node.vrrpd.wait_log("resumed as master")
        assert node.holds(VIP)
    node.vrrpd.kill9()
    node.vrrpd = node.daemon("vrrpd")
    node.vrrpd.wait_log(r"Entering BACKUP STATE \(init\)")
    assert not node.holds(VIP)


def test_stop_leaves_nothing(lab):
    node = alone(lab)
    assert node.vrrpd.stop() == 0
    assert not node.holds(VIP)
    node.vrrpd = node.daemon("vrrpd")
    node.vrrpd.wait_log(r"Entering BACKUP STATE \(init\)")


def test_sigint_stops_too(lab):
    node = alone(lab)
    node.vrrpd.kill(signal.SIGINT)
    assert node.vrrpd.wait() == 0
    assert not node.holds(VIP)


def test_deleted_again_and_again(lab):
    """Only repeated loss is FAULT: somebody means it, and the peer shall have it."""
    node = alone(lab)
    for _ in range(5):
        wait_for(lambda: node.holds(VIP), "it is there")
        node.ip("addr", "del", f"{VIP}/24", "dev", "eth0", check=False)
    node.vrrpd.wait_log(r"\(VI_1\) Entering FAULT STATE: an address of ours is deleted again and "
                        "again")
    assert not node.holds(VIP)
    assert node.instance("VI_1")["state"] == "fault"


def test_an_interface_that_goes_and_comes_back(lab):
    """A new link under the old name: a new socket, a new membership."""
    pair = Pair(lab, lambda name, priority, own, peer:
                globals_of(name) + instance(priority=priority))
    pair.settle("r1")
    pair.r1.ip("link", "del", "eth0")
    pair.procs[0].wait_log("FAULT STATE: interface eth0 is down: there is no such interface")
    assert pair.r1.instance("VI_1")["reason"].endswith("there is no such interface")
    wait_for(lambda: pair.r2.holds(VIP), "r2 takes over", timeout=6)
    pair.r1.attach("lan", "10.4.7.11/24", "eth0")
    pair.procs[0].wait_log("Entering BACKUP STATE: fault cleared")
    wait_for(lambda: pair.r1.instance("VI_1")["counters"]["advertisementsReceived"] > 0,
             "r1 hears r2 on it")
    pair.settle("r1")


def test_events_that_were_lost(lab):
    """More changes than the socket holds: the table is read anew, the loss of a VIP noticed."""
    node = alone(lab, extra="vip_lease 60")
    node.vrrpd.kill(signal.SIGSTOP)
    changes = "".join(f"addr add 10.99.{i // 250}.{i % 250 + 1}/32 dev lo\n" for i in range(4000))
    node.run(["ip", "-batch", "-"], input=changes, timeout=60)
    node.ip("addr", "del", f"{VIP}/24", "dev", "eth0")
    assert not node.holds(VIP)
    node.vrrpd.kill(signal.SIGCONT)
    node.vrrpd.wait_log("netlink: events were lost, reading all links and addresses anew")
    wait_for(lambda: node.holds(VIP), "it is back", timeout=6)
    # ... and goes on hearing them.
    node.ip("addr", "del", f"{VIP}/24", "dev", "eth0")
    wait_for(lambda: node.holds(VIP), "it is back again")


def test_the_owner_keeps_its_own_address(lab):
    """Priority 255 and a VIP that is the node's own address: it is neither leased nor removed."""
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    proc = node.daemon("vrrpd", globals_of("r1") + instance(
        priority=255, vips=["10.4.7.11/24", f"{VIP}/24"]))
    proc.wait_log(r"\(VI_1\) Entering MASTER STATE: owner of the addresses")
    wait_for(lambda: node.holds(VIP), "the other one is added")
    holds_for(lambda: vip_of(node, "10.4.7.11")["valid_life_time"] == 2**32 - 1, "not leased", 1.5)
    shown = node.instance("VI_1")
    assert [v["present"] for v in shown["virtualAddresses"]] == [True, True]
    assert node.status("vrrpd")["health"] == "ok"
    proc.stop()
    assert node.holds("10.4.7.11") and not node.holds(VIP)


def test_promote_secondaries(lab):
    """The VIP came first on its subnet: when it goes, the node's own address there stays."""
    lab.switch("lan")
    node = lab.node("r1", "10.4.8.11/24")
    node.run(["sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=0",
              "net.ipv4.conf.all.promote_secondaries=0"])
    proc = node.daemon("vrrpd", globals_of("r1") + instance(extra="promote_secondaries"))
    wait_for(lambda: node.holds(VIP), "r1 is master", timeout=6)
    node.ip("addr", "add", "10.4.7.99/24", "dev", "eth0")
    proc.stop()
    assert not node.holds(VIP) and node.holds("10.4.7.99")
