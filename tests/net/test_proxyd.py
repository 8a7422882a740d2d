"""proxyd's pools and listeners: who gets a connection, who is down and why,
what can be listened on, what a reload and a stop do to sessions."""

import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest

import varlink
from lab import wait_for
from peers import (Server, connect, echo, ending, greeter, inside, make_socket, read_all,
                   read_exactly, reset)

VIP, PORT = "10.4.7.10", 7443
ONE, TWO = "10.4.7.21", "10.4.7.22"
OURS, NGINX = 7000, 8000  # the first port of each, where both run


class Front:
    """A node with proxyd, one with two server addresses, one for clients."""

    def __init__(self, lab):
        lab.switch()
        self.proxy = lab.node("p", ["10.4.7.11/24", f"{VIP}/24", "fd00:7::10/64"])
        self.servers = lab.node("s", [f"{ONE}/24", f"{TWO}/24", "fd00:7::21/64"])
        self.client = lab.node("c", ["10.4.7.30/24", "fd00:7::30/64"])
        self.proc = None

    def start(self, upstream, server="", listen=f"{VIP}:{PORT}", more="", **kw):
        self.proc = self.proxy.daemon("proxyd", conf(upstream, server, listen, more), **kw)
        return self

    def connect(self, address=VIP, port=PORT, **kw):
        return connect(self.client, address, port, **kw)

    def ending(self):
        """What comes of a connection: the reset may be there before connect(2) returns."""
        try:
            return ending(self.connect())
        except ConnectionResetError:
            return "reset"

    def bus(self):
        return varlink.connect(self.proxy.socket_path("proxyd"))

    def call(self, method, **parameters):
        """One call, its reply checked against the .varlink text."""
        return self.bus().call(f"org.trivet.proxy.{method}", **parameters)

    def server(self, name, upstream="web"):
        """None: an address that is not found (yet)."""
        reply = self.call("ListUpstreams", name=upstream)
        return next((s for s in reply["servers"] if s["name"] == name), None)

    def listener(self, name=f"{VIP}:{PORT}"):
        return self.call("ListListeners", name=name)["listeners"][0]

    def wait_state(self, name, state, timeout=10.0):
        return wait_for(lambda: (s := self.server(name)) and s["state"] == state and s,
                        f"{name} is {state}", timeout)

    def reload(self, text):
        self.proxy.write("trivet.conf", text)
        return self.proxy.call("proxyd", "org.trivet.daemon.control.Reload")


def conf(upstream, server="", listen=f"{VIP}:{PORT}", more=""):
    return f"""
stream {{
    upstream web {{
        {upstream}
    }}
    server {{
        listen {listen};
        proxy_pass web;
        {server}
    }}
    {more}
}}
"""


def both(front, text, ready=1):
    """proxyd and nginx with the same text; PORT+n is the n-th port of each, WHO its name."""
    def of(base, who):
        ports = re.sub(r"PORT\+(\d+)", lambda m: str(base + int(m.group(1))), text)
        return f"stream {{\n{ports.replace('WHO', who)} }}"
    front.proc = front.proxy.daemon("proxyd", of(OURS, "ours"))
    front.proxy.nginx(of(NGINX, "nginx"), ready=NGINX + ready)


@pytest.fixture
def front(lab):
    return Front(lab)


def test_forwards_in_turn(front):
    front.servers.web(8081, "one")
    front.servers.web(8082, "two")
    front.start(f"server {ONE}:8081; server {TWO}:8082 weight=2;")
    pulse = front.client.pulse(VIP, PORT, every=0.001)
    pulse.more(30)
    answers = [r["answer"] for r in pulse.stop() if r["ok"]]
    assert not pulse.failures()
    one, two = (sum(a.strip() == who for a in answers) for who in ("one", "two"))
    assert abs(two - 2 * one) <= 2, (one, two)


def test_stopped_server_is_not_felt(front):
    """Two real nginx; one goes and comes back under continuous requests."""
    front.servers.web(8081, "one")
    two = front.servers.web(8082, "two")
    front.start(f"server {ONE}:8081 max_fails=2 fail_timeout=2s;"
                f"server {TWO}:8082 max_fails=2 fail_timeout=2s;")
    pulse = front.client.pulse(VIP, PORT, every=0.005)
    pulse.more(10)
    two.kill(signal.SIGQUIT)
    down = front.wait_state(f"{TWO}:8082", "down")
    assert down["reason"] == "connect: Connection refused, 2 of 2 within 2s"
    assert down["stateSource"] == "passive"
    front.proc.wait_log(rf"upstream web: server {TWO}:8082 is down "
                        r"\(connect: Connection refused, 2 of 2 within 2s\)")
    pulse.more(10)
    front.servers.web(8082, "two", name="again")
    up = front.wait_state(f"{TWO}:8082", "up")
    assert up["reason"] == "a recovery probe connected"
    front.proc.wait_log(rf"upstream web: server {TWO}:8082 is up")
    pulse.more(10)
    pulse.stop()
    assert not pulse.failures()
    errors = front.server(f"{TWO}:8082")["counters"]["connectionErrors"]
    assert errors == 2, "clients were spent on a server known to be down"


def test_a_probe_and_no_client_finds_out(front):
    front.start(f"server {ONE}:8081 max_fails=1 fail_timeout=500ms;"
                f"server {TWO}:8082;")
    with Server(front.servers, TWO, 8082).serve(greeter(b"two")):
        assert read_all(front.connect()) == b"two"
        front.wait_state(f"{ONE}:8081", "down")
        with Server(front.servers, ONE, 8081) as one:
            conn = one.accept()  # with no client about
            assert ending(conn) == "fin", "a probe says nothing"
            front.wait_state(f"{ONE}:8081", "up")


def test_down_reaches_subscribers(front):
    front.start(f"server {ONE}:8081 max_fails=3 fail_timeout=30s; server {TWO}:8082;")
    with Server(front.servers, TWO, 8082).serve(greeter(b"two")):
        stream = front.bus().monitor("org.trivet.proxy.Monitor", upstreams=["web"])
        first = next(stream)
        assert first["kind"] == "snapshot" and first["complete"]
        assert {s["state"] for s in first["servers"]} == {"up"}
        for n in range(4):  # the two in turn: two failures so far
            assert read_all(front.connect()) == b"two", n
        assert front.server(f"{ONE}:8081")["state"] == "up"
        while front.server(f"{ONE}:8081")["counters"]["connectionErrors"] < 3:
            assert read_all(front.connect()) == b"two"
        for update in stream:
            changed = {s["name"]: s for s in update.get("servers") or []}
            if f"{ONE}:8081" in changed:
                break
        assert changed[f"{ONE}:8081"]["state"] == "down"
        assert changed[f"{ONE}:8081"]["reason"].endswith("3 of 3 within 30s")


def test_failures_far_apart_do_not_count_together(front):
    front.start(f"server {ONE}:8081 max_fails=2 fail_timeout=1s; server {TWO}:8082;")
    with Server(front.servers, TWO, 8082).serve(greeter(b"two")):
        for wanted in (1, 2, 3):
            while front.server(f"{ONE}:8081")["counters"]["connectionErrors"] < wanted:
                assert read_all(front.connect()) == b"two"
            assert front.server(f"{ONE}:8081")["state"] == "up"
            limit = time.monotonic() + 1.1  # outlives the window: the point of the test
            wait_for(lambda: time.monotonic() > limit, "the window has passed")


def test_all_down_refuses_at_once(front):
    front.start(f"server {ONE}:8081 max_fails=1; server {TWO}:8082 max_fails=1;")
    for _ in range(3):
        began = time.monotonic()
        assert front.ending() == "reset"
        assert time.monotonic() - began < 1
    front.wait_state(f"{ONE}:8081", "down")
    front.wait_state(f"{TWO}:8082", "down")
    reasons = front.listener()["counters"]["closeReasons"]
    assert reasons["no server"] >= 1 and set(reasons) <= {"no server", "connect failed"}
    up = front.call("ListUpstreams", name="web")["upstreams"][0]
    assert (up["state"], up["availableServers"], up["totalServers"]) == ("down", 0, 2)
    assert "upstream web: no server is up" in front.proxy.status("proxyd")["healthReasons"]


def test_a_dead_pool_comes_back_soon(front):
    """The outage of all ends with its cause, not a fail_timeout later."""
    front.start(f"server {ONE}:8081 max_fails=1 fail_timeout=60s;"
                f"server {TWO}:8082 max_fails=1 fail_timeout=60s;")
    assert front.ending() == "reset"
    front.wait_state(f"{ONE}:8081", "down")
    front.wait_state(f"{TWO}:8082", "down")
    with Server(front.servers, TWO, 8082).serve(greeter(b"two")):
        front.wait_state(f"{TWO}:8082", "up", timeout=4)
        assert read_all(front.connect()) == b"two"
        assert front.server(f"{ONE}:8081")["state"] == "down"


def test_the_only_server_is_always_tried(front):
    front.start(f"server {ONE}:8081 max_fails=1 fail_timeout=60s;")
    assert front.ending() == "reset"
    front.wait_state(f"{ONE}:8081", "down")
    with Server(front.servers, ONE, 8081).serve(greeter(b"one")):
        assert read_all(front.connect()) == b"one"
        front.wait_state(f"{ONE}:8081", "up")


def test_backup_and_down(front):
    front.start(f"server {ONE}:8080 down; server {ONE}:8081 max_fails=1;"
                f"server {TWO}:8082 backup;")
    with Server(front.servers, TWO, 8082).serve(greeter(b"backup")):
        with Server(front.servers, ONE, 8081).serve(greeter(b"one")):
            assert {read_all(front.connect()) for _ in range(6)} == {b"one"}
        assert {read_all(front.connect()) for _ in range(6)} == {b"backup"}
    marked = front.server(f"{ONE}:8080")
    assert (marked["state"], marked["stateSource"]) == ("down", "administrator")
    assert marked["counters"]["sessions"] == 0


@pytest.mark.parametrize("first_says", ["nothing", "request"])
def test_reset_before_the_first_byte_is_a_failure(front, first_says):
    front.start(f"server {ONE}:8081 max_fails=1; server {TWO}:8082;")

    def resets(conn):
        if first_says == "request":
            read_exactly(conn, 4)
        reset(conn)
    with Server(front.servers, ONE, 8081).serve(resets), \
            Server(front.servers, TWO, 8082).serve(greeter(b"two")):
        sock = front.connect()
        if first_says == "nothing":
            assert read_all(sock) == b"two", "nothing was said: the next server"
        else:
            sock.sendall(b"1234")
            assert ending(sock) == "reset"
        down = front.wait_state(f"{ONE}:8081", "down")
        assert down["reason"].startswith("reset before its first byte, 1 of 1")


def test_blackhole_goes_to_the_next_server(front):
    front.start(f"server 10.4.7.99:8081 max_fails=1; server {TWO}:8082;",
                "proxy_connect_timeout 400ms;")
    with Server(front.servers, TWO, 8082).serve(greeter(b"two")):
        began = time.monotonic()
        assert {read_all(front.connect()) for _ in range(4)} == {b"two"}
        assert 0.35 < time.monotonic() - began < 3
    down = front.wait_state("10.4.7.99:8081", "down")
    assert down["reason"].startswith("connect: Connection timed out, 1 of 1")
    assert front.server("10.4.7.99:8081")["counters"]["timeouts"] == 1


def test_next_upstream_off(front):
    front.start(f"server {ONE}:8081 max_fails=0; server {TWO}:8082;",
                "proxy_next_upstream off;")
    with Server(front.servers, TWO, 8082).serve(greeter(b"two")):
        ends = {front.ending() for _ in range(4)}
    assert ends == {"reset", "data"}


# ---- names ----

def test_name_not_resolved_yet(front):
    """A name that nobody knows makes its server down, not the start fail."""
    etc = Path("/etc/netns") / front.proxy.netns
    etc.mkdir(parents=True)
    try:
        (etc / "resolv.conf").write_text("nameserver 127.0.0.1\noptions attempts:1 timeout:1\n")
        (etc / "hosts").write_text("127.0.0.1 localhost\n")
        front.start(f"server app.example:8081; server {TWO}:8082;")
        unknown = front.server("app.example:8081")
        assert (unknown["state"], unknown["stateSource"], unknown["address"]) == (
            "down", "resolver", "")
        with Server(front.servers, TWO, 8082).serve(greeter(b"two")), \
                Server(front.servers, ONE, 8081).serve(greeter(b"one")):
            assert {read_all(front.connect()) for _ in range(4)} == {b"two"}
            with open(etc / "hosts", "a", encoding="ascii") as hosts:
                hosts.write(f"{ONE} app.example\n")
            known = front.wait_state("app.example:8081", "up", timeout=20)
            assert known["address"] == ONE
            assert {read_all(front.connect()) for _ in range(4)} == {b"one", b"two"}
    finally:
        for file in etc.iterdir():
            file.unlink()
        etc.rmdir()


# ---- listeners ----

def test_listens_on_an_address_that_is_not_here(front):
    front.proxy.ip("addr", "del", f"{VIP}/24", "dev", "eth0")
    front.start(f"server {ONE}:8081;")
    assert front.listener()["state"] == "listening"
    with Server(front.servers, ONE, 8081).serve(greeter(b"one")):
        front.proxy.ip("addr", "add", f"{VIP}/24", "dev", "eth0")
        assert read_all(front.connect()) == b"one"


def test_one_that_cannot_bind_stops_nobody(front):
    taken = make_socket(front.proxy)
    taken.bind((VIP, PORT))
    taken.listen()
    front.start(f"server {ONE}:8081;", more=f"server {{ listen {VIP}:7444; proxy_pass web; }}")
    failed = front.listener()
    assert failed["state"] == "failed" and failed["error"] == "bind: Address already in use"
    assert f"listener {VIP}:{PORT}: bind: Address already in use" in \
        front.proxy.status("proxyd")["healthReasons"]
    with Server(front.servers, ONE, 8081).serve(greeter(b"one")):
        assert read_all(front.connect(port=7444)) == b"one"
        taken.close()
        wait_for(lambda: front.listener()["state"] == "listening", "it was tried again", 5)
        assert read_all(front.connect()) == b"one"
    assert front.proxy.status("proxyd")["health"] == "ok"
    assert front.proc.log().count("bind: Address already in use") == 1, "said once, not each second"


@pytest.mark.parametrize("listen,address", [
    ("7443", VIP), ("*:7443", "10.4.7.11"), ("[fd00:7::10]:7443", "fd00:7::10"),
    ("[::]:7443", "fd00:7::10")])
def test_wildcards_and_ipv6(front, listen, address):
    wait_for(lambda: "tentative" not in front.proxy.ip("-6", "addr"), "addresses are usable")
    front.start("server [fd00:7::21]:8081;", listen=listen)
    with Server(front.servers, "fd00:7::21", 8081).serve(greeter(b"six")):
        assert read_all(front.connect(address)) == b"six"


def test_sockets_for_each_thread(front):
    front.start(f"server {ONE}:8081;", more="", args=())
    threads = [Path(p, "comm").read_text().strip()
               for p in Path(f"/proc/{front.proxy.daemon_pid('proxyd')}/task").iterdir()]
    n = sum(name.startswith("data-") for name in threads)
    assert n == len(os.sched_getaffinity(0))
    listening = front.proxy.run(["ss", "-Hltn", f"sport = :{PORT}"]).stdout.splitlines()
    assert len(listening) == n


def test_descriptors_run_out(front):
    """Who does not fit waits in the backlog; nobody accepted is dropped."""
    path = front.proxy.write("trivet.conf", conf(f"server {ONE}:8081;"))
    proc = front.proxy.spawn(
        ["prlimit", "--nofile=60:60", front.proxy.binary("proxyd"), "-c", path, "--run-dir",
         front.proxy.run_dir, "--state-dir", front.proxy.state_dir], "proxyd")
    front.proxy.wait_ready("proxyd", proc)
    with Server(front.servers, ONE, 8081).serve(echo):
        clients = [front.connect() for _ in range(40)]
        for sock in clients:
            sock.sendall(b"ping")
        served = [s for s in clients if ending(s, 0.3) == "data"]
        assert 5 < len(served) < 40
        proc.wait_log("accept: Too many open files: new clients wait in the backlog")
        waiting = [s for s in clients if s not in served]
        while waiting:
            for sock in served:
                assert read_exactly(sock, 4) == b"ping"
                sock.close()
            served = wait_for(lambda: [s for s in waiting if ending(s, 0) == "data"],
                              "those in the backlog are served")
            waiting = [s for s in waiting if s not in served]
    assert proc.log().count("Too many open files") == 1


# ---- reload ----

def metric(front, name):
    """Of the process."""
    metrics = front.proxy.call("proxyd", "org.trivet.daemon.ListMetrics", {"prefix": name})
    return next(m["value"] for m in metrics["metrics"])


def test_worker_connections(front):
    """Six sessions of two connections; who comes beyond waits in the backlog, is told of, and served."""
    def text(connections):
        return (f"worker_processes 2; events {{ worker_connections {connections}; }}"
                "worker_rlimit_nofile 100000000;"
                + conf(f"server {ONE}:8081;", more=f"server {{ listen {PORT} udp; proxy_pass web; }}"))
    front.proc = front.proxy.daemon("proxyd", text(6))
    with Server(front.servers, ONE, 8081).serve(echo):
        clients = [front.connect() for _ in range(20)]
        for sock in clients:
            sock.sendall(b"ping")

        def served():
            return [s for s in clients if ending(s, 0) == "data"]
        wait_for(lambda: len(served()) >= 6, "those who fit are served")
        front.proc.wait_log("6 worker_connections are not enough: 6 sessions are open")
        front.proc.wait_log(r"worker_rlimit_nofile: 100000000 descriptors, and \d+ are allowed")
        wait_for(lambda: any("worker_connections" in reason for reason
                             in front.proxy.status("proxyd")["healthReasons"]), "status says it")
        assert metric(front, "proxyd_process_max_sessions") == 6
        assert metric(front, "proxyd_process_full_total") > 0
        first = wait_for(lambda: len(s := served()) == front.listener()["currentSessions"] and s,
                         "all who are in are served")
        assert 6 <= len(first) <= 7, "two threads may find the last place at once"
        with inside(front.client), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
            datagram.sendto(b"x", (VIP, PORT))
        wait_for(lambda: front.listener(f"*:{PORT}/udp")["counters"]["datagramsDropped"] == 1,
                 "no room for datagrams either")
        for sock in first:
            clients.remove(sock)
            sock.close()
        wait_for(lambda: len(served()) >= 6, "others have their places")
        assert front.reload(text(200))
        wait_for(lambda: len(served()) == len(clients), "a reload makes room for all")
        assert all(read_exactly(sock, 4) == b"ping" for sock in clients)
        assert front.proc.log().count("sessions are open") == 1


def test_reload_keeps_sessions_health_and_counters(front):
    upstream = f"server {ONE}:8081 max_fails=1 fail_timeout=60s; server {TWO}:8082;"
    second = f"server {{ listen {VIP}:7444; proxy_pass web; }}"
    front.start(upstream, more=second)
    with Server(front.servers, TWO, 8082).serve(echo):
        stays, leaves = front.connect(), front.connect(port=7444)
        for sock in (stays, leaves):
            sock.sendall(b"before")
            assert read_exactly(sock, 6) == b"before"
        wait_for(lambda: front.connect() and front.server(f"{ONE}:8081")["state"] == "down",
                 "the first server is down")
        before = front.listener()["counters"]["sessions"]
        inodes = front.proxy.run(["ss", "-Hltne", f"sport = :{PORT}"]).stdout

        third = f"server {{ listen {VIP}:7445; proxy_pass web; }}"
        front.reload(conf(upstream.replace("60s", "50s"), "proxy_timeout 1s;", more=third))
        assert front.server(f"{ONE}:8081")["state"] == "down", "health is kept"
        assert front.listener()["counters"]["sessions"] == before
        assert front.proxy.run(["ss", "-Hltne", f"sport = :{PORT}"]).stdout == inodes
        assert front.listener(f"{VIP}:7444")["state"] == "draining"
        wait_for(lambda: not front.proxy.listens(7444), "the old socket is closed")
        with pytest.raises(ConnectionRefusedError):
            front.connect(port=7444)

        short = front.connect()  # begun under the new timeout
        assert ending(short, 4) == "fin"
        for sock in (stays, leaves):
            sock.sendall(b"after")
            assert read_exactly(sock, 5) == b"after"
        new = front.connect(port=7445)
        new.sendall(b"new")
        assert read_exactly(new, 3) == b"new"
        leaves.close()
        wait_for(lambda: f"{VIP}:7444" not in [
            one["name"] for one in front.call("ListListeners")["listeners"]], "it is forgotten")


def test_reload_removes_a_server_and_its_upstream(front):
    front.start(f"server {ONE}:8081; server {TWO}:8082;")
    with Server(front.servers, ONE, 8081).serve(echo), Server(front.servers, TWO, 8082).serve(echo):
        socks = [front.connect() for _ in range(4)]
        front.reload(conf(f"server {TWO}:8082;").replace("web", "web2"))
        names = [u["name"] for u in front.call("ListUpstreams")["upstreams"]]
        assert names == ["web2"]
        for sock in socks:
            sock.sendall(b"still")
            assert read_exactly(sock, 5) == b"still"
            sock.close()
        new = front.connect()
        new.sendall(b"new")
        assert read_exactly(new, 3) == b"new"
        assert front.server(f"{TWO}:8082", "web2")["currentSessions"] == 1


def test_reload_is_not_felt(front):
    """The pool itself changes its name, to and fro, under continuous requests."""
    front.servers.web(8081, "one")
    first = conf(f"server {ONE}:8081;")
    front.start(f"server {ONE}:8081;")
    pulses = [front.client.pulse(VIP, PORT, every=0) for _ in range(2)]
    for n in range(20):
        front.reload(first if n % 2 else first.replace("web", "web2"))
        pulses[0].more(3)
    for pulse in pulses:
        pulse.stop()
        assert not pulse.failures()
    assert front.server(f"{ONE}:8081")["state"] == "up"


# ---- stop ----

def test_stop_accepts_a_while_and_drains(front):
    front.start(f"server {ONE}:8081;")
    with Server(front.servers, ONE, 8081).serve(echo):
        begun = front.connect()
        begun.sendall(b"1")
        assert read_exactly(begun, 1) == b"1"
        front.proc.kill(signal.SIGTERM)
        late = front.connect()  # VIPs leave before listeners
        late.sendall(b"late")
        assert read_exactly(late, 4) == b"late"
        wait_for(lambda: not front.proxy.listens(PORT), "no more listening", 5)
        begun.sendall(b"2")
        assert read_exactly(begun, 1) == b"2"
        begun.close()
        late.close()
        assert front.proc.wait(5) == 0


def test_stop_resets_what_does_not_end(front):
    front.start(f"server {ONE}:8081;")
    with Server(front.servers, ONE, 8081) as server:
        sock = front.connect()
        conn = server.accept()
        began = time.monotonic()
        front.proc.kill(signal.SIGTERM)
        assert ending(sock, 8) == "reset" and ending(conn) == "reset"
        assert 4 < time.monotonic() - began < 7
        assert front.proc.wait(5) == 0


# ---- the bus ----

def test_bus(front):
    front.start(f"server {ONE}:8081;", more=f"server {{ listen {VIP}:7444; proxy_pass {TWO}:1; }}")
    names = [one["name"] for one in front.call("ListListeners")["listeners"]]
    assert names == [f"{VIP}:{PORT}", f"{VIP}:7444"]
    assert {u["name"] for u in front.call("ListUpstreams")["upstreams"]} == {"web", f"{TWO}:1"}
    for method, error in (("ListListeners", "NoSuchListener"), ("ListUpstreams", "NoSuchUpstream")):
        with pytest.raises(varlink.VarlinkError, match=error):
            front.call(method, name="nowhere")
    with Server(front.servers, ONE, 8081).serve(echo):
        sock = front.connect()
        sock.sendall(b"12345")
        assert read_exactly(sock, 5) == b"12345"
        assert front.listener()["currentSessions"] == 1
        sock.close()
        wait_for(lambda: front.listener()["currentSessions"] == 0, "the session is over")
    counters = front.listener()["counters"]
    assert (counters["sessions"], counters["bytesIn"], counters["bytesOut"]) == (1, 5, 5)
    assert counters["closeReasons"] == {"client fin": 1}
    text = front.bus().call("org.trivet.daemon.FormatMetrics")["text"]
    for line in (f'proxyd_server_status{{proxy="web",server="{ONE}:8081",state="up"}} 1',
                 f'proxyd_server_bytes_in_total{{proxy="web",server="{ONE}:8081"}} 5',
                 f'proxyd_frontend_sessions_total{{proxy="{VIP}:{PORT}"}} 1',
                 'proxyd_backend_active_servers{proxy="web"} 1'):
        assert line in text.splitlines()
