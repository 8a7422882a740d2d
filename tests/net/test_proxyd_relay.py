"""What proxyd does to a connection: nothing.  FIN leaves as FIN, RST as RST, both
ways; every byte arrives; memory is bounded whatever the peers do."""

import contextlib
import itertools
import os
import random
import select
import socket
import threading
import time
from pathlib import Path

import pytest

from lab import proc_status, wait_for
from peers import (TIMEOUT, Drain, Server, Stream, chunks, digest, echo, ending, read_all,
                   read_exactly, reset)
from test_proxyd import ONE, PORT, TWO, VIP, Front

BULK = 50_000_000
PIPES = 48  # of the process
UV_PIPES = 4  # descriptors: libuv's own


@pytest.fixture
def front(lab):
    return Front(lab)


@pytest.fixture
def pair(front):
    """A client and a server connection with proxyd between them."""
    front.start(f"server {ONE}:8081;")
    with Server(front.servers, ONE, 8081) as server:
        client = front.connect()
        yield front, client, server.accept()


def ends(client, server, who):
    return (client, server) if who == "client" else (server, client)


def reason_of(front):
    return wait_for(lambda: front.listener()["counters"]["closeReasons"], "the session has ended")


@pytest.mark.parametrize("who", ["client", "server"])
def test_half_close(pair, who):
    front, client, server = pair
    first, other = ends(client, server, who)
    first.sendall(b"question")
    first.shutdown(socket.SHUT_WR)
    assert read_all(other) == b"question", "the bytes, then the FIN"
    for late in (b"late ", b"data"):
        other.sendall(late)
        assert read_exactly(first, len(late)) == late
    assert front.listener()["currentSessions"] == 1
    other.sendall(b"end")
    other.close()
    assert read_all(first) == b"end"
    assert reason_of(front) == {f"{who} fin": 1}


@pytest.mark.parametrize("who", ["client", "server"])
def test_half_close_off_is_nginx(front, who):
    front.start(f"server {ONE}:8081;", "proxy_half_close off;")
    with Server(front.servers, ONE, 8081) as server:
        first, other = ends(front.connect(), server.accept(), who)
        first.sendall(b"question")
        first.shutdown(socket.SHUT_WR)
        assert read_all(other) == b"question"
        assert ending(first) == "fin"
        assert reason_of(front) == {f"{who} fin": 1}


@pytest.mark.parametrize("said", [b"", b"something"])
@pytest.mark.parametrize("who", ["client", "server"])
def test_reset(pair, who, said):
    front, client, server = pair
    server.sendall(b"hello")  # from here on no other server is tried
    assert read_exactly(client, 5) == b"hello"
    first, other = ends(client, server, who)
    if said:
        first.sendall(said)
        assert read_exactly(other, len(said)) == said
    reset(first)
    assert ending(other) == "reset"
    assert reason_of(front) == {f"{who} rst": 1}


@pytest.mark.parametrize("who", ["client", "server"])
def test_reset_after_fin(pair, who):
    front, client, server = pair
    server.sendall(b"hello")
    assert read_exactly(client, 5) == b"hello"
    first, other = ends(client, server, who)
    first.shutdown(socket.SHUT_WR)
    assert ending(other) == "fin"
    reset(first)
    wait_for(lambda: ending(other, 0) == "reset" or _fails(other), "the reset arrives")
    assert reason_of(front) == {f"{who} rst": 1}


def _fails(sock):
    """A reset after a FIN shows at the next write."""
    try:
        sock.send(b"x")
    except (BrokenPipeError, ConnectionResetError):
        return True
    return False


def test_client_leaves_while_connecting(front):
    front.start("server 10.4.7.99:8081;", "proxy_connect_timeout 30s;")
    reset(front.connect())
    assert reason_of(front) == {"client rst": 1}


def test_server_closes_with_bytes_unread(pair):
    """The reply that a server sent before its reset still arrives, as it would without us."""
    _, client, server = pair
    client.sendall(b"request that is never read")
    server.sendall(b"early reply")
    assert read_exactly(client, 11) == b"early reply"
    server.close()  # unread bytes: the kernel sends RST
    assert ending(client) == "reset"


@pytest.mark.parametrize("mode", ["splice", "copy"])
def test_bulk_both_ways(pair, mode):
    front, client, server = pair
    begin(client, mode)
    begin(server, mode)
    up, down = Stream(client, "up", BULK), Stream(server, "down", BULK)
    at_server, at_client = Drain(server), Drain(client)
    for thread in (up, down, at_server, at_client):
        thread.join(120)
    assert (at_server.size, at_client.size) == (BULK, BULK)
    assert at_server.hash.hexdigest() == digest("up", BULK)
    assert at_client.hash.hexdigest() == digest("down", BULK)
    wait_for(lambda: front.listener()["counters"]["closeReasons"], "the session has ended")
    counters = front.listener()["counters"]
    assert (counters["bytesIn"], counters["bytesOut"]) == (BULK, BULK)
    assert (pipes(front) > 0) == (mode == "splice")


def test_many_short_streams_lose_nothing(front):
    """Each ends with a FIN right behind its last bytes."""
    front.start(f"server {ONE}:8081;")
    size = 200_000

    def sender(conn):
        stream = Stream(conn, "short", size)
        stream.join()
        conn.recv(1)
    with Server(front.servers, ONE, 8081).serve(sender):
        for _ in range(10):
            drains = [Drain(front.connect()) for _ in range(10)]
            for drain in drains:
                drain.join(30)
                assert (drain.error, drain.size) == (None, size)
                assert drain.hash.hexdigest() == digest("short", size)
                drain.sock.close()


def rss_kib(front):
    return int(proc_status(front.proxy.daemon_pid("proxyd"))["VmRSS"].split()[0])


def descriptors(front, kind):
    """Of one kind: "socket", "pipe"."""
    found = 0
    for fd in Path(f"/proc/{front.proxy.daemon_pid('proxyd')}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(fd).startswith(kind)
    return found


def pipes(front):
    return (descriptors(front, "pipe") - UV_PIPES) // 2


def stall(front):
    """Until nothing moves any more."""
    def stalled():
        seen = front.listener()["counters"]["bytesOut"]
        limit = time.monotonic() + 0.3
        wait_for(lambda: time.monotonic() > limit, "a moment has passed")
        return seen > 0 and front.listener()["counters"]["bytesOut"] == seen
    wait_for(stalled, "everything is full", 20)


@pytest.mark.parametrize("readers", [20, 60])
def test_slow_readers(front, readers):
    """Clients that read nothing, servers that send without end: a pipe each while
    there are pipes, one buffer for each that gets none."""
    front.start(f"server {ONE}:8081;")
    size = 20_000_000 if readers < PIPES else 8_000_000
    with Server(front.servers, ONE, 8081) as server:
        clients = [front.connect(rcvbuf=65536) for _ in range(readers)]
        conns = [server.accept() for _ in clients]
        for conn in conns:
            conn.settimeout(20 * TIMEOUT)  # they are to be stalled, on a busy machine for long
        before = rss_kib(front)
        streams = [Stream(conn, "slow", size) for conn in conns]
        stall(front)
        assert rss_kib(front) - before < readers * 80 + 2000
        assert 0 < pipes(front) <= PIPES
        drains = [Drain(sock) for sock in clients]
        for stream, drain in zip(streams, drains):
            stream.join(60)
            drain.join(60)
            assert (drain.error, drain.size) == (None, size)
            assert drain.hash.hexdigest() == digest("slow", size)


def begin(sock, mode):
    """Bulk from here on is spliced; behind urgent data it is copied for ever."""
    if mode == "copy":
        sock.send(b"!", socket.MSG_OOB)


@pytest.fixture(params=["splice", "copy"])
def stalled(request, front):
    """A connection with bytes waiting in proxyd, in a pipe or in memory, that the client has
    not read yet."""
    front.start(f"server {ONE}:8081;")
    with Server(front.servers, ONE, 8081) as server:
        client = front.connect(rcvbuf=65536)
        conn = server.accept()
        begin(conn, request.param)
        drain = Drain(client, 5_000_000)  # so that it has proved to be bulk
        conn.sendall(bytes(drain.wanted))
        drain.join(20)
        sent = push(conn)
        assert (pipes(front) > 0) == (request.param == "splice")
        yield front, client, conn, sent


def push(sock):
    """Send until nothing more is taken; what was."""
    data = b"".join(chunks("pushed", 100_000_000))
    sock.setblocking(False)
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    sent = 0
    while sent < len(data) and poll.poll(400):
        sent += sock.send(data[sent:sent + 65536])
    assert 0 < sent < len(data)
    sock.settimeout(TIMEOUT)
    return data[:sent]


def test_half_close_behind_waiting_bytes(stalled):
    _, client, conn, sent = stalled
    client.sendall(b"done asking")
    client.shutdown(socket.SHUT_WR)
    assert read_all(conn) == b"done asking", "the other direction goes on"
    conn.shutdown(socket.SHUT_WR)
    assert read_all(client) == sent


@pytest.mark.parametrize("who", ["client", "server"])
def test_reset_behind_waiting_bytes(stalled, who):
    front, client, conn, _ = stalled
    others = front.listener()["currentSessions"] - 1
    first, other = ends(client, conn, who)
    reset(first)
    wait_for(lambda: front.listener()["currentSessions"] == others, "the session has ended")
    assert front.listener()["counters"]["closeReasons"] == {f"{who} rst": 1}
    with pytest.raises(ConnectionResetError):
        while other.recv(1 << 18) or other.send(b"x"):
            pass


def test_others_beside_bulk(front):
    """Bulk sessions are waited for apart: neither one that is stalled nor one that is busy
    keeps anybody else waiting, whether they were there before or come anew."""
    front.start(f"server {ONE}:8081;")
    with Server(front.servers, ONE, 8081) as server:
        old = front.connect(), server.accept()

        def talk():
            new = front.connect(), server.accept()
            for client, conn in (old, new):
                client.sendall(b"question")
                assert read_exactly(conn, 8) == b"question"
                conn.sendall(b"answer")
                assert read_exactly(client, 6) == b"answer"
            for sock in new:
                sock.close()
        bulk, conn = front.connect(rcvbuf=65536), server.accept()
        drain = Drain(bulk, 5_000_000)
        conn.sendall(bytes(drain.wanted))
        drain.join(20)
        push(conn)
        assert pipes(front) > 0
        talk()
        drain = Drain(bulk)
        stream = Stream(conn, "busy", BULK // 5)
        while stream.is_alive():
            talk()
        stream.join()
        drain.join(60)
        assert drain.error is None
        talk()


def cpu_seconds(front):
    fields = Path(f"/proc/{front.proxy.daemon_pid('proxyd')}/stat").read_text().rpartition(")")[2]
    return sum(int(ticks) for ticks in fields.split()[11:13]) / os.sysconf("SC_CLK_TCK")


def test_sessions_at_rest_cost_no_cpu(front):
    """Idle, half-closed either way, stalled either way, connecting: nobody spins."""
    front.start(f"server {ONE}:8081;", more=f"""
        server {{ listen {VIP}:7444; proxy_connect_timeout 60s; proxy_pass 10.4.7.99:1; }}""")
    with Server(front.servers, ONE, 8081) as server:
        pairs = [(front.connect(rcvbuf=8192), server.accept()) for _ in range(5)]
        connecting = front.connect(port=7444)
        pairs[1][0].shutdown(socket.SHUT_WR)
        pairs[2][1].shutdown(socket.SHUT_WR)
        assert ending(pairs[1][1]) == ending(pairs[2][0]) == "fin"
        for sock in (pairs[3][1], pairs[4][0]):
            sock.setblocking(False)
            wait_for(lambda s=sock: _is_full(s), "it is stalled")
        before = cpu_seconds(front)
        assert ending(pairs[0][0], 2) == "silence"
        assert cpu_seconds(front) - before < 0.1
        connecting.close()


def _is_full(sock):
    try:
        sock.send(bytes(65536))
    except BlockingIOError:
        time.sleep(0.2)  # unless room appears again soon
        try:
            sock.send(b"x")
        except BlockingIOError:
            return True
    return False


def test_two_thousand_connections(front):
    front.start(f"server {ONE}:8081;")
    with Server(front.servers, ONE, 8081, backlog=4096) as server:
        warm = front.connect()
        server.accept()
        before = rss_kib(front)
        pairs = []
        for _ in range(2000):
            client = front.connect()
            pairs.append((client, server.accept()))
        wait_for(lambda: front.listener()["currentSessions"] == 2001, "all are there")
        for n, (client, conn) in enumerate(pairs):
            client.sendall(n.to_bytes(4, "big"))
            assert read_exactly(conn, 4) == n.to_bytes(4, "big")
            conn.sendall(b"ok")
            assert read_exactly(client, 2) == b"ok"
        assert (rss_kib(front) - before) / 2000 < 1.0, "KiB for each idle session"
        for client, conn in pairs:
            client.close()
            conn.close()
        warm.close()
        wait_for(lambda: front.listener()["currentSessions"] <= 1, "all are gone")


def misbehave(dice, sock):
    """One side of a connection at its worst, from a seeded die."""
    for _ in range(dice.randrange(6)):
        act = dice.randrange(5)
        if act == 0:
            sock.sendall(bytes(dice.randrange(1, 200_000)))
        elif act == 1:
            sock.settimeout(0.05)
            try:
                sock.recv(dice.randrange(1, 100_000))
            except TimeoutError:
                pass
            sock.settimeout(2)
        elif act == 2:
            sock.shutdown(socket.SHUT_WR)
        elif act == 3:
            time.sleep(dice.random() / 50)  # not for an event: to be late
        else:
            sock.send(b"!", socket.MSG_OOB)
    if dice.randrange(3) == 0:
        reset(sock)
    else:
        sock.close()


def test_whatever_the_peers_do(front):
    """Random ends in random order: each session ends once, and nothing is left behind."""
    front.start(f"server {ONE}:8081 max_fails=0; server {ONE}:8082 max_fails=0;"
                f"server {TWO}:8083 max_fails=0;")  # the last refuses
    seeds = itertools.count()

    def server(conn):
        misbehave(random.Random(f"server {next(seeds)}"), conn)

    def client(first):
        for n in range(first, first + 30):
            with contextlib.suppress(OSError):
                misbehave(random.Random(f"client {n}"), front.connect())
    with Server(front.servers, ONE, 8081).serve(server), Server(front.servers, ONE, 8082).serve(server):
        before = descriptors(front, "socket")
        threads = [threading.Thread(target=client, args=(n * 30,)) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        wait_for(lambda: front.listener()["currentSessions"] == 0, "every session ends", 20)
    counters = front.listener()["counters"]
    assert counters["sessions"] == sum(counters["closeReasons"].values()) > 250
    assert {"client fin", "client rst", "server rst"} <= set(counters["closeReasons"])
    assert not {"idle", "resources", "no server"} & set(counters["closeReasons"])
    servers = front.call("ListUpstreams", name="web")["servers"]
    assert [s["currentSessions"] for s in servers] == [0, 0, 0]
    wait_for(lambda: descriptors(front, "socket") <= before, "no socket is left")
    assert pipes(front) <= PIPES


def test_idle(front):
    front.start(f"server {ONE}:8081;", "proxy_timeout 1s;")
    with Server(front.servers, ONE, 8081) as server:
        sock = front.connect()
        conn = server.accept()
        for _ in range(4):  # any byte either way keeps it
            limit = time.monotonic() + 0.5
            wait_for(lambda: time.monotonic() > limit, "half the timeout has passed")
            conn.sendall(b".")
            assert read_exactly(sock, 1) == b"."
        began = time.monotonic()
        assert ending(sock) == "fin" and ending(conn) == "fin"
        assert 0.8 < time.monotonic() - began < 2
        assert reason_of(front) == {"idle": 1}


def test_timeout_never(front):
    front.start(f"server {ONE}:8081;", "proxy_timeout 0;")
    with Server(front.servers, ONE, 8081).serve(echo):
        sock = front.connect()
        assert ending(sock, 2) == "silence"
        sock.sendall(b"x")
        assert read_exactly(sock, 1) == b"x"


def test_urgent_data_does_not_stall_the_rest(pair):
    _, client, server = pair
    client.sendall(b"before")
    client.send(b"!", socket.MSG_OOB)
    client.sendall(b"after")
    client.shutdown(socket.SHUT_WR)
    assert read_all(server) in (b"beforeafter", b"before!after")


def test_address_lost(front):
    """A virtual address that left for good takes its sessions with it; one that is back
    before long, and the node's own, keep theirs."""
    front.start(f"server {ONE}:8081;", listen=f"*:{PORT}")
    with Server(front.servers, ONE, 8081) as server:
        pairs = {}
        for address in (VIP, "10.4.7.11"):
            client = front.connect(address)
            pairs[address] = client, server.accept()
        front.proxy.ip("addr", "del", f"{VIP}/24", "dev", "eth0")
        client, conn = pairs[VIP]
        assert ending(conn, 2) == "silence"
        front.proxy.ip("addr", "add", f"{VIP}/24", "dev", "eth0")
        client.sendall(b"still here")
        assert read_exactly(conn, 10) == b"still here"
        assert ending(conn, 4) == "silence", "it is back"
        began = time.monotonic()
        front.proxy.ip("addr", "del", f"{VIP}/24", "dev", "eth0")
        assert ending(conn, 10) == "reset"
        assert 4.5 < time.monotonic() - began < 8
        assert front.listener(f"*:{PORT}")["counters"]["closeReasons"] == {"address lost": 1}
        client, conn = pairs["10.4.7.11"]
        client.sendall(b"untouched")
        assert read_exactly(conn, 9) == b"untouched"
