"""checkd: checks that ask a peer without libcurl (ping, dns, smtp, udp), with
real peers and with such as do anything; and targets by name, whose search may
hang without anything else noticing.
"""

import contextlib
import os
import signal
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from lab import BUILD, proc_status, wait_for
from peers import Server, inside, reset
from test_checkd import Checkd, check

ADDRESS = "10.4.7.11"


@pytest.fixture
def make(lab):
    return lambda conf=None, **kwargs: Checkd(lab, conf, **kwargs)


class Datagrams:
    """A UDP service in a node: answer(bytes) gives the answers, a list."""

    def __init__(self, node, port, answer, address=ADDRESS):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with inside(node):
            self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.bind((address, port))
        self.answer = answer
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                data, peer = self.sock.recvfrom(65536)
                if peer is None:  # shut down
                    return
                for one in self.answer(data):
                    self.sock.sendto(one, peer)

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


# ---- ping ----


def let_ping(node, groups="0 2147483647"):
    node.run(["sysctl", "-qw", f"net.ipv4.ping_group_range={groups}"])


def test_ping(make, lab):
    c = make()
    let_ping(c.node)
    other = lab.node("r2", "10.4.7.12/24")
    other.ip("addr", "add", "fd00:4:7::12/64", "dev", "eth0", "nodad")
    c.start(check("four", "ping 10.4.7.12", interval="200ms", timeout="1s") +
            check("six", "ping fd00:4:7::12", interval="200ms", timeout="1s") +
            check("nobody", "ping 10.4.7.99", interval="200ms", timeout="200ms"))
    for name, target in (("four", "10.4.7.12"), ("six", "fd00:4:7::12")):
        seen = c.wait(name, "up")
        assert seen["kind"] == "ping" and seen["target"] == target and seen["lastReason"] == "ok"
        assert seen["lastDurationUsec"] > 0
    assert c.wait("nobody", "down")["lastReason"] in ("timeout", "unreachable")
    other.link()
    assert c.wait("four", "down")["lastReason"] in ("timeout", "unreachable")
    assert c.wait("six", "down")["lastReason"] in ("timeout", "unreachable")
    other.link(state="up")
    c.wait("four", "up")


def test_ping_that_the_host_forbids(make):
    c = make()
    let_ping(c.node, "1 0")
    c.start(check("p", "ping 10.4.7.11", interval="200ms"))
    seen = c.wait("p", "down")
    assert "net.ipv4.ping_group_range of this host leaves out group " in seen["lastDetail"]
    let_ping(c.node)
    c.node.ip("link", "set", "lo", "up")
    c.wait("p", "up")


def test_ping_takes_no_capability(make):
    c = make()
    let_ping(c.node)
    c.node.ip("link", "set", "lo", "up")
    c.start(check("p", "ping 10.4.7.11"))
    c.wait("p", "up")
    status = Path(f"/proc/{c.node.daemon_pid('checkd')}/status").read_text()
    assert "CapEff:\t0000000000000000" in status and "CapPrm:\t0000000000000000" in status


# ---- dns ----


def dnsmasq(node, *records):
    proc = node.spawn(["dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--user=root",
                       "--conf-file=/dev/null", "--pid-file", f"--listen-address={ADDRESS}",
                       "--bind-interfaces", "--log-facility=-", *records], "dnsmasq")
    wait_for(lambda: node.run(["ss", "-Hlun", "sport = :53"]).stdout.strip(), "dnsmasq listens")
    return proc


def test_dns(make):
    c = make()
    server = dnsmasq(c.node, "--host-record=web.lab,10.4.7.80,fd00:4:7::80", "--local=/lab/",
                     "--mx-host=lab,mx.lab,10", "--cname=www.lab,web.lab", "--txt-record=lab,hello")
    rows = [
        ("a", "web.lab", "up", "ok", ""), ("aaaa", "web.lab AAAA", "up", "ok", ""),
        ("case", "WEB.lab.", "up", "ok", ""), ("cname", "www.lab a", "up", "ok", ""),
        ("mx", "lab mx", "up", "ok", ""), ("txt", "lab TXT", "up", "ok", ""),
        ("nobody", "no.lab", "down", "protocol", "rcode 3 NXDOMAIN"),
        ("no_mx", "web.lab MX", "down", "protocol", "no MX record for web.lab"),
        ("foreign", "example.org", "down", "protocol", "rcode 5 REFUSED"),
    ]
    c.start("".join(check(name, f"dns {ADDRESS} {asked}", interval="200ms")
                    for name, asked, *_ in rows))
    for name, asked, state, reason, detail in rows:
        seen = c.wait(name, state)
        assert seen["lastReason"] == reason and seen["lastDetail"] == detail, seen
        assert seen["kind"] == "dns" and seen["target"].startswith(f"{ADDRESS}:53 ")
    server.kill9()
    assert c.wait("a", "down")["lastReason"] == "refused"


def header(query, flags=0x8180, answers=1, ident=None):
    return (ident or query[:2]) + struct.pack("!HHHHH", flags, 1, answers, 0, 0)


RECORD = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x01"
DNS_HOSTILE = [
    # what it does; what it answers; the state, and the reasons
    ("honest", lambda q: [header(q) + q[12:] + RECORD], "up", {"ok"}),
    ("silence", lambda q: [], "down", {"timeout"}),
    ("garbage", lambda q: [os.urandom(500)], "down", {"timeout"}),
    ("garbage with our id", lambda q: [q[:2] + b"\xff" * 400], "down", {"timeout", "protocol"}),
    ("empty", lambda q: [b""], "down", {"timeout"}),
    ("our question back", lambda q: [q], "down", {"timeout"}),
    ("another id", lambda q: [header(q, ident=bytes([q[0] ^ 1, q[1]])) + q[12:] + RECORD], "down",
     {"timeout"}),
    ("another id before ours",
     lambda q: [header(q, ident=bytes([q[0] ^ 1, q[1]])) + q[12:] + RECORD] * 20 +
     [header(q) + q[12:] + RECORD], "up", {"ok"}),
    ("another question", lambda q: [header(q) + q[12:].replace(b"web", b"wob") + RECORD], "down",
     {"timeout"}),
    ("cut off", lambda q: [header(q) + q[12:] + RECORD[:-3]], "down", {"protocol"}),
    ("65535 records of nothing", lambda q: [header(q, answers=65535) + q[12:]], "down",
     {"protocol"}),
    ("a pointer to itself",
     lambda q: [header(q) + q[12:] + struct.pack("!H", 0xc000 | len(q)) + RECORD[2:]], "up", {"ok"}),
    ("no question back", lambda q: [q[:2] + b"\x81\x80" + bytes(8)], "down", {"timeout"}),
    ("truncated", lambda q: [header(q, flags=0x8380, answers=9) + q[12:]], "up", {"ok"}),
    ("too large", lambda q: [header(q) + q[12:] + RECORD + bytes(60000)], "up", {"ok"}),
]


def test_dns_servers_that_do_anything(make):
    c = make()
    servers = [Datagrams(c.node, 6000 + i, answer)
               for i, (_, answer, *_) in enumerate(DNS_HOSTILE)]
    c.start("".join(check(f"c{i}", f"dns {ADDRESS}:{6000 + i} web.lab", interval="300ms",
                          timeout="300ms" if "timeout" in reasons else "5s")
                    for i, (*_, reasons) in enumerate(DNS_HOSTILE)))
    for i, (what, _, state, reasons) in enumerate(DNS_HOSTILE):
        seen = c.wait(f"c{i}", state)
        assert seen["lastReason"] in reasons, (what, seen)
        says = {"ok": "", "timeout": "timeout after 0.3 s: no answer",
                "protocol": "malformed answer"}
        assert seen["lastDetail"] == says[seen["lastReason"]], (what, seen)
    assert c.proc.alive()
    for server in servers:
        server.close()


def test_a_flood_of_datagrams_does_not_hold_up_others(make):
    c = make()
    server = Datagrams(c.node, 6000, lambda q: [b"no"] * 5000)
    c.node.listener(8080)
    c.start(check("flooded", f"dns {ADDRESS}:6000 web.lab", interval="300ms", timeout="300ms") +
            check("calm", "tcp 10.4.7.11:8080", interval="50ms"))
    c.wait("flooded", "down")
    runs = c.get("calm")["consecutiveSuccesses"]
    wait_for(lambda: c.get("calm")["consecutiveSuccesses"] > runs + 20, "others run", timeout=5)
    assert c.get("calm")["consecutiveFailures"] == 0
    server.close()


# ---- udp ----


def test_udp(make):
    c = make()
    server = Datagrams(c.node, 7, lambda q: [b"\0echo " + q])
    six = Datagrams(c.node, 7, lambda q: [q], address="fd00:4:7::11")
    c.start(check("any", f'udp {ADDRESS}:7 send "ping"', interval="200ms", timeout="200ms") +
            check("right", f'udp {ADDRESS}:7 send "ping" expect "echo ping"', interval="200ms") +
            check("wrong", f'udp {ADDRESS}:7 send "ping" expect "pong"', interval="200ms") +
            check("six", 'udp [fd00:4:7::11]:7 send "x" expect "x"', interval="200ms") +
            check("closed", f'udp {ADDRESS}:8 send "ping"', interval="200ms"))
    for name in ("any", "right", "six"):
        c.wait(name, "up")
    seen = c.wait("wrong", "down")
    assert seen["lastReason"] == "protocol"
    assert seen["lastDetail"] == 'expect not found; got " echo ping"'
    assert c.wait("closed", "down")["lastReason"] == "refused"
    server.answer = lambda q: []
    seen = c.wait("any", "down")
    assert seen["lastReason"] == "timeout" and seen["lastDetail"] == "timeout after 0.2 s: no answer"
    server.close()
    six.close()


# ---- smtp ----


def mail(*answers, each=None):
    """Greets, then answers each line with the next of 'answers'; what it heard is in each."""
    def handle(conn):
        conn.sendall(answers[0])
        for answer in answers[1:]:
            line = conn.recv(4096)
            if each is not None:
                each.append(line)
            conn.sendall(answer)
        while conn.recv(4096):
            pass
    return handle


def drip(data):
    def handle(conn):
        for i in range(len(data)):
            conn.sendall(data[i:i + 1])
            time.sleep(0.2)
    return handle


def for_ever(data):
    def handle(conn):
        while True:
            conn.sendall(data)
    return handle


def say_and_reset(data):
    def handle(conn):
        conn.sendall(data)
        conn.recv(100)
        reset(conn)
    return handle


HEARD = []
MAIL = [
    ("good", mail(b"220 mx ESMTP\r\n", b"250-mx\r\n250 HELP\r\n", b"221 bye\r\n", each=HEARD),
     "up", "ok", ""),
    ("never says good-bye", mail(b"220 mx\r\n", b"250 mx\r\n"), "up", "ok", ""),
    ("hangs up at QUIT", say_and_reset(b"220 mx\r\n250 mx\r\n"), "up", "ok", ""),
    ("talks first", mail(b"220 mx\r\n250 mx\r\n221 x\r\n"), "up", "ok", ""),
    ("busy", mail(b"421 too many\r\n"), "down", "protocol", 'it does not greet; got "421 too many"'),
    ("no EHLO", mail(b"220 mx\r\n", b"502 what\r\n"), "down", "protocol",
     'EHLO is refused; got "502 what"'),
    ("silence", lambda conn: conn.recv(100), "down", "timeout", "timeout after 0.5 s: no greeting"),
    ("silence later", mail(b"220 mx\r\n"), "down", "timeout",
     "timeout after 0.5 s: no answer to EHLO"),
    ("closes", lambda conn: None, "down", "protocol", "connection closed before the greeting"),
    ("garbage", mail(bytes(range(1, 200)) + b"\n"), "down", "protocol", "that is not SMTP"),
    ("NULs", mail(b"220 \0\0\r\n", b"\0\r\n"), "down", "protocol", "that is not SMTP"),
    ("a slow one", drip(b"220 mx\r\n" * 10), "down", "timeout", "timeout after 0.5 s: no greeting"),
    ("an endless line", for_ever(b"2" * 10000), "down", "protocol",
     "a line of its reply does not end"),
    ("an endless reply", for_ever(b"220-more\r\n" * 1000), "down", "protocol",
     "its reply does not end"),
]


def test_smtp(make):
    c = make()
    servers = [Server(c.node, ADDRESS, 2500 + i).serve(handle)
               for i, (_, handle, *_) in enumerate(MAIL)]
    c.start("".join(check(f"c{i}", f"smtp {ADDRESS}:{2500 + i}", interval="500ms",
                          timeout="5s" if reason == "protocol" else "500ms")
                    for i, (*_, reason, _) in enumerate(MAIL)) + check("none", f"smtp {ADDRESS}"))
    for i, (what, _, state, reason, detail) in enumerate(MAIL):
        seen = c.wait(f"c{i}", state)
        assert seen["lastReason"] == reason, (what, seen)
        assert seen["lastDetail"].startswith(detail), (what, seen)
    assert c.wait("none", "down")["lastReason"] == "refused"
    assert c.get("none")["target"] == f"{ADDRESS}:25"
    assert HEARD[0] == b"EHLO " + socket.gethostname().encode() + b"\r\n"
    assert HEARD[1] == b"QUIT\r\n"
    assert c.proc.alive()
    for server in servers:
        server.close()


# ---- where it is asked from ----


def test_where_it_comes_from(make, lab):
    """bindto and bind_if, of every kind that asks: who is asked says what he sees."""
    c = make()
    c.node.ip("link", "set", "lo", "up")
    c.node.ip("addr", "add", "10.4.7.12/24", "dev", "eth0")
    let_ping(c.node)
    code = ("import socket,threading\n"
            "def say(kind):\n"
            "  s=socket.socket(socket.AF_INET,kind);s.bind(('10.4.7.11',7000))\n"
            "  if kind==socket.SOCK_DGRAM:\n"
            "    while True:\n"
            "      _,who=s.recvfrom(99);s.sendto(b'from '+who[0].encode()+b'.',who)\n"
            "  s.listen()\n"
            "  while True:\n"
            "    c,who=s.accept()\n"
            "    c.sendall(b'220 from '+who[0].encode()+b'.\\r\\n');c.close()\n"
            "threading.Thread(target=say,args=(socket.SOCK_DGRAM,)).start()\n"
            "say(socket.SOCK_STREAM)\n")
    c.node.spawn(["/usr/bin/python3", "-c", code], "teller")
    c.node.wait_port(7000)
    c.start(check("tcp", 'tcp 10.4.7.11:7000 expect "from 10.4.7.12."', bindto="10.4.7.12") +
            check("udp", 'udp 10.4.7.11:7000 send x expect "from 10.4.7.12."',
                  bindto="10.4.7.12") +
            check("ping", "ping 10.4.7.11", bindto="10.4.7.12") +
            check("plain", 'tcp 10.4.7.11:7000 expect "from 10.4.7.11."') +
            check("away", "tcp 10.4.7.11:7000", bindto="10.4.7.13") +
            check("through", "tcp 10.4.7.11:7000", bind_if="eth0") +
            check("none", "ping 10.4.7.11", bind_if="eth7"))
    for name in ("tcp", "udp", "ping", "plain", "through"):
        c.wait(name, "up")
    seen = c.wait("away", "down")
    assert (seen["lastReason"], seen["lastDetail"]) == (
        "unreachable", "bindto: Cannot assign requested address")
    assert c.wait("none", "down")["lastDetail"] == "bind_if: No such device"


# ---- what stands in the way ----


def half_and_reset(data):
    def handle(conn):
        conn.sendall(data)
        conn.recv(100)
        reset(conn)
    return handle


IN_THE_WAY = {
    "no route": ("tcp 10.97.0.1:80", "unreachable", "connect: No route to host"),
    "a route that prohibits": ("tcp 10.98.0.1:80", "unreachable", "connect: Permission denied"),
    "udp": ('udp 10.98.0.1:80 send x', "unreachable", "connect: Permission denied"),
    "ping": ("ping 10.98.0.1", "unreachable", "connect: Permission denied"),
    "dns": ("dns 10.97.0.1 web.lab", "unreachable", "connect: No route to host"),
    "smtp": ("smtp 10.97.0.1", "unreachable", "connect: No route to host"),
    "http": ("http http://10.98.0.1/", "unreachable", "connect: Permission denied"),
    "a firewall of our own": (f"udp {ADDRESS}:9 send x", "unreachable",
                              "send: Operation not permitted"),
    "a reset": (f'tcp {ADDRESS}:9000 send x expect "220"', "protocol",
                "connection reset before the expected answer"),
    "a reset in the answer": (f'tcp {ADDRESS}:9001 send x expect "220"', "protocol",
                              'connection reset before the expected answer; got "22"'),
    "an end": (f'tcp {ADDRESS}:9002 send x expect "220"', "protocol",
               "connection closed before the expected answer"),
    "an end after a line": (f"smtp {ADDRESS}:9003", "protocol",
                            "connection closed before the answer to EHLO"),
}


def test_what_stands_in_the_way(make):
    """Each failure by its own name, whatever the kind of check."""
    c = make()
    let_ping(c.node)
    c.node.ip("route", "add", "unreachable", "10.97.0.0/16")
    c.node.ip("route", "add", "prohibit", "10.98.0.0/16")
    c.node.run(["nft", "add table inet f; add chain inet f o { type filter hook output priority 0; "
                "}; add rule inet f o udp dport 9 drop"])
    servers = [Server(c.node, ADDRESS, 9000 + i).serve(handle) for i, handle in enumerate(
        [half_and_reset(b""), half_and_reset(b"22"), lambda conn: conn.recv(100),
         lambda conn: (conn.sendall(b"220 mx\r\n"), conn.recv(100))])]
    c.start("".join(check(f"c{i}", kind, interval="500ms")
                    for i, (kind, *_) in enumerate(IN_THE_WAY.values())))
    for i, (what, (_, reason, detail)) in enumerate(IN_THE_WAY.items()):
        seen = c.wait(f"c{i}", "down")
        assert (seen["lastReason"], seen["lastDetail"]) == (reason, detail), (what, seen)
    for server in servers:
        server.close()


def test_a_mail_server_that_is_gone_after_its_greeting(make):
    """checkd finds both at once, greeting and reset: what it says then goes nowhere."""
    c = make()

    def handle(conn):
        time.sleep(0.05)  # for the connection to be seen; if it was not, the next run will do
        os.kill(c.proc.pid, signal.SIGSTOP)
        wait_for(lambda: proc_status(c.proc.pid)["State"][0] == "T", "it sleeps")
        conn.sendall(b"220 mx\r\n")
        reset(conn)
        os.kill(c.proc.pid, signal.SIGCONT)
    server = Server(c.node, ADDRESS, 2500).serve(handle)
    c.start(check("m", f"smtp {ADDRESS}:2500", interval="300ms"))
    seen = wait_for(lambda: c.get("m")["lastDetail"] == "send: Connection reset by peer" and
                    c.get("m"), "it could not answer the greeting")
    assert (seen["state"], seen["lastReason"]) == ("down", "protocol")
    server.close()


# ---- names ----


@contextlib.contextmanager
def resolv_conf(node, text, hosts=""):
    """What the processes of a node find in /etc (ip-netns(8))."""
    where = Path("/etc/netns") / node.netns
    where.mkdir(parents=True)
    (where / "resolv.conf").write_text(text)
    (where / "hosts").write_text("127.0.0.1 localhost\n" + hosts)
    try:
        yield where
    finally:
        for one in where.iterdir():
            one.unlink()
        where.rmdir()


def test_names(make):
    c = make()
    dns = dnsmasq(c.node, f"--host-record=web.lab,{ADDRESS}", "--local=/lab/")
    c.node.web(8080)
    c.node.ip("link", "set", "lo", "up")
    let_ping(c.node)
    with resolv_conf(c.node, f"nameserver {ADDRESS}\n", "10.4.7.11 other.lab\n"):
        c.start(check("tcp", "tcp web.lab:8080") + check("http", "http http://other.lab:8080/") +
                check("ping", "ping web.lab") + check("dns", "dns web.lab web.lab") +
                check("none", "tcp no.lab:8080"))
        for name in ("tcp", "http", "ping", "dns"):
            c.wait(name, "up")
        assert c.get("tcp")["target"] == "web.lab:8080"
        seen = c.wait("none", "down")
        assert seen["lastReason"] == "resolve", seen
        assert seen["lastDetail"].startswith("no.lab is not found: "), seen
        # The name server goes; what it serves stays up.
        dns.kill9()
        assert c.wait("dns", "down")["lastReason"] == "refused"
        runs = c.get("tcp")["consecutiveSuccesses"]
        wait_for(lambda: c.get("tcp")["consecutiveSuccesses"] > runs + 3, "it goes on")


def test_a_name_server_that_is_silent_holds_up_nobody(make):
    """Its checks time out; others run at their pace; the daemon stops when told."""
    c = make()
    c.node.listener(8080)
    hole = Datagrams(c.node, 53, lambda q: [])
    with resolv_conf(c.node, f"nameserver {ADDRESS}\n"):
        c.start("".join(check(f"lost{i}", f"tcp lost{i}.lab:80", interval="300ms", timeout="300ms")
                        for i in range(8)) +
                check("calm", "tcp 10.4.7.11:8080", interval="50ms"))
        for i in range(8):
            seen = c.wait(f"lost{i}", "down")
            # While it is asked for, and when that has been given up.
            assert (seen["lastReason"] == "timeout" and
                    seen["lastDetail"] == f"timeout: no answer to where lost{i}.lab is") or (
                seen["lastReason"] == "resolve" and
                seen["lastDetail"].startswith(f"lost{i}.lab is not found: ")), seen
        runs = c.get("calm")["consecutiveSuccesses"]
        wait_for(lambda: c.get("calm")["consecutiveSuccesses"] > runs + 20, "others run", timeout=5)
        assert c.get("calm")["consecutiveFailures"] == 0
        c.reload(check("calm", "tcp 10.4.7.11:8080", interval="50ms"))  # while they are asked for
        c.wait("calm", "up")
        c.proc.stop(timeout=10)
    hole.close()


def test_a_reload_keeps_what_asks_the_same(make):
    c = make()
    server = Datagrams(c.node, 7, lambda q: [q])
    conf = check("u", f'udp {ADDRESS}:7 send "a"', interval="200ms")
    c.start(conf)
    c.wait("u", "up")
    wait_for(lambda: c.get("u")["consecutiveSuccesses"] >= 3, "some runs")
    runs = c.get("u")["consecutiveSuccesses"]
    c.reload(conf.replace("200ms", "210ms"))
    assert c.get("u")["consecutiveSuccesses"] >= runs and c.state("u") == "up"
    c.reload(conf.replace('send "a"', 'send "b"'))
    wait_for(lambda: 0 < c.get("u")["consecutiveSuccesses"] < runs, "it began anew", timeout=2,
             step=0.005)
    server.close()


# ---- want of descriptors ----


def test_without_descriptors_they_fail_and_recover(make):
    """Sixty runs that wait for silent peers have taken all; when they end, all is well."""
    c = make()
    let_ping(c.node)
    c.node.ip("link", "set", "lo", "up")
    c.node.web(8080)
    dns = Datagrams(c.node, 6000, DNS_HOSTILE[0][1])
    mx = Server(c.node, ADDRESS, 2500).serve(mail(b"220 mx\r\n", b"250 mx\r\n", b"221 bye\r\n"))
    mute = Server(c.node, ADDRESS, 9000).serve(lambda conn: conn.recv(1))
    service = c.node.service("web")
    flag = c.node.dir / "flag"
    flag.write_text("0")
    kinds = {"tcp": "tcp 10.4.7.11:8080", "http": "http http://10.4.7.11:8080/",
             "ping": "ping 10.4.7.11", "dns": f"dns {ADDRESS}:6000 web.lab",
             "smtp": f"smtp {ADDRESS}:2500", "file": f"file {flag}",
             "process": f"process {service.comm}", "port": "port 8080"}
    conf = c.node.write("trivet.conf", "".join(
        check(f"mute{i}", f"tcp {ADDRESS}:9000 expect x", interval="60s", timeout="4s")
        for i in range(60)) + "".join(
        check(name, kind, interval="300ms", timeout="3s") for name, kind in kinds.items()))
    c.proc = c.node.spawn(["prlimit", "--nofile=60", BUILD / "checkd", "-c", conf, "--run-dir",
                           c.node.run_dir, "--state-dir", c.node.state_dir], "checkd")
    for name in kinds:
        c.proc.wait_log(f"check {name} is down: .*Too many open files")
    for name in kinds:
        c.wait(name, "up")
    dns.close()
    mx.close()
    mute.close()


# ---- a stall ----


def test_what_was_answered_during_a_stall_is_no_timeout(make):
    """checkd stands still for longer than a run may take, and the answer is there when it goes on:
    it looks before it believes its clock."""
    c = make()
    armed, stalls = set(), []

    def stalling(kind, question):
        """An answer; while the kind is armed, one that comes to a checkd that is stopped."""
        stop = kind in armed
        if stop:
            armed.remove(kind)
            os.kill(c.proc.pid, signal.SIGSTOP)
            wait_for(lambda: proc_status(c.proc.pid)["State"][0] == "T", "it is stopped")
        yield question
        if stop:
            time.sleep(2.2)
            os.kill(c.proc.pid, signal.SIGCONT)
            stalls.append(kind)

    def stream(conn):
        for answer in stalling("t", conn.recv(10)):
            conn.sendall(answer)
    servers = [Datagrams(c.node, 7, lambda question: stalling("u", question)),
               Server(c.node, ADDRESS, 9000).serve(stream)]
    c.start(check("u", f'udp {ADDRESS}:7 send "a"', interval="200ms", timeout="2s") +
            check("t", f'tcp {ADDRESS}:9000 send "a" expect "a"', interval="200ms", timeout="2s"))
    for kind in "u", "t":
        c.wait(kind, "up")
        armed.add(kind)
        wait_for(lambda: kind in stalls, "it was stopped, and goes on")
        runs = c.get(kind)["lastCheckedUsec"]
        wait_for(lambda: c.get(kind)["lastCheckedUsec"] > runs, "it has run since")
    metrics = c.call("org.trivet.daemon.ListMetrics", prefix="checkd_check_failures_total")["metrics"]
    assert [m["value"] for m in metrics] == [0, 0], c.proc.log()
    for server in servers:
        server.close()
