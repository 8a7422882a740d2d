"""Headers of the PROXY protocol, written and read."""

import socket
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(source="192.0.2.1", destination="198.51.100.2", ports=(51000, 443), family="TCP4"):
    return f"PROXY {family} {source} {destination} {ports[0]} {ports[1]}\r\n".encode()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def v2(source="192.0.2.1", destination="198.51.100.2", ports=(51000, 443), tlvs=b"",
       command=1, checksum=False):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    body = (socket.inet_pton(family, source) + socket.inet_pton(family, destination) +
            struct.pack("!HH", *ports) + tlvs)
    if checksum:
        body += b"\x03\0\4"
    head = SIGNATURE + bytes([0x20 | command, 0x21 if family == socket.AF_INET6 else 0x11])
    head += struct.pack("!H", len(body) + 4 * checksum) + body
    return head + struct.pack("!I", crc32c(head + bytes(4))) if checksum else head


def taken(data):
    """(source, source port, bytes of the header) of what begins 'data'; None: more has to come."""
    if data[:6] == b"PROXY "[:len(data)]:
        line, end, _ = data.partition(b"\r\n")
        if not end:
            return None
        words = line.decode().split(" ")
        if words[1] == "UNKNOWN":
            return None, None, len(line) + 2
        return words[2], int(words[4]), len(line) + 2
    if len(data) < 16:
        return None
    assert data[:12] == SIGNATURE, data[:64]
    size = 16 + int.from_bytes(data[14:16], "big")
    if len(data) < size:
        return None
    family, width = (socket.AF_INET6, 16) if data[13] >> 4 == 2 else (socket.AF_INET, 4)
    source = socket.inet_ntop(family, data[16:16 + width])
    return source, int.from_bytes(data[16 + 2 * width:18 + 2 * width], "big"), size
