"""Who has an address, and who answers for it, moment by moment: the kernel's own
events in each node, and a prober's answers.  Times are CLOCK_MONOTONIC's."""

import selectors
import socket
import struct
import threading
import time
from pathlib import Path

from lab import wait_for
from peers import inside

RTM_NEWADDR, RTM_DELADDR, RTMGRP_IPV4_IFADDR, IFA_LOCAL = 20, 21, 0x10, 2
BEAT = 0.01


class Watch(threading.Thread):
    """The kernel's events about the address, in two nodes, with the time of each."""

    def __init__(self, nodes, address):
        super().__init__(daemon=True)
        self.address = socket.inet_aton(address)
        self.late = 0.0  # how much later than asked this thread got to run, at most
        self.has = {node.name: [] for node in nodes}  # [(time, there)]
        self.selector = selectors.DefaultSelector()
        for node in nodes:
            with inside(node):
                sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
                sock.bind((0, RTMGRP_IPV4_IFADDR))
            self.selector.register(sock, selectors.EVENT_READ, node.name)
            self.has[node.name].append((time.monotonic(), node.holds(address)))
        self.start()

    def run(self):
        while True:
            asked = time.monotonic()
            ready = self.selector.select(BEAT)
            now = time.monotonic()
            self.late = max(self.late, now - asked - BEAT)
            for key, _ in ready:
                for kind, address in messages(key.fileobj.recv(65536)):
                    if address == self.address:
                        self.note(key.data, now, kind == RTM_NEWADDR)

    def note(self, name, now, there):
        if self.has[name][-1][1] != there:
            self.has[name].append((now, there))

    def changes(self, name, begin, end):
        """What happened to the address there: True, it came; False, it went."""
        return [there for t, there in self.has[name] if begin < t < end]

    def spans(self, name, end):
        events = [event for event in self.has[name] if event[0] < end] + [(end, False)]
        return [(a, b) for (a, there), (b, _) in zip(events, events[1:]) if there]

    def both(self, begin, end):
        """The spans of time with two holders."""
        one, other = (self.spans(name, end) for name in self.has)
        spans = [(max(a, c, begin), min(b, d)) for a, b in one for c, d in other]
        return [(a, b) for a, b in spans if b > a]

    def double(self, begin, end):
        """Seconds with two holders, and whether it was so at the end."""
        spans = self.both(begin, end)
        return sum(b - a for a, b in spans), any(b >= end for _, b in spans)

    def taken(self, name, begin, end):
        return next((t - begin for t, there in self.has[name] if there and begin < t < end), None)


def messages(data):
    while len(data) >= 24:
        size, kind = struct.unpack_from("IH", data)
        rest = data[24:size]
        while kind in (RTM_NEWADDR, RTM_DELADDR) and len(rest) >= 4:
            n, t = struct.unpack_from("HH", rest)
            if t == IFA_LOCAL:
                yield kind, rest[4:n]
            rest = rest[(n + 3) & ~3:]
        data = data[(size + 3) & ~3:]


class Prober:
    """A node that asks the address for an echo again and again: see probe.py."""

    def __init__(self, node, address, period):
        self.path, self.period = node.dir / "probe", period
        node.spawn(["/usr/bin/python3", Path(__file__).with_name("probe.py"), address, period,
                    "eth0", self.path], "probe")
        wait_for(lambda: self.path.exists() and len(self.answers()) > 20,
                 "the prober has answers")

    def answers(self):
        """[(time, MAC of who answered)]"""
        with open(self.path, encoding="ascii") as file:
            rows = [line.split() for line in file if line.endswith("\n")]
        return [(float(t), mac) for t, mac in rows]

    def silence(self, begin, end):
        """The longest time without an answer, less the period."""
        times = [t for t, _ in self.answers() if begin - 0.2 <= t <= end] + [end]
        return max([b - a for a, b in zip(times, times[1:])] or [end - begin]) - self.period
