"""A service manager's store with whatever a test wants in it, then a program.

usage: hand_in.py FILE PROGRAM ARGUMENT...

FILE is JSON, a list of entries in the order of the descriptors:

With HAND_IN_NOFILE in the environment the program may have so many descriptors.

	{"name": "sessions", "kind": "box", "messages": [{"hex": "...", "fds": [...]}]}

kinds: box (a SOCK_SEQPACKET socketpair of which the sending end is closed),
stream, null.  Descriptors of a message: "null", "pipe", "udp", "listen:ADDRESS:PORT",
"connect:ADDRESS:PORT", "hear:ADDRESS:PORT" (connect, and there is something to read), "file:HEX".
"""

import array
import json
import os
import resource
import socket
import sys


def make(what):
    kind, _, rest = what.partition(":")
    if kind == "null":
        return os.open("/dev/null", os.O_RDWR)
    if kind == "pipe":
        return os.pipe()[0]
    if kind == "udp":
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach()
    if kind == "file":
        fd = os.memfd_create("file")
        os.write(fd, bytes.fromhex(rest))
        return fd
    address, _, port = rest.rpartition(":")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if kind == "listen":
        sock.bind((address, int(port)))
        sock.listen()
    else:
        sock.connect((address, int(port)))
        if kind == "hear":
            sock.recv(1, socket.MSG_PEEK)
    sock.setblocking(False)
    return sock.detach()


def box(kind, messages):
    if kind == "null":
        return make("null")
    sender, receiver = socket.socketpair(
        socket.AF_UNIX, socket.SOCK_SEQPACKET if kind == "box" else socket.SOCK_STREAM)
    for message in messages:
        fds = [make(what) for what in message.get("fds", [])]
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        sender.sendmsg([bytes.fromhex(message["hex"])], rights)
        for fd in fds:
            os.close(fd)
    return receiver.detach()


def main():
    with open(sys.argv[1], encoding="ascii") as file:
        entries = json.load(file)
    fds = [box(e["kind"], e.get("messages", [])) for e in entries]
    high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
    os.closerange(3, 100)
    for i, fd in enumerate(high):
        os.dup2(fd, 3 + i)
    os.closerange(3 + len(fds), 200)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)),
                      LISTEN_FDNAMES=":".join(e["name"] for e in entries))
    if "HAND_IN_NOFILE" in os.environ:
        limit = int(os.environ["HAND_IN_NOFILE"])
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    os.execv(sys.argv[2], sys.argv[2:])


main()
