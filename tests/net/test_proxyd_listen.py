"""What proxyd listens on and connects to besides one port of an address: unix
sockets, ranges of ports."""

import os
import socket
import stat

import pytest

from lab import wait_for
from peers import (TIMEOUT, Drain, Server, Stream, digest, echo, greeter, read_all,
                   read_exactly)
from test_proxyd import ONE, VIP, Front

SIZE = 20_000_000


@pytest.fixture
def front(lab):
    return Front(lab)


@pytest.fixture
def place(front):
    """Where proxyd may make sockets."""
    path = front.proxy.dir / "sockets"
    path.mkdir()
    os.chmod(path, 0o777)
    return path


class UnixServer(Server):
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.bind(str(path))
        os.chmod(path, 0o666)
        self.sock.listen(64)


def unix_connect(path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(TIMEOUT)
    sock.connect(str(path))
    return sock


def test_unix_sockets_both_ways(front, place):
    """Half-closes and a checksummed bulk of bytes, from unix to unix."""
    front.start(f"server unix:{place}/up;", listen=f"unix:{place}/in")
    assert stat.S_IMODE(os.stat(place / "in").st_mode) == 0o666
    with UnixServer(place / "up") as server:
        client = unix_connect(place / "in")
        conn = server.accept()
        client.sendall(b"question")
        assert read_exactly(conn, 8) == b"question"
        up, down = Stream(client, "up", SIZE), Stream(conn, "down", SIZE)
        drains = [Drain(conn), Drain(client)]
        for thread in (up, down, *drains):
            thread.join(60)
        assert [d.size for d in drains] == [SIZE, SIZE]
        assert drains[0].hash.hexdigest() == digest("up", SIZE)
        assert drains[1].hash.hexdigest() == digest("down", SIZE)
    listener = wait_for(lambda: (f := front.listener(f"unix:{place}/in"))["counters"]["closeReasons"] and f,
                        "the session has ended")
    assert listener["counters"]["closeReasons"] == {"client fin": 1} or \
        listener["counters"]["closeReasons"] == {"server fin": 1}
    assert front.server(f"unix:{place}/up")["state"] == "up"


def test_a_unix_server_that_is_away(front, place):
    """Passed over, found by a probe when it is there."""
    front.start(f"server unix:{place}/up max_fails=1 fail_timeout=300ms; server {ONE}:8081;")
    with Server(front.servers, ONE, 8081).serve(greeter(b"tcp")):
        for _ in range(2):
            assert read_all(front.connect()) == b"tcp"
        down = front.wait_state(f"unix:{place}/up", "down")
        assert down["reason"].startswith("connect: No such file or directory")
        with UnixServer(place / "up").serve(greeter(b"unix")):
            front.wait_state(f"unix:{place}/up", "up")
            assert {read_all(front.connect()) for _ in range(2)} == {b"tcp", b"unix"}


def test_descriptors_that_a_peer_passes_along_cut_nothing(front, place):
    front.start(f"server {ONE}:8081;", listen=f"unix:{place}/in")
    with Server(front.servers, ONE, 8081) as server:
        client = unix_connect(place / "in")
        conn = server.accept()
        for n in range(50):
            socket.send_fds(client, [b"%05d" % n], [client.fileno()])
            client.sendall(b"-")
        client.shutdown(socket.SHUT_WR)
        assert read_all(conn) == b"".join(b"%05d-" % n for n in range(50))


def test_the_file_of_a_unix_socket(front, place):
    """One that nobody listens on any more is replaced, another's is not; it goes with
    the listener."""
    stale = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stale.bind(str(place / "in"))
    os.chmod(place / "in", 0o666)
    stale.close()
    with UnixServer(place / "other") as other:
        front.start(f"server {ONE}:8081;", listen=f"unix:{place}/in",
                    more=f"server {{ listen unix:{place}/other; proxy_pass web; }}")
        assert front.listener(f"unix:{place}/in")["state"] == "listening"
        failed = front.listener(f"unix:{place}/other")
        assert (failed["state"], failed["error"]) == ("failed", "bind: Address already in use")
        other.close()
        wait_for(lambda: front.listener(f"unix:{place}/other")["state"] == "listening",
                 "it is tried again")
        with Server(front.servers, ONE, 8081).serve(greeter(b"hello")):
            assert read_all(unix_connect(place / "other")) == b"hello"
            text = (front.proxy.dir / "trivet.conf").read_text()
            front.reload(text.replace(f"listen unix:{place}/other;", "listen 9999;"))
            assert not (place / "other").exists() and (place / "in").exists()
    front.proc.stop()
    assert not (place / "in").exists()


def test_a_server_that_answers_at_once_after_one_that_does_not(front, place):
    """The bytes that the client sent meanwhile are bulk already; nothing else happens in
    that thread that would wake it."""
    front.start(f"server 10.4.7.99:1; server unix:{place}/up backup;",
                "proxy_connect_timeout 500ms; proxy_next_upstream_tries 2;")
    with UnixServer(place / "up") as server:
        client = front.connect()
        client.setblocking(False)
        data = os.urandom(3_000_000)
        sent = 0
        while sent < len(data):
            try:
                sent += client.send(data[sent:])
            except BlockingIOError:
                break
        assert sent > 200_000
        client.settimeout(TIMEOUT)
        conn = server.accept()
        assert read_exactly(conn, sent) == data[:sent]


def test_a_range_of_ports(front):
    front.start(f"server {ONE}:8081;", listen=f"{VIP}:7443-7446",
                more=f"server {{ listen [fd00:7::10]:80-82; listen *:5300-5301 udp; proxy_pass web; }}")
    with Server(front.servers, ONE, 8081).serve(echo):
        for address, port in [(VIP, 7443), (VIP, 7446), ("fd00:7::10", 81)]:
            sock = front.connect(address, port)
            sock.sendall(b"x")
            assert read_exactly(sock, 1) == b"x"
    names = {l["name"]: (l["state"], l["protocol"]) for l in front.call("ListListeners")["listeners"]}
    assert names == {**{f"{VIP}:{p}": ("listening", "tcp") for p in range(7443, 7447)},
                     **{f"[fd00:7::10]:{p}": ("listening", "tcp") for p in range(80, 83)},
                     **{f"*:{p}/udp": ("listening", "udp") for p in (5300, 5301)}}
