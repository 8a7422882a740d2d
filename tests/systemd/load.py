"""Clients that notice: short connections, idle sessions, bytes in both directions
without end, and a ping every ten milliseconds, all through one address.

	with Load(client, VIP) as load:
		...restart something...
	load.must_be_untouched()
"""

import re
import signal
import socket
import threading
import time

from lab import wait_for
from peers import Server, connect, echo, read_exactly

SHORT, BULK = 80, 81  # the ports; behind them, on each server, 8080 and 8081
CHUNK = 64 << 10


def serve(node, address):
    """An echo behind each of the two ports."""
    def patient(conn):
        conn.settimeout(None)
        echo(conn)
    Server(node, address, 8080, backlog=4096).serve(patient)
    Server(node, address, 8081, backlog=4096).serve(patient)


def ask(sock, text):
    sock.sendall(text)
    return read_exactly(sock, len(text))


class Caller(threading.Thread):
    """Short connections one after another; each answer is looked at."""

    def __init__(self, client, address, timeout=30.0):
        super().__init__(daemon=True)
        self.client, self.address, self.timeout = client, address, timeout
        self.ended, self.done, self.longest, self.longest_at = False, 0, 0.0, 0.0
        self.errors, self.good_at = [], []

    def call(self):
        with connect(self.client, self.address, SHORT) as sock:
            sock.settimeout(self.timeout)
            if ask(sock, b"hello") != b"hello":
                raise OSError("no answer")

    def run(self):
        while not self.ended:
            began = time.monotonic()
            try:
                self.call()
                self.good_at.append(time.monotonic())
                self.done += 1
            except OSError as error:
                self.errors.append((began, repr(error)))
            took = time.monotonic() - began
            if took > self.longest:
                self.longest, self.longest_at = took, began


class Bulk(threading.Thread):
    """Bytes to an echo and back for as long as it is wanted; each must be the right one."""

    def __init__(self, client, address, pause=0.01):
        super().__init__(daemon=True)
        self.sock = connect(client, address, BULK)
        self.sock.settimeout(60)
        self.pause, self.ended, self.sent, self.came, self.error = pause, False, 0, 0, None
        self.writer = threading.Thread(target=self.write, daemon=True)
        self.longest = 0.0

    @staticmethod
    def block(number):
        return number.to_bytes(8, "big") * (CHUNK // 8)

    def write(self):
        number = 0
        try:
            while not self.ended:
                self.sock.sendall(self.block(number))
                number += 1
                self.sent += CHUNK
                time.sleep(self.pause)
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = self.error or repr(error)

    def run(self):
        self.writer.start()
        number = 0
        try:
            while True:
                began = time.monotonic()
                got = read_exactly(self.sock, CHUNK)
                self.longest = max(self.longest, time.monotonic() - began)
                if not got:
                    break
                if got != self.block(number):
                    self.error = f"block {number} is another one"
                    return
                number += 1
                self.came += CHUNK
        except OSError as error:
            self.error = self.error or repr(error)

    def finish(self):
        self.ended = True
        self.writer.join(60)
        self.join(60)
        self.sock.close()
        if self.error is None and self.came != self.sent:
            self.error = f"{self.sent} bytes went, {self.came} came back"


class Ping:
    """ICMP every so many seconds; which numbers were not answered."""

    def __init__(self, client, address, every=0.01):
        self.every = every
        self.proc = client.spawn(["ping", "-n", "-i", str(every), address],
                                 f"ping{len(client.procs)}")

    def finish(self):
        self.proc.kill(signal.SIGINT)
        self.proc.wait()

    def numbers(self):
        return [int(n) for n in re.findall(r"icmp_seq=(\d+) ttl", self.proc.log())]

    def missing(self):
        """Between the first and the last answer."""
        came = set(self.numbers())
        return [n for n in range(min(came), max(came)) if n not in came]


class Load:
    """All of it."""

    def __init__(self, client, address, idle=200, bulk=2):
        self.client = client
        self.idle = [connect(client, address, SHORT) for _ in range(idle)]
        for sock in self.idle:
            assert ask(sock, b"one") == b"one"
        self.caller = Caller(client, address)
        self.bulks = [Bulk(client, address) for _ in range(bulk)]
        self.ping = Ping(client, address)
        for thread in [self.caller] + self.bulks:
            thread.start()
        self.goes_on()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.caller.ended:
            self.finish()

    def goes_on(self):
        """Everything moves, now."""
        done, came, pings = self.caller.done, [b.came for b in self.bulks], self.ping.numbers()
        wait_for(lambda: self.caller.done > done + 5, "short connections go on", 30)
        wait_for(lambda: all(b.error or b.came > c for b, c in zip(self.bulks, came)),
                 "bytes flow", 30)
        wait_for(lambda: len(self.ping.numbers()) > len(pings) + 5, "pings are answered", 30)

    def finish(self):
        self.caller.ended = True
        self.caller.join(60)
        for bulk in self.bulks:
            bulk.finish()
        self.lost = 0
        for sock in self.idle:
            try:
                self.lost += ask(sock, b"again") != b"again"
            except OSError:
                self.lost += 1
            sock.close()
        self.ping.finish()

    def report(self):
        return {"short": self.caller.done, "longest_ms": round(self.caller.longest * 1000),
                "refused": sum("Refused" in e for _, e in self.caller.errors),
                "failed": len(self.caller.errors), "idle_lost": self.lost,
                "bulk_mib": sum(b.came for b in self.bulks) >> 20,
                "bulk_wrong": [b.error for b in self.bulks if b.error],
                "bulk_pause_ms": round(max(b.longest for b in self.bulks) * 1000),
                "pings": len(self.ping.numbers()), "pings_lost": len(self.ping.missing())}

    def must_be_untouched(self, pings=True):
        said = self.report()
        print(said)
        assert self.caller.errors == [], said
        assert said["idle_lost"] == 0 and said["bulk_wrong"] == [], said
        assert not pings or said["pings_lost"] == 0, self.ping.missing()
        return said
