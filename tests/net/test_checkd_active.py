"""health_check: checkd asks the servers, proxyd goes by it."""

import pytest

from lab import holds_for, wait_for
from peers import Server, greeter, read_all
from test_checkd import LIST
from test_proxyd import ONE, TWO, conf, front  # noqa: F401 (a fixture)


def checks(front):
    return {c["name"]: c for c in
            front.proxy.call("checkd", LIST)["checks"]}


def start(front, text):
    """Both daemons on one file."""
    front.checkd = front.proxy.daemon("checkd", text)
    front.proc = front.proxy.daemon("proxyd")
    return front


CHECK = "health_check interval=100ms passes=2 fails=2"


def test_a_server_that_goes_and_comes(front):
    one = front.servers.listener(8081)
    front.servers.web(8082, "two")
    start(front, conf(f"server {ONE}:8081; server {TWO}:8082; {CHECK};"))
    wait_for(lambda: {c["state"] for c in checks(front).values()} == {"up"}, "both are good")
    assert sorted(checks(front)) == [f"{ONE}:8081", f"{TWO}:8082"]
    shown = checks(front)[f"{ONE}:8081"]
    assert (shown["kind"], shown["target"], shown["usedBy"]) == ("tcp", f"{ONE}:8081", ["web"])
    one.kill9()
    seen = front.wait_state(f"{ONE}:8081", "down")  # and no client went there
    assert seen["stateSource"] == "checkd"
    assert seen["reason"].startswith(f"check {ONE}:8081: ")
    assert seen["counters"]["connectionErrors"] == 0
    pulse = front.client.pulse("10.4.7.10", 7443, every=0.005)
    pulse.more(20)
    pulse.stop()
    assert not pulse.failures()
    assert front.server(f"{ONE}:8081")["counters"]["connectionErrors"] == 0
    [peer] = front.proxy.call("proxyd", "org.trivet.daemon.GetStatus")["peers"]
    assert (peer["interface"], peer["state"]) == ("org.trivet.check", "live")
    front.servers.listener(8081, "again")
    seen = front.wait_state(f"{ONE}:8081", "up")
    assert (seen["stateSource"], seen["reason"]) == ("checkd", "its check is good")


def test_one_check_for_many_upstreams(front):
    front.servers.listener(8081)
    start(front, conf(f"server {ONE}:8081; {CHECK};", more=f"""
    upstream other {{
        server {ONE}:8081;
        server {TWO}:8082 down;
        {CHECK};
    }}
    upstream elsewhere {{
        server {ONE}:9999;
        {CHECK} port=8081;
    }}"""))
    wait_for(lambda: [c["state"] for c in checks(front).values()] == ["up"], "it is good")
    assert checks(front)[f"{ONE}:8081"]["usedBy"] == ["web", "other", "elsewhere"]


@pytest.mark.parametrize("expect, counts", [
    ("expect ready;", True), ("expect gone;", False),
    ("expect ~ ^re+ady;", True), ("expect ~* ^READY;", True), ("expect ~ ^READY;", False),
])
def test_match(front, expect, counts):
    with Server(front.servers, ONE, 8081).serve(greeter(b"ready or not\n")):
        start(front, conf(f"server {ONE}:8081; server {TWO}:8082 backup; {CHECK} match=greets;",
                          more=f"match greets {{ {expect} }}"))
        name = f"{ONE}:8081/greets"
        wait_for(lambda: checks(front)[name]["state"] != "unknown", "it was asked")
        assert checks(front)[name]["state"] == ("up" if counts else "down")
        front.wait_state(f"{ONE}:8081", "up" if counts else "down")


def test_mandatory(front):
    """Nobody is sent there before a good answer, also while nobody asks."""
    text = conf(f"server {ONE}:8081; server {TWO}:8082; {CHECK} mandatory;")
    front.proc = front.proxy.daemon("proxyd", text)
    with Server(front.servers, ONE, 8081).serve(greeter(b"one")):
        seen = front.server(f"{ONE}:8081")
        assert (seen["state"], seen["reason"]) == ("down", "not checked yet")
        assert front.ending() in ("reset", "fin")  # refused
        front.checkd = front.proxy.daemon("checkd")
        front.wait_state(f"{ONE}:8081", "up")
        assert read_all(front.connect()) == b"one"
        assert front.server(f"{TWO}:8082")["state"] == "down"
        # A restart does not make it unchecked.
        assert front.proc.stop() == 0
        front.proc = front.proxy.daemon("proxyd")
        front.wait_state(f"{ONE}:8081", "up")


def test_checkd_is_away(front):
    """What it said last holds; a restart is not felt."""
    with Server(front.servers, ONE, 8081).serve(greeter(b"one")):
        start(front, conf(f"server {ONE}:8081; server {TWO}:8082; {CHECK};"))
        front.wait_state(f"{TWO}:8082", "down")
        front.checkd.kill9()
        holds_for(lambda: front.server(f"{TWO}:8082")["state"] == "down" and
                  front.server(f"{ONE}:8081")["state"] == "up", "it holds", 0.5)
        front.checkd = front.proxy.daemon("checkd")
        wait_for(lambda: checks(front)[f"{TWO}:8082"]["state"] == "down", "it knows")
        with Server(front.servers, TWO, 8082).serve(greeter(b"two")):
            front.wait_state(f"{TWO}:8082", "up")


def test_a_reload_takes_the_check_away(front):
    slow = CHECK.replace("passes=2", "passes=1000")  # its word does not come before the reload
    start(front, conf(f"server {ONE}:8081; server {TWO}:8082; {slow};"))
    front.wait_state(f"{TWO}:8082", "down")
    plain = conf(f"server {ONE}:8081; server {TWO}:8082;")
    with Server(front.servers, TWO, 8082).serve(greeter(b"two")):
        front.proxy.write("trivet.conf", plain)
        front.proxy.trivet("reload")
        seen = front.wait_state(f"{TWO}:8082", "up")  # by a probe of proxyd's own
        assert seen["stateSource"] == "passive"
    assert checks(front) == {}


def test_clients_find_out_what_a_check_does_not(front):
    """Passive health goes on beside it."""
    with Server(front.servers, TWO, 8082).serve(greeter(b"two")):
        front.servers.listener(9000)
        start(front, conf(f"server {ONE}:8081 max_fails=1 fail_timeout=30s; server {TWO}:8082;"
                          f"{CHECK} port=9000;"))
        wait_for(lambda: checks(front)[f"{ONE}:9000"]["state"] == "up", "it is good")
        for _ in range(2):
            assert read_all(front.connect()) == b"two"
        seen = front.wait_state(f"{ONE}:8081", "down")
        assert seen["stateSource"] == "passive"
