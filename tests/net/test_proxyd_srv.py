"""Servers behind names: SRV records (addresses, ports, weights, who is a backup), name servers of
one's own; answers that change, lie or do not come."""

import shutil
import signal
import socket
import threading
from pathlib import Path

import pytest

from lab import wait_for
from peers import Server, greeter, inside, read_all, read_exactly
from test_proxyd import ONE, TWO, Front, conf

SERVICE = "_http._tcp.backend.example"


@pytest.fixture
def front(lab):
    """proxyd's node asks a dnsmasq of its own."""
    front = Front(lab)
    etc = Path("/etc/netns") / front.proxy.netns
    etc.mkdir(parents=True)
    (etc / "resolv.conf").write_text("nameserver 127.0.0.1\noptions attempts:1 timeout:1\n")
    (etc / "hosts").write_text("127.0.0.1 localhost\n")
    yield front
    shutil.rmtree(etc)


def dns(front, *records, before=None, address="127.0.0.1", port=53):
    """The only name server, with these records."""
    if before is not None:
        before.stop()
    proc = front.proxy.spawn(["dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts",
                              "--user=root", "--pid-file=", f"--listen-address={address}",
                              f"--port={port}", "--bind-interfaces", "--local=/example/",
                              f"--host-record=one.example,{ONE}", f"--host-record=two.example,{TWO}",
                              *records])
    front.proxy.run(["sh", "-c", f"until ss -Hlun sport = :{port} | grep -q .; do sleep 0.05; done"])
    return proc


def srv(target, port, priority=0, weight=1, service=SERVICE):
    return f"--srv-host={service},{target},{port},{priority},{weight}"


def servers(front):
    return {s["name"]: (s["address"], s["port"], s["weight"], s["backup"], s["state"])
            for s in front.call("ListUpstreams", name="web")["servers"]}


def test_ports_weights_and_backups(front):
    dns(front, srv("one.example", 8081, 1, 3), srv("two.example", 8082, 1, 1),
        srv("one.example", 8083, 7, 9))
    with Server(front.servers, ONE, 8081).serve(greeter(b"one")), \
            Server(front.servers, TWO, 8082).serve(greeter(b"two")), \
            Server(front.servers, ONE, 8083).serve(greeter(b"spare")):
        front.start("server backend.example service=http resolve max_fails=1;")
        wait_for(lambda: len(servers(front)) == 3, "the answer is there")
        assert servers(front) == {
            f"{SERVICE}@{ONE}:8081": (ONE, 8081, 3, False, "up"),
            f"{SERVICE}@{TWO}:8082": (TWO, 8082, 1, False, "up"),
            f"{SERVICE}@{ONE}:8083": (ONE, 8083, 9, True, "up")}
        said = [read_all(front.connect()) for _ in range(8)]
        assert (said.count(b"one"), said.count(b"two")) == (6, 2)
    with Server(front.servers, ONE, 8083).serve(greeter(b"spare")):
        assert read_all(front.connect()) == b"spare"


def test_answers_that_change(front):
    """A server that is no longer named drains; a bad answer changes nothing."""
    first = dns(front, srv("one.example", 8081, service="_x._udp.backend.example"))
    with Server(front.servers, ONE, 8081) as one, Server(front.servers, TWO, 8082) as two:
        front.start("server backend.example service=_x._udp resolve;")
        name = "_x._udp.backend.example"
        front.wait_state(name, "up")
        client = front.connect()
        conn = one.accept()
        second = dns(front, srv("two.example", 8082, service=name), before=first)
        wait_for(lambda: servers(front)[name][:2] == (TWO, 8082), "the new answer is in force", 20)
        front.connect()
        two.accept()
        client.sendall(b"still here")
        assert read_exactly(conn, 10) == b"still here", "it drains"
        for bad in (["--srv-host=other.example"],  # no such name
                    [srv("nobody.example", 8089, service=name)],  # a name behind it that is not there
                    [f"--srv-host={name}"]):  # the service is decidedly not there
            second = dns(front, "--log-queries", "--log-facility=-", *bad, before=second)
            second.wait_log(r"query\[SRV\]", timeout=20)
            assert servers(front)[name][:2] == (TWO, 8082)
        second.kill(signal.SIGKILL)
        front.connect()
        two.accept()


def test_never_there(front):
    dns(front)
    front.start(f"server backend.example service=http resolve; server {TWO}:8082;")
    with Server(front.servers, TWO, 8082).serve(greeter(b"two")):
        down = front.wait_state(SERVICE, "down")
        assert down["stateSource"] == "resolver"
        wait_for(lambda: front.server(SERVICE)["reason"].endswith("no such name"), "it says why")
        assert {read_all(front.connect()) for _ in range(3)} == {b"two"}


def named(front, name):
    """The addresses that servers of this line have."""
    return {s["address"] for s in front.call("ListUpstreams", name="web")["servers"]
            if s["name"].partition("@")[0] == name}


@pytest.mark.parametrize("address,written", [("127.0.0.7", "127.0.0.7:5353"), ("::1", "[::1]:5353"),
                                             ("127.0.0.7", "ns.local:5353")])
def test_name_servers_of_its_own(front, address, written):
    """Not those of resolv.conf, where nobody answers; for as long as 'valid' says."""
    etc = Path("/etc/netns") / front.proxy.netns
    (etc / "hosts").write_text("127.0.0.1 localhost\n127.0.0.7 ns.local\n")
    app = ["--host-record=app.example," + ONE, "--host-record=app.example,fd00:7::21"]
    first = dns(front, *app, srv("one.example", 8083), address=address, port=5353)
    front.start("server app.example:8081 resolve; server backend.example service=http resolve;"
                f"resolver {written} valid=1s; resolver_timeout 4s;")
    wait_for(lambda: named(front, "app.example:8081") == {ONE, "fd00:7::21"}, "both families")
    wait_for(lambda: servers(front)[SERVICE][:2] == (ONE, 8083), "a service, and the name behind it")
    dns(front, "--host-record=app.example," + TWO, before=first, address=address, port=5353)
    wait_for(lambda: named(front, "app.example:8081") == {TWO}, "asked again after a second", 20)


def test_name_servers_of_the_block_around(front):
    """A reload changes who is asked, and for what; a name that is asked for once is the system's."""
    dns(front, "--host-record=app.example," + TWO)
    dns(front, "--host-record=app.example," + ONE, "--host-record=app.example,fd00:7::21",
        address="127.0.0.7")
    upstream = "server app.example:8081 resolve; server app.example:8082;"
    front.start(upstream)
    wait_for(lambda: named(front, "app.example:8081") == {TWO}, "the system's")
    front.reload(conf(upstream, more="resolver 127.0.0.7 ipv6=off;"))
    wait_for(lambda: named(front, "app.example:8081") == {ONE}, "the block's")
    front.reload(conf(upstream, more="resolver 127.0.0.7 ipv4=off;"))
    wait_for(lambda: named(front, "app.example:8081") == {"fd00:7::21"}, "the other family")
    front.reload(conf(upstream + " resolver 127.0.0.1;", more="resolver 127.0.0.7;"))
    wait_for(lambda: named(front, "app.example:8081") == {TWO}, "the upstream's own")
    assert named(front, "app.example:8082") == {TWO}


def test_name_servers_that_are_none(front):
    """One whose own name nobody knows, and one that answers with anything."""
    with inside(front.proxy):
        liar = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        liar.bind(("127.0.0.9", 53))
    heard = []

    def lie():
        while True:
            try:
                question, client = liar.recvfrom(2048)
            except OSError:
                return
            heard.append(question)
            # Two answers are announced; there is half of one, of an address of two bytes.
            liar.sendto(question[:2] + b"\x81\x80\0\1\0\2\0\0\0\0" + question[12:] +
                        b"\xc0\x0c\0\1\0\1\0\0\0\1\0\2\1\2", client)
    threading.Thread(target=lie, daemon=True).start()
    known = dns(front, "--host-record=app.example," + ONE, address="127.0.0.7")
    upstream = "server app.example:8081 resolve;"
    front.start(upstream + "resolver 127.0.0.7 valid=1s ipv6=off;")
    wait_for(lambda: named(front, "app.example:8081") == {ONE}, "it is known")
    front.reload(conf(upstream + "resolver 127.0.0.9 valid=1s ipv6=off; resolver_timeout 1s;"))
    wait_for(lambda: len(heard) >= 2, "it was asked, and asked again")
    assert named(front, "app.example:8081") == {ONE}, "a bad answer after a good one"
    known.stop()
    front.reload(conf("server other.example:8081 resolve; resolver no-such-name.example;"))
    wait_for(lambda: front.server("other.example:8081")["reason"].endswith(
        "no name server has an address"), "it says why")
    liar.close()
