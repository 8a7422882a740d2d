"""The operator's word: giving the address away, and a term of his own in the sum
(org.trivet.vrrp.control; trivet failover, priority, resume)."""

import pytest

from lab import PATIENCE, VarlinkError, holds_for, wait_for
from vrrp import VIP, Pair, globals_of, instance

CONTROL = "org.trivet.vrrp.control."


def conf(name, priority, own, peer):
    return globals_of(name) + instance(priority=priority, peer=peer, source=own)


@pytest.fixture
def pair(lab):
    one = Pair(lab, conf)
    one.settle("r1")
    return one


def call(node, method, **parameters):
    return node.call("vrrpd", CONTROL + method, {"name": "VI_1", **parameters})


def test_failover_and_back(pair):
    """The peer has it at once; the better node does not take it back until told so."""
    said = pair.r1.trivet("failover", "VI_1").stdout
    assert said.startswith("VI_1: 10.4.7.12 has taken over, after ")
    assert float(said.split()[-2]) < 1.5 * PATIENCE, "one skew time, as after priority 0"
    pair.settle("r2")
    pair.procs[0].wait_log(r"\(VI_1\) Entering BACKUP STATE: released by the operator: uid 0")
    holds_for(lambda: pair.holders() == ["r2"], "it stays there", 5)
    assert pair.r1.instance("VI_1")["barred"] == "released by the operator"
    assert "It does not take over: released by the operator." in pair.r1.trivet("why").stdout

    refused = pair.r1.trivet("failover", "VI_1", check=False)
    assert refused.returncode == 1 and "NotMaster" in refused.stderr
    pair.r1.trivet("resume", "VI_1")
    pair.settle("r1", timeout=6)
    assert pair.r1.instance("VI_1")["barred"] is None


def test_nobody_takes_over(pair):
    pair.procs[1].stop()
    failed = pair.r1.trivet("failover", "VI_1", check=False)
    assert failed.returncode == 1
    assert "nobody took over for" in failed.stderr and "has taken it back" in failed.stderr
    assert pair.holders() == ["r1"]


def test_forced_until_its_time_is_over(pair):
    """Whatever happens to the other node, and over a restart of vrrpd."""
    call(pair.r1, "Release", force=True, holdMs=12000)
    pair.settle("r2")
    pair.procs[0].stop()
    pair.start(0)
    assert pair.r1.instance("VI_1")["barred"].startswith("released by the operator, forced, for ")
    pair.procs[1].stop()
    holds_for(lambda: pair.holders() == [], "nobody has it", 5)
    pair.settle("r1", timeout=12)


def test_priority_term(pair):
    pair.r1.trivet("priority", "--for", "3s", "VI_1", "-20")
    pair.procs[0].wait_log(r"\(VI_1\) Changing effective priority from 100 to 80: "
                           r"operator adjusted: uid 0, for 3 s")
    term = next(t for t in pair.r1.instance("VI_1")["terms"] if t["kind"] == "operator")
    assert (term["contribution"], term["evidence"]) == (-20, "uid 0, for 3 s")
    assert "-20  operator" in pair.r1.trivet("why", "VI_1").stdout
    pair.settle("r2", timeout=4)
    pair.procs[0].wait_log("from 80 to 100: operator adjusted: its time is over")
    pair.settle("r1", timeout=6)
    assert all(t["kind"] != "operator" for t in pair.r1.instance("VI_1")["terms"])


def test_priority_term_outlives_vrrpd(pair):
    pair.r1.trivet("priority", "VI_1", "-60")
    pair.settle("r2", timeout=6)
    pair.procs[0].kill9()
    pair.start(0)
    assert pair.r1.instance("VI_1")["effectivePriority"] == 40
    holds_for(lambda: pair.holders() == ["r2"], "r2 keeps it", 5)
    pair.r1.trivet("priority", "VI_1", "none")
    pair.settle("r1", timeout=6)


@pytest.mark.parametrize("method,parameters,error", [
    ("Release", {"name": "VI_9"}, CONTROL + "NoSuchInstance"),
    ("Resume", {"name": "VI_9"}, CONTROL + "NoSuchInstance"),
    ("AdjustPriority", {"name": "VI_9", "delta": 1}, CONTROL + "NoSuchInstance"),
    ("AdjustPriority", {"delta": 256}, "org.varlink.service.InvalidParameter"),
    ("AdjustPriority", {"delta": -256}, "org.varlink.service.InvalidParameter"),
    ("AdjustPriority", {"delta": 1, "holdMs": 0}, "org.varlink.service.InvalidParameter"),
    ("Release", {"holdMs": -5}, "org.varlink.service.InvalidParameter"),
])
def test_refused(lab, method, parameters, error):
    lab.switch("lan")
    r1 = lab.node("r1", "10.4.7.11/24")
    r1.daemon("vrrpd", globals_of("r1") + instance())
    with pytest.raises(VarlinkError) as refused:
        call(r1, method, **parameters)
    assert refused.value.error == error
    assert r1.instance("VI_1")["effectivePriority"] == 100


@pytest.mark.parametrize("words,says", [
    (["failover"], "which instance?"),
    (["failover", "VI_1", "VI_2"], "unexpected argument 'VI_2'"),
    (["failover", "--for", "soon", "VI_1"], "'soon' is not a time"),
    (["failover", "--hard", "VI_1"], "unknown option '--hard'"),
    (["priority", "VI_1"], "by how much?"),
    (["priority", "VI_1", "20"], "by how much?"),
    (["priority", "VI_1", "+999"], "by how much?"),
    (["priority", "--force", "VI_1", "+9"], "unknown option '--force'"),
])
def test_wrong_words(lab, words, says):
    done = lab.node("r1").trivet(*words, check=False)
    assert done.returncode == 2 and says in done.stderr
