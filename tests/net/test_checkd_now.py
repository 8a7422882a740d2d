"""CheckNow: whoever decides by a verdict may ask for a fresh one."""

import pwd

import pytest

import varlink
from lab import PATIENCE, wait_for
from test_bus import as_user
from test_checkd import LIST, MONITOR, check, make  # noqa: F401 (a fixture)

NOW = "org.trivet.check.CheckNow"


class Asker:
    """A question that is on: answers may come late."""

    def __init__(self, c, name):
        self.bus = varlink.connect(c.node.socket_path("checkd"))
        self.bus.send(NOW, {"name": name})

    def answer(self):
        return self.bus.answer(NOW)


def runs(c):
    [metric] = c.call("org.trivet.daemon.ListMetrics", prefix="checkd_check_runs_total")["metrics"]
    return metric["value"]


def counting(c, body="exit 0"):
    """A script that writes down its runs."""
    c.node.script("script.sh", f"#!/bin/sh\necho x >> {c.node.dir}/ran\n{body}\n")
    return f'script "{c.node.dir}/script.sh"'


def n_ran(c):
    return len((c.node.dir / "ran").read_text().splitlines())


def test_it_runs_now_and_tells(make):
    c = make()
    c.start(check("s", counting(c, f"[ ! -e {c.node.dir}/bad ]"), interval="60s"))
    before = c.wait("s", "up")
    (c.node.dir / "bad").touch()
    watch = varlink.connect(c.node.socket_path("checkd")).monitor(MONITOR)
    next(watch)
    said = c.call(NOW, name="s")
    assert said["state"] == "down" and said["reason"] == "exit" and said["durationUsec"] > 0
    # "My answer is in that message": a subscriber sees it with that sequence, not after it.
    while (message := next(watch))["sequence"] < said["sequence"]:
        pass
    seen = c.get("s")
    assert seen["state"] == "down" and seen["lastCheckedUsec"] > before["lastCheckedUsec"]
    assert n_ran(c) == 2
    assert [s["state"] for s in message["checks"]] == ["down"]


def test_an_unchanged_verdict_is_told_as_young(make):
    """The consumer's own copy says so too, not only the answer."""
    c = make(check("p", "process init-that-is-not", interval="60s"))
    before = c.wait("p", "down")
    watch = varlink.connect(c.node.socket_path("checkd")).monitor(MONITOR)
    next(watch)
    c.call(NOW, name="p")
    [seen] = next(watch)["checks"]
    assert seen["validUntilUsec"] > before["validUntilUsec"]
    assert seen["state"] == "down"


def test_a_run_that_is_on_is_not_the_answer(make):
    """It began before the question: what it saw may be older."""
    c = make()
    c.start(check("s", counting(c, f"while [ ! -e {c.node.dir}/go ]; do sleep 0.02; done\n"
                                   f"[ -e {c.node.dir}/good ]"),
                  interval="60s", timeout="30s"))
    wait_for(lambda: (c.node.dir / "ran").exists() and n_ran(c) == 1, "the first run is on")
    asker = Asker(c, "s")
    wait_for(lambda: c.state("s") == "unknown", "the question is in")
    (c.node.dir / "go").touch()
    c.wait("s", "down")
    (c.node.dir / "good").touch()
    assert asker.answer()["state"] in ("up", "down")
    assert n_ran(c) == 2


def test_many_who_ask_are_answered_by_few_runs(make):
    c = make()
    c.start(check("s", counting(c, f"while [ ! -e {c.node.dir}/go ]; do sleep 0.02; done"),
                  interval="60s", timeout="30s"))
    wait_for(lambda: (c.node.dir / "ran").exists(), "a run is on")
    askers = [Asker(c, "s") for _ in range(10)]
    c.call(LIST)
    (c.node.dir / "go").touch()
    assert {a.answer()["state"] for a in askers} == {"up"}
    assert n_ran(c) <= 4


def test_too_many_are_turned_away(make):
    c = make()
    c.start(check("s", counting(c, f"while [ ! -e {c.node.dir}/go ]; do sleep 0.02; done"),
                  interval="60s", timeout="30s"))
    wait_for(lambda: (c.node.dir / "ran").exists(), "a run is on")
    askers = [Asker(c, "s") for _ in range(17)]
    with pytest.raises(varlink.VarlinkError) as turned_away:
        askers[-1].answer()
    assert turned_away.value.error == "org.trivet.check.CheckBusy"
    assert turned_away.value.parameters == {"name": "s"}
    askers[0].bus.close()  # and one who leaves makes room
    askers.append(Asker(c, "s"))
    (c.node.dir / "go").touch()
    assert {a.answer()["state"] for a in askers[1:16] + askers[17:]} == {"up"}


def test_who_may_ask(make):
    c = make(check("p", "port 22"))
    c.wait("p", "down")
    for user in "_trivet-vrrpd", "_trivet-proxyd":
        with as_user(pwd.getpwnam(user).pw_uid):
            assert c.call(NOW, name="p")["state"] == "down"
    with as_user(pwd.getpwnam("nobody").pw_uid):
        with pytest.raises(varlink.VarlinkError, match="PermissionDenied"):
            c.call(NOW, name="p")
    with pytest.raises(varlink.VarlinkError, match="NoSuchCheck"):
        c.call(NOW, name="q")


def test_the_check_goes_while_one_waits(make):
    c = make()
    slow = counting(c, "sleep 20")
    c.start(check("s", slow, interval="60s", timeout="30s") + check("p", "port 22"))
    wait_for(lambda: (c.node.dir / "ran").exists(), "a run is on")
    asker = Asker(c, "s")
    c.call(LIST)
    c.reload(check("p", "port 22"))
    with pytest.raises(varlink.VarlinkError, match="NoSuchCheck"):
        asker.answer()


def test_questions_do_not_set_the_pace(make):
    """As often as somebody may ask: ten runs a second, no more."""
    c = make(check("p", "process init-that-is-not", interval="60s"))
    c.wait("p", "down")
    was, began = runs(c), c.get("p")["lastCheckedUsec"]
    for _ in range(8):
        c.call(NOW, name="p")
    took = (c.get("p")["lastCheckedUsec"] - began) / 1e6
    assert runs(c) - was == 8
    assert 0.7 <= took < 3 * PATIENCE
