"""Frames into a node's network, as fast as a plain packet socket takes them: far
faster than scapy sends, and still one sender on one processor.

	usage, inside a node: storm.py DEVICE SECONDS FRAME [FRAME ...]   (hexadecimal)

Prints how many it sent and in how many seconds.
"""

import socket
import struct
import sys
import time

PACKET_QDISC_BYPASS = 20
GROUP_MAC = "01005e000012"


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def frame(vrid=51, first=0x21, priority=250, source="10.4.7.99", group="224.0.0.18", ttl=255,
          vip="10.4.7.10", good=False, mac=GROUP_MAC):
    """An Ethernet frame with a VRRPv2 advert without authentication, in hexadecimal."""
    message = struct.pack("!BBBBBBH", first, vrid, priority, 1, 0, 1, 0) \
        + socket.inet_aton(vip) + bytes(8)
    check = checksum(message) if good else 0x1234
    message = message[:6] + struct.pack("!H", check) + message[8:]
    header = struct.pack("!BBHHHBBH", 0x45, 0xc0, 20 + len(message), 1, 0, ttl, 112, 0) \
        + socket.inet_aton(source) + socket.inet_aton(group)
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return mac + "020000000099" + "0800" + (header + message).hex()


def main():
    device, seconds, *frames = sys.argv[1:]
    frames = [bytes.fromhex(f) for f in frames]
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(socket.SOL_PACKET if hasattr(socket, "SOL_PACKET") else 263,
                    PACKET_QDISC_BYPASS, 1)
    sock.bind((device, 0))
    sent, began = 0, time.monotonic()
    end = began + float(seconds)
    while time.monotonic() < end:
        for _ in range(200):
            for one in frames:
                try:
                    sock.send(one)
                    sent += 1
                except OSError:
                    pass
    print(sent, time.monotonic() - began)


if __name__ == "__main__":
    main()
