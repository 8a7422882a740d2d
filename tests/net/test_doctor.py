"""`trivet doctor` on a pair at rest, and with one thing wrong at a time."""

import json
import subprocess

import pytest

from lab import wait_for
from vrrp import VIP, Pair, globals_of, instance


def conf(name, priority, own, peer):
    return globals_of(name) + instance(priority=priority)


@pytest.fixture
def pair(lab):
    pair = Pair(lab, conf)
    pair.settle("r1")
    return pair


def doctor(node, code=None):
    done = node.trivet("--json", "doctor", check=False, timeout=30)
    assert done.returncode in (0, 1), done.stderr
    findings = json.loads(done.stdout)["findings"]
    bad = [f for f in findings if f["severity"] != "notice"]
    assert done.returncode == (1 if bad else 0)
    assert code is None or done.returncode == code, findings
    return [f"{f['severity']}: {f['subject']}: {f['message']}" for f in bad]


def test_a_pair_at_rest(pair):
    """Nothing is wrong, and looking changes nothing."""
    for node in pair.nodes:
        assert doctor(node) == []
    assert pair.holders() == ["r1"]
    assert pair.r1.trivet("doctor").returncode == 0


@pytest.mark.parametrize("rule,said", [
    ("add rule inet f i ip protocol 112 drop", "a rule drops it"),
    ("add chain inet f i { policy drop; }", "policy drop, and no rule accepts it"),
], ids=["rule", "policy"])
def test_a_firewall(pair, rule, said):
    pair.r2.run(["nft", "add table inet f; add chain inet f i { type filter hook input priority 0; "
                 f"}}; {rule}"])
    found = doctor(pair.r2, 1)
    assert any(said in line and "firewall" in line for line in found), found


def test_a_second_holder_and_a_second_speaker(lab, pair):
    """A third host with our address, and our number, by hand."""
    other = lab.node("other", "10.4.7.77/24")
    other.ip("addr", "add", f"{VIP}/24", "dev", "eth0")
    found = doctor(pair.r1, 1)
    assert any(f"{VIP} is here, and {other.mac()} answers for it" in line for line in found), found
    other.ip("addr", "del", f"{VIP}/24", "dev", "eth0")
    peer = other.daemon("vrrpd", globals_of("other") + instance(
        priority=50, vips=("10.4.7.99/24",), extra="version 3"))
    peer.wait_log("Entering MASTER STATE")
    found = doctor(pair.r2, 1)
    assert any("10.4.7.77 speaks VRRP version 3 for router 51, we speak 2" in line
               for line in found), found


def test_the_interface_and_what_is_left_over(pair):
    pair.r1.ip("link", "set", "eth0", "multicast", "off")
    assert any("without MULTICAST" in line for line in doctor(pair.r1, 1))
    pair.r1.ip("link", "set", "eth0", "multicast", "on")
    pair.procs[0].kill9()
    found = doctor(pair.r1, 1)
    assert any(f"{VIP} is a virtual address and vrrpd does not answer" in line
               for line in found), found


def test_needs_root_and_no_words(pair):
    assert pair.r1.trivet("doctor", "now", check=False).returncode == 2
    done = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                           str(pair.r1.binary("trivet")), "doctor"], capture_output=True, text=True)
    assert done.returncode == 1 and "needs root" in done.stderr
    wait_for(lambda: pair.holders() == ["r1"], "nothing has moved")
