"""Nobody is forgotten: whatever order room and bytes come in, a session that could
go on goes on.  Each stream is checked to its last byte; a stream that gets nothing
for STALLED seconds is one that was not woken."""

import hashlib
import os
import random
import signal
import threading

import pytest

from lab import PATIENCE, wait_for
from peers import Server, Stream, digest
from test_proxyd import ONE, Front
from test_proxyd_relay import begin

STALLED = 20.0 * PATIENCE


@pytest.fixture
def front(lab):
    return Front(lab)


class Dribble(threading.Thread):
    """Reads to the end in pieces of all sizes, with rests in between."""

    def __init__(self, sock, seed, start):
        super().__init__(daemon=True)
        self.sock, self.dice, self.begin = sock, random.Random(seed), start
        self.size, self.hash, self.error = 0, hashlib.sha256(), None
        sock.settimeout(STALLED)
        self.start()

    def run(self):
        self.begin.wait(STALLED)
        rest = threading.Event()
        try:
            while part := self.sock.recv(self.dice.choice((100, 1500, 5000, 60000, 1 << 18))):
                self.size += len(part)
                self.hash.update(part)
                if self.dice.randrange(40) == 0:
                    rest.wait(self.dice.random() / 50)
        except OSError as error:
            self.error = error


def finish(streams, drains, size):
    for name, stream, drain in zip(range(len(drains)), streams, drains):
        drain.join(60 * PATIENCE)
        assert (name, drain.error, drain.size) == (name, None, size)
        assert stream.error is None
        assert drain.hash.hexdigest() == digest(stream.seed, size)


@pytest.mark.parametrize("mode", ["splice", "copy"])
def test_tiny_receivers(front, mode):
    """More readers than there are pipes, a receive buffer of 8 KiB each, all full before
    the first byte is read."""
    front.start(f"server {ONE}:8081;")
    readers, size = 60, 300_000
    start = threading.Event()
    with Server(front.servers, ONE, 8081) as server:
        pairs = [(front.connect(rcvbuf=8192), server.accept()) for _ in range(readers)]
        drains = [Dribble(client, n, start) for n, (client, _) in enumerate(pairs)]
        for _, conn in pairs:
            conn.settimeout(STALLED)
            begin(conn, mode)
        streams = [Stream(conn, "tiny", size) for _, conn in pairs]
        wait_for(lambda: front.listener()["counters"]["bytesOut"] > readers * 30_000,
                 "everybody has bytes that wait", 20)
        start.set()
        finish(streams, drains, size)


@pytest.mark.parametrize("mode", ["splice", "copy"])
def test_both_ways_at_odds(front, mode):
    """Each end writes without regard to whether it is read, and reads when it likes."""
    front.start(f"server {ONE}:8081;")
    size = 2_000_000
    start = threading.Event()
    with Server(front.servers, ONE, 8081) as server:
        pairs = [(front.connect(rcvbuf=8192 * (1 + n % 3)), server.accept()) for n in range(12)]
        ends = [end for pair in pairs for end in pair]
        drains = [Dribble(end, n, start) for n, end in enumerate(ends)]
        for end in ends:
            begin(end, mode)
        streams = [Stream(other, f"odd {n % 2}", size)
                   for n, pair in enumerate(pairs) for other in reversed(pair)]
        start.set()
        finish(streams, drains, size)


def test_stopped_in_between(front):
    """The process is stopped and goes on, at any moment: a transfer that was cut short
    by it is taken up again."""
    front.start(f"server {ONE}:8081;")
    pid = front.proxy.daemon_pid("proxyd")
    size = 30_000_000
    with Server(front.servers, ONE, 8081) as server:
        pairs = [(front.connect(), server.accept()) for _ in range(4)]
        go = threading.Event()
        go.set()
        drains = [Dribble(client, n, go) for n, (client, _) in enumerate(pairs)]
        drains += [Dribble(conn, n, go) for n, (_, conn) in enumerate(pairs)]
        streams = [Stream(conn, "stopped", size) for _, conn in pairs]
        streams += [Stream(client, "stopped", size) for client, _ in pairs]
        rest = threading.Event()
        for _ in range(40):
            os.kill(pid, signal.SIGSTOP)
            rest.wait(0.002)
            os.kill(pid, signal.SIGCONT)
            rest.wait(0.02)
        finish(streams, drains, size)
