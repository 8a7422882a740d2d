"""Who gets a session and who may have one: balancing beside a real nginx, the
operator's words, PROXY headers, access rules, the access log."""

import contextlib
import socket
from collections import Counter

import pytest

from lab import wait_for
from peers import Server, connect, echo, ending, greeter, make_socket, read_all, reset
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


# ---- the operator ----

def say(front, *words, check=True):
    return front.proxy.trivet(*words, check=check)


def control(front, method, **parameters):
    return front.bus().call(f"org.trivet.proxy.control.{method}", **parameters)


def sessions(front, **parameters):
    with front.bus() as bus:
        stream = bus.monitor("org.trivet.proxy.ListSessions", **parameters)
        return [s for part in stream for s in part["sessions"]]


def test_drain_and_ready(front):
    """No new session, the old one goes on; a reload does not undo it; ready does."""
    upstream = f"server {ONE}:8081; server {TWO}:8082;"
    with Server(front.servers, ONE, 8081).serve(echo), greeters(front, [(TWO, 8082)]):
        front.start(upstream)
        held = front.connect()
        held.sendall(b"a")
        assert held.recv(1) == b"a"
        say(front, "drain", "web", f"{ONE}:8081", "new", "disks")
        server = front.server(f"{ONE}:8081")
        assert (server["state"], server["stateSource"], server["reason"]) == \
            ("draining", "administrator", "new disks")
        assert front.call("ListUpstreams", name="web")["upstreams"][0]["availableServers"] == 1
        front.proc.wait_log(rf"upstream web: server {ONE}:8081 is draining \(new disks\)")
        front.reload(conf(upstream + "# again"))
        assert {read_all(front.connect()) for _ in range(6)} == {b"8082"}
        held.sendall(b"b")
        assert held.recv(1) == b"b"
        say(front, "ready", "web", f"{ONE}:8081")
        assert front.server(f"{ONE}:8081")["state"] == "up"
        first = [front.connect() for _ in range(2)]
        for sock in first:
            sock.sendall(b"c")
        assert {sock.recv(1) for sock in first} == {b"c", b"8"}


def test_drain_for_a_while(front):
    with greeters(front):
        front.start(lines())
        control(front, "SetServerState", upstream="web", server=f"{ONE}:8081", state="drain",
                holdMs=700)
        assert front.server(f"{ONE}:8081")["state"] == "draining"
        front.wait_state(f"{ONE}:8081", "up")


def test_weight(front):
    with greeters(front):
        front.start(lines())
        say(front, "weight", "web", f"{ONE}:8081", "8")
        assert front.server(f"{ONE}:8081")["weight"] == 8
        front.reload(conf(lines() + "# again"))
        seen = Counter(read_all(front.connect()) for _ in range(20))
        assert seen == {b"8081": 16, b"8082": 2, b"8083": 2}
        say(front, "weight", "web", f"{ONE}:8081", "auto")
        assert front.server(f"{ONE}:8081")["weight"] == 1


@pytest.mark.parametrize("words, code", [
    (("drain", "web"), 2),
    (("drain", "web", "nobody:1"), 1),
    (("drain", "nothing", f"{ONE}:8081"), 1),
    (("ready", "web", f"{ONE}:8081", "more"), 2),
    (("weight", "web", f"{ONE}:8081", "0"), 2),
    (("weight", "web", f"{ONE}:8081"), 2),
    (("maintenance", "--for", "soon", "web", f"{ONE}:8081"), 2)])
def test_words_that_are_refused(front, words, code):
    front.start(lines())
    assert say(front, *words, check=False).returncode == code
    assert front.server(f"{ONE}:8081")["state"] == "up"


def test_sessions_are_listed_and_closed(front):
    with Server(front.servers, ONE, 8081).serve(echo), \
            Server(front.servers, TWO, 8082).serve(echo):
        front.start(f"server {ONE}:8081; server {TWO}:8082;")
        held = [front.connect() for _ in range(6)]
        for sock in held:
            sock.sendall(b"hello")
            assert sock.recv(5) == b"hello"
        listed = sessions(front)
        assert {s["client"] for s in listed} == \
            {"{}:{}".format(*sock.getsockname()) for sock in held}
        assert Counter(s["server"] for s in listed) == {f"{ONE}:8081": 3, f"{TWO}:8082": 3}
        assert {(s["bytesIn"], s["bytesOut"], s["state"], s["upstream"], s["listener"])
                for s in listed} == {(5, 5, "open", "web", f"{VIP}:{PORT}")}
        assert len(sessions(front, limit=2)) == 2
        assert sessions(front, listener="no:1") == []
        mine = next(s for s in listed
                    if s["client"] == "{}:{}".format(*held[0].getsockname()))
        assert control(front, "CloseSessions", session=mine["id"]) == {"closed": 1}
        assert ending(held[0]) == "reset"
        assert control(front, "CloseSessions", session=mine["id"]) == {"closed": 0}
        assert control(front, "CloseSessions", session="nonsense") == {"closed": 0}
        left = [s for s in sessions(front) if s["server"] == f"{TWO}:8082"]
        assert control(front, "CloseSessions", upstream="web", server=f"{TWO}:8082") == \
            {"closed": len(left)}
        assert control(front, "CloseSessions", upstream="web") == {"closed": 5 - len(left)}
        reasons = front.listener()["counters"]["closeReasons"]
        assert reasons == {"administrator": 6}


# ---- on_server_down ----

@pytest.mark.parametrize("policy, outcome", [
    ("", "silence"), ("on_server_down keep;", "silence"), ("on_server_down close;", "reset"),
    ("on_server_down drain 300ms;", "reset"), ("on_server_down drain 1h;", "silence")])
def test_sessions_of_a_server_that_is_down(front, policy, outcome):
    with Server(front.servers, ONE, 8081).serve(echo), greeters(front, [(TWO, 8082)]):
        front.start(f"{policy} server {ONE}:8081; server {TWO}:8082;")
        held = front.connect()
        held.sendall(b"a")
        assert held.recv(1) == b"a"
        say(front, "maintenance", "web", f"{ONE}:8081")
        assert front.server(f"{ONE}:8081")["state"] == "maintenance"
        assert ending(held, 1.0) == outcome
        if outcome == "reset":
            assert front.listener()["counters"]["closeReasons"] == {"drain": 1}


def test_back_before_its_time(front):
    """A server that is ready again in time keeps its sessions."""
    with Server(front.servers, ONE, 8081).serve(echo):
        front.start(f"on_server_down drain 500ms; server {ONE}:8081; server {TWO}:8082 down;")
        held = front.connect()
        held.sendall(b"a")
        assert held.recv(1) == b"a"
        say(front, "maintenance", "web", f"{ONE}:8081")
        say(front, "ready", "web", f"{ONE}:8081")
        assert ending(held, 1.0) == "silence"


def test_the_operators_word_outlives_a_restart(front):
    with greeters(front):
        front.proxy.suite(conf(lines()), only=["proxyd"])
        say(front, "drain", "--for", "1h", "web", f"{ONE}:8081", "disks")
        say(front, "maintenance", "web", f"{ONE}:8082")
        say(front, "weight", "web", f"{TWO}:8083", "5")
        before = front.proxy.daemon_pid("proxyd")
        say(front, "restart", "proxyd")
        assert front.proxy.daemon_pid("proxyd") != before
        one, two, three = (front.server(f"{a}:{p}") for a, p in SERVERS)
        assert (one["state"], one["reason"], one["stateSource"]) == \
            ("draining", "disks", "administrator")
        assert two["state"] == "maintenance"
        assert (three["state"], three["weight"]) == ("up", 5)
        assert {read_all(front.connect()) for _ in range(3)} == {b"8083"}
        say(front, "ready", "web", f"{ONE}:8081")
        assert front.server(f"{ONE}:8081")["state"] == "up"
