"""proxyd over a restart and a crash, under `trivet run`: no connect is refused; a
restart keeps what is established, byte for byte, with health and counters."""

import contextlib
import hashlib
import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

import varlink
from lab import PATIENCE, wait_for
from peers import (TIMEOUT, Drain, Server, Stream, connect, digest, echo, ending, make_socket,
                   read_exactly)
from proxy_header import v2
from test_proxyd_udp import UdpServer, datagram_socket

VIP, PORT = "10.4.7.10", 7443
ONE, TWO = "10.4.7.21", "10.4.7.22"


class Front:
    """proxyd under trivet run, a node with servers, one with clients."""

    def __init__(self, lab):
        lab.switch()
        self.proxy = lab.node("p", ["10.4.7.11/24", f"{VIP}/24"])
        self.servers = lab.node("s", [f"{ONE}/24", f"{TWO}/24"])
        self.client = lab.node("c", "10.4.7.30/24")
        self.suite = None

    def start(self, text, **kw):
        self.suite = self.proxy.suite(text, only=["proxyd"], **kw)
        return self

    def connect(self, port=PORT, **kw):
        return connect(self.client, VIP, port, **kw)

    def call(self, method, **parameters):
        return self.bus().call(f"org.trivet.proxy.{method}", **parameters)

    def bus(self):
        return varlink.connect(self.proxy.socket_path("proxyd"))

    def listener(self, name=f"{VIP}:{PORT}"):
        return self.call("ListListeners", name=name)["listeners"][0]

    def sessions(self):
        """Their ids."""
        return {s["id"] for part in self.bus().monitor("org.trivet.proxy.ListSessions")
                for s in part["sessions"]}

    def server(self, name, upstream="web"):
        return next(s for s in self.call("ListUpstreams", name=upstream)["servers"]
                    if s["name"] == name)

    def metrics(self):
        return self.proxy.trivet("metrics", "proxyd").stdout

    def restart(self):
        """By plan; returns when the successor is ready."""
        before = self.proxy.daemon_pid("proxyd")
        self.proxy.trivet("restart", "proxyd")
        assert self.proxy.daemon_pid("proxyd") != before

    def crash(self):
        before = self.proxy.daemon_pid("proxyd")
        os.kill(before, signal.SIGKILL)

        def back():
            try:
                return self.proxy.daemon_pid("proxyd") != before
            except (OSError, EOFError):
                return False
        wait_for(back, "proxyd is back")

    def taken(self, count=1):
        """(listeners, sessions, milliseconds) of the count-th restart."""
        found = self.suite.wait_log(
            r"took over (\d+) listeners, (\d+) sessions in (\d+) ms", count=count)
        return tuple(int(g) for g in found.groups())


def conf(server="", listen=f"{VIP}:{PORT}", upstream=f"server {ONE}:8081;", more="", head=""):
    return f"""
{head}
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


@pytest.fixture
def front(lab):
    return Front(lab)


class Callers:
    """Short connections one after another in several threads: each must be answered."""

    def __init__(self, front, n=4):
        self.front, self.done, self.errors, self.longest = front, 0, [], 0.0
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.loop, daemon=True) for _ in range(n)]
        for t in self.threads:
            t.start()

    def once(self, number):
        with self.front.connect() as sock:
            text = f"hello {number}".encode()
            sock.sendall(text)
            answer = read_exactly(sock, len(text))
            sock.shutdown(socket.SHUT_WR)
            if answer != text:
                raise OSError(f"asked {text!r}, answered {answer!r}")

    def loop(self):
        number = 0
        while not self.stopped.is_set():
            began = time.monotonic()
            try:
                self.once(number)
            except OSError as error:
                with self.lock:
                    self.errors.append(repr(error))
            with self.lock:
                self.done += 1
                self.longest = max(self.longest, time.monotonic() - began)
            number += 1

    def more(self, n=20):
        until = self.done + n
        wait_for(lambda: self.done >= until, f"{n} more short connections")

    def stop(self):
        self.stopped.set()
        for t in self.threads:
            t.join(TIMEOUT)
        return self.errors


def test_restarts_refuse_nobody(front):
    Server(front.servers, ONE, 8081).serve(echo)
    front.start(conf())
    callers = Callers(front)
    callers.more()
    for _ in range(5):
        front.restart()
        callers.more()
    assert callers.stop() == []
    print(f"{callers.done} short connections, the longest {callers.longest * 1000:.0f} ms")


def test_crashes_refuse_no_connect(front):
    """kill -9: what was established is lost, a connect waits in the backlog."""
    Server(front.servers, ONE, 8081).serve(echo)
    front.start(conf())
    callers = Callers(front)
    callers.more()
    for _ in range(3):
        front.crash()
        callers.more()
    errors = callers.stop()
    assert not [e for e in errors if "Refused" in e]
    assert len(errors) <= 3 * 4, errors
    front.suite.wait_log("took over 1 listeners, no sessions", count=3)


def ask(sock, text):
    sock.sendall(text)
    return read_exactly(sock, len(text))


class Talk(threading.Thread):
    """Question and answer on one connection, without end."""

    def __init__(self, sock, number):
        super().__init__(daemon=True)
        self.sock, self.number, self.rounds, self.error = sock, number, 0, None
        self.ended = False
        self.start()

    def run(self):
        try:
            while not self.ended:
                text = f"{self.number}:{self.rounds};".encode() * 7
                if ask(self.sock, text) != text:
                    raise OSError(f"round {self.rounds}: another answer")
                self.rounds += 1
        except OSError as error:
            self.error = error


def pump(conn):
    """A server that says first which way: 'up' bytes are digested, 'down' bytes made."""
    line = b""
    while not line.endswith(b"\n"):
        line += conn.recv(1)
    way, seed, size = line.decode().split()
    if way == "down":
        stream = Stream(conn, seed, int(size))
        stream.join(120)
        conn.recv(1)
    else:
        total = hashlib.sha256()
        while part := conn.recv(1 << 18):
            total.update(part)
        conn.sendall(total.hexdigest().encode())


def patient_echo(conn):
    """For those that say nothing for long."""
    conn.settimeout(None)
    echo(conn)


IDLE, BULK = 1000, 96 << 20


def test_sessions_go_on(front):
    """Idle ones, bulk both ways, talks, short ones: nothing lost, doubled or refused."""
    Server(front.servers, ONE, 8081, backlog=4096).serve(patient_echo)
    Server(front.servers, ONE, 8082).serve(pump)
    front.start(conf(more=f"""
    server {{ listen {VIP}:7444; proxy_pass {ONE}:8082; }}
    """))
    idle = [front.connect() for _ in range(IDLE)]
    for number, sock in enumerate(idle):
        assert ask(sock, b"%d" % number) == b"%d" % number
    down, up = front.connect(7444), front.connect(7444)
    down.sendall(b"down d %d\n" % BULK)
    drain = Drain(down)
    up.sendall(b"up u %d\n" % BULK)
    stream = Stream(up, "u", BULK)
    talks = [Talk(front.connect(), n) for n in range(8)]
    callers = Callers(front)
    callers.more()
    for number in range(1, 5):
        listed = front.sessions()
        front.restart()
        listeners, sessions, ms = front.taken(number)
        assert listeners == 2
        assert sessions >= IDLE + len(talks)
        print(f"restart {number}: {sessions} sessions, pause {ms} ms, "
              f"bulk so far {drain.size >> 20} MiB")
        callers.more(10)
    assert callers.stop() == []
    for talk in talks:
        rounds = talk.rounds
        wait_for(lambda: talk.rounds > rounds or talk.error, "the talk goes on")
        talk.ended = True
        talk.join(TIMEOUT)
        talk.sock.close()
        assert talk.error is None
    # What an operator has read off the process before names nobody's session in this one.
    assert listed & front.sessions() == set()
    assert all(front.call("control.CloseSessions", session=i) == {"closed": 0} for i in listed)
    for number, sock in enumerate(idle):
        assert ask(sock, b"again %d" % number) == b"again %d" % number
    stream.join(60)
    assert stream.error is None
    assert read_exactly(up, 64).decode() == digest("u", BULK)
    drain.join(60)
    assert drain.error is None
    assert (drain.size, drain.hash.hexdigest()) == (BULK, digest("d", BULK))
    for sock in idle:
        sock.close()
    wait_for(lambda: front.listener()["currentSessions"] == 0, "no session is left behind")
    assert "refused" not in front.suite.log()


def test_bytes_wait_over_a_restart(front):
    """Both sides refuse to read: what proxyd holds and what sockets hold arrives, once."""
    server = Server(front.servers, ONE, 8081)
    front.start(conf())
    client = front.connect()
    conn = server.accept()
    size = 24 << 20
    streams = [Stream(client, "client", size), Stream(conn, "server", size)]

    def stuck():
        counters = front.listener()["counters"]
        time.sleep(0.2)
        return counters == front.listener()["counters"] and counters["bytesIn"] > 0
    wait_for(stuck, "nothing moves any more")
    counters = front.listener()["counters"]
    for _ in range(2):
        front.restart()
    assert front.listener()["counters"] == counters
    drains = [Drain(conn), Drain(client)]
    for stream, drain, seed in zip(streams, drains, ("client", "server")):
        stream.join(60)
        drain.join(60)
        assert stream.error is None and drain.error is None
        assert (drain.size, drain.hash.hexdigest()) == (size, digest(seed, size))
    wait_for(lambda: front.listener()["currentSessions"] == 0, "it ended")
    assert front.listener()["counters"]["bytesIn"] == size


@pytest.mark.parametrize("first", ["client", "server"])
def test_half_closed(front, first):
    """One side has ended before the restart; the other goes on and ends after it."""
    server = Server(front.servers, ONE, 8081)
    front.start(conf())
    client = front.connect()
    conn = server.accept()
    one, other = (client, conn) if first == "client" else (conn, client)
    one.sendall(b"last words")
    one.shutdown(socket.SHUT_WR)
    assert read_exactly(other, 10) == b"last words"
    assert ending(other) == "fin"
    front.restart()
    other.sendall(b"and an answer")
    assert read_exactly(one, 13) == b"and an answer"
    other.shutdown(socket.SHUT_WR)
    assert ending(one) == "fin"
    other.close()
    one.close()
    wait_for(lambda: front.listener()["currentSessions"] == 0, "it ended")
    assert f'reason="{first} fin"' in front.metrics()


@pytest.mark.parametrize("side", ["client", "server"])
def test_ends_during_the_pause(front, side):
    """What happens while no proxyd runs is seen by the next: FIN as FIN, RST as RST."""
    server = Server(front.servers, ONE, 8081)
    front.start(conf())
    pairs = []
    for _ in range(2):
        client = front.connect()
        conn = server.accept()
        ask_and_answer(client, conn)
        pairs.append((client, conn) if side == "client" else (conn, client))
    (fin, fin_peer), (rst, rst_peer) = pairs
    proxyd = front.proxy.daemon_pid("proxyd")
    os.kill(proxyd, signal.SIGSTOP)  # nobody forwards from here on
    fin.sendall(b"the end")
    fin.close()
    rst.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    rst.close()
    waiting = threading.Thread(target=front.restart, daemon=True)
    waiting.start()
    front.suite.wait_log(r"\(proxyd\)")
    os.kill(proxyd, signal.SIGCONT)
    waiting.join(TIMEOUT)
    assert read_exactly(fin_peer, 7) == b"the end"
    assert ending(fin_peer) == "fin"
    assert ending(rst_peer) == "reset"


def ask_and_answer(client, conn):
    client.sendall(b"?")
    assert conn.recv(1) == b"?"
    conn.sendall(b"!")
    assert client.recv(1) == b"!"


def test_connecting(front):
    """A session whose server has not answered yet keeps its deadline and its next server."""
    second = Server(front.servers, TWO, 8082)
    front.servers.run(["nft", "add table inet t; add chain inet t i { type filter hook input "
                       "priority 0; }; add rule inet t i tcp dport 8081 drop"])
    front.start(conf("proxy_connect_timeout 3s;",
                     upstream=f"server {ONE}:8081; server {TWO}:8082 backup;"))
    began = time.monotonic()
    client = front.connect()
    client.sendall(b"hello")
    wait_for(lambda: front.server(f"{ONE}:8081")["currentSessions"] == 1, "it is being tried")
    front.restart()
    assert front.taken()[1] == 1
    assert front.server(f"{ONE}:8081")["currentSessions"] == 1
    conn = second.accept()
    assert 2.5 < time.monotonic() - began < 3.0 + 2.0 * PATIENCE
    assert read_exactly(conn, 5) == b"hello"
    conn.sendall(b"welcome")
    assert read_exactly(client, 7) == b"welcome"
    assert front.server(f"{ONE}:8081")["state"] == "down"


def test_health_and_counters_travel(front):
    """A server that is down stays down without a client's help; turns and sums go on."""
    Server(front.servers, ONE, 8081).serve(lambda conn: conn.sendall(b"one"))
    front.start(conf(upstream=f"server {ONE}:8081; server {ONE}:8083 down;"
                              f"server {TWO}:8082 max_fails=1 fail_timeout=60s;"))
    for _ in range(4):
        client = front.connect()
        assert read_exactly(client, 3) == b"one"
        client.close()
    down = wait_for(lambda: (s := front.server(f"{TWO}:8082"))["state"] == "down" and s,
                    "a server is down")
    assert down["stateSource"] == "passive"
    wait_for(lambda: front.listener()["currentSessions"] == 0, "all have ended")
    before = [front.call("ListUpstreams", name="web")[part] for part in ("servers", "upstreams")]
    counters = front.listener()["counters"]
    front.restart()
    after = [front.call("ListUpstreams", name="web")[part] for part in ("servers", "upstreams")]
    assert after == before
    assert front.listener()["counters"] == counters
    assert f"server {TWO}:8082 is up" not in front.suite.log()


@pytest.fixture
def logs(front):
    """A directory where the daemon may make files."""
    path = front.proxy.dir / "logs"
    path.mkdir()
    path.chmod(0o777)
    return path


def test_datagrams_go_on(front, logs):
    """The same server socket before and after, replies counted on, none of what came
    meanwhile lost; a session that is over after so many replies is over."""
    echoes = UdpServer(front.servers, ONE, 8081)
    slow = UdpServer(front.servers, TWO, 8082, lambda data: [])
    log = logs / "log"
    front.start(conf(listen=f"*:5353 udp", upstream=f"server {ONE}:8081;", more=f"""
        log_format told '$connection $bytes_received $bytes_sent $close_reason';
        server {{ listen {VIP}:5354 udp; proxy_pass {TWO}:8082; proxy_responses 2;
            access_log {log} told when=start; access_log {log} told; }}"""))
    clients = []
    for n in range(8):
        sock = datagram_socket(front.client)
        sock.connect((VIP, 5353))
        sock.send(b"before %d" % n)
        assert sock.recv(100) == b"before %d" % n
        clients.append(sock)
    due = datagram_socket(front.client)
    due.connect((VIP, 5354))
    due.send(b"question")
    wait_for(lambda: slow.seen, "the server has the question")
    slow.sock.sendto(b"first half", slow.seen[0][1])
    assert due.recv(100) == b"first half"
    for count in (1, 2):
        stop = threading.Event()

        def chatter():
            while not stop.wait(0.005):
                clients[0].send(b"meanwhile")
        thread = threading.Thread(target=chatter, daemon=True)
        thread.start()
        front.restart()
        stop.set()
        thread.join()
        assert front.taken(count)[:2] == (2, 9)
        for n, sock in enumerate(clients[1:], 1):
            sock.send(b"after %d" % n)
            assert sock.recv(100) == b"after %d" % n
    wait_for(lambda: _drained(clients[0]), "whatever was sent was answered")
    ports = {}
    for data, source in echoes.seen:
        who = b"0" if data == b"meanwhile" else data.split()[1]
        ports.setdefault(who, set()).add(source)
    assert [len(p) for p in ports.values()] == [1] * 8, "one socket for each client all along"
    listener = front.listener("*:5353/udp")
    assert (listener["currentSessions"], listener["counters"]["sessions"]) == (8, 8)
    slow.sock.sendto(b"second half", slow.seen[0][1])
    assert due.recv(100) == b"second half"
    wait_for(lambda: front.listener(f"{VIP}:5354/udp")["counters"]["closeReasons"] == {"complete": 1},
             "two replies end it")
    begin, end = wait_for(lambda: (lines := log.read_text().splitlines())[1:] and lines,
                          "its end is told")
    number = begin.split()[0]
    assert (begin, end) == (f"{number} 0 0 -", f"{number} 8 21 complete")


def test_datagrams_wait_for_their_turn_over_a_restart(front):
    """proxy_download_rate: replies that wait in the session's socket come from the next process,
    whole and in order."""
    UdpServer(front.servers, ONE, 8081, lambda data: [b"%d" % n * 500 for n in range(4)])
    front.start(conf("proxy_download_rate 500;", listen=f"{VIP}:{PORT} udp"))
    with datagram_socket(front.client) as sock:
        sock.connect((VIP, PORT))
        sock.send(b"all of it")
        assert sock.recv(1000) == b"0" * 500
        front.restart()
        assert front.taken()[:2] == (1, 1)
        assert [sock.recv(1000) for _ in range(3)] == [b"%d" % n * 500 for n in (1, 2, 3)]
    assert front.listener(f"{VIP}:{PORT}/udp")["counters"]["bytesOut"] == 2000


def test_words_of_the_header_go_on(front, logs):
    """What a PROXY header said beside the address is in the log line of a session that ends
    after a restart, and so for one that had not said its first byte then."""
    Server(front.servers, ONE, 8081).serve(echo)
    log = logs / "log"
    front.start(conf(f"""set_real_ip_from 10.4.7.0/24; ssl_preread on; preread_timeout 1h;
        access_log {log} told;""", listen=f"{VIP}:{PORT} proxy_protocol", more="""
        log_format told '$proxy_protocol_addr $proxy_protocol_tlv_authority $proxy_protocol_tlv_0xee';
    """))
    clients = []
    for n in range(2):
        clients.append(front.connect())
        clients[n].sendall(v2(f"192.0.2.{n}", tlvs=b"\x02\0\x0bexample.org\xee\0\x04n=%d;" % n))
    assert ask(clients[0], b"no TLS") == b"no TLS"
    wait_for(lambda: front.listener()["currentSessions"] == 2, "the other is there")
    front.restart()
    assert front.taken()[1] == 2
    for n, sock in enumerate(clients):
        assert ask(sock, b"hello") == b"hello"
        sock.close()
        wait_for(lambda: log.read_text().splitlines()[n:], "its end is told")
    assert log.read_text().splitlines() == [f"192.0.2.{n} example.org n={n};" for n in range(2)]


def _drained(sock):
    """Each "meanwhile" has come back: the last answers the last."""
    sock.send(b"end 0")
    while (data := sock.recv(100)) != b"end 0":
        assert data == b"meanwhile"
    return True


def test_threads_come_and_go(front):
    """4 to 1 to 4 under load: nobody is reset, and what listens for one thread serves four."""
    Server(front.servers, ONE, 8081).serve(echo)
    text = conf(head="worker_processes 4;")
    front.start(text)
    callers = Callers(front)
    client = front.connect()
    stream, drain = Stream(client, "threads", 60_000_000), Drain(client)
    callers.more()
    for n in (1, 4, 2):
        front.proxy.write("trivet.conf", text.replace("worker_processes 4", f"worker_processes {n}"))
        front.restart()
        pid = front.proxy.daemon_pid("proxyd")
        names = [(Path(t) / "comm").read_text() for t in Path(f"/proc/{pid}/task").iterdir()]
        assert sum(name.startswith("data-") for name in names) == n
        callers.more(40)
    assert callers.stop() == []
    stream.join(60)
    drain.join(60)
    assert (drain.size, drain.hash.hexdigest()) == (60_000_000, digest("threads", 60_000_000))


def test_threads_by_reload(front):
    """4 to 1 to 4 to 3 under load: sockets change hands with who is queued on them, sessions
    stay; only the threads that are wanted take new ones."""
    Server(front.servers, ONE, 8081).serve(echo)
    place = front.proxy.dir / "sockets"
    place.mkdir()
    place.chmod(0o777)
    paths = [f"{place}/{n}" for n in range(3)]
    text = conf(head="worker_processes 4;",
                more="".join(f"server {{ listen unix:{path}; proxy_pass web; }}" for path in paths))
    front.start(text)
    callers = Callers(front)
    client = front.connect()
    stream, drain = Stream(client, "reload", 60_000_000), Drain(client)
    kept = [front.connect() for _ in range(16)]

    def fresh_threads():
        """Of 24 new sessions."""
        with contextlib.ExitStack() as stack, front.bus() as bus:
            fresh = [stack.enter_context(front.connect()) for _ in range(24)]
            assert all(ask(sock, b"new") == b"new" for sock in fresh)
            ports = {sock.getsockname()[1] for sock in fresh}
            return {int(s["id"].split("-")[0])
                    for part in bus.monitor("org.trivet.proxy.ListSessions")
                    for s in part["sessions"] if int(s["client"].rsplit(":", 1)[1]) in ports}
    for n in (1, 4, 3):
        front.proxy.write("trivet.conf", text.replace("worker_processes 4", f"worker_processes {n}"))
        front.proxy.trivet("reload")
        front.suite.wait_log(f"{n} data threads take new clients")
        callers.more(40)
        wait_for(lambda n=n: fresh_threads() == set(range(n)), f"{n} threads take new clients")
        for path in paths:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(TIMEOUT)
                sock.connect(path)
                assert ask(sock, b"unix") == b"unix"
    done = front.proxy.run(["ss", "-Hltn", f"sport = :{PORT}"])
    assert len(done.stdout.splitlines()) == 6, "as many for each of three"
    assert all(ask(sock, b"kept") for sock in kept)
    assert callers.stop() == []
    stream.join(60)
    drain.join(60)
    assert (drain.size, drain.hash.hexdigest()) == (60_000_000, digest("reload", 60_000_000))
    for sock in [client, *kept]:
        sock.close()
    front.proxy.write("trivet.conf", text.replace(f"listen {VIP}:{PORT}", f"listen {VIP}:{PORT + 1}"))
    front.proxy.trivet("reload")
    wait_for(lambda: f"{VIP}:{PORT}" not in [
        listener["name"] for listener in front.call("ListListeners")["listeners"]],
        "all its sockets were let go, by whoever had them")


def test_more_threads_than_sockets(front):
    """One thread's listener gets a socket for each of three."""
    Server(front.servers, ONE, 8081).serve(echo)
    text = conf(head="worker_processes 1;")
    front.start(text)

    def sockets():
        done = front.proxy.run(["ss", "-Hltn", f"sport = :{PORT}"])
        return len(done.stdout.splitlines())
    assert sockets() == 1
    front.proxy.write("trivet.conf", text.replace("worker_processes 1", "worker_processes 3"))
    front.restart()
    assert sockets() == 3
    callers = Callers(front)
    callers.more(60)
    front.proxy.write("trivet.conf", text)
    front.restart()
    callers.more(60)
    assert sockets() == 3, "closing one would reset who is queued there"
    assert callers.stop() == []


def test_datagrams_and_more_threads(front):
    """The kernel gives them to other sockets then: sessions of before stay what they were,
    over the restarts that follow as well, and back on one thread."""
    echoes = UdpServer(front.servers, ONE, 8081)
    text = conf(head="worker_processes 1;", listen="*:5353 udp")
    front.start(text)

    def more(n):
        for _ in range(n):
            clients.append(datagram_socket(front.client))
            clients[-1].connect((VIP, 5353))

    def ask_all(word):
        for n, sock in enumerate(clients):
            sock.send(b"%s %d" % (word, n))
        for n, sock in enumerate(clients):
            assert sock.recv(100) == b"%s %d" % (word, n)
    clients = []
    more(16)
    ask_all(b"one")
    for step, n in enumerate((3, 3, 1), 2):
        front.proxy.write("trivet.conf", text.replace("worker_processes 1", f"worker_processes {n}"))
        front.restart()
        if step != 3:  # quiet over one of them
            ask_all(b"%d threads" % n)
        more(4)
        ask_all(b"and more")
        done = front.proxy.run(["ss", "-Hlun", "sport = :5353"])
        assert len(done.stdout.splitlines()) == 3
    ports = {}
    for data, source in echoes.seen:
        ports.setdefault(data.split()[-1], set()).add(source)
    assert {len(p) for p in ports.values()} == {1}, "one socket for each client all along"
    listener = front.listener("*:5353/udp")
    assert (listener["currentSessions"], listener["counters"]["sessions"]) == (28, 28)


def test_changed_configuration(front):
    """The file changed before the restart: sessions keep their terms; a listener that is
    gone refuses, its sessions go on; a new one listens; a gone upstream still serves."""
    Server(front.servers, ONE, 8081).serve(echo)
    Server(front.servers, TWO, 8082).serve(echo)
    front.start(conf("proxy_timeout 1h;", more=f"""
    server {{ listen {VIP}:7444; proxy_pass {TWO}:8082; }}
    """))
    kept, orphan = front.connect(), front.connect(7444)
    assert ask(kept, b"one") == b"one"
    assert ask(orphan, b"two") == b"two"
    front.proxy.write("trivet.conf", conf("proxy_timeout 300ms;", more=f"""
    server {{ listen {VIP}:7445; proxy_pass {ONE}:8081; }}
    """))
    front.restart()
    assert front.taken()[:2] == (1, 2)
    front.suite.wait_log(f"listener {VIP}:7444 is no longer configured: closed")
    with make_socket(front.client) as refused, pytest.raises(ConnectionRefusedError):
        refused.connect((VIP, 7444))
    assert front.listener(f"{VIP}:7444")["state"] == "draining"
    new = front.connect()
    assert ask(new, b"new") == b"new"
    assert ending(new) == "fin", "the new terms"
    assert ask(kept, b"still one") == b"still one"
    assert ask(orphan, b"still two") == b"still two"
    assert ask(front.connect(7445), b"three") == b"three"
    assert 'refused_total{reason="unwanted"} 1' in front.metrics()
    front.restart()
    assert ask(orphan, b"once more") == b"once more"
    orphan.close()
    wait_for(lambda: f"{VIP}:7444" not in [entry["name"] for entry in
                                           front.call("ListListeners")["listeners"]],
             "the listener is forgotten with its last session")
    assert ask(kept, b"the end") == b"the end"


def test_store_is_full(front):
    """What does not fit is reset and said; the listeners have their place."""
    Server(front.servers, ONE, 8081).serve(echo)
    front.start(conf(), env={"FDSTORE": "1"})
    client = front.connect()
    assert ask(client, b"hello") == b"hello"
    callers = Callers(front)
    callers.more()
    front.restart()
    callers.more()
    assert ending(client) == "reset"
    assert not [e for e in callers.stop() if "Refused" in e]
    front.suite.wait_log(r"\d+ of \d+ sessions cannot be handed over: No space left on device")
    front.suite.wait_log("took over 1 listeners, no sessions")
    assert front.listener()["state"] == "listening"


def test_reload_changes_what_a_crash_leaves(front):
    """After a reload the store holds the new listeners, and no old one."""
    Server(front.servers, ONE, 8081).serve(echo)
    front.start(conf(more=f"server {{ listen {VIP}:7444; proxy_pass web; }}"))
    for port in (7445, 7446):
        front.proxy.write("trivet.conf",
                          conf(more=f"server {{ listen {VIP}:{port}; proxy_pass web; }}"))
        front.proxy.call("proxyd", "org.trivet.daemon.control.Reload")
    front.crash()
    front.suite.wait_log("took over 2 listeners, no sessions")
    assert ask(front.connect(7446), b"hello") == b"hello"
    for port in (7444, 7445):
        with make_socket(front.client) as refused, pytest.raises(ConnectionRefusedError):
            refused.connect((VIP, port))
    assert "no longer configured" not in front.suite.log()


def test_no_descriptor_is_free(front):
    """At the limit of descriptors most sessions are kept, and who waited is served."""
    Server(front.servers, ONE, 8081).serve(patient_echo)
    trivet = front.proxy.binary("trivet")
    front.proxy.write("trivet.conf", conf())
    front.suite = front.proxy.spawn(
        ["prlimit", "--nofile=120:120", trivet, "run", "-c", front.proxy.dir / "trivet.conf",
         "--run-dir", front.proxy.run_dir, "--state-dir", front.proxy.state_dir, "--only",
         "proxyd"], "suite")
    front.proxy.wait_ready("proxyd", front.suite)
    clients = [front.connect() for _ in range(60)]
    front.suite.wait_log("accept: Too many open files")
    served = front.listener()["currentSessions"]
    assert 20 < served < 60
    front.restart()
    assert served - 12 <= front.taken()[1] <= served
    answered = resets = 0
    for number, client in enumerate(clients[:served]):
        try:
            answered += ask(client, b"%d" % number) == b"%d" % number
        except ConnectionResetError:
            resets += 1
        client.close()
    assert resets <= 12 and answered == served - resets
    for client in clients[served:]:
        assert ask(client, b"late") == b"late"


# ---- what lies in the store and is not what it should be ----

def fields(**values):
    """A session or listener as parcel.h writes it: tag, length, value."""
    tags = {"name": 1, "endpoint": 2, "protocol": 4, "upstream": 5, "server_name": 6, "server": 7,
            "connect_timeout": 8, "timeout": 9, "read_size": 12, "half_close": 13, "is_open": 15,
            "pending_client": 21, "attempt": 24, "began": 27, "active": 28, "unknown": 63,
            "later": 200}
    data = b""
    for key, value in values.items():
        if isinstance(value, int):
            value = value.to_bytes((value.bit_length() + 7) // 8, "big")
        elif key in ("endpoint", "server"):
            address, _, port = value.rpartition(":")
            value = int(port).to_bytes(2, "big") + socket.inet_aton(address)
        else:
            value = value.encode()
        data += bytes([tags[key]]) + len(value).to_bytes(2, "big") + value
    return data


def record(kind, data, n_fds):
    return (kind.to_bytes(2, "big") + n_fds.to_bytes(2, "big") + len(data).to_bytes(4, "big")
            + data)


def message(*records, version=1, number=1, total=1):
    """records: (kind, fields, [descriptors])"""
    fds = [fd for r in records for fd in r[2]]
    body = (1).to_bytes(8, "big") + number.to_bytes(4, "big") + total.to_bytes(4, "big")
    body += b"".join(record(kind, data, len(some)) for kind, data, some in records)
    checksum = 2166136261
    for byte in body:
        checksum = (checksum ^ byte) * 16777619 & 0xffffffff
    head = (b"TRVP" + version.to_bytes(2, "big") + len(records).to_bytes(2, "big")
            + len(fds).to_bytes(2, "big") + bytes(2) + checksum.to_bytes(4, "big"))
    return {"hex": (head + body).hex(), "fds": fds}


LISTENER, SESSION = 1, 2
THERE = {"name": f"{VIP}:{PORT}", "endpoint": f"{VIP}:{PORT}", "protocol": socket.IPPROTO_TCP}
GOOD = {**THERE, "upstream": "web", "server_name": f"{ONE}:8081", "server": f"{ONE}:8081",
        "connect_timeout": 5000000, "read_size": 65536, "half_close": 1, "is_open": 1,
        "attempt": 1, "began": 1, "active": 1}
CLIENT, SERVER = "connect:10.4.7.30:9000", f"connect:{ONE}:8081"
PAIR = [CLIENT, SERVER]
BROKEN = {**message((SESSION, fields(**GOOD), PAIR))}
BROKEN["hex"] = BROKEN["hex"][:-2] + "00"

BAD = {  # what is in the box "sessions", and what is counted for it
    "noise": ([{"hex": "00ff" * 500}], "corrupt"),
    "noise with descriptors": ([{"hex": "54525651" + "01" * 60, "fds": ["null", "udp"]}],
                               "corrupt"),
    "large": ([{"hex": "41" * 60000}], "corrupt"),
    "damaged": ([BROKEN], "corrupt"),
    "a descriptor is missing": ([{**message((SESSION, fields(**GOOD), PAIR)), "fds": [CLIENT]}],
                                "corrupt"),
    "another version": ([message((SESSION, fields(**GOOD), PAIR), version=2)], "version"),
    "an unknown record": ([message((77, b"", ["null"]))], "version"),
    "an unknown field": ([message((SESSION, fields(**GOOD, unknown=1), PAIR))], "version"),
    "no sockets": ([message((SESSION, fields(**GOOD), ["null", "pipe"]))], "record"),
    "not TCP": ([message((SESSION, fields(**GOOD), [CLIENT, "udp"]))], "record"),
    "a listening socket": ([message((SESSION, fields(**GOOD), ["listen:127.0.0.1:1", SERVER]))],
                           "record"),
    "fewer bytes than said": ([message((SESSION, fields(**GOOD, pending_client=6),
                                        PAIR + ["file:31"]))], "record"),
    "bytes in a terminal": ([message((SESSION, fields(**GOOD, pending_client=6),
                                      PAIR + ["null"]))], "record"),
    "bytes in an empty pipe": ([message((SESSION, fields(**GOOD, pending_client=6),
                                         PAIR + ["pipe"]))], "record"),
    "it says nothing": ([message((SESSION, b"", PAIR))], "record"),
    "two of three messages": ([message(number=3, total=3)], "incomplete"),
}


def hand_in(front, entries, env=None):
    """proxyd with that in its store."""
    path = front.proxy.write("store.json", json.dumps(entries))
    front.proxy.write("trivet.conf", conf())
    script = Path(__file__).with_name("hand_in.py")
    proc = front.proxy.spawn(
        ["/usr/bin/python3", script, path, front.proxy.binary("proxyd"), "-c",
         front.proxy.dir / "trivet.conf", "--run-dir", front.proxy.run_dir,
         "--state-dir", front.proxy.state_dir], "proxyd", env)
    front.proxy.wait_ready("proxyd", proc)
    return proc


@pytest.mark.parametrize("what", BAD)
def test_bad_parcel(front, what):
    """It is refused and counted; what is good beside it is taken; the start goes on."""
    far = Server(front.client, "10.4.7.30", 9000)
    near = Server(front.servers, ONE, 8081)
    messages, reason = BAD[what]
    good = message((SESSION, fields(**GOOD, later="a word of tomorrow", pending_client=6),
                    PAIR + ["file:" + b"waited".hex()]), number=1, total=0)
    proc = hand_in(front, [{"name": "sessions", "kind": "box", "messages": [good] + messages}])
    proc.wait_log(r"took over 0 listeners, 1 sessions")
    metrics = front.metrics()
    for other in ("corrupt", "version", "record", "unwanted", "resources", "incomplete"):
        assert f'refused_total{{reason="{other}"}} {int(other == reason)}' in metrics
    client, conn = far.accept(), near.accept()
    assert read_exactly(conn, 6) == b"waited"
    client.sendall(b"hello")
    assert read_exactly(conn, 5) == b"hello"
    conn.sendall(b"welcome")
    assert read_exactly(client, 7) == b"welcome"
    assert front.listener()["currentSessions"] == 1


def test_what_came_during_the_pause(front):
    """The deadline passed meanwhile: what waits in the sockets is heard first."""
    far = Server(front.client, "10.4.7.30", 9000).serve(lambda conn: (
        conn.sendall(b"hello"), echo(conn)))
    near = Server(front.servers, ONE, 8081)
    left = message((SESSION, fields(**GOOD, timeout=60_000_000),
                    [CLIENT.replace("connect", "hear"), SERVER]))
    hand_in(front, [{"name": "sessions", "kind": "box", "messages": [left]}])
    conn = near.accept()
    assert read_exactly(conn, 5) == b"hello"
    conn.sendall(b"and so on")
    assert read_exactly(conn, 9) == b"and so on"



def test_foreign_store(front):
    """Things of others, and listeners that are something else: closed; ours is made anew."""
    Server(front.servers, ONE, 8081).serve(echo)
    lie = message((LISTENER, fields(**THERE), ["listen:127.0.0.1:7443", "null", "udp"]))
    proc = hand_in(front, [
        {"name": "varlink", "kind": "null"},
        {"name": "sessions", "kind": "null"},
        {"name": "sessions", "kind": "stream", "messages": [{"hex": "00"}]},
        {"name": "listeners-a", "kind": "box", "messages": [lie]},
        {"name": "listeners-b", "kind": "null"},
        {"name": "listeners-c", "kind": "box", "messages": []},
    ])
    proc.wait_log('"varlink" in the service manager\'s store is not ours: closed')
    proc.wait_log("listening, forwards to web")
    assert ask(front.connect(), b"hello") == b"hello"
    assert not front.proxy.run(["ss", "-Hltn", "src", "127.0.0.1:7443"]).stdout


def test_fewer_descriptors(front):
    """The limit has been lowered: listeners and what fits of the sessions are taken."""
    Server(front.client, "10.4.7.30", 9000).serve(patient_echo)
    Server(front.servers, ONE, 8081).serve(echo)
    messages = [message(*[(SESSION, fields(**GOOD), PAIR)] * 4, number=n, total=0)
                for n in range(1, 17)]
    listener = message((LISTENER, fields(**THERE), [f"listen:{VIP}:{PORT}"]))
    proc = hand_in(front, [
        {"name": "sessions", "kind": "box", "messages": messages},
        {"name": "listeners-a", "kind": "box", "messages": [listener]},
    ], {"HAND_IN_NOFILE": "100"})
    proc.wait_log(r"took over 1 listeners, \d+ sessions")
    taken = front.listener()["currentSessions"]
    assert 4 <= taken < 64 and taken % 4 == 0
    assert f'refused_total{{reason="resources"}} {16 - taken // 4}' in front.metrics()
    assert ask(front.connect(), b"hello") == b"hello"


def test_names_are_not_asked_again(front):
    """A server given by name serves at once, although the resolver has become silent."""
    Server(front.servers, ONE, 8081).serve(echo)
    hosts = Path("/etc/netns") / front.proxy.netns / "hosts"
    hosts.parent.mkdir(parents=True)
    try:
        hosts.write_text(f"{ONE} backend.test\n")
        front.start(conf(upstream="server backend.test:8081;"))
        wait_for(lambda: front.server("backend.test:8081")["state"] == "up", "it is resolved")
        assert ask(front.connect(), b"hello") == b"hello"
        hosts.write_text("")
        front.restart()
        assert front.server("backend.test:8081")["state"] == "up"
        assert ask(front.connect(), b"hello") == b"hello"
    finally:
        hosts.unlink()
        hosts.parent.rmdir()


def test_killed_on_sight(front):
    """A restart whose successors die at any moment of their start: sockets live on."""
    Server(front.servers, ONE, 8081).serve(echo)
    front.start(conf())
    callers = Callers(front)
    callers.more()
    victim = front.proxy.daemon_pid("proxyd")
    os.kill(victim, signal.SIGKILL)
    for pause in (0.0, 0.004, 0.008):
        victim = wait_for(lambda: [p for p in front.proxy.pids_of("proxyd") if p != victim],
                          "a successor", step=0.001)[0]
        time.sleep(pause)  # a different place each time, not a wait for something
        os.kill(victim, signal.SIGKILL)
    callers.more()
    assert not [e for e in callers.stop() if "Refused" in e]
    assert front.listener()["state"] == "listening"
    assert "forwards to web" not in front.suite.log().split("killed by signal", 1)[1]


def test_unix_sockets_are_handed_over(front):
    """Listener, session and server, and the file stays where it is."""
    place = front.proxy.dir / "sockets"
    place.mkdir()
    os.chmod(place, 0o777)
    up = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    up.bind(str(place / "up"))
    os.chmod(place / "up", 0o666)
    up.listen(8)
    up.settimeout(TIMEOUT)
    front.start(conf(listen=f"unix:{place}/in", upstream=f"server unix:{place}/up;"))
    inode = wait_for(lambda: (place / "in").exists() and os.stat(place / "in").st_ino, "it listens")
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(TIMEOUT)
    client.connect(str(place / "in"))
    conn, _ = up.accept()
    conn.settimeout(TIMEOUT)
    client.sendall(b"before")
    assert read_exactly(conn, 6) == b"before"
    front.restart()
    assert front.taken()[:2] == (1, 1)
    assert os.stat(place / "in").st_ino == inode
    client.sendall(b"after")
    assert read_exactly(conn, 5) == b"after"
    conn.close()
    assert client.recv(1) == b""
    again = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    again.connect(str(place / "in"))
    up.accept()
    name = f"unix:{place}/up"
    assert front.server(name)["counters"]["sessions"] == 2
