"""Who the client is and whether it may come: PROXY headers both ways, access
rules, limits, rates."""

import json
import os
import socket
import struct
import time
from pathlib import Path

import pytest

from lab import wait_for
from peers import Server, connect, echo, ending, greeter, make_socket, read_all, read_exactly
from proxy_header import SIGNATURE, v1, v2
from test_proxyd_udp import UdpServer, datagram_socket
from test_proxyd import ONE, PORT, TWO, VIP, Front, conf

UP = f"server {ONE}:8081;"
CLIENT = "10.4.7.30"


@pytest.fixture
def front(lab):
    return Front(lab)


def listed(front):
    """Every session's client."""
    stream = front.bus().monitor("org.trivet.proxy.ListSessions")
    return [s["client"] for part in stream for s in part["sessions"]]


def reasons(front):
    return front.listener()["counters"]["closeReasons"]


def metric(front, name):
    """Of the listener."""
    metrics = front.proxy.call("proxyd", "org.trivet.daemon.ListMetrics", {"prefix": name})
    return next(m["value"] for m in metrics["metrics"]
                if m["labels"] == {"proxy": f"{VIP}:{PORT}"})


# ---- a header from the client ----

PROXIED = dict(listen=f"{VIP}:{PORT} proxy_protocol")
TRUST = "set_real_ip_from 10.4.7.0/24;"


HEADERS = [
    (v1(), "192.0.2.1:51000"),
    (v1("2001:db8::1", "::1", family="TCP6"), "[2001:db8::1]:51000"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN whatever it says\r\n", None),
    (v2(), "192.0.2.1:51000"),
    (v2("2001:db8::1", "::1"), "[2001:db8::1]:51000"),
    (v2(checksum=True), "192.0.2.1:51000"),
    (v2(tlvs=b"\x02\0\x0bexample.org\xee\x0b\xb8" + bytes(3000)), "192.0.2.1:51000"),
    (v2(command=0), None),
    (SIGNATURE + b"\x21\x31\x00\xd8" + bytes(216), None)]


@pytest.mark.parametrize("pieces", [1, 20])
def test_header_is_read(front, pieces):
    """It names the client and is gone; what follows it reaches the server untouched."""
    with Server(front.servers, ONE, 8081).serve(echo):
        front.start(UP, TRUST, **PROXIED)
        for header, client in HEADERS:
            sock = front.connect()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            step = -(-len(header) // pieces)
            for i in range(0, len(header), step):
                sock.sendall(header[i:i + step])
            sock.sendall(b"hello")
            assert read_exactly(sock, 5) == b"hello"
            assert listed(front) == [client or "{}:{}".format(*sock.getsockname())], header
            sock.close()
            wait_for(lambda: listed(front) == [], "it has gone")


def test_header_of_somebody_untrusted(front):
    """It is read, and changes nothing."""
    with Server(front.servers, ONE, 8081).serve(echo):
        front.start(UP, "set_real_ip_from 10.4.7.31; set_real_ip_from fd00::/8;", **PROXIED)
        sock = front.connect()
        sock.sendall(v1() + b"hello")
        assert read_exactly(sock, 5) == b"hello"
        assert listed(front) == ["{}:{}".format(*sock.getsockname())]


WRONG = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 51000\r\n",
    b"PROXY TCP4 ::1 ::2 1 2\r\n",
    b"PROXY TCP4 " + b"1" * 120,
    SIGNATURE + b"\x21\x41\x00\x0c" + bytes(12),
    SIGNATURE + b"\x21\x11\xff\xff",
    v2(checksum=True)[:-1] + b"\0"]


def test_header_is_wrong(front):
    """Closed without a server having heard of it, counted by reason."""
    with Server(front.servers, ONE, 8081) as server:
        front.start(UP, TRUST, **PROXIED)
        for header in WRONG:
            sock = front.connect()
            sock.sendall(header)
            assert ending(sock) == "reset", header
        wait_for(lambda: reasons(front) == {"bad header": len(WRONG)}, "all are counted")
        server.sock.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    front.proc.wait_log(rf"listener {VIP}:{PORT}: client {CLIENT}:\d+: no PROXY header")


def test_header_ends_early(front):
    """Half of one is wrong; nothing at all is a check by somebody, and no fault."""
    front.start(UP, TRUST, **PROXIED)
    half = front.connect()
    half.sendall(b"PROXY TCP4 1")
    half.shutdown(socket.SHUT_WR)
    assert ending(half) == "reset"
    nothing = front.connect()
    nothing.shutdown(socket.SHUT_WR)
    assert ending(nothing) in ("reset", "fin")
    wait_for(lambda: reasons(front) == {"bad header": 1, "client fin": 1}, "both are counted")


def test_header_is_slow(front):
    front.start(UP, "proxy_protocol_timeout 300ms;", **PROXIED)
    sock = front.connect()
    sock.sendall(b"PROXY ")
    assert ending(sock) == "reset"
    wait_for(lambda: reasons(front) == {"greeting timeout": 1}, "it is counted")


def test_header_half_sent_survives_a_restart(front):
    """So does one that came whole, with who the client is."""
    text = conf(UP, TRUST, listen=f"{VIP}:{PORT} proxy_protocol")
    with Server(front.servers, ONE, 8081).serve(echo):
        front.proxy.suite(text, only=["proxyd"])
        whole, half = front.connect(), front.connect()
        whole.sendall(v1() + b"a")
        assert read_exactly(whole, 1) == b"a"
        half.sendall(v2("192.0.2.9")[:19])
        wait_for(lambda: len(listed(front)) == 2, "both are there")
        front.proxy.trivet("restart", "proxyd")
        assert sorted(listed(front))[1] == "192.0.2.1:51000"
        half.sendall(v2("192.0.2.9")[19:] + b"b")
        assert read_exactly(half, 1) == b"b"
        whole.sendall(b"c")
        assert read_exactly(whole, 1) == b"c"
        assert sorted(listed(front)) == ["192.0.2.1:51000", "192.0.2.9:51000"]


# ---- a header for the server ----

def accept_all(server, n):
    conn = server.accept()
    return conn, read_exactly(conn, n)


@pytest.mark.parametrize("client_says", [True, False], ids=["client-first", "server-first"])
def test_v1_is_sent(front, client_says):
    with Server(front.servers, ONE, 8081) as server:
        front.start(UP, "proxy_protocol on;")
        sock = front.connect()
        address, port = sock.getsockname()
        expected = v1(address, VIP, (port, PORT))
        if client_says:
            sock.sendall(b"hello")
            conn, data = accept_all(server, len(expected) + 5)
            assert data == expected + b"hello"
        else:
            conn, data = accept_all(server, len(expected))
            assert data == expected
        conn.sendall(b"welcome")
        assert read_exactly(sock, 7) == b"welcome"


def test_v2_is_sent(front):
    with Server(front.servers, ONE, 8081) as server:
        front.start(UP, "proxy_protocol v2;")
        sock = front.connect()
        address, port = sock.getsockname()
        sock.sendall(b"hello")
        _, data = accept_all(server, 28 + 5)
        assert data == v2(address, VIP, (port, PORT)) + b"hello"


def test_ipv6_is_sent(front):
    with Server(front.servers, ONE, 8081) as server:
        front.start(UP, "proxy_protocol on;", listen=f"[fd00:7::10]:{PORT}")
        sock = front.connect("fd00:7::10")
        address, port = sock.getsockname()[:2]
        expected = v1(address, "fd00:7::10", (port, PORT), "TCP6")
        assert accept_all(server, len(expected))[1] == expected


def test_no_header_is_sent_without_a_word(front):
    with Server(front.servers, ONE, 8081) as server:
        front.start(UP, "proxy_protocol off;", more="")
        sock = front.connect()
        sock.sendall(b"hello")
        assert accept_all(server, 5)[1] == b"hello"


def test_through_two_proxies(front):
    """What a trusted header said is passed on, of whichever version."""
    with Server(front.servers, ONE, 8081) as server:
        front.start(UP, f"{TRUST} proxy_protocol v2;", **PROXIED)
        sock = front.connect()
        sock.sendall(v1() + b"hello")
        assert accept_all(server, 28 + 5)[1] == v2() + b"hello"


def test_next_server_gets_its_own_header(front):
    """One that resets with nothing but our header said to it is followed by another."""
    def resets(conn):
        read_exactly(conn, 6)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with Server(front.servers, ONE, 8081).serve(resets), \
            Server(front.servers, TWO, 8082) as server:
        front.start(f"server {ONE}:8081; server {TWO}:8082 backup;", "proxy_protocol on;")
        sock = front.connect()
        address, port = sock.getsockname()
        expected = v1(address, VIP, (port, PORT))
        conn, data = accept_all(server, len(expected))
        assert data == expected
        sock.sendall(b"x")
        assert read_exactly(conn, 1) == b"x"


def test_header_to_nginx_and_haproxy_style_reader(front):
    """A real nginx that wants the header takes it, and says who the client is."""
    front.servers.nginx(f"""stream {{
        log_format who "$proxy_protocol_addr:$proxy_protocol_port";
        server {{ listen {ONE}:8081 proxy_protocol; return "$proxy_protocol_addr:$proxy_protocol_port"; }}
    }}""", ready=8081)
    for version in ("on", "v2"):
        if front.proc is None:
            front.start(UP, f"proxy_protocol {version};")
        else:
            front.reload(conf(UP, f"proxy_protocol {version};"))
        sock = front.connect()
        mine = "{}:{}".format(*sock.getsockname())
        assert read_all(sock).decode() == mine


# ---- allow and deny ----

def test_access(front):
    """The first line that fits holds; nobody kept out is told to a server."""
    rules = [("", True), ("allow 10.4.7.0/24; deny all;", True),
             ("deny 10.4.7.31; allow 10.4.7.30; deny all;", True),
             ("deny 10.4.7.128/25;", True), ("allow all; deny all;", True),
             ("deny all;", False), ("deny 10.4.7.0/24; allow all;", False),
             ("allow fd00::/8; deny all;", False), ("allow unix:; deny all;", False)]
    with Server(front.servers, ONE, 8081).serve(greeter(b"hello")):
        front.start(UP)
        for words, served in rules:
            front.reload(conf(UP, words))
            assert front.ending() == ("data" if served else "reset"), words
    wait_for(lambda: reasons(front).get("denied") == 4, "those are counted")
    assert metric(front, "proxyd_frontend_denied_connections_total") == 4
    assert front.server(f"{ONE}:8081")["counters"]["sessions"] == 5


def test_access_of_ipv6(front):
    with Server(front.servers, ONE, 8081).serve(greeter(b"hello")):
        front.start(UP, "deny fd00:7::/64;", listen=f"[fd00:7::10]:{PORT}")
        with pytest.raises(ConnectionResetError):
            read_all(front.connect("fd00:7::10"))
        front.reload(conf(UP, "deny fd00:7::31; allow fd00:7::30; deny all;",
                          listen=f"[fd00:7::10]:{PORT}"))
        assert read_all(front.connect("fd00:7::10")) == b"hello"


def test_access_is_inherited(front):
    """From stream {}, unless the server says something of its own."""
    more = f"deny all; server {{ listen {VIP}:7444; proxy_pass web; allow all; }}"
    with Server(front.servers, ONE, 8081).serve(greeter(b"hello")):
        front.start(UP, more=more)
        assert front.ending() == "reset"
        assert read_all(front.connect(port=7444)) == b"hello"


def test_access_goes_by_the_real_client(front):
    """Whom a trusted header names; not who brought it."""
    with Server(front.servers, ONE, 8081).serve(greeter(b"hello")):
        front.start(UP, f"{TRUST} allow 192.0.2.0/24; deny all;", **PROXIED)
        for header, outcome in ((v1(), "data"), (v2("198.51.100.1"), "reset"),
                                (b"PROXY UNKNOWN\r\n", "reset")):
            sock = front.connect()
            sock.sendall(header)
            assert ending(sock) == outcome, header


# ---- limit_conn ----

ZONE = "limit_conn_zone $remote_addr zone=addr:1m;"


def held(front, port=PORT):
    """A connection that is served, or how it was ended."""
    try:
        sock = front.connect(port=port)
        sock.sendall(b"x")
        return sock if sock.recv(1) == b"x" else "fin"
    except ConnectionResetError:
        return "reset"


def test_limit_conn(front):
    """By key, given back at the end, whatever ends it; another key has its own count."""
    front.client.ip("addr", "add", "10.4.7.31/24", "dev", "eth0")
    with Server(front.servers, ONE, 8081).serve(echo):
        front.start(UP, "limit_conn addr 2;", more=ZONE)
        one, two = held(front), held(front)
        assert held(front) == "reset"
        front.proc.wait_log(rf'limiting connections by zone "addr", client: {CLIENT}:\d+, '
                            rf"listener {VIP}:{PORT}")
        other = make_socket(front.client)
        other.bind(("10.4.7.31", 0))
        other.connect((VIP, PORT))
        other.sendall(b"x")
        assert other.recv(1) == b"x"
        one.close()
        wait_for(lambda: reasons(front).get("client fin") == 1, "one has gone")
        three = held(front)
        assert isinstance(three, socket.socket)
        assert reasons(front)["limit"] == 1
        assert metric(front, "proxyd_frontend_limited_connections_total") == 1
        two.close()


def test_limit_conn_is_given_back(front):
    """When no server is there, and when the operator ends it."""
    front.start(UP, "limit_conn addr 1;", more=ZONE)
    for _ in range(3):
        assert front.ending() == "reset"
    wait_for(lambda: reasons(front) == {"connect failed": 3}, "three were let in")
    with Server(front.servers, ONE, 8081).serve(echo):
        front.reload(conf(f"server {ONE}:8081 max_fails=0;", "limit_conn addr 1;", more=ZONE))
        sock = held(front)
        assert front.bus().call("org.trivet.proxy.control.CloseSessions",
                                upstream="web") == {"closed": 1}
        assert ending(sock) == "reset"
        assert isinstance(held(front), socket.socket)


def test_limit_conn_over_reload_and_restart(front):
    """What was there counts on: over a reload with another limit, and over a restart."""
    with Server(front.servers, ONE, 8081).serve(echo):
        front.proxy.suite(conf(UP, "limit_conn addr 2;", more=ZONE), only=["proxyd"])
        one, two = held(front), held(front)
        front.reload(conf(UP, "limit_conn addr 3;", more=ZONE))
        three = held(front)
        assert held(front) == "reset"
        front.proxy.trivet("restart", "proxyd")
        assert held(front) == "reset"
        one.close()
        wait_for(lambda: len(listed(front)) == 2, "one has gone")
        assert isinstance(held(front), socket.socket)
        for sock in (two, three):
            sock.sendall(b"y")
            assert sock.recv(1) == b"y"


def test_limit_conn_of_two_zones(front):
    """Over one limit: the other zone has not counted it.  A zone may serve two listeners."""
    more = (ZONE + "limit_conn_zone $server_port zone=port:1m;"
            f"server {{ listen {VIP}:7444; proxy_pass web; limit_conn addr 3; }}")
    with Server(front.servers, ONE, 8081).serve(echo):
        front.start(UP, "limit_conn addr 3; limit_conn port 1;", more=more)
        one = held(front)
        assert held(front) == "reset"
        two, three = held(front, 7444), held(front, 7444)
        assert isinstance(two, socket.socket) and isinstance(three, socket.socket)
        assert held(front, 7444) == "reset"
        one.close()


def test_limit_conn_dry_run(front):
    with Server(front.servers, ONE, 8081).serve(echo):
        front.start(UP, "limit_conn addr 1; limit_conn_dry_run on; limit_conn_log_level warn;",
                    more=ZONE)
        one, two = held(front), held(front)
        assert isinstance(one, socket.socket) and isinstance(two, socket.socket)
        front.proc.wait_log(r'limiting connections, dry run, by zone "addr"')


def test_limit_conn_zone_is_full(front):
    """A zone has room for so many keys; who finds none is over the limit."""
    more = "limit_conn_zone $remote_addr:$remote_port zone=small:8k;"
    with Server(front.servers, ONE, 8081).serve(echo):
        front.start(UP, "limit_conn small 10;", more=more)
        socks = [held(front) for _ in range(128)]
        assert all(isinstance(s, socket.socket) for s in socks)
        assert held(front) == "reset"
        front.proc.wait_log(r'by zone "small", which is full')
        socks.pop().close()
        wait_for(lambda: reasons(front).get("client fin") == 1, "one has gone")
        assert isinstance(held(front), socket.socket)


# ---- rates ----

def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def took(action):
    start = time.monotonic()
    result = action()
    return result, time.monotonic() - start


@pytest.mark.parametrize("size, rate", [(30_000, "10k"), (6_000_000, "2m")])
def test_download_rate(front, size, rate):
    """A second's worth at once, the rest as it comes; nothing is lost at the end."""
    data = bytes(range(256)) * (size // 256)
    bytes_s = int(rate[:-1]) * {"k": 1024, "m": 1 << 20}[rate[-1]]
    with Server(front.servers, ONE, 8081).serve(greeter(data)):
        front.start(UP, f"proxy_download_rate {rate};")
        got, seconds = took(lambda: read_all(front.connect()))
    assert got == data
    assert seconds >= (len(data) - bytes_s) / bytes_s * 0.97


def test_upload_rate(front):
    def swallow(conn):
        conn.sendall(str(len(read_all(conn))).encode())

    data = b"u" * 300_000
    with Server(front.servers, ONE, 8081).serve(swallow):
        front.start(UP, "proxy_upload_rate 100k;")
        sock = front.connect()

        def upload():
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            return read_all(sock)
        got, seconds = took(upload)
    assert got == b"300000"
    assert seconds >= (300_000 - 102_400) / 102_400 * 0.97


def test_rate_of_a_byte(front):
    """The other direction is not slowed."""
    with Server(front.servers, ONE, 8081) as server:
        front.start(UP, "proxy_upload_rate 1;")
        sock = front.connect()
        sock.sendall(b"abc")
        conn = server.accept()
        assert conn.recv(10) == b"a"
        conn.sendall(b"z" * 100_000)
        assert read_exactly(sock, 100_000) == b"z" * 100_000
        got, seconds = took(lambda: read_exactly(conn, 2))
        assert got == b"bc" and seconds > 0.9


def test_waiting_for_a_rate_costs_nothing(front):
    """No busy loop: ten slow sessions in a second take next to no processor time."""
    with Server(front.servers, ONE, 8081).serve(greeter(b"d" * 10_000_000)):
        front.start(UP, "proxy_download_rate 20k;")
        socks = [front.connect() for _ in range(10)]
        for sock in socks:
            assert read_exactly(sock, 20_000) == b"d" * 20_000
        before = cpu_seconds(front.proc.pid)
        for sock in socks:
            assert read_exactly(sock, 20_000) == b"d" * 20_000
        assert cpu_seconds(front.proc.pid) - before < 0.3


# ---- the command ----

def test_sessions_and_close(front):
    with Server(front.servers, ONE, 8081).serve(echo):
        front.start(UP, TRUST, **PROXIED)
        one, two = front.connect(), front.connect()
        for sock, header in ((one, v1()), (two, v1("192.0.2.2"))):
            sock.sendall(header + b"hello")
            assert read_exactly(sock, 5) == b"hello"
        text = front.proxy.trivet("sessions").stdout
        assert f"192.0.2.1:51000  at {VIP}:{PORT}  web {ONE}:8081  open" in text
        assert text.count("in 5, out 5 bytes") == 2
        rows = json.loads(front.proxy.trivet("--json", "sessions", f"{VIP}:{PORT}").stdout)
        mine = next(r["id"] for r in rows if r["client"] == "192.0.2.2:51000")
        assert front.proxy.trivet("sessions", "--limit", "1").stdout.count("\n") == 1
        assert front.proxy.trivet("close", "--session", mine).stdout == "1 closed\n"
        assert ending(two) == "reset"
        assert front.proxy.trivet("close", "web", f"{ONE}:8081").stdout == "1 closed\n"
        assert ending(one) == "reset"
        assert front.proxy.trivet("sessions").stdout == ""
        for words, code in ((["close"], 2), (["close", "nothing"], 1),
                            (["sessions", "--limit", "0"], 2)):
            assert front.proxy.trivet(*words, check=False).returncode == code


# ---- transparent ----

CAPS = """
stream {
    upstream web { server %s:8081; }
    server { listen %s:%d; proxy_pass web; %%s }
}
""" % (ONE, VIP, PORT)


def capabilities(pid):
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff")), 16)


def test_transparent(front):
    """A server sees the client's own address; the routing is what an administrator writes."""
    front.client.ip("addr", "add", "10.9.0.30/24", "dev", "eth0")
    front.proxy.ip("route", "add", "10.9.0.0/24", "dev", "eth0")
    front.servers.ip("route", "add", "10.9.0.0/24", "via", "10.4.7.11")
    front.proxy.ip("rule", "add", "iif", "eth0", "from", ONE, "ipproto", "tcp", "sport", "8081",
                   "lookup", "100")
    front.proxy.ip("route", "add", "local", "default", "dev", "lo", "table", "100")
    with Server(front.servers, ONE, 8081) as server:
        front.start(UP, "proxy_bind $remote_addr transparent;")
        sock = make_socket(front.client)
        sock.bind(("10.9.0.30", 0))
        sock.connect((VIP, PORT))
        sock.sendall(b"hello")
        conn = server.accept()
        assert conn.getpeername()[0] == "10.9.0.30"
        assert read_exactly(conn, 5) == b"hello"
        conn.sendall(b"world")
        assert read_exactly(sock, 5) == b"world"
        assert capabilities(front.proc.pid) == 1 << 10 | 1 << 12


def test_transparent_needs_a_restart(front):
    """The privilege is kept only where it is wanted at the start."""
    front.start(UP)
    assert capabilities(front.proc.pid) == 1 << 10
    front.proxy.write("trivet.conf", CAPS % "proxy_bind $remote_addr transparent;")
    refused = front.proxy.trivet("reload", check=False)
    assert refused.returncode != 0
    assert "needs restart: proxy_bind transparent" in refused.stdout + refused.stderr
    assert front.listener()["state"] == "listening"


# ---- datagrams ----

def exchange(front, source=None):
    """The reply to a datagram, or None; whether it comes is known by one that does."""
    sock = datagram_socket(front.client, source)
    sock.settimeout(0.3)
    sock.sendto(b"hello", (VIP, 5353))
    try:
        return sock.recv(1000)
    except TimeoutError:
        return None


UDP = f"{VIP}:5353 udp"


def udp_reasons(front):
    return front.listener(f"{VIP}:5353/udp")["counters"]["closeReasons"]


def test_access_of_datagrams(front):
    server = UdpServer(front.servers, ONE, 5300)
    front.start(f"server {ONE}:5300;", f"deny {CLIENT}; allow all;", UDP)
    assert exchange(front) is None
    wait_for(lambda: udp_reasons(front) == {"denied": 1}, "it is counted")
    front.reload(conf(f"server {ONE}:5300;", "deny 10.4.7.31;", UDP))
    assert exchange(front) == b"hello"
    assert len(server.seen) == 1
    server.close()


def test_limit_conn_of_datagrams(front):
    """A session is as good as a connection; it is given back when it ends."""
    server = UdpServer(front.servers, ONE, 5300)
    front.start(f"server {ONE}:5300;", "limit_conn addr 2; proxy_timeout 1s;", UDP, more=ZONE)
    assert [exchange(front), exchange(front), exchange(front)] == [b"hello", b"hello", None]
    wait_for(lambda: udp_reasons(front) == {"limit": 1, "idle": 2}, "those two have ended")
    assert exchange(front) == b"hello"
    server.close()


def test_header_of_datagrams(front):
    """Each of them carries it."""
    server = UdpServer(front.servers, ONE, 5300, lambda data: [data[28:]])
    front.start(f"server {ONE}:5300;", "proxy_protocol v2;", UDP)
    sock = datagram_socket(front.client)
    sock.connect((VIP, 5353))
    for data in (b"one", b"", b"three"):
        sock.send(data)
        assert sock.recv(1000) == data
    address, port = sock.getsockname()
    header = bytearray(v2(address, VIP, (port, 5353)))
    header[13] = 0x12
    assert [data for data, _ in server.seen] == [header + d for d in (b"one", b"", b"three")]
    server.close()


# ---- unix sockets ----

def test_client_of_a_unix_socket(front):
    """It has no address: 'unix:' is its word, and a header says that nothing is known."""
    place = front.proxy.dir / "sockets"
    place.mkdir()
    place.chmod(0o777)
    path = place / "in"
    with Server(front.servers, ONE, 8081).serve(echo):
        front.start(UP, "allow unix:; deny all; proxy_protocol on;", f"unix:{path}")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(str(path))
            sock.sendall(b"hello")
            assert read_exactly(sock, 20) == b"PROXY UNKNOWN\r\nhello"
        front.reload(conf(UP, "deny unix:;", f"unix:{path}"))
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(str(path))
            assert ending(sock) in ("fin", "reset")
        wait_for(lambda: front.listener(f"unix:{path}")["counters"]["closeReasons"].get("denied")
                 == 1, "it is counted")
