"""What the bus is told of an instance, and what the bus tells it: verdicts of
checkd in the sum.  Every reply is held against the .varlink text."""

import signal

import pytest

import varlink
from lab import holds_for, proc_status, wait_for
from vrrp import VIP, Pair, globals_of, instance, metric

LIST = "org.trivet.vrrp.ListInstances"


def checked(node, method, **parameters):
    return varlink.call(node.socket_path("vrrpd"), method, **parameters)


def test_list_and_monitor_follow_the_interface(lab):
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    node.daemon("vrrpd", globals_of("r1") + instance()
                + instance(name="VI_2", vrid=52, vips=["10.4.7.20/24"]))
    reply = checked(node, LIST)
    assert [i["key"] for i in reply["instances"]] == ["VI_1", "VI_2"]
    one = checked(node, LIST, name="VI_2")["instances"]
    assert [(i["name"], i["virtualRouterId"], i["state"]) for i in one] == [("VI_2", 52, "backup")]
    with pytest.raises(varlink.VarlinkError) as error:
        checked(node, LIST, name="VI_9")
    assert error.value.error == "org.trivet.vrrp.NoSuchInstance"

    with varlink.connect(node.socket_path("vrrpd")) as bus:
        seen = {}
        for message in bus.monitor("org.trivet.vrrp.Monitor", heartbeatMs=500):
            for shown in message.get("instances") or []:
                seen[shown["key"]] = shown["state"]
            if seen == {"VI_1": "master", "VI_2": "master"}:
                break
    shown = checked(node, LIST, name="VI_1")["instances"][0]
    assert (shown["masterAddress"], shown["masterPriority"]) == ("10.4.7.11", 100)
    assert metric(node, "vrrpd_state", iname="VI_1", intf="eth0", vrid="51", ip_address=VIP) == 2
    assert metric(node, "vrrpd_advertisements_sent_total", iname="VI_1") >= 1


def test_backup_names_its_master(lab):
    pair = Pair(lab, lambda name, priority, own, peer:
                globals_of(name) + instance(priority=priority))
    pair.settle("r1")
    wait_for(lambda: pair.r2.instance("VI_1")["masterPriority"] == 100, "heard")
    assert pair.r2.instance("VI_1")["masterAddress"] == "10.4.7.11"


def test_events_name_the_cause(lab):
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    node.daemon("vrrpd", globals_of("r1") + instance())
    wait_for(lambda: node.holds(VIP), "r1 is master", timeout=6)
    reply = checked(node, "org.trivet.daemon.Events")
    entered = [e for e in reply["events"] if e["fields"].get("to") == "MASTER"]
    assert [(e["subject"], e["fields"]["why"]) for e in entered] == [("VI_1", "no-advert")]


def test_privileges(lab):
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    proc = node.daemon("vrrpd", globals_of("r1") + instance())
    wait_for(lambda: node.holds(VIP), "it works with what it has", timeout=6)
    status = proc_status(proc.pid)
    net_admin_and_raw = 1 << 12 | 1 << 13
    assert "0" not in status["Uid"].split()
    for name in ("CapEff", "CapPrm"):
        assert int(status[name], 16) == net_admin_and_raw
    for name in ("CapInh", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0
    assert status["NoNewPrivs"] == "1"


# ---- verdicts ----

def with_check(node, weight=-20, hold="", **more):
    """Priority 100, minus the weight while nothing listens on port 7443."""
    return (globals_of(node.name)
            + f"check web {{\n    port 7443\n    weight {weight}\n    {hold}\n}}\n"
            + instance(extra="track_check {\n        web\n    }", **more))


def node_with_check(lab, **more):
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    node.text = with_check(node, **more)
    return node


def test_a_verdict_changes_the_sum(lab):
    node = node_with_check(lab)
    web = node.listener(7443)
    node.daemon("checkd", node.text)
    proc = node.daemon("vrrpd", node.text)
    wait_for(lambda: node.holds(VIP), "r1 is master", timeout=6)
    assert node.instance("VI_1")["effectivePriority"] == 100
    web.kill9()
    proc.wait_log(r"\(VI_1\) Changing effective priority from 100 to 80: check web failed: ")
    shown = node.instance("VI_1")
    term = next(t for t in shown["terms"] if t["name"] == "web")
    assert (term["kind"], term["up"], term["contribution"]) == ("script", False, -20)
    assert term["evidence"] and shown["effectivePriority"] == 80
    node.respawn(web)
    proc.wait_log(r"\(VI_1\) Changing effective priority from 80 to 100: check web passed")


def test_weight_0_is_fault(lab):
    node = node_with_check(lab, weight=0)
    web = node.listener(7443)
    node.daemon("checkd", node.text)
    proc = node.daemon("vrrpd", node.text)
    wait_for(lambda: node.holds(VIP), "r1 is master", timeout=6)
    web.kill9()
    proc.wait_log(r"\(VI_1\) Entering FAULT STATE: check web failed: ")
    assert not node.holds(VIP)
    node.respawn(web)
    proc.wait_log(r"\(VI_1\) Entering BACKUP STATE: fault cleared")


def test_checkd_restarted_and_gone(lab):
    """The verdict is held; shown as degraded once its own time is over."""
    node = node_with_check(lab)
    node.listener(7443)
    checkd = node.daemon("checkd", node.text)
    node.daemon("vrrpd", node.text)
    wait_for(lambda: node.holds(VIP), "r1 is master", timeout=6)
    before = node.instance("VI_1")
    checkd.kill9()
    checkd = node.daemon("checkd")
    holds_for(lambda: node.instance("VI_1")["effectivePriority"] == 100, "held", 1)
    checkd.kill(signal.SIGTERM)
    checkd.wait()
    wait_for(lambda: node.status("vrrpd")["health"] == "degraded", "shown as degraded", timeout=5)
    shown = node.instance("VI_1")
    assert (shown["state"], shown["effectivePriority"]) == ("master", 100)
    assert shown["lastTransitionUsec"] == before["lastTransitionUsec"]
    peers = {p["interface"]: p["state"] for p in node.status("vrrpd")["peers"]}
    assert peers == {"org.trivet.check": "down"}
    node.daemon("checkd")
    wait_for(lambda: node.status("vrrpd")["health"] == "ok", "and well again", timeout=8)


def test_on_lost_fail(lab):
    node = node_with_check(lab, hold="hold 1\n    on_lost fail")
    node.listener(7443)
    checkd = node.daemon("checkd", node.text)
    proc = node.daemon("vrrpd", node.text)
    wait_for(lambda: node.holds(VIP), "r1 is master", timeout=6)
    checkd.kill9()
    proc.wait_log(r"Changing effective priority from 100 to 80: check web: checkd silent for too "
                  "long", timeout=8)


def test_checkd_never_answered(lab):
    """No verdict keeps a starting instance from MASTER for at most hold, then counts as failed."""
    node = node_with_check(lab, weight=0, hold="hold 2")
    proc = node.daemon("vrrpd", node.text)
    proc.wait_log(r"Entering BACKUP STATE \(init\)")
    proc.wait_log(r"Entering FAULT STATE: check web: checkd never answered", timeout=5)
    assert not node.holds(VIP)


def test_a_respawned_vrrpd_has_its_terms_without_checkd(lab):
    """Adoption with the recorded terms: the lowered priority goes on."""
    node = node_with_check(lab)
    checkd = node.daemon("checkd", node.text)
    proc = node.daemon("vrrpd", node.text)
    proc.wait_log("Entering MASTER STATE", timeout=6)
    assert node.instance("VI_1")["effectivePriority"] == 80
    checkd.kill9()
    proc.kill9()
    proc = node.daemon("vrrpd")
    proc.wait_log("resumed as master")
    shown = node.instance("VI_1")
    assert shown["effectivePriority"] == 80
    assert next(t for t in shown["terms"] if t["name"] == "web")["up"] is False
