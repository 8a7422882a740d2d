"""Clients and servers made of plain sockets, inside a node's network namespace
but in this process: a test says byte by byte what each side does and sees.

	server = Server(node, "10.4.7.21", 8080)
	client = connect(node, "10.4.7.10", 80)
	conn = server.accept()
	...
	assert ending(client) == "reset"
"""

import contextlib
import hashlib
import select
import socket
import struct
import threading

import netns
from lab import PATIENCE

TIMEOUT = 5.0 * PATIENCE


def inside(node):
    """This thread in the node's network; sockets made meanwhile stay there."""
    return netns.inside(node.netns)


def make_socket(node, family=socket.AF_INET):
    with inside(node):
        sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(TIMEOUT)
    return sock


def connect(node, address, port, rcvbuf=None):
    sock = make_socket(node, socket.AF_INET6 if ":" in address else socket.AF_INET)
    if rcvbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    sock.connect((address, port))
    return sock


def reset(sock):
    """close(2) by RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def ending(sock, timeout=TIMEOUT):
    """How the peer ends it: "fin", "reset", "data" (it does not), or "silence"."""
    poll = select.poll()  # not select(2): it ends at 1024 descriptors
    poll.register(sock, select.POLLIN)
    if not poll.poll(timeout * 1000):
        return "silence"
    try:
        return "data" if sock.recv(1, socket.MSG_PEEK) else "fin"
    except ConnectionResetError:
        return "reset"


def read_exactly(sock, size):
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            break
        data += part
    return data


def read_all(sock):
    data = bytearray()
    while part := sock.recv(1 << 18):
        data += part
    return bytes(data)


class Server:
    """A listening socket; accept() by hand, or serve(function) in threads."""

    def __init__(self, node, address, port, backlog=1024):
        self.sock = make_socket(node, socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((address, port))
        self.sock.listen(backlog)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def accept(self):
        conn, _ = self.sock.accept()
        conn.settimeout(TIMEOUT)
        return conn

    def serve(self, handle):
        """handle(conn) for each connection, in a thread of its own; closed when it returns."""
        def one(conn):
            with contextlib.suppress(OSError), conn:
                handle(conn)

        def loop():
            while True:
                try:
                    conn, _ = self.sock.accept()
                except OSError:
                    return
                conn.settimeout(TIMEOUT)
                threading.Thread(target=one, args=(conn,), daemon=True).start()
        self.sock.settimeout(None)
        threading.Thread(target=loop, daemon=True).start()
        return self

    def close(self):
        """New connects are refused from now on."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


def echo(conn):
    while data := conn.recv(65536):
        conn.sendall(data)


def greeter(text):
    """Says 'text' and ends."""
    return lambda conn: conn.sendall(text)


class Stream(threading.Thread):
    """Bytes from a seed written to a socket, then a FIN."""

    def __init__(self, sock, seed, size):
        super().__init__(daemon=True)
        self.sock, self.size, self.seed = sock, size, seed
        self.error = None
        self.start()

    def run(self):
        try:
            for chunk in chunks(self.seed, self.size):
                self.sock.sendall(chunk)
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = error


class Drain(threading.Thread):
    """Reads a socket to its end, or so many bytes."""

    def __init__(self, sock, wanted=None):
        super().__init__(daemon=True)
        self.wanted = wanted
        self.sock, self.size, self.hash, self.error = sock, 0, hashlib.sha256(), None
        self.start()

    def run(self):
        try:
            while part := self.sock.recv(1 << 18 if self.wanted is None
                                         else min(1 << 18, self.wanted - self.size)):
                self.size += len(part)
                self.hash.update(part)
        except OSError as error:
            self.error = error


def chunks(seed, size):
    """'size' bytes that do not repeat with the block, so that a lost or doubled one shows."""
    block = hashlib.sha256(seed.encode()).digest() * 2048
    done = number = 0
    while done < size:
        part = (number.to_bytes(8, "big") + block)[:size - done]
        yield part
        done += len(part)
        number += 1


def digest(seed, size):
    total = hashlib.sha256()
    for chunk in chunks(seed, size):
        total.update(chunk)
    return total.hexdigest()
