"""Datagrams: which server gets them, where replies come from, when a session ends."""

import contextlib
import socket
import threading
import time

import pytest

from lab import wait_for
from peers import TIMEOUT, inside
from test_proxyd import NGINX, ONE, OURS, TWO, VIP, Front, both

PORT = 5353
STOP = b"stop the server"
NAME = f"{VIP}:{PORT}/udp"


@pytest.fixture
def front(lab):
    return Front(lab)


def start(front, upstream, server="", listen=f"{VIP}:{PORT} udp", **kw):
    front.start(upstream, server, listen, **kw)


def datagram_socket(node, address=None, port=0, family=socket.AF_INET):
    with inside(node):
        sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(TIMEOUT)
    if address:
        sock.bind((address, port))
    return sock


class UdpServer:
    """Notes (datagram, from) and answers by a function of the datagram: a list of replies."""

    def __init__(self, node, address, port, answers=lambda data: [data]):
        self.seen, self.answers = [], answers
        self.sock = datagram_socket(node, address, port,
                                    socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.sock.settimeout(None)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                data, source = self.sock.recvfrom(65536)
                if data == STOP:
                    return
                self.seen.append((data, source))
                for answer in self.answers(data):
                    self.sock.sendto(answer, source)

    def close(self):
        """Nobody is at the port from now on."""
        self.sock.sendto(STOP, self.sock.getsockname())
        self.thread.join(TIMEOUT)
        self.sock.close()

    def sources(self):
        return [source for _, source in self.seen]


def client(front, address=VIP, port=PORT):
    sock = datagram_socket(front.client, family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.connect((address, port))  # so that a reply from elsewhere is not heard
    return sock


def ask(sock, data):
    sock.send(data)
    return sock.recv(65536)


def reasons(front, name=NAME):
    return front.listener(name)["counters"]["closeReasons"]


@pytest.mark.parametrize("size", [0, 1, 64, 1200, 1472, 9000, 60000])
def test_sizes(front, size):
    start(front, f"server {ONE}:8081;")
    UdpServer(front.servers, ONE, 8081, lambda data: [data[::-1]])
    sock = client(front)
    data = bytes(i % 251 for i in range(size))
    for _ in range(3):
        assert ask(sock, data) == data[::-1]
    counters = front.listener(NAME)["counters"]
    assert (counters["sessions"], counters["bytesIn"], counters["bytesOut"]) == (1, 3 * size, 3 * size)


def test_one_client_one_session(front):
    """One source port at the server for one of the client, also for many threads."""
    start(front, f"server {ONE}:8081;")
    server = UdpServer(front.servers, ONE, 8081)
    socks = [client(front) for _ in range(10)]
    for n in range(5):
        for i, sock in enumerate(socks):
            assert ask(sock, b"%d %d" % (i, n)) == b"%d %d" % (i, n)
    assert len(set(server.sources())) == 10
    by_client = {}
    for data, source in server.seen:
        by_client.setdefault(data.split()[0], set()).add(source)
    assert all(len(sources) == 1 for sources in by_client.values())
    assert front.listener(NAME)["currentSessions"] == 10


def test_bursts_keep_order_and_sizes(front):
    """Runs of one size and of many: each datagram arrives as it was sent."""
    start(front, f"server {ONE}:8081;")
    server = UdpServer(front.servers, ONE, 8081)
    sock = client(front)
    sizes = [100, 100, 100, 40, 100, 0, 0, 200, 1472, 1472, 1472, 7, 3000, 3000, 1, 1, 1]
    sent = [bytes([i]) * size for i, size in enumerate(sizes)]
    for data in sent:
        sock.send(data)
    got = [sock.recv(65536) for _ in sent]
    assert got == sent
    assert [data for data, _ in server.seen] == sent


def test_bulk(front):
    """8 clients with 16 datagrams under way each: nothing is lost or swapped."""
    start(front, f"server {ONE}:8081;")
    UdpServer(front.servers, ONE, 8081)
    failed = []

    def talk(sock, number):
        for n in range(40):
            sent = [b"%d %d %d" % (number, n, i) for i in range(16)]
            for data in sent:
                sock.send(data)
            got = [sock.recv(100) for _ in sent]
            if got != sent:
                failed.append((sent, got))
    threads = [threading.Thread(target=talk, args=(client(front), n)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failed
    assert front.listener(NAME)["counters"]["bytesIn"] == front.listener(NAME)["counters"]["bytesOut"]


@pytest.mark.parametrize("address", [VIP, "10.4.7.11"])
def test_reply_from_the_address_asked(front, address):
    start(front, f"server {ONE}:8081;", listen=f"{PORT} udp")
    UdpServer(front.servers, ONE, 8081)
    assert ask(client(front, address), b"hello") == b"hello"


@pytest.mark.parametrize("address", ["fd00:7::10", VIP])
def test_ipv6(front, address):
    start(front, "server [fd00:7::21]:8081;", listen=f"[::]:{PORT} udp ipv6only=off")
    UdpServer(front.servers, "fd00:7::21", 8081)
    assert ask(client(front, address), b"hello") == b"hello"


def test_two_local_addresses_are_two_sessions(front):
    start(front, f"server {ONE}:8081;", listen=f"{PORT} udp")
    server = UdpServer(front.servers, ONE, 8081)
    sock = datagram_socket(front.client)
    for address in (VIP, "10.4.7.11"):
        sock.sendto(b"hello", (address, PORT))
        assert sock.recvfrom(100) == (b"hello", (address, PORT))
    assert len(set(server.sources())) == 2


def test_servers_take_turns(front):
    start(front, f"server {ONE}:8081; server {TWO}:8082 weight=2;")
    one, two = UdpServer(front.servers, ONE, 8081), UdpServer(front.servers, TWO, 8082)
    for _ in range(30):
        ask(client(front), b"x")
    assert (len(one.seen), len(two.seen)) == (10, 20)


def test_hash(front):
    """Each of $remote_addr and $remote_port is known of a datagram's client."""
    start(front, f"hash $remote_addr; server {ONE}:8081; server {TWO}:8082;", more=f"""
        upstream ports {{ hash $remote_port; server {ONE}:8081; server {TWO}:8082; }}
        server {{ listen {PORT + 1} udp; proxy_pass ports; }}""")
    servers = UdpServer(front.servers, ONE, 8081), UdpServer(front.servers, TWO, 8082)
    for _ in range(20):
        ask(client(front), b"x")
    assert sorted(len(server.seen) for server in servers) == [0, 20]
    for _ in range(20):
        ask(client(front, port=PORT + 1), b"y")
    assert all(any(data == b"y" for data, _ in server.seen) for server in servers)


def test_idle(front):
    start(front, f"server {ONE}:8081;", "proxy_timeout 1s;")
    server = UdpServer(front.servers, ONE, 8081)
    sock = client(front)
    assert ask(sock, b"x") == b"x"
    wait_for(lambda: reasons(front) == {"idle": 1}, "the session ends")
    assert front.listener(NAME)["currentSessions"] == 0
    assert ask(sock, b"y") == b"y"
    assert len(set(server.sources())) == 2, "another session, another port"


def test_download_rate_as_nginx_has_it(front):
    """Replies wait for their turn, whole and in order; none is lost."""
    UdpServer(front.servers, ONE, 8081, lambda data: [data * 500] * 8)
    both(front, f"""server {{ listen {VIP}:PORT+1; return WHO; }}
        server {{ listen {VIP}:PORT+2 udp; proxy_download_rate 2000; proxy_pass {ONE}:8081; }}""")
    socks = [client(front, port=base + 2) for base in (OURS, NGINX)]
    began = time.monotonic()
    for data, sock in zip((b"o", b"n"), socks):
        sock.send(data)
    for data, sock in zip((b"o", b"n"), socks):
        assert [sock.recv(65536) for _ in range(8)] == [data * 500] * 8
        assert time.monotonic() - began > 0.7  # a second's worth at once, the rest at its rate


def test_upload_rate_as_nginx_has_it(front):
    """What comes faster is dropped, and counted; who keeps to it again is heard."""
    server = UdpServer(front.servers, ONE, 8081, lambda data: [])
    both(front, f"""server {{ listen {VIP}:PORT+1; return WHO; }}
        server {{ listen {VIP}:PORT+2 udp; proxy_upload_rate 500; proxy_pass {ONE}:8081; }}""")
    for who, base in ((b"o", OURS), (b"n", NGINX)):
        sock = client(front, port=base + 2)
        for _ in range(20):
            sock.send(who * 500)

        def again():
            sock.send(who.upper() * 10)
            return any(data == who.upper() * 10 for data, _ in server.seen)
        wait_for(again, "a later one passes")
        assert 0 < sum(data == who * 500 for data, _ in server.seen) < 20
    counters = front.listener(f"{VIP}:{OURS + 2}/udp")["counters"]
    assert 0 < counters["datagramsDropped"]
    assert counters["bytesIn"] == sum(len(d) for d, _ in server.seen if d[:1] in b"oO")


def test_source_addresses_in_turn(front):
    front.proxy.ip("addr", "add", "10.4.7.12/24", "dev", "eth0")
    start(front, f"server {ONE}:8081;", "proxy_bind 10.4.7.11 10.4.7.12; proxy_socket_rcvbuf 100k;")
    server = UdpServer(front.servers, ONE, 8081)
    for _ in range(24):
        ask(client(front), b"x")
    assert {address for address, _ in server.sources()} == {"10.4.7.11", "10.4.7.12"}


def test_ports_run_out(front):
    """Named as what it is, no server is blamed; another local address helps."""
    front.proxy.ip("addr", "add", "10.4.7.12/24", "dev", "eth0")
    front.proxy.run(["sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40003"])
    UdpServer(front.servers, ONE, 8081)
    start(front, f"server {ONE}:8081 max_fails=1;", "proxy_bind 10.4.7.11;")
    for _ in range(4):
        assert ask(client(front), b"x") == b"x"
    client(front).send(b"x")
    front.proc.wait_log(rf"no local port is left to reach {ONE}:8081 from 1 local address:")
    wait_for(lambda: reasons(front) == {"resources": 1}, "the fifth finds none")
    server = front.server(f"{ONE}:8081")
    assert (server["state"], server["counters"]["connectionErrors"]) == ("up", 0)
    text = (front.proxy.dir / "trivet.conf").read_text()
    assert front.reload(text.replace("10.4.7.11;", "10.4.7.11 10.4.7.12;")) is not None
    for _ in range(4):
        assert ask(client(front), b"x") == b"x"


@pytest.mark.parametrize("port", [False, True])
def test_transparent(front, port):
    """A server sees the client's own address, and its port where that is written."""
    front.client.ip("addr", "add", "10.9.0.30/24", "dev", "eth0")
    front.proxy.ip("route", "add", "10.9.0.0/24", "dev", "eth0")
    front.servers.ip("route", "add", "10.9.0.0/24", "via", "10.4.7.11")
    front.proxy.ip("rule", "add", "iif", "eth0", "from", ONE, "ipproto", "udp", "sport", "8081",
                   "lookup", "100")
    front.proxy.ip("route", "add", "local", "default", "dev", "lo", "table", "100")
    server = UdpServer(front.servers, ONE, 8081)
    start(front, f"server {ONE}:8081;",
          f"proxy_bind $remote_addr{':$remote_port' * port} transparent;", f"{PORT} udp")
    sock = datagram_socket(front.client, "10.9.0.30")
    for address in (VIP,) if port else (VIP, "10.4.7.11"):  # two sessions of one client
        for data in (b"one", b"two"):
            sock.sendto(data, (address, PORT))
            assert sock.recvfrom(100) == (data, (address, PORT))
    assert {source[0] for source in server.sources()} == {"10.9.0.30"}
    assert port == (set(server.sources()) == {sock.getsockname()})


@pytest.mark.parametrize("responses", [1, 2])
def test_responses(front, responses):
    start(front, f"server {ONE}:8081;", f"proxy_responses {responses};")
    UdpServer(front.servers, ONE, 8081, lambda data: [data] * 2)
    sock = client(front)
    sock.send(b"x")
    assert sock.recv(10) == b"x"
    if responses == 2:
        assert sock.recv(10) == b"x"
    wait_for(lambda: reasons(front) == {"complete": 1}, "the session ends")


def test_no_response_expected(front):
    start(front, f"server {ONE}:8081;", "proxy_responses 0;")
    server = UdpServer(front.servers, ONE, 8081)
    sock = client(front)
    sock.send(b"logged")
    wait_for(lambda: reasons(front) == {"complete": 1}, "the session ends at once")
    wait_for(lambda: [data for data, _ in server.seen] == [b"logged"], "it arrived")


def test_requests(front):
    """After two datagrams the next goes to the next server; late replies still come."""
    start(front, f"server {ONE}:8081; server {TWO}:8082;", "proxy_requests 2;")
    one, two = UdpServer(front.servers, ONE, 8081), UdpServer(front.servers, TWO, 8082)
    sock = client(front)
    for n in range(8):
        assert ask(sock, b"%d" % n) == b"%d" % n
    assert (len(one.seen), len(two.seen)) == (4, 4)
    assert front.listener(NAME)["counters"]["sessions"] == 4


def test_requests_in_one_burst(front):
    start(front, f"server {ONE}:8081; server {TWO}:8082;", "proxy_requests 1; proxy_responses 1;")
    one, two = UdpServer(front.servers, ONE, 8081), UdpServer(front.servers, TWO, 8082)
    sock = client(front)
    sent = {b"%d" % n for n in range(20)}
    for data in sent:
        sock.send(data)
    assert {sock.recv(10) for _ in sent} == sent
    assert (len(one.seen), len(two.seen)) == (10, 10)
    wait_for(lambda: reasons(front) == {"complete": 20}, "every session ends")


def test_dead_server_is_noticed_by_icmp(front):
    """The datagram that found it out is lost, as on the wire; the next finds another server."""
    start(front, f"server {ONE}:8081 max_fails=1 fail_timeout=30s; server {TWO}:8082;")
    two = UdpServer(front.servers, TWO, 8082)
    socks = [client(front) for _ in range(2)]
    for sock in socks:
        sock.send(b"first")
    down = front.wait_state(f"{ONE}:8081", "down")
    assert down["reason"] == "udp: Connection refused, 1 of 1 within 30s"
    for sock in socks:
        sock.send(b"second")
    wait_for(lambda: sum(data == b"second" for data, _ in two.seen) == 2, "both are served")


def test_session_leaves_a_dead_server(front):
    """Two clients of one server; it dies, one client finds out, both are moved."""
    start(front, f"server {ONE}:8081 max_fails=1 fail_timeout=30s; server {TWO}:8082 backup;")
    one, two = UdpServer(front.servers, ONE, 8081), UdpServer(front.servers, TWO, 8082)
    a, b = client(front), client(front)
    assert ask(a, b"a") == b"a" and ask(b, b"b") == b"b"
    assert len(one.seen) == 2
    one.close()
    a.send(b"lost")
    front.wait_state(f"{ONE}:8081", "down")
    assert ask(b, b"moved") == b"moved"
    assert ask(a, b"again") == b"again"
    assert [data for data, _ in two.seen] == [b"moved", b"again"]


def test_server_comes_back(front):
    """Without a client's help: an empty datagram of ours is no longer refused."""
    start(front, f"server {ONE}:8081 max_fails=1 fail_timeout=500ms; server {TWO}:8082 backup;")
    UdpServer(front.servers, TWO, 8082)
    client(front).send(b"lost")
    front.proc.wait_log(f"server {ONE}:8081 is down")
    one = UdpServer(front.servers, ONE, 8081)
    up = front.wait_state(f"{ONE}:8081", "up")
    assert up["reason"] == "a recovery probe was not refused"
    assert ask(client(front), b"hello") == b"hello"
    assert [data for data, _ in one.seen] == [b"", b"hello"]


def test_server_stays_down(front):
    """Nobody is there: each probe is refused."""
    start(front, f"server {ONE}:8081 max_fails=1 fail_timeout=100ms; server {TWO}:8082 backup;")
    client(front).send(b"lost")
    wait_for(lambda: front.server(f"{ONE}:8081")["reason"] == "probe: udp: Connection refused",
             "a probe was refused")
    assert front.server(f"{ONE}:8081")["state"] == "down"


def test_server_that_never_answers(front):
    start(front, f"server {ONE}:8081 max_fails=1 fail_timeout=30s; server {TWO}:8082;",
          "proxy_responses 1; proxy_timeout 500ms;")
    UdpServer(front.servers, ONE, 8081, lambda _: [])
    UdpServer(front.servers, TWO, 8082)
    for _ in range(2):
        client(front).send(b"x")
    down = front.wait_state(f"{ONE}:8081", "down")
    assert down["reason"] == "udp: Connection timed out, 1 of 1 within 30s"


def test_no_server(front):
    start(front, f"server {ONE}:8081 down;")
    sock = client(front)
    sock.send(b"x")
    wait_for(lambda: reasons(front) == {"no server": 1}, "it is counted")


def test_reload_keeps_sessions_and_removal_ends_them(front):
    start(front, f"server {ONE}:8081;")
    server = UdpServer(front.servers, ONE, 8081)
    sock = client(front)
    assert ask(sock, b"x") == b"x"
    text = (front.proxy.dir / "trivet.conf").read_text()
    front.reload(text.replace("server {ONE}:8081;", "server {ONE}:8081 weight=2;"))
    assert ask(sock, b"y") == b"y"
    assert len(set(server.sources())) == 1
    front.reload(text.replace(f"listen {VIP}:{PORT} udp;", f"listen {VIP}:{PORT};"))
    wait_for(lambda: front.call("ListListeners")["listeners"][0]["name"] == f"{VIP}:{PORT}",
             "it listens for TCP instead")
    with pytest.raises(ConnectionRefusedError):
        ask(sock, b"z")


def test_address_lost(front):
    start(front, f"server {ONE}:8081;", listen=f"{PORT} udp")
    UdpServer(front.servers, ONE, 8081)
    for address in (VIP, "10.4.7.11"):
        ask(client(front, address), b"x")
    front.proxy.ip("addr", "del", f"{VIP}/24", "dev", "eth0")
    wait_for(lambda: reasons(front, f"*:{PORT}/udp") == {"address lost": 1}, "it is closed", 10)
