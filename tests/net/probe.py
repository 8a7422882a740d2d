"""Asks an address for an echo every so often and notes who answered: one line
"TIME MAC" for each answer, TIME of CLOCK_MONOTONIC.

	usage, inside a node: probe.py ADDRESS PERIOD DEVICE FILE

The request takes the ordinary way (neighbour table and all); the answer is seen on
the wire, because its sender's link-layer address says which node gave it.
"""

import selectors
import socket
import struct
import sys
import time


def echo(ident, number):
    head = struct.pack("!BBHHH", 8, 0, 0, ident, number & 0xffff)
    total = sum(struct.unpack("!4H", head))
    total = (total & 0xffff) + (total >> 16)
    return head[:2] + struct.pack("!H", ~total & 0xffff) + head[4:]


def main():
    address, period, device, path = sys.argv[1:]
    period, wanted = float(period), socket.inet_aton(address)
    asker = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    asker.setblocking(False)
    seer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    seer.bind((device, 0x0800))
    seer.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(seer, selectors.EVENT_READ)
    number, due = 0, time.monotonic()
    with open(path, "w", buffering=1, encoding="ascii") as out:
        while True:
            now = time.monotonic()
            if now >= due:
                number += 1
                due = max(due + period, now)
                try:
                    asker.sendto(echo(777, number), (address, 0))
                except OSError:
                    pass  # no neighbour: an outage like any other
            for _ in selector.select(max(0.0, due - time.monotonic())):
                frame = seer.recv(256)
                if frame[26:30] == wanted and frame[23] == 1 and frame[34] == 0:
                    out.write(f"{time.monotonic():.6f} {frame[6:12].hex(':')}\n")
            try:
                while True:
                    asker.recv(256)
            except BlockingIOError:
                pass


main()
