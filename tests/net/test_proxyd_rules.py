"""Who gets a session and who may have one: balancing beside a real nginx, the
operator's words, PROXY headers, access rules, the access log."""

import contextlib
import socket
from collections import Counter

import pytest

from lab import wait_for
from peers import Server, connect, ending, greeter, make_socket, read_all, reset
from test_proxyd import ONE, PORT, TWO, VIP, Front, conf

SERVERS = [(ONE, 8081), (ONE, 8082), (TWO, 8083)]
CLIENTS = [f"10.4.7.{n}" for n in range(100, 140)]


@pytest.fixture
def front(lab):
    return Front(lab)


@contextlib.contextmanager
def greeters(front, servers=SERVERS):
    """Servers that say their port and close."""
    with contextlib.ExitStack() as stack:
        for address, port in servers:
            stack.enter_context(
                Server(front.servers, address, port).serve(greeter(str(port).encode())))
        yield


def lines(servers=SERVERS, weights=(1, 1, 1)):
    return "".join(f"server {a}:{p} weight={w};" for (a, p), w in zip(servers, weights))


def ask(front, source, port=PORT):
    """The answer that a client at that address gets."""
    sock = make_socket(front.client)
    sock.bind((source, 0))
    sock.connect((VIP, port))
    with sock:
        return read_all(sock).decode()


@pytest.mark.parametrize("method", ["hash $remote_addr consistent",
                                    "hash $remote_addr",
                                    "hash $binary_remote_addr consistent",
                                    "hash k$remote_addr:$server_addr consistent"])
def test_hashes_agree_with_nginx(front, method):
    """A mixed pair sends each client to the same server, also while one is marked down."""
    for address in CLIENTS:
        front.client.ip("addr", "add", f"{address}/24", "dev", "eth0")
    with greeters(front):
        upstream = f"{method}; {lines(weights=(1, 3, 2))}"
        front.start(upstream)
        front.proxy.nginx(f"""stream {{ upstream web {{ {upstream} }}
            server {{ listen {VIP}:7444; proxy_pass web; }} }}""", ready=7444)
        ours = {c: ask(front, c) for c in CLIENTS}
        assert ours == {c: ask(front, c, 7444) for c in CLIENTS}
        assert len(set(ours.values())) == 3, "a test of one server proves nothing"
        assert ours == {c: ask(front, c) for c in CLIENTS}, "the same client, the same server"


def test_consistent_hash_moves_only_the_dead_ones(front):
    for address in CLIENTS:
        front.client.ip("addr", "add", f"{address}/24", "dev", "eth0")
    upstream = f"hash $remote_addr consistent; {lines()}"
    with greeters(front):
        front.start(upstream)
        before = {c: ask(front, c) for c in CLIENTS}
        front.reload(conf(upstream.replace(":8082 weight=1", ":8082 weight=1 down")))
        after = {c: ask(front, c) for c in CLIENTS}
    moved = {c for c in CLIENTS if before[c] != after[c]}
    assert moved == {c for c in CLIENTS if before[c] == "8082"} and moved


def test_least_conn(front):
    """Long sessions on one server: the next ones go to the other."""
    with Server(front.servers, ONE, 8081) as one, Server(front.servers, TWO, 8082):
        front.start(f"least_conn; server {ONE}:8081 weight=2 max_fails=0; server {TWO}:8082;")
        held = [front.connect() for _ in range(9)]
        wait_for(lambda: front.server(f"{ONE}:8081")["currentSessions"] == 6 and
                 front.server(f"{TWO}:8082")["currentSessions"] == 3, "2 to 1")
        assert front.call("ListUpstreams", name="web")["upstreams"][0]["balance"] == "leastConn"
        with contextlib.ExitStack() as stack:
            for _ in range(6):
                stack.enter_context(one.accept()).sendall(b"x")
            on_one = [c for c in held if ending(c, 0.5) == "data"]
            assert len(on_one) == 6
            for conn in on_one[:4]:
                reset(conn)
                held.remove(conn)
            stack.pop_all()
        wait_for(lambda: front.server(f"{ONE}:8081")["currentSessions"] == 2, "four have gone")
        held += [front.connect() for _ in range(3)]
        wait_for(lambda: front.server(f"{ONE}:8081")["currentSessions"] == 5,
                 "all three new ones where four have gone")
        assert front.server(f"{TWO}:8082")["currentSessions"] == 3


def test_random_two(front):
    with greeters(front):
        front.start(f"random two least_conn; {lines()}")
        seen = Counter(ask(front, "10.4.7.30") for _ in range(60))
    assert len(seen) == 3, seen


def test_max_conns(front):
    with Server(front.servers, ONE, 8081), greeters(front, [(TWO, 8082)]):
        front.start(f"server {ONE}:8081 max_conns=2 weight=100; server {TWO}:8082 backup;")
        held = [front.connect(), front.connect()]
        wait_for(lambda: front.server(f"{ONE}:8081")["currentSessions"] == 2, "it is full")
        assert read_all(front.connect()) == b"8082"
        reset(held.pop())
        wait_for(lambda: front.server(f"{ONE}:8081")["currentSessions"] == 1, "room again")
        held.append(front.connect())
        wait_for(lambda: front.server(f"{ONE}:8081")["currentSessions"] == 2, "and taken")
