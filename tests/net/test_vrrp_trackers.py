"""What an election depends on besides checks of the service: a witness, links by
their names, the source address; and when it begins."""

import re

from lab import holds_for, wait_for
from vrrp import R1, R2, VIP, Pair, globals_of, instance


def terms(node, kind, name="VI_1"):
    return [t for t in node.instance(name)["terms"] if t["kind"] == kind]


def state(node, name="VI_1"):
    return node.instance(name)["state"]


# ---- the witness ----

def witnessed(node, extra=""):
    """A check that passes while there is a file, as the witness."""
    node.witness = node.dir / "witness"
    node.witness.touch()
    script = node.script("witness.sh", f"#!/bin/sh\n[ -e {node.witness} ]\n")
    return (f'check gateway {{\n    script "{script}"\n    interval 200ms\n    timeout 5s\n}}\n',
            f"witness gateway {extra}")


def witnessed_pair(lab, extra=""):
    pair = Pair(lab, lambda *_: "", start=False)
    texts = []
    for node, priority in zip(pair.nodes, (100, 90)):
        check, line = witnessed(node, extra)
        texts.append(check + instance(priority=priority, extra=line))
    pair.texts = tuple(texts)
    for i, node in enumerate(pair.nodes):
        node.daemon("checkd", texts[i])
        pair.start(i)
    pair.settle()
    return pair


def test_who_is_cut_off_and_has_no_witness_stays_backup(lab):
    pair = witnessed_pair(lab)
    r1, r2 = pair.nodes
    wait_for(lambda: terms(r2, "witness")[0]["up"], "the witness passes")
    r2.witness.unlink()
    wait_for(lambda: terms(r2, "witness")[0]["up"] is False, "it does not")
    # Only what r1 says is lost: the link stays up.
    r2.run(["nft", "add", "table", "ip", "t"])
    r2.run(["nft", "add", "chain", "ip", "t", "in", "{ type filter hook prerouting priority 0; }"])
    r2.run(["nft", "add", "rule", "ip", "t", "in", "ip", "protocol", "112", "drop"])
    pair.procs[1].wait_log(r"no advert from .* but no witness: staying BACKUP", timeout=15)
    assert state(r2) == "backup" and pair.holders() == ["r1"]
    barred = r2.instance("VI_1")["barred"]
    assert barred.startswith("no witness (witness gateway failed: exit 1"), barred
    assert r2.instance("VI_1")["reason"].startswith("no witness (witness gateway failed")
    assert "no witness" in r2.trivet("why", "VI_1").stdout
    assert "no witness" in r2.trivet("status", check=False).stdout
    # The node is well again, though it still hears nobody: it may.
    r2.witness.touch()
    wait_for(lambda: r2.holds(VIP), "it takes over with its witness", timeout=15)
    assert "no witness" not in r2.instance("VI_1")["reason"]


def test_a_master_goes_on_without_its_witness(lab):
    pair = witnessed_pair(lab)
    r1, r2 = pair.nodes
    r1.witness.unlink()
    wait_for(lambda: terms(r1, "witness")[0]["up"] is False, "the witness fails")
    holds_for(lambda: pair.holders() == ["r1"], "it goes on", 3)


def test_or_alone_ends_the_wait(lab):
    pair = witnessed_pair(lab, "or_alone 2s")
    r1, r2 = pair.nodes
    r2.witness.unlink()
    wait_for(lambda: terms(r2, "witness")[0]["up"] is False, "the witness fails")
    pair.procs[0].kill9()
    r1.ip("addr", "flush", "dev", "eth0")
    pair.procs[1].wait_log(r"but no witness: staying BACKUP", timeout=15)
    pair.procs[1].wait_log(r"Entering MASTER STATE: no witness, but alone for", timeout=15)
    assert r2.holds(VIP)


# ---- links by their names ----

def add_link(node, name, up=True):
    """One whose carrier is there: the other end is up."""
    node.ip("link", "add", name, "type", "veth", "peer", "name", f"p-{name}")
    node.ip("link", "set", f"p-{name}", "up")
    if up:
        node.ip("link", "set", name, "up")


def test_a_tracked_link_that_is_renamed_goes_and_comes(lab):
    lab.switch()
    node = lab.node("r1", f"{R1}/24")
    add_link(node, "wan0")
    extra = "track_interface {\n        wan0\n    }"
    vrrpd = node.daemon("vrrpd", instance(extra=extra))
    wait_for(lambda: node.holds(VIP), "master", timeout=12)
    node.ip("link", "set", "wan0", "down")
    node.ip("link", "set", "wan0", "name", "wan1")
    wait_for(lambda: state(node) == "fault" and not node.holds(VIP), "nothing is called wan0")
    vrrpd.wait_log("interface wan0 is down: there is no such interface")
    node.ip("link", "set", "wan1", "name", "wan0")
    node.ip("link", "set", "wan0", "up")
    wait_for(lambda: node.holds(VIP), "back by its name", timeout=12)
    node.ip("link", "del", "wan0")
    wait_for(lambda: state(node) == "fault", "deleted")
    add_link(node, "wan0")
    wait_for(lambda: node.holds(VIP), "another one of that name", timeout=12)


def test_weights_of_links(lab):
    lab.switch()
    node = lab.node("r1", f"{R1}/24")
    for name in ("a0", "b0", "c0"):
        add_link(node, name, up=name == "a0")
    extra = ("track_interface {\n        a0 weight 10\n        b0 weight -20\n"
             "        c0 weight -5 reverse\n    }")
    node.daemon("vrrpd", instance(priority=100, extra=extra))
    # a0 is up: +10; b0 is down: -20; c0 is down, reverse: +5.
    wait_for(lambda: node.instance("VI_1")["effectivePriority"] == 95, "100 + 10 - 20 + 5")
    node.ip("link", "set", "b0", "up")
    wait_for(lambda: node.instance("VI_1")["effectivePriority"] == 115, "b0 is up")
    node.ip("link", "set", "c0", "up")
    wait_for(lambda: node.instance("VI_1")["effectivePriority"] == 110, "c0 is up")
    node.ip("link", "set", "a0", "down")
    wait_for(lambda: node.instance("VI_1")["effectivePriority"] == 100, "a0 is down")


def test_a_group_tracks_a_link(lab):
    lab.switch()
    node = lab.node("r1", f"{R1}/24")
    add_link(node, "wan0")
    conf = ("vrrp_sync_group G {\n    group {\n        VI_1\n        VI_2\n    }\n"
            "    track_interface {\n        wan0\n    }\n}\n"
            + instance() + instance("VI_2", vrid=52, vips=("10.4.7.20/24",)))
    node.daemon("vrrpd", conf)
    wait_for(lambda: node.holds(VIP) and node.holds("10.4.7.20"), "master of both", timeout=12)
    node.ip("link", "set", "wan0", "down")
    wait_for(lambda: not node.holds(VIP) and not node.holds("10.4.7.20"), "neither")
    assert state(node, "VI_1") == state(node, "VI_2") == "fault"


def test_its_own_link_does_not_count_with_dont_track_primary(lab):
    pair = Pair(lab, lambda name, priority, *_: instance(
        priority=priority, extra="dont_track_primary"))
    pair.settle()
    pair.r1.cable("eth0", "down")
    wait_for(lambda: pair.r2.holds(VIP), "the peer takes over", timeout=12)
    assert state(pair.r1) == "master"
    pair.r1.cable("eth0", "up")
    pair.settle()


def test_a_link_counts_after_its_delay(lab):
    lab.switch()
    node = lab.node("r1", f"{R1}/24")
    for name in ("slow0", "quick0"):
        add_link(node, name)
    extra = "track_interface {\n        slow0 weight -20\n        quick0 weight -10\n    }"
    conf = "interface_up_down_delays {\n    slow0 1.5 1\n}\n" + instance(extra=extra)
    vrrpd = node.daemon("vrrpd", conf)
    priority = lambda: node.instance("VI_1")["effectivePriority"]  # noqa: E731
    wait_for(lambda: priority() == 100, "both are up")
    # A flap shorter than the delay: quick0's is noticed, so vrrpd has seen slow0's as well.
    node.ip("link", "set", "slow0", "down")
    node.ip("link", "set", "quick0", "down")
    node.ip("link", "set", "slow0", "up")
    wait_for(lambda: priority() == 90, "quick0 is down at once")
    holds_for(lambda: priority() == 90, "slow0 was never down", 2)
    node.ip("link", "set", "slow0", "down")
    wait_for(lambda: priority() == 70, "slow0 is down")
    vrrpd.wait_log("interface slow0 is down: set down")
    node.ip("link", "set", "slow0", "up")
    wait_for(lambda: [t["evidence"] for t in terms(node, "interface") if t["name"] == "slow0"]
             == ["not up for long enough yet"], "it says why")
    wait_for(lambda: priority() == 90, "and up")


# ---- the source address ----

def test_the_source_address_that_goes_is_a_fault(lab):
    def conf(name, priority, own, peer):
        return instance(priority=priority, peer=peer, source=own, extra="track_src_ip")

    pair = Pair(lab, conf)
    pair.settle()
    # Another one, so that the link has an address still.
    pair.r1.ip("addr", "add", "10.4.7.99/24", "dev", "eth0")
    pair.r1.run(["sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=1"])
    pair.r1.ip("addr", "del", f"{R1}/24", "dev", "eth0")
    pair.procs[0].wait_log(
        rf"Entering FAULT STATE: interface eth0 is down: it does not have the address {R1}")
    pair.settle("r2")
    pair.r1.ip("addr", "add", f"{R1}/24", "dev", "eth0")
    pair.settle("r1")


# ---- when it begins ----

def test_a_start_waits_and_a_restart_does_not(lab):
    conf = globals_of("r1", "    vrrp_startup_delay 2\n")
    group = "vrrp_sync_group G {\n    group {\n        VI_1\n        VI_2\n    }\n}\n"
    lab.switch()
    node = lab.node("r1", f"{R1}/24")
    text = conf + group + instance() + instance("VI_2", vrid=52, vips=("10.4.7.20/24",))
    vrrpd = node.daemon("vrrpd", text)
    assert state(node) == "init"
    assert node.instance("VI_1")["reason"] == "waiting for vrrp_startup_delay"
    vrrpd.wait_log("2 instances start after 2.000 s")
    wait_for(lambda: node.holds(VIP) and node.holds("10.4.7.20"), "master of both", timeout=15)
    vrrpd.kill9()
    again = node.respawn(vrrpd)
    again.wait_log("resumed as master")
    assert node.holds(VIP)
    assert not re.search("vrrp_startup_delay", again.log())


# ---- processes and files ----

def priority(node):
    return node.instance("VI_1")["effectivePriority"]


def tracked(lab, conf, extra):
    lab.switch()
    node = lab.node("r1", f"{R1}/24")
    node.conf = conf(node) + instance(extra=extra)
    node.checkd = node.daemon("checkd", node.conf)
    node.vrrpd = node.daemon("vrrpd", node.conf)
    return node


def test_a_process_and_how_many(lab):
    def conf(node):
        node.one = node.service("svc")
        return (f"vrrp_track_process svc {{\n    process {node.one.comm}\n    weight -20\n}}\n"
                f"vrrp_track_process only {{\n    process {node.one.comm}\n    quorum_max 1\n"
                "    weight 10\n}\n")

    node = tracked(lab, conf, "track_process {\n        svc\n        only weight -7\n    }")
    wait_for(lambda: node.holds(VIP) and priority(node) == 100, "one runs", timeout=12)
    two = node.spawn(node.one.argv, node.one.name)
    wait_for(lambda: priority(node) == 93, "two are too many")
    assert [t["evidence"] for t in terms(node, "process") if not t["up"]] == [
        f"2 processes named {node.one.comm}, 1 at most"]
    two.kill9()
    wait_for(lambda: priority(node) == 100, "one again")
    node.one.kill9()
    node.vrrpd.wait_log(rf"process svc is not running: no process named {node.one.comm}")
    wait_for(lambda: priority(node) == 73, "none: too few for both")
    why = node.trivet("why", "VI_1").stdout
    assert f"no process named {node.one.comm}" in why and "process svc" in why, why


def test_a_process_by_its_command_line(lab):
    def conf(node):
        node.one = node.service("svc")
        path = node.one.argv[0]
        block = "vrrp_track_process {} {{\n    process \"{}\"\n    {}\n    weight -{}\n}}\n"
        return (block.format("exact", f"{path} 100000", "", 1)
                + block.format("begun", f"{path} 1000", "param_match initial", 2)
                + block.format("other", f"{path} 5", "", 4)
                + block.format("bare", path, "param_match partial", 8)
                + block.format("full", path, "full_command", 16)
                + block.format("elsewhere", "/bin/" + node.one.comm, "full_command", 32))

    node = tracked(lab, conf, "track_process {\n        exact\n        begun\n        other\n"
                   "        bare\n        full\n        elsewhere\n    }")
    wait_for(lambda: priority(node) == 100 - 4 - 8 - 32, "three of them match")
    assert sorted(t["name"] for t in terms(node, "process") if t["up"]) == [
        "begun", "exact", "full"]


def test_a_process_that_comes_back_within_its_delay(lab):
    def conf(node):
        node.one = node.service("svc")
        return ("vrrp_track_process slow {\n"
                f"    process {node.one.comm}\n    terminate_delay 3\n    weight -20\n}}\n"
                f"vrrp_track_process quick {{\n    process {node.one.comm}\n    fork_delay 1\n"
                "    weight -10\n}\n")

    node = tracked(lab, conf, "track_process {\n        slow\n        quick\n    }")
    wait_for(lambda: node.holds(VIP) and priority(node) == 100, "it runs", timeout=12)
    node.one.kill9()
    wait_for(lambda: priority(node) == 90, "the quick one notices")
    again = node.respawn(node.one)
    wait_for(lambda: priority(node) == 100, "it is back, and has been for its fork_delay")
    assert not re.search("process slow is not running", node.vrrpd.log())
    again.kill9()
    wait_for(lambda: priority(node) == 70, "gone for longer than the delay")


def test_the_number_in_a_file(lab):
    def conf(node):
        node.score = node.write("score", "3\n", 0o644)
        node.flag = node.write("flag", "0\n", 0o644)
        return (f"vrrp_track_file score {{\n    file {node.score}\n    weight 2\n}}\n"
                f"track_file flag {{\n    file {node.flag}\n    weight 0\n}}\n")

    def put(path, text):
        """As a careful program does: another file in its place."""
        new = path.with_name(f"{path.name}.new")
        new.write_text(text)
        new.chmod(0o644)
        new.rename(path)

    node = tracked(lab, conf, "track_file {\n        score\n        flag\n    }")
    wait_for(lambda: node.holds(VIP) and priority(node) == 106, "100 + 2 * 3", timeout=12)
    put(node.score, "-20\n")
    node.vrrpd.wait_log("Changing effective priority from 106 to 60: file score says: -20")
    assert [t["contribution"] for t in terms(node, "file") if t["name"] == "score"] == [-40]
    put(node.flag, "1\n")
    node.vrrpd.wait_log("Entering FAULT STATE: file flag says: 1")
    put(node.flag, "0\n")
    wait_for(lambda: node.holds(VIP), "well again", timeout=12)
    # The next process knows the number before checkd has said a word.
    node.checkd.kill9()
    wait_for(lambda: not node.status("vrrpd")["peers"][0]["state"] == "live", "checkd is gone")
    node.vrrpd.kill9()
    again = node.respawn(node.vrrpd)
    again.wait_log("resumed as master")
    assert priority(node) == 60
    node.respawn(node.checkd)
    put(node.score, "-150\n")
    again.wait_log("Entering FAULT STATE: file score says: -150")
    put(node.score, "0\n")
    wait_for(lambda: priority(node) == 100 and state(node) != "fault", "0 is nothing")
    node.score.unlink()
    wait_for(lambda: priority(node) == 1, "no file: the worst")
    again.wait_log("file score has no number: ")
