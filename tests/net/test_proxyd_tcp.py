"""The words about TCP: what sockets are made with, when a session ends by time or
by a peer that is out of reach, what happens when ports run out."""

import contextlib
import ctypes
import os
import re
import resource
import signal
import socket
import subprocess
import time

import pytest

from lab import wait_for
from peers import Server, echo, ending, read_all, read_exactly
from test_proxyd import ONE, PORT, VIP, Front
from test_proxyd_relay import reason_of

PIDFD_GETFD = 438  # the same on all machines; Python has no name for it
_libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def front(lab):
    return Front(lab)


def ss(front, *args):
    """Of the sockets in proxyd's node."""
    done = subprocess.run(["ip", "netns", "exec", front.proxy.netns, "ss", "-Hnt", *args],
                          capture_output=True, text=True, check=True)
    return done.stdout


def test_keepalive_and_buffers(front):
    front.start(f"server {ONE}:8081;", "proxy_socket_keepalive on; proxy_socket_rcvbuf 80k;",
                listen=f"{VIP}:{PORT} so_keepalive=17m:5s:3 rcvbuf=100k sndbuf=120k backlog=33 fastopen=9")
    listening = ss(front, "-l", "-m", f"sport = :{PORT}")
    assert " 33 " in listening
    with Server(front.servers, ONE, 8081) as server:
        client = front.connect()
        conn = server.accept()
        client.sendall(b"x")
        assert read_exactly(conn, 1) == b"x"
        at_client = ss(front, "-o", "-m", "state", "established", f"sport = :{PORT}")
        assert re.search(r"timer:\(keepalive,(1[5-7]min|16min)", at_client), at_client
        assert f"rb{2 * 100 * 1024}," in at_client and f"tb{2 * 120 * 1024}," in at_client
        at_server = ss(front, "-o", "-m", "state", "established", "dport = :8081")
        assert re.search(r"timer:\(keepalive,1(19|20)min", at_server), at_server
        assert f"rb{2 * 80 * 1024}," in at_server


def connected_sockets(proc):
    """Its own, as ours: what was set on them can be asked."""
    pidfd, socks = os.pidfd_open(proc.pid), []
    for fd in os.listdir(f"/proc/{proc.pid}/fd"):
        copy = _libc.syscall(PIDFD_GETFD, pidfd, int(fd), 0)
        if copy < 0:
            continue
        try:
            sock = socket.socket(fileno=copy)
        except OSError:  # no socket
            os.close(copy)
            continue
        with contextlib.suppress(OSError):
            sock.getpeername()
            if sock.family == socket.AF_INET:
                socks.append(sock)
    os.close(pidfd)
    return socks


@pytest.mark.parametrize("word", ["on", "off"])
def test_nodelay(front, word):
    """Nobody waits 40 ms for an acknowledgement: not the server for a second request either."""
    front.start(f"server {ONE}:8081;", f"tcp_nodelay {word};")
    with Server(front.servers, ONE, 8081).serve(echo):
        client = front.connect()
        for _ in range(3):
            client.sendall(b"x")
            assert read_exactly(client, 1) == b"x"
        socks = connected_sockets(front.proc)
        assert len(socks) == 2
        for sock in socks:
            assert bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)) == (word == "on")
            sock.close()


@pytest.fixture
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_more_is_ready_than_a_pass_takes(front, many_files):
    """Both sides of 400 sessions at once, of which epoll_wait hands out 256: each has its turn."""
    front.start(f"server {ONE}:8081;")
    with Server(front.servers, ONE, 8081) as server:
        pairs = []
        for _ in range(400):
            client = front.connect()
            pairs.append((client, server.accept()))
        for turn in range(2):
            text = b"%d" % turn
            os.kill(front.proc.pid, signal.SIGSTOP)
            for client, conn in pairs:
                client.sendall(text)
                conn.sendall(text)
            os.kill(front.proc.pid, signal.SIGCONT)
            for client, conn in pairs:
                assert read_exactly(client, 1) == read_exactly(conn, 1) == text
        for client, conn in pairs:
            client.close()
            conn.close()


def test_a_dead_client_is_noticed(front):
    """Keepalive: no segment of it arrives any more."""
    front.start(f"server {ONE}:8081;", listen=f"{VIP}:{PORT} so_keepalive=1s:1s:2")
    with Server(front.servers, ONE, 8081) as server:
        client = front.connect()
        conn = server.accept()
        conn.sendall(b"hello")
        assert read_exactly(client, 5) == b"hello"
        front.client.ip("link", "set", "eth0", "down")
        assert ending(conn, 15) == "reset"
        assert reason_of(front) == {"client gone": 1}


def test_a_dead_server_is_noticed(front):
    """proxy_user_timeout: what was sent is not acknowledged."""
    front.start(f"server {ONE}:8081;", "proxy_user_timeout 1s;")
    with Server(front.servers, ONE, 8081) as server:
        client = front.connect()
        conn = server.accept()
        conn.sendall(b"hello")
        assert read_exactly(client, 5) == b"hello"
        front.servers.ip("link", "set", "eth0", "down")
        client.sendall(b"anybody there?")
        assert ending(client, 15) == "reset"
        assert reason_of(front) == {"server gone": 1}


def test_half_closed_for_too_long(front):
    front.start(f"server {ONE}:8081;", "proxy_half_close_timeout 1s;")
    with Server(front.servers, ONE, 8081) as server:
        whole, first = front.connect(), server.accept()
        half, second = front.connect(), server.accept()
        half.sendall(b"request")
        half.shutdown(socket.SHUT_WR)
        assert read_all(second) == b"request"
        began = time.monotonic()
        for _ in range(3):  # what moves is not too long
            assert ending(half, 0.5) == "silence"
            second.sendall(b".")
            assert read_exactly(half, 1) == b"."
        assert ending(half) == "fin"
        assert time.monotonic() - began > 2
        assert reason_of(front) == {"half-closed timeout": 1}
        whole.sendall(b"still here")
        assert read_exactly(first, 10) == b"still here"


def test_session_age(front):
    """Each ends at its time, busy or not; the jitter spreads them."""
    front.start(f"server {ONE}:8081;", "max_session_age 3s 2s;")
    with Server(front.servers, ONE, 8081).serve(echo):
        began = time.monotonic()
        socks = [front.connect() for _ in range(20)]
        ends = {}

        def all_ended():
            for sock in socks:
                if sock in ends:
                    continue
                try:
                    sock.sendall(b"x")
                    if not sock.recv(1):
                        ends[sock] = "fin"
                except ConnectionResetError:
                    ends[sock] = time.monotonic() - began
            return len(ends) == len(socks)
        wait_for(all_ended, "all of them have ended", 10)
        assert "fin" not in ends.values(), "nobody takes it for an orderly end"
        assert min(ends.values()) > 0.9 and max(ends.values()) - min(ends.values()) > 0.5
        assert front.listener()["counters"]["closeReasons"] == {"age": 20}


def test_source_addresses_in_turn(front):
    front.proxy.ip("addr", "add", "10.4.7.12/24", "dev", "eth0")
    front.start(f"server {ONE}:8081; server [fd00:7::21]:8081;", "proxy_bind 10.4.7.11 10.4.7.12;")
    seen = set()

    def note(conn):
        seen.add(conn.getpeername()[0])
    with Server(front.servers, ONE, 8081).serve(note), \
            Server(front.servers, "fd00:7::21", 8081).serve(note):
        for _ in range(24):
            assert ending(front.connect()) == "fin"
    assert seen == {"10.4.7.11", "10.4.7.12", "fd00:7::10"}


def connect_or_be_reset(front):
    """The reset may be there before connect() has returned."""
    try:
        return front.connect()
    except ConnectionResetError:
        return None


def test_ports_run_out(front):
    """Named as what it is, no server is blamed, and another source address helps."""
    front.proxy.ip("addr", "add", "10.4.7.12/24", "dev", "eth0")
    front.proxy.run(["sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40007"])
    front.start(f"server {ONE}:8081 max_fails=1;", "proxy_bind 10.4.7.11;")
    with Server(front.servers, ONE, 8081).serve(echo):
        socks = [connect_or_be_reset(front) for _ in range(14)]
        wait_for(lambda: front.listener()["counters"]["closeReasons"].get("resources", 0) >= 6,
                 "there are eight ports")
        front.proc.wait_log(rf"no local port is left to reach {ONE}:8081 from 1 local address")
        server = front.server(f"{ONE}:8081")
        assert (server["state"], server["counters"]["connectionErrors"]) == ("up", 0)
        for sock in filter(None, socks):
            sock.close()
        wait_for(lambda: front.listener()["currentSessions"] == 0, "all are gone")
        text = (front.proxy.dir / "trivet.conf").read_text()
        assert front.reload(text.replace("10.4.7.11;", "10.4.7.11 10.4.7.12;")) is not None
        more = [front.connect() for _ in range(4)]
        for n, sock in enumerate(more):
            sock.sendall(b"x")
            assert read_exactly(sock, 1) == b"x", (n, front.listener()["counters"])
    assert len(re.findall("no local port", front.proc.log())) == 1, "once is enough"
