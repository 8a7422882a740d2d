"""What an operator says of a check: above its verdict, over reloads and
restarts, for a time or until he takes it back; and how often it changed."""

import pytest

import varlink
from lab import holds_for, wait_for
from test_checkd import LIST, check, make  # noqa: F401 (a fixture)
from test_checkd_now import NOW, counting, n_ran

SET = "org.trivet.check.control.SetAdministrative"


def toggled(c, name="s", interval="100ms", **options):
    """A check that is up unless the file "bad" is there."""
    return check(name, counting(c, f"[ ! -e {c.node.dir}/bad ]"), interval=interval, **options)


def test_forced(make):
    c = make()
    c.start(toggled(c))
    c.wait("s", "up")
    watch = c.monitor()
    watch.until("s", "up")
    c.node.trivet("force", "s", "down", "new", "disk")
    seen = watch.until("s", "down")
    assert seen["administrative"] == "forcedDown" and seen["administrativeComment"] == "new disk"
    assert seen["lastDetail"] == "forced by an operator: new disk"
    assert seen["administrativeUntilUsec"] is None
    c.proc.wait_log(r"check s is set to forcedDown: by uid 0 pid \d+: new disk")
    c.proc.wait_log(r"check s is down: forced by an operator: new disk$")
    # It runs on, and does not change what counts.
    before = n_ran(c)
    wait_for(lambda: n_ran(c) > before + 2, "it runs on")
    assert c.state("s") == "down"
    status = c.node.trivet("status", check=False)
    assert "check is forcedDown by an operator" in status.stdout
    c.node.trivet("force", "s", "up")
    assert c.state("s") == "up"
    (c.node.dir / "bad").touch()
    wait_for(lambda: c.get("s")["consecutiveFailures"] >= 2, "it fails")
    assert c.state("s") == "up"
    c.node.trivet("force", "s", "auto")
    assert c.state("s") == "down"  # its own verdict, without waiting for a run
    assert c.get("s")["administrative"] == "auto"


def test_paused(make):
    c = make()
    slow, waits, go = (c.node.dir / name for name in ("slow", "waits", "go"))
    c.start(check("s", counting(c, f"if [ -e {slow} ]; then touch {waits}; "
                                   f"while [ ! -e {go} ]; do sleep 0.02; done; fi\n"
                                   f"[ ! -e {c.node.dir}/bad ]"), interval="100ms", timeout="60s"))
    c.wait("s", "up")
    slow.touch()
    wait_for(waits.exists, "a run is on")
    c.node.trivet("pause", "s")
    seen = c.get("s")
    # Its verdict does not grow old: nobody may give it up for want of a run.
    assert seen["administrative"] == "paused" and seen["validUntilUsec"] is None
    # That of the run that was on does not count any more.
    (c.node.dir / "bad").touch()
    before = n_ran(c)
    go.touch()
    holds_for(lambda: c.state("s") == "up" and n_ran(c) == before, "it does not run", 0.5)
    c.node.trivet("resume", "s")
    seen = c.wait("s", "down")
    assert seen["administrative"] == "auto" and seen["validUntilUsec"] > seen["lastCheckedUsec"]


def test_a_resumed_check_runs_at_once(make):
    c = make()
    c.start(toggled(c, interval="60s"))
    c.wait("s", "up")
    c.node.trivet("pause", "s")
    (c.node.dir / "bad").touch()
    c.node.trivet("resume", "s")
    c.wait("s", "down")


def test_for_a_time(make):
    c = make()
    c.start(toggled(c, interval="60s"))
    c.wait("s", "up")
    watch = c.monitor()
    watch.until("s", "up")
    c.node.trivet("force", "--for", "300ms", "s", "down")
    assert watch.until("s", "down")["administrativeUntilUsec"] is not None
    seen = c.wait("s", "up")
    assert seen["administrative"] == "auto" and seen["administrativeComment"] is None
    c.proc.wait_log("check s is set to auto: its time is over")
    assert n_ran(c) == 1


@pytest.mark.parametrize("how", ["reload", "restart", "crash", "another question"])
def test_it_outlives(make, how):
    c = make()
    conf = toggled(c) + check("p", "port 22", interval="100ms")
    c.start(conf)
    c.wait("s", "up")
    c.wait("p", "down")
    c.node.trivet("force", "--for", "1h", "s", "down", "work")
    c.node.trivet("pause", "p")
    if how == "crash":
        wait_for(lambda: "forcedDown" in (c.node.run_dir / "checkd/state").read_text() and
                 "paused" in (c.node.run_dir / "checkd/state").read_text(), "it is written")
        c.proc.kill9()
        c.proc = c.node.respawn(c.proc)
    elif how == "restart":
        c.proc.stop()
        c.proc = c.node.respawn(c.proc)
    elif how == "another question":
        c.reload(check("p", "port 23") + check("s", "port 22"))
    else:
        c.reload(conf + check("q", "port 24"))
    wait_for(lambda: c.proc.alive() and c.node.socket_path("checkd").exists(), "it is there")
    shown = wait_for(lambda: seen(c), "it answers")
    assert shown["s"]["administrative"] == "forcedDown" and shown["s"]["state"] == "down"
    assert shown["s"]["administrativeComment"] == "work"
    assert shown["s"]["administrativeUntilUsec"] is not None
    assert shown["p"]["administrative"] == "paused"
    if how in ("restart", "crash"):  # and the verdict below it
        c.node.trivet("pause", "s")
        assert c.get("s")["state"] == "up"


def seen(c):
    try:
        return {s["name"]: s for s in c.call(LIST)["checks"]}
    except OSError:
        return None


def test_who_asks_for_a_run_learns_the_word(make):
    c = make()
    c.start(toggled(c, interval="60s"))
    c.wait("s", "up")
    c.node.trivet("force", "s", "down")
    assert {k: c.call(NOW, name="s")[k] for k in ("state", "reason")} == {
        "state": "down", "reason": "forcedDown"}
    c.node.trivet("pause", "s")
    assert c.call(NOW, name="s")["state"] == "up"
    assert n_ran(c) == 1


def test_a_pause_answers_who_waits(make):
    c = make()
    c.start(check("s", counting(c, "sleep 10"), interval="60s", timeout="30s"))
    wait_for(lambda: (c.node.dir / "ran").exists(), "a run is on")
    bus = varlink.connect(c.node.socket_path("checkd"))
    bus.send(NOW, {"name": "s"})
    c.call(LIST)
    c.node.trivet("force", "s", "up")
    assert bus.answer(NOW)["state"] == "up"


@pytest.mark.parametrize("given, error", [
    ({"name": "q", "administrative": "paused"}, "control.NoSuchCheck"),
    ({"name": "s", "administrative": "off"}, "InvalidParameter"),
    ({"name": "s", "administrative": "paused", "holdMs": 0}, "InvalidParameter"),
    ({"name": "s", "administrative": "paused", "holdMs": 1 << 60}, "InvalidParameter"),
    ({"name": "s", "administrative": "paused", "comment": "x" * 128}, "InvalidParameter"),
], ids=lambda v: str(v)[:40])
def test_what_is_refused(make, given, error):
    c = make(check("s", "port 22"))
    with pytest.raises(varlink.VarlinkError, match=error):
        c.call(SET, **given)
    assert c.get("s")["administrative"] == "auto"


def test_flapping_is_counted(make):
    c = make()
    c.start(toggled(c, interval="50ms", timeout="5s"))
    c.wait("s", "up")
    assert c.get("s")["changesLastHour"] == 0  # the first verdict is no change
    for i in range(5):
        (c.node.dir / "bad").touch()
        c.wait("s", "down")
        (c.node.dir / "bad").unlink()
        c.wait("s", "up")
    assert c.get("s")["changesLastHour"] == 10
    c.proc.stop()
    c.proc = c.node.respawn(c.proc)
    wait_for(lambda: seen(c), "it answers")
    assert c.get("s")["changesLastHour"] == 10
    assert "check changed 10 times within the hour" in c.node.trivet("status", check=False).stdout


def test_how_long_runs_take(make):
    """Histograms: buckets that add up, for each kind and for lateness."""
    c = make()
    c.start(toggled(c, interval="50ms") + check("p", "port 22"))
    wait_for(lambda: (c.node.dir / "ran").exists() and n_ran(c) > 5, "some runs")
    text = c.call("org.trivet.daemon.FormatMetrics")["text"]
    rows = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    for kind in "script", "port":
        label = f'kind="{kind}"'
        count = float(rows[f"checkd_run_duration_seconds_count{{{label}}}"])
        buckets = [float(v) for k, v in rows.items()
                   if k.startswith("checkd_run_duration_seconds_bucket") and label in k]
        assert buckets == sorted(buckets) and buckets[-1] == count > 0
        assert float(rows[f"checkd_run_duration_seconds_sum{{{label}}}"]) > 0
    late = [k for k in rows if k.startswith("checkd_schedule_lateness_seconds_bucket")]
    assert len(late) == 13 and float(rows[late[-1]]) > 5
