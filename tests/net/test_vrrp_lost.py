"""When checkd or proxyd is away, or was never there: how long its word stands, and what then."""

from lab import holds_for, wait_for
from vrrp import R1, VIP, instance


def priority(node):
    return node.instance("VI_1")["effectivePriority"]


def evidence(node, name):
    [term] = [t for t in node.instance("VI_1")["terms"] if t["name"] == name]
    return term["evidence"] or ""


def reasons(node):
    return " ".join(node.status("vrrpd")["healthReasons"])


def node_with(lab, conf, *daemons):
    lab.switch()
    node = lab.node("r1", f"{R1}/24")
    node.script("ok.sh", "#!/bin/sh\nexit 0\n")
    text = conf.replace("OK", str(node.dir / "ok.sh"))
    for name in daemons:
        setattr(node, name, node.daemon(name, text))
    return node


CHECKS = """
check fragile {
    script "OK"
    interval 200ms
    timeout 2s
    hold 1s
    on_lost fail
    weight -20
}
check steady {
    script "OK"
    interval 200ms
    timeout 2s
    hold 1s
    weight -30
}
"""
TRACK = "track_check {\n        fragile\n        steady\n    }"


def test_verdicts_stand_for_their_hold_and_then_as_said(lab):
    node = node_with(lab, CHECKS + instance(extra=TRACK), "checkd", "vrrpd")
    wait_for(lambda: node.holds(VIP) and priority(node) == 100, "both pass", timeout=15)
    node.checkd.kill9()
    node.vrrpd.wait_log("checkd is silent .*: its last verdicts are held")
    wait_for(lambda: evidence(node, "steady").startswith("held"), "valid no longer, but held")
    assert "the verdict of check" in reasons(node)
    node.vrrpd.wait_log(
        "Changing effective priority from 100 to 80: check fragile: checkd silent for too long")
    assert evidence(node, "fragile").startswith("lost")
    assert node.trivet("status", "--plugin", check=False).returncode in (1, 2)
    holds_for(lambda: priority(node) == 80 and node.holds(VIP), "steady stands", 2)
    node.respawn(node.checkd)
    wait_for(lambda: priority(node) == 100, "checkd is back")
    wait_for(lambda: "the verdict of check" not in reasons(node), "and nothing is wrong")


def test_a_short_absence_is_not_felt(lab):
    conf = CHECKS.replace("hold 1s", "hold 30s")
    node = node_with(lab, conf + instance(extra=TRACK), "checkd", "vrrpd")
    wait_for(lambda: node.holds(VIP) and priority(node) == 100, "both pass", timeout=15)
    node.checkd.kill9()
    node.vrrpd.wait_log("its last verdicts are held")
    node.respawn(node.checkd)
    node.vrrpd.wait_log("checkd answers", count=2)
    assert "Changing effective priority" not in node.vrrpd.log() and node.holds(VIP)


def test_a_checkd_that_was_never_there_is_waited_for_and_counts_as_failed(lab):
    conf = CHECKS.replace("hold 1s", "hold 6s")
    node = node_with(lab, conf + instance(extra=TRACK), "vrrpd")
    assert node.instance("VI_1")["barred"] == "a tracker has no verdict yet"
    assert evidence(node, "steady") == "pending"
    node.vrrpd.wait_log(
        "Changing effective priority from 100 to 50: check fragile: checkd never answered",
        timeout=15)
    wait_for(lambda: node.holds(VIP), "it takes part all the same", timeout=15)
    assert evidence(node, "steady") == "never"
    assert "is never" in reasons(node)


def test_a_check_without_weight_that_was_never_answered_is_a_fault(lab):
    conf = CHECKS.replace("weight -30", "weight 0")
    node = node_with(lab, conf + instance(extra="track_check {\n        steady\n    }"), "vrrpd")
    node.vrrpd.wait_log("Entering FAULT STATE: check steady: checkd never answered", timeout=15)
    assert not node.holds(VIP)


def test_a_proxyd_that_was_never_there_counts_as_failed_after_its_hold(lab):
    stream = "stream {\n    upstream api {\n        server 10.4.7.21:6443;\n    }\n}\n"
    extra = "track_upstream api weight -30\n    track_proxy weight -7 hold 1s"
    node = node_with(lab, stream + instance(extra=extra), "vrrpd")
    wait_for(lambda: priority(node) == 63, "neither has ever answered", timeout=15)
    wait_for(lambda: node.holds(VIP), "it takes part all the same", timeout=15)
    assert evidence(node, "api") == "never"
