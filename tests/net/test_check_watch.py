"""Servers by name: proxyd finds their addresses, checkd asks them
(org.trivet.check.Watch) for as long as proxyd wants to know."""

import pwd

import pytest

import varlink
from lab import holds_for, wait_for
from peers import Server, greeter, read_all
from test_check_net import resolv_conf
from test_checkd_active import CHECK, checks, start
from test_checkd_now import as_user
from test_proxyd import ONE, TWO, conf, front  # noqa: F401 (a fixture)

WATCH = "org.trivet.check.Watch"
HOSTS = f"{ONE} web.lab\n{TWO} web.lab\n{TWO} other.lab\n"
NAMED = conf(f"server web.lab:8081; {CHECK};")


@pytest.fixture
def names(front):
    with resolv_conf(front.proxy, "nameserver 127.0.0.1\noptions attempts:1 timeout:1\n",
                     HOSTS) as etc:
        yield etc


def runs(front, name):
    rows = front.proxy.call("checkd", "org.trivet.daemon.ListMetrics",
                            {"prefix": "checkd_check_runs"})["metrics"]
    return {row["labels"]["name"]: row["value"] for row in rows}.get(name)


def test_the_addresses_behind_a_name(front, names):
    one = front.servers.listener(8081)  # on both addresses
    start(front, NAMED)
    wait_for(lambda: {n: c["state"] for n, c in checks(front).items()} ==
             {f"{ONE}:8081": "up", f"{TWO}:8081": "up"}, "both are asked")
    shown = checks(front)[f"{ONE}:8081"]
    assert (shown["kind"], shown["usedBy"]) == ("tcp", ["web"])
    one.kill9()
    seen = front.wait_state(f"web.lab:8081@{ONE}", "down")
    assert seen["stateSource"] == "checkd" and seen["counters"]["connectionErrors"] == 0
    assert seen["reason"].startswith(f"check {ONE}:8081: ")
    front.wait_state(f"web.lab:8081@{TWO}", "down")

    with Server(front.servers, TWO, 8081).serve(greeter(b"two")):
        seen = front.wait_state(f"web.lab:8081@{TWO}", "up")
        assert seen["stateSource"] == "checkd"
        assert {read_all(front.connect()) for _ in range(4)} == {b"two"}

    # With proxyd its checks go.
    assert front.proc.stop() == 0
    wait_for(lambda: checks(front) == {}, "nobody asks any more")


def test_mandatory_by_name(front, names):
    text = conf(f"server web.lab:8081; {CHECK} mandatory;")
    front.proc = front.proxy.daemon("proxyd", text)
    with Server(front.servers, ONE, 8081).serve(greeter(b"one")):
        seen = wait_for(lambda: front.server(f"web.lab:8081@{ONE}"), "it is found")
        assert (seen["state"], seen["reason"]) == ("down", "not checked yet")
        front.checkd = front.proxy.daemon("checkd")
        front.wait_state(f"web.lab:8081@{ONE}", "up")
        assert read_all(front.connect()) == b"one"


@pytest.mark.parametrize("how", ["stop", "kill9"])
def test_a_restart_of_checkd_is_not_felt(front, names, how):
    with Server(front.servers, ONE, 8081).serve(greeter(b"one")):
        start(front, NAMED)
        front.wait_state(f"web.lab:8081@{TWO}", "down")
        before = checks(front)[f"{TWO}:8081"]
        bus = front.bus()
        getattr(front.checkd, how)()
        front.checkd = front.proxy.daemon("checkd")
        seen = wait_for(lambda: checks(front).get(f"{TWO}:8081"), "it is asked again")
        if how == "stop":  # the new process knew it before it ran
            assert seen["lastChangeAt"] == before["lastChangeAt"]
            assert seen["state"] == "down"
        holds_for(lambda: bus.call("org.trivet.proxy.ListUpstreams", name="web")
                  ["upstreams"][0]["availableServers"] == 1, "one is up, one is down", 0.5)
        with Server(front.servers, TWO, 8081).serve(greeter(b"two")):
            front.wait_state(f"web.lab:8081@{TWO}", "up")


def test_another_list_stops_no_check(front, names):
    """A reload adds a name: what was asked before is asked on, not anew."""
    front.servers.listener(8081)
    start(front, conf(f"server web.lab:8081; {CHECK};"))
    wait_for(lambda: (runs(front, f"{TWO}:8081") or 0) >= 5, "it has run")
    began = checks(front)[f"{TWO}:8081"]["lastChangeAt"]
    front.proxy.write("trivet.conf", conf(f"server web.lab:8081; server other.lab:8082; {CHECK};"))
    front.proxy.trivet("reload")
    wait_for(lambda: f"{TWO}:8082" in checks(front), "the new one is asked")
    shown = checks(front)[f"{TWO}:8081"]
    assert shown["lastChangeAt"] == began and runs(front, f"{TWO}:8081") >= 5
    # And one line less: its check goes, and its server with it.
    front.proxy.write("trivet.conf", NAMED)
    front.proxy.trivet("reload")
    wait_for(lambda: sorted(checks(front)) == [f"{ONE}:8081", f"{TWO}:8081"], "it is gone")
    assert checks(front)[f"{TWO}:8081"]["lastChangeAt"] == began


def test_a_server_by_address_and_by_name_is_one_check(front, names):
    front.servers.listener(8081)
    start(front, conf(f"server other.lab:8081; {CHECK};", more=f"""
    upstream fixed {{
        server {TWO}:8081;
        {CHECK};
    }}"""))
    wait_for(lambda: {n: c["usedBy"] for n, c in checks(front).items()} ==
             {f"{TWO}:8081": ["fixed", "web"]}, "both use it")
    front.proc.stop()
    wait_for(lambda: checks(front)[f"{TWO}:8081"]["usedBy"] == ["fixed"], "one does")
    assert checks(front)[f"{TWO}:8081"]["state"] == "up"


def test_another_question_after_a_reload(front, names):
    """The check's name says the question: it is asked for anew."""
    with Server(front.servers, TWO, 8081).serve(greeter(b"hello")):
        text = "server other.lab:8081; " + CHECK
        start(front, conf(f"{text} match=good;", more="match good { expect hello; }"))
        front.wait_state("other.lab:8081", "up")
        front.proxy.write("trivet.conf", conf(f"{text} match=bad;",
                                              more="match bad { expect other; }"))
        front.proxy.trivet("reload")
        front.wait_state("other.lab:8081", "down")
        assert list(checks(front)) == [f"{TWO}:8081/bad"]


# ---- the method itself ----

def watch(front, servers, upstream="web", **more):
    bus = varlink.connect(front.proxy.socket_path("checkd"))
    return bus, bus.monitor(WATCH, upstream=upstream, servers=servers, **more)


@pytest.fixture
def checkd(front):
    front.checkd = front.proxy.daemon(
        "checkd", conf(f"server {ONE}:8081; {CHECK};", more="upstream plain { server 10.0.0.1:1; }"))
    return front


def test_the_stream(checkd):
    bus, stream = watch(checkd, [f"{TWO}:8081", "[fd00:7::21]:8081"], heartbeatMs=200)
    snapshot = next(stream)
    assert snapshot["kind"] == "snapshot" and snapshot["complete"]
    assert sorted(c["name"] for c in snapshot["checks"]) == [f"{TWO}:8081", "[fd00:7::21]:8081"]
    heard = {}
    for message in stream:
        heard.update({c["name"]: c["state"] for c in message.get("checks") or []})
        if set(heard.values()) == {"down"} and len(heard) == 2:
            break
    other, again = watch(checkd, [f"{TWO}:8081"])
    assert next(again)["checks"][0]["state"] == "down"  # the same check, not another one
    bus.close()
    wait_for(lambda: sorted(checks(checkd)) == [f"{ONE}:8081", f"{TWO}:8081"], "one is left")
    other.close()
    wait_for(lambda: sorted(checks(checkd)) == [f"{ONE}:8081"], "none is left")


@pytest.mark.parametrize("servers, upstream, error", [
    ([f"{TWO}:8081"], "nothing", "NoSuchUpstream"),
    ([f"{TWO}:8081"], "plain", "NoSuchUpstream"),  # nothing is to be asked there
    ([TWO], "web", "InvalidParameter"), (["web.lab:80"], "web", "InvalidParameter"),
    ([""], "web", "InvalidParameter"), ([f"{TWO}:0"], "web", "InvalidParameter"),
    ([f"10.9.{i // 250}.{i % 250}:80" for i in range(1025)], "web", "InvalidParameter"),
])
def test_what_is_refused(checkd, servers, upstream, error):
    with pytest.raises(varlink.VarlinkError, match=error):
        next(watch(checkd, servers, upstream)[1])
    assert list(checks(checkd)) == [f"{ONE}:8081"]


def test_as_many_as_may_be(checkd):
    bus, stream = watch(checkd, [f"10.4.7.21:{i}" for i in range(1, 1025)])
    names = set()  # one that changes while the parts go out is in two of them
    for message in stream:
        names |= {c["name"] for c in message["checks"]}
        if message["complete"]:
            break
    assert len(names) == 1024
    bus.close()
    wait_for(lambda: len(checks(checkd)) == 1, "they are gone")


def test_who_may_watch(checkd):
    with as_user(pwd.getpwnam("_trivet-proxyd").pw_uid):
        assert next(watch(checkd, [])[1])["kind"] == "snapshot"
    with as_user(pwd.getpwnam("nobody").pw_uid):
        with pytest.raises(varlink.VarlinkError, match="PermissionDenied"):
            next(watch(checkd, [f"{TWO}:8081"])[1])
    with pytest.raises(varlink.VarlinkError, match="ExpectedMore"):
        checkd.proxy.call("checkd", WATCH, {"upstream": "web", "servers": []})
