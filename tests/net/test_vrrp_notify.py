"""Notify scripts: keepalived's argv, our environment, one after another."""

from lab import wait_for
from vrrp import VIP, globals_of, instance, scapy_argv

SCRIPT = """#!/bin/sh
{{
	echo "$0 $*" | sed 's,.*/,,'
	env | grep '^TRIVET_' | sort
	echo --
}} >> {out}
{more}
"""


def start(lab, more="", lines=()):
    """A node whose scripts append what they were told to node.out."""
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    node.out = node.dir / "told"
    for name in ("master", "backup", "fault", "stop", "any", "lower", "deleted"):
        node.script(f"{name}.sh", SCRIPT.format(out=node.out, more=more))
    extra = "\n".join([
        *(f"notify_{kind} \"{node.dir}/{kind}.sh as written\"" for kind in
          ("master", "backup", "fault", "stop")), f"notify {node.dir}/any.sh", *lines])
    node.vrrpd = node.daemon("vrrpd", globals_of(
        "r1", "    script_user root\n    enable_script_security\n") + instance(extra=extra))
    return node


def told(node):
    """[(argv, environment)] in the order in which the scripts ran."""
    if not node.out.exists():
        return []
    entries = node.out.read_text().split("--\n")[:-1]
    return [(e.splitlines()[0], dict(line.split("=", 1) for line in e.splitlines()[1:]))
            for e in entries]


def argv(node):
    return [a for a, _ in told(node)]


def test_argv_environment_and_order(lab):
    node = start(lab)
    wait_for(lambda: len(told(node)) >= 4, "backup and master were told", timeout=8)
    assert argv(node) == ["backup.sh as written", "any.sh INSTANCE VI_1 BACKUP 100",
                          "master.sh as written", "any.sh INSTANCE VI_1 MASTER 100"]
    env = told(node)[2][1]
    assert env == {"TRIVET_INSTANCE": "VI_1", "TRIVET_OLD_STATE": "BACKUP",
                   "TRIVET_NEW_STATE": "MASTER", "TRIVET_PRIORITY": "100",
                   "TRIVET_REASON": env["TRIVET_REASON"], "TRIVET_VIPS": VIP}
    assert env["TRIVET_REASON"].startswith("no advert for 3.6")
    node.link("eth0", "down")
    wait_for(lambda: len(told(node)) >= 6, "fault was told")
    assert argv(node)[4:] == ["fault.sh as written", "any.sh INSTANCE VI_1 FAULT 100"]
    node.vrrpd.stop()
    assert argv(node)[6:] == ["stop.sh as written", "any.sh INSTANCE VI_1 STOP 100"]


def test_one_after_another(lab):
    """A slow one delays the next, and the election waits for neither."""
    node = start(lab, more="sleep 0.5")
    wait_for(lambda: node.holds(VIP), "master in time", timeout=4.5)
    wait_for(lambda: len(told(node)) >= 4, "all were told", timeout=8)
    assert argv(node)[0].startswith("backup.sh") and argv(node)[3].endswith("MASTER 100")


def test_exit_code_is_logged(lab):
    node = start(lab, more="echo went wrong; exit 3")
    node.vrrpd.wait_log(r"\(VI_1\) notify_backup: exit 3: went wrong")
    wait_for(lambda: node.holds(VIP), "and nothing else comes of it", timeout=6)


def test_adoption_tells_nobody(lab):
    node = start(lab)
    wait_for(lambda: len(told(node)) >= 4, "backup and master were told", timeout=8)
    node.vrrpd.kill9()
    node.vrrpd = node.daemon("vrrpd")
    node.vrrpd.wait_log("resumed as master")
    node.link("eth0", "down")
    wait_for(lambda: len(told(node)) >= 6, "fault was told")
    assert argv(node)[4].startswith("fault.sh")


def test_priority_changes_and_losing_adverts(lab):
    """Said when asked for: notify_priority_changes, notify_master_rx_lower_pri."""
    node = start(lab, lines=["notify_priority_changes",
                             f"notify_master_rx_lower_pri \"{lab.dir}/r1/lower.sh lower\""])
    wait_for(lambda: len(told(node)) >= 4, "backup and master were told", timeout=8)
    node.call("vrrpd", "org.trivet.vrrp.control.AdjustPriority", {"name": "VI_1", "delta": -30})
    wait_for(lambda: "any.sh INSTANCE VI_1 MASTER_PRIORITY 70" in argv(node), "the new priority")
    other = lab.node("r2", "10.4.7.12/24")
    other.spawn(scapy_argv("""
for i in range(3):
    sendp(Ether(src=get_if_hwaddr(iface), dst="01:00:5e:00:00:12") /
          IP(src="10.4.7.12", dst="224.0.0.18", ttl=255, proto=112) /
          VRRP(version=2, vrid=51, priority=10, adv=1, authtype=0, addrlist=["10.4.7.10"]),
          iface=iface, verbose=0)
"""), "scapy")
    wait_for(lambda: "lower.sh lower" in argv(node), "a losing advert", timeout=10)
    wait_for(lambda: node.instance("VI_1")["counters"]["advertisementsReceived"] >= 3, "three of them")
    assert argv(node).count("lower.sh lower") == 1


def test_a_removed_instance_is_told_of(lab):
    """Its script runs although the instance is gone by then."""
    node = start(lab, lines=[f"notify_deleted \"{lab.dir}/r1/deleted.sh as written\""])
    wait_for(lambda: len(told(node)) >= 4, "backup and master were told", timeout=8)
    node.write("trivet.conf", globals_of("r1") + instance(name="VI_2", vrid=52))
    node.call("vrrpd", "org.trivet.daemon.control.Reload")
    wait_for(lambda: len(told(node)) >= 6, "deleted was told")
    assert argv(node)[4:] == ["deleted.sh as written", "any.sh INSTANCE VI_1 DELETED 100"]
