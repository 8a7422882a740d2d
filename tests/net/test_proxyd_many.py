"""Restarts of proxyd with much to carry, and many of them."""

import os
import re
import resource
import subprocess
import threading
import time
from pathlib import Path

import pytest

from lab import PATIENCE, SANITIZED, wait_for
from peers import Server, echo, read_exactly
from test_proxyd_handover import ONE, VIP, conf, front  # noqa: F401: a fixture

SOURCE = Path(__file__).with_name("stock_wmem.c")
SESSIONS, PORTS = (1000, 200) if SANITIZED else (5000, 1000)
FIRST_PORT = 7000
RESTARTS = int(os.environ.get("TRIVET_SOAK_RESTARTS", "12"))


@pytest.fixture
def many_files():
    """5,000 sessions are 10,000 sockets in this process: what is in the list is closed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * SESSIONS + 2 * PORTS + 1000:
        pytest.skip(f"RLIMIT_NOFILE is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held = []
    yield held
    for sock in held:
        sock.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def keep_accepting(server, kept):
    def loop():
        while True:
            try:
                kept.append(server.sock.accept()[0])
            except OSError:
                return
    server.sock.settimeout(None)
    threading.Thread(target=loop, daemon=True).start()


def test_stock_buffers(front, many_files):  # noqa: F811
    """Five thousand sessions on a thousand ports, with net.core.wmem_max as kernels have it."""
    shim = front.proxy.dir / "stock_wmem.so"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", shim, SOURCE], check=True)
    env = {"LD_PRELOAD": str(shim)}
    if SANITIZED:
        env = {}  # the sanitizers' own interposition has to come first
    server, kept = Server(front.servers, ONE, 8081, backlog=4096), []
    many_files.append(server.sock)
    keep_accepting(server, kept)
    listen = "; listen ".join(f"{VIP}:{FIRST_PORT + i}" for i in range(PORTS))
    front.start(conf(listen=listen), env=env)
    clients = []
    for i in range(SESSIONS):
        clients.append(front.connect(FIRST_PORT + i % PORTS))
        many_files.append(clients[-1])
    wait_for(lambda: len(kept) == SESSIONS, "all sessions are through", 60)
    many_files += kept
    front.restart()
    listeners, sessions, ms = front.taken()
    assert (listeners, sessions) == (PORTS, SESSIONS)
    # Each is the one it was: what its client says now comes out where the first byte did.
    for i in range(0, SESSIONS, 97):
        clients[i].sendall(b"%08d" % i)
    said = {}
    for conn in kept:
        conn.setblocking(False)

    def collect():
        for conn in kept:
            try:
                if data := conn.recv(8):
                    said[data] = conn
            except BlockingIOError:
                pass
        return len(said) == len(range(0, SESSIONS, 97))
    wait_for(collect, "what clients say arrives", 30)
    for i in range(0, SESSIONS, 97):
        said[b"%08d" % i].sendall(b"answer %d" % i)
    for i in range(0, SESSIONS, 97):
        assert read_exactly(clients[i], len(b"answer %d" % i)) == b"answer %d" % i
    print(f"{SESSIONS} sessions on {PORTS} ports: {ms} ms")
    front.suite.stop()


def files_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_of(pid):
    """Private resident kilobytes."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(n) for n in re.findall(r"^Private_\w+: +(\d+) kB", text, re.MULTILINE))


def test_restarts_leave_nothing_behind(front):  # noqa: F811
    """A soak, accelerated: restart after restart with sessions that come, stay and go.

    Memory and descriptors of proxyd and of the supervisor, and what that keeps in its store,
    are in the end what they were when it had settled.  TRIVET_SOAK_RESTARTS makes it longer.
    """
    Server(front.servers, ONE, 8081, backlog=1024).serve(
        lambda conn: (conn.settimeout(None), echo(conn)))
    front.start(conf())
    old = [front.connect() for _ in range(50)]
    rows = []
    for number in range(RESTARTS):
        for _ in range(40):
            with front.connect() as sock:
                sock.sendall(b"x")
                assert read_exactly(sock, 1) == b"x"
        front.restart()
        front.taken(number + 1)
        for sock in old:
            sock.sendall(b"y")
            assert read_exactly(sock, 1) == b"y"
        wait_for(lambda: front.listener()["currentSessions"] == len(old), "short ones are gone")
        proxyd = front.proxy.daemon_pid("proxyd")
        rows.append((files_of(front.suite.pid), memory_of(front.suite.pid),
                     files_of(proxyd), memory_of(proxyd)))
    settled, last = rows[len(rows) // 2], rows[-1]
    assert last[0] == settled[0], rows
    assert last[2] == settled[2], rows
    if not SANITIZED:  # there what was freed is kept for a while
        assert last[1] <= settled[1] + 512 and last[3] <= settled[3] + 1024, rows
    for sock in old:
        sock.close()
