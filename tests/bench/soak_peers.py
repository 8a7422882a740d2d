"""What passes through proxyd in a soak (soak_proxy.py): sessions of many kinds, and the
servers at their other end, in one process, so that both ends of a session share a Record.

A client's first line says what its session is: KIND ID SEED SIZE.  Streams are compared
with what was sent as they arrive: also of a session that is cut off no byte is wrong.
"""

import contextlib
import ctypes
import socket
import struct
import threading
import time

import proxy_header
from lab import wait_for
from peers import Stream, chunks, ending, inside, read_exactly, reset

TCPI_UNACKED = 24  # where it is in struct tcp_info
PATIENT = 60.0  # of any single wait; the machine may be busy


class Wrong(AssertionError):
    """Other bytes, or another end, than there should be: nothing excuses it."""


class Record:
    """One session, for both its ends."""

    def __init__(self, name, kind, listener):
        self.name, self.kind, self.listener = name, kind, listener
        self.began = time.monotonic()
        self.server = None  # who took it
        self.killed = False  # that server was killed while it ran
        self.header = None  # of the PROXY protocol, as the server saw it: (address, port)
        self.said = None  # how it ended for the server
        self.done = threading.Event()


class Book:
    """All sessions, and which of them failed."""

    def __init__(self):
        self.lock = threading.Lock()
        self.open, self.kills = {}, []
        self.good, self.cut, self.bad = {}, {}, []
        self.connects, self.sent, self.received = {}, {}, {}

    def begin(self, name, kind, listener):
        record = Record(name, kind, listener)
        with self.lock:
            self.open[name] = record
        return record

    def find(self, name):
        with self.lock:
            return self.open.get(name)

    def count(self, what, port, n):
        with self.lock:
            what[port] = what.get(port, 0) + n

    def killing(self, kill):
        with self.lock:
            if kill not in self.kills:
                self.kills.append(kill)
            kill.until = time.monotonic()

    def nobodys(self, port):
        """Open sessions of a listener that no server has taken yet."""
        with self.lock:
            return [r for r in self.open.values() if r.listener.port == port and r.server is None]

    def may_be_cut(self, record):
        """Its server was killed; or one was while nobody had taken it (its backlog)."""
        if record.killed:
            return True
        with self.lock:
            return record.server is None and any(
                kill.upstream == record.listener.upstream and kill.until >= record.began
                for kill in self.kills)

    def end(self, record, error=None):
        if error is not None and not isinstance(error, Wrong) and not self.may_be_cut(record):
            with contextlib.suppress(Exception):
                record.done.wait(1.0)  # the killer may be a moment behind the killed
        with self.lock:
            self.open.pop(record.name, None)
        if error is None:
            self.count(self.good, record.kind, 1)
        elif not isinstance(error, Wrong) and self.may_be_cut(record):
            self.count(self.cut, record.kind, 1)
        else:
            self.fail(f"{record.kind} {record.name} on {record.listener.port}, "
                      f"{record.server or 'no server'}, after {time.monotonic() - record.began:.2f} s, server: {record.said}: "
                      f"{error!r}")

    def fail(self, text):
        with self.lock:
            self.bad.append(text)
        print(f"FAILED {time.strftime('%H:%M:%S')} {text}", flush=True)


class Kill:
    """'until': when it was over; of datagrams, when the server was back."""

    def __init__(self, upstream):
        self.upstream, self.until = upstream, 0.0


class Expect:
    """Compares a stream with what it has to be."""

    def __init__(self, seed, size):
        self.pieces, self.rest, self.got, self.size = chunks(seed, size), b"", 0, size

    def feed(self, data):
        at = 0
        while at < len(data):
            if not self.rest:
                self.rest = next(self.pieces, b"")
                if not self.rest:
                    raise Wrong(f"{len(data) - at} bytes more than the {self.size} sent")
            n = min(len(data) - at, len(self.rest))
            if data[at:at + n] != self.rest[:n]:
                raise Wrong(f"another byte within {n} after {self.got}")
            self.rest, at, self.got = self.rest[n:], at + n, self.got + n

    def drain(self, sock, step=1 << 17, rest=0.0):
        """To the end of the stream; 'rest' seconds after each read."""
        while part := sock.recv(step):
            self.feed(part)
            if rest:
                time.sleep(rest)
        if self.got != self.size:
            raise OSError(f"ended after {self.got} of {self.size} bytes")


def expect_end(sock, wanted):
    how = ending(sock, PATIENT)
    if how == "data":
        raise Wrong(f"a byte more than was sent: {sock.recv(64)!r}")
    if how != wanted:
        raise OSError(f"it ended by {how}, not {wanted}")


def exact(sock, wanted):
    data = read_exactly(sock, len(wanted))
    if data != wanted[:len(data)]:
        raise Wrong(f"{data[:64]!r} where {wanted[:64]!r} was sent ({len(wanted)} bytes)")
    if len(data) < len(wanted):
        raise OSError(f"ended after {len(data)} of {len(wanted)} bytes")


def meet(*threads):
    """Streams that run beside us."""
    for thread in threads:
        thread.join(PATIENT * 2)
        if thread.error is not None:
            raise thread.error


# ---- the server's end of each kind ----

def serve_echo(conn, record, seed, size):
    """All it gets; of 'size' bytes it ends first."""
    sent = 0
    while data := conn.recv(1 << 16):
        conn.sendall(data)
        sent += len(data)
        if size and sent >= size:
            return


def serve_up(conn, record, seed, size):
    Expect(seed, size).drain(conn)
    conn.sendall(b"all")


def serve_down(conn, record, seed, size):
    meet(Stream(conn, seed, size))
    expect_end(conn, "fin")


def serve_both(conn, record, seed, size):
    stream = Stream(conn, seed + "down", size)
    Expect(seed + "up", size).drain(conn)
    meet(stream)


def serve_half(conn, record, seed, size):
    """Ends first; then the client's bytes come all the same."""
    conn.sendall(b"your turn")
    conn.shutdown(socket.SHUT_WR)
    Expect(seed, size).drain(conn)


def serve_reset(conn, record, seed, size):
    """The client will reset it: that and no orderly end is seen."""
    conn.sendall(read_exactly(conn, size))
    expect_end(conn, "reset")


def serve_resets(conn, record, seed, size):
    conn.sendall(read_exactly(conn, size))
    if read_exactly(conn, 1) == b"k":  # the client has it all
        reset(conn)


SERVE = {"echo": serve_echo, "up": serve_up, "down": serve_down, "both": serve_both,
         "half": serve_half, "reset": serve_reset, "resets": serve_resets}


def disconnect(sock):
    """A reset at once, whoever waits for it."""
    nobody = ctypes.create_string_buffer(16)  # AF_UNSPEC
    ctypes.CDLL(None).connect(sock.fileno(), nobody, len(nobody))


class Backend:
    """A server of TCP that can be stopped (what it serves ends in its own time), killed, begun."""

    def __init__(self, book, node, upstream, address, port):
        self.book, self.node, self.upstream = book, node, upstream
        self.address, self.port, self.name = address, port, f"{address}:{port}"
        self.lock, self.conns, self.listener = threading.Lock(), {}, None
        self.refused = f"{{ {address} . {port} }}"
        self.start()

    @property
    def alive(self):
        return self.listener is not None

    def start(self):
        with inside(self.node):
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((self.address, self.port))
        sock.listen(512)
        self.node.run(["nft", "delete", "element", "inet", "soak", "stopped", self.refused],
                      check=False, timeout=PATIENT)
        self.listener = sock
        threading.Thread(target=self.accept_all, args=(sock,), daemon=True).start()

    def accept_all(self, sock):
        while True:
            try:
                conn, _ = sock.accept()
            except OSError:
                return
            self.take(conn)

    def take(self, conn):
        conn.settimeout(3600)  # and not None: then it waits in poll(2), and disconnect() works
        with self.lock:
            self.conns[conn] = None
        threading.Thread(target=self.one, args=(conn,), daemon=True).start()

    def one(self, conn):
        try:
            self.serve(conn)
        finally:
            with self.lock:
                self.conns.pop(conn, None)
                conn.close()

    def command(self, conn):
        """The first line, behind a header: (record, kind, seed, size); None: no client spoke."""
        header, data = None, b""
        while True:
            if data[:1] == b"\r" or data[:6] == b"PROXY ":
                found = proxy_header.taken(data)
                if found is not None:
                    header, data = found[:2], data[found[2]:]
                    continue
            elif b"\n" in data:
                break
            byte = conn.recv(1)
            if not byte:
                return None
            data += byte
        kind, name, seed, size = data.decode().split()
        record = self.book.find(name)
        if record is None:  # its client has given up
            return None
        record.header = header
        with self.lock:
            record.server = self.name
            if conn in self.conns:
                self.conns[conn] = record
            else:
                record.killed = True
        return record, kind, seed, int(size)

    def serve(self, conn):
        record = None
        try:
            told = self.command(conn)
            if told is None:
                return
            record, kind, seed, size = told
            SERVE[kind](conn, record, seed, size)
            record.said = "done"
        except (OSError, AssertionError, ValueError) as error:
            if record is None:
                return  # aborted before it said who it is
            record.said = repr(error)
            if isinstance(error, Wrong):
                self.book.fail(f"{record.kind} {record.name} at {self.name}: {error}")
        finally:
            if record is not None:
                record.done.set()

    def refuse(self):
        """Who connects from now on is refused; who is queued already is taken."""
        self.node.run(["nft", "add", "element", "inet", "soak", "stopped", self.refused],
                      timeout=PATIENT)
        time.sleep(0.2)  # who had begun to connect is in the queue by now, ...
        # ... and accepted when nobody is (tcp(7): of a listener it is the length of its queue).
        wait_for(lambda: not struct.unpack_from("I", self.listener.getsockopt(
            socket.IPPROTO_TCP, socket.TCP_INFO, 104), TCPI_UNACKED)[0], "all are accepted", PATIENT)
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.listener = None

    def stop(self):
        self.refuse()

    def kill(self, by_reset):
        """All it serves is cut off; by a reset, or as a process that dies with nothing unread."""
        kill = Kill(self.upstream)
        self.book.killing(kill)
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.listener = None
        with self.lock:
            for conn, record in self.conns.items():
                if record is not None:
                    record.killed = True
                with contextlib.suppress(OSError):
                    if by_reset:
                        disconnect(conn)
                    else:
                        conn.shutdown(socket.SHUT_RDWR)
            self.conns.clear()
        self.book.killing(kill)


class UdpBackend:
    """Sends each datagram back, reversed, behind the header if there is one."""

    def __init__(self, book, node, upstream, address, port):
        self.book, self.node, self.upstream = book, node, upstream
        self.address, self.port, self.name = address, port, f"{address}:{port}"
        self.sock = self.killed = None
        self.start()

    @property
    def alive(self):
        return self.sock is not None

    def start(self):
        with inside(self.node):
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((self.address, self.port))
        if self.killed:
            self.killed.until = time.monotonic() + 2  # until proxyd knows
        threading.Thread(target=self.run, args=(self.sock,), daemon=True).start()

    def run(self, sock):
        with contextlib.suppress(OSError):
            while True:
                data, source = sock.recvfrom(65536)
                if sock is not self.sock:
                    return
                if data[:12] == proxy_header.SIGNATURE:
                    data = data[proxy_header.taken(data)[2]:]
                sock.sendto(data[::-1], source)

    def kill(self, by_reset=False):
        self.killed = Kill(self.upstream)
        self.book.killing(self.killed)
        self.killed.until = float("inf")
        old, self.sock = self.sock, None
        # A thread within recvfrom(2) keeps the socket: it has to see that it is over.
        with inside(self.node), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as poke:
            poke.sendto(b"", old.getsockname())
        time.sleep(0.05)
        old.close()

    stop = kill


# ---- the client's end ----

class Session:
    """One of a worker's sessions on a listener: `with Session(...) as s` and the kind's doing."""

    def __init__(self, load, rng, name, kind, listener, **kw):
        self.load, self.rng, self.listener = load, rng, listener
        self.record = load.book.begin(name, kind, listener)
        self.sent = self.received = 0
        self.sock, self.source, self.kw = None, None, kw

    def connect(self):
        family = socket.AF_INET6 if ":" in self.listener.address else socket.AF_INET
        with inside(self.load.client):
            self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENT)
        if "rcvbuf" in self.kw:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.kw["rcvbuf"])
        self.sock.connect((self.listener.address, self.listener.port))
        self.load.book.count(self.load.book.connects, self.listener.port, 1)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.source = self.sock.getsockname()[:2]
        if self.listener.header_in and self.record.kind != "bad_header":
            self.say_header()

    def say_header(self):
        """Whom we bring; whole, or in pieces."""
        rng = self.rng
        self.source = f"192.0.2.{rng.randint(1, 254)}", rng.randint(1024, 65535)
        if rng.random() < 0.5:
            header = proxy_header.v1(self.source[0], ports=(self.source[1], 443))
        else:
            tlv = rng.choice((b"", b"\x02\0\x0bexample.org", b"\xee\x04\0" + bytes(1024)))
            header = proxy_header.v2(self.source[0], ports=(self.source[1], 443), tlvs=tlv,
                                     checksum=rng.random() < 0.5)
        step = rng.choice((1, 7, len(header), len(header))) if len(header) < 200 else len(header)
        for i in range(0, len(header), step):
            self.sock.sendall(header[i:i + step])

    def command(self, kind, seed="-", size=0):
        self.say(f"{kind} {self.record.name} {seed} {size}\n".encode())

    def say(self, data):
        self.sent += len(data)
        self.sock.sendall(data)

    def hear(self, wanted):
        exact(self.sock, wanted)
        self.received += len(wanted)

    def check_header(self):
        """What the server was told of us."""
        if self.record.server is not None and self.listener.header_out and self.record.header != tuple(self.source):
            raise Wrong(f"the server was told {self.record.header}, not {self.source}")

    def run(self):
        error = None
        try:
            self.connect()
            KINDS[self.record.kind](self)
            self.check_header()
        except (OSError, AssertionError, ValueError) as e:
            error = e
        finally:
            if self.sock is not None:
                self.sock.close()
            book = self.load.book
            if error is None:
                book.count(book.sent, self.listener.port, self.sent)
                book.count(book.received, self.listener.port, self.received)
            book.end(self.record, error)

    def server_done(self, wanted="done"):
        if not self.record.done.wait(PATIENT):
            raise OSError("the server has seen no end of it")
        if self.record.said != wanted:
            raise OSError(f"at the server: {self.record.said}")


def short(s):
    data = s.rng.randbytes(s.rng.choice((1, 64, 64, 64, 700, 5000)))
    first = s.rng.random() < 0.5
    s.command("echo", size=0 if first else len(data))
    s.say(data)
    s.hear(data)
    if first:
        s.sock.shutdown(socket.SHUT_WR)
    expect_end(s.sock, "fin")


def talk(s):
    s.command("echo")
    for _ in range(s.rng.randint(5, 60)):
        data = s.rng.randbytes(s.rng.choice((1, 64, 1000, 20000)))
        s.say(data)
        s.hear(data)
        if s.rng.random() < 0.1:
            time.sleep(s.rng.random() * 0.5)
    s.sock.shutdown(socket.SHUT_WR)
    expect_end(s.sock, "fin")


def bulk_size(s):
    return s.rng.choice((100_000, 700_000, 3_000_000, 9_000_000))


def up(s):
    size = bulk_size(s)
    s.command("up", s.record.name, size)
    meet(Stream(s.sock, s.record.name, size))
    s.sent += size
    s.hear(b"all")
    expect_end(s.sock, "fin")


def down(s):
    size = bulk_size(s)
    s.command("down", s.record.name, size)
    Expect(s.record.name, size).drain(s.sock)
    s.received += size
    s.sock.shutdown(socket.SHUT_WR)
    s.server_done()


def slow(s):
    """A reader that takes little, and that late: what is on its way waits in proxyd."""
    size = s.rng.choice((300_000, 1_500_000))
    s.command("down", s.record.name, size)
    time.sleep(s.rng.random())
    Expect(s.record.name, size).drain(s.sock, step=s.rng.choice((3000, 30000)), rest=0.005)
    s.received += size
    s.sock.shutdown(socket.SHUT_WR)
    s.server_done()


def both(s):
    size = bulk_size(s) // 2
    s.command("both", s.record.name, size)
    stream = Stream(s.sock, s.record.name + "up", size)
    Expect(s.record.name + "down", size).drain(s.sock)
    meet(stream)
    s.sent += size
    s.received += size
    s.server_done()


def trickle(s):
    """Pieces of all sizes both ways: copied, not spliced."""
    s.command("echo")
    pieces = [s.rng.randbytes(s.rng.randint(1, 3000)) for _ in range(s.rng.randint(20, 120))]
    failed = []

    def send():
        try:
            for piece in pieces:
                s.say(piece)
                if len(piece) % 16 == 0:
                    time.sleep(0.01)
            s.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            failed.append(error)
    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    for piece in pieces:
        s.hear(piece)
    thread.join(PATIENT)
    if failed:
        raise failed[0]
    expect_end(s.sock, "fin")


def half(s):
    size = s.rng.choice((0, 1, 64_000, 1_000_000))
    s.command("half", s.record.name, size)
    s.hear(b"your turn")
    expect_end(s.sock, "fin")
    meet(Stream(s.sock, s.record.name, size))
    s.sent += size
    s.server_done()


def resets(s):
    """Ours, behind bytes that have arrived."""
    data = s.rng.randbytes(s.rng.randint(1, 3000))
    s.command("reset", size=len(data))
    s.say(data)
    s.hear(data)
    reset(s.sock)
    s.server_done()


def is_reset(s):
    data = s.rng.randbytes(s.rng.randint(1, 3000))
    s.command("resets", size=len(data))
    s.say(data)
    s.hear(data)
    s.say(b"k")
    expect_end(s.sock, "reset")


def idle(s):
    """Says something now and then, until the load pauses."""
    s.command("echo")
    number = 0
    while True:
        data = b"%d of %s;" % (number, s.record.name.encode())
        s.say(data)
        s.hear(data)
        number += 1
        if s.load.pausing.wait(s.rng.uniform(1, 20)):
            break
    s.sock.shutdown(socket.SHUT_WR)
    expect_end(s.sock, "fin")


def abort(s):
    """Gone before, within or behind its first bytes, by FIN or RST."""
    s.sock.sendall(s.rng.randbytes(s.rng.choice((0, 0, 1, 3000))).replace(b"\n", b"-"))
    if s.rng.random() < 0.5:
        reset(s.sock)


def bad_header(s):
    """Where a header has to come: no other byte reaches a server."""
    s.sock.sendall(s.rng.choice((b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 1.2.3.4 5\r\n",
                                 proxy_header.SIGNATURE + b"\x21\x11\xff\xff" + bytes(5000))))
    expect_end(s.sock, "reset")


def times_out(s):
    """On a listener with a short proxy_timeout."""
    s.command("echo")
    s.say(b"hello")
    s.hear(b"hello")
    expect_end(s.sock, "fin")


def is_closed(s):
    """By an operator: of all sessions this one."""
    s.command("echo")
    s.say(b"hello")
    s.hear(b"hello")
    s.load.close_session(s.listener.name, "{}:{}".format(*s.sock.getsockname()))
    expect_end(s.sock, "reset")


KINDS = {"short": short, "talk": talk, "up": up, "down": down, "slow": slow, "both": both,
         "trickle": trickle, "half": half, "resets": resets, "is_reset": is_reset, "idle": idle,
         "abort": abort, "bad_header": bad_header, "times_out": times_out, "is_closed": is_closed}


def datagrams(load, rng, name, listener):
    """A client's exchanges; each answer is the one to what was sent."""
    record = load.book.begin(name, "datagrams", listener)
    error = None
    with inside(load.client):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.settimeout(10.0)
        sock.connect((listener.address, listener.port))
        record.server = None if listener.upstream == "flaky" else "somebody"
        for n in range(rng.randint(1, 12)):
            burst = [b"%d %d %s" % (n, i, name.encode()) + bytes(rng.choice((0, 50, 1200)))
                     for i in range(rng.choice((1, 1, 4, 8)))]
            missing = {data[::-1] for data in burst}
            for data in burst:
                sock.send(data)
            while missing:
                data = sock.recv(65536)
                if data not in missing:
                    raise Wrong(f"no answer of ours: {data[:100]!r}")
                missing.discard(data)
    except (OSError, AssertionError) as e:
        error = e
    finally:
        sock.close()
        load.book.end(record, error)
