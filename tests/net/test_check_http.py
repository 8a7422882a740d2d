"""checkd: http and https, against a real nginx with certificates made here, and
against peers that do anything.  The module probe_http.so is loaded when it is
needed, and never linked.

Plain http needs no library, unless redirects are to be followed: with
"redirects 1" the same check goes through libcurl, and sees the same.
"""

import re
import shutil
import socket
import ssl
import subprocess
import time

import pytest

from lab import BUILD, wait_for
from peers import Server, connect, reset
from test_checkd import Checkd, check

ADDRESS = "10.4.7.11"
LIBCURL = " redirects 1"


def both(name, kind, **options):
    """The check made both ways, as NAME and as NAMEx."""
    return check(name, kind, **options) + check(name + "x", kind + LIBCURL, **options)


def memory_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


def is_sanitized(pid):
    """What it frees is kept for a while."""
    with open(f"/proc/{pid}/maps") as f:
        return "libasan" in f.read()


@pytest.fixture
def make(lab):
    return lambda conf=None, **kwargs: Checkd(lab, conf, **kwargs)


# ---- the module ----


def test_checkd_does_not_link_libcurl():
    linked = subprocess.run(["ldd", BUILD / "checkd"], capture_output=True, text=True).stdout
    assert "libuv" in linked and "curl" not in linked and "ssl" not in linked
    assert "libcurl" in subprocess.run(["ldd", BUILD / "probe_http.so"], capture_output=True,
                                       text=True).stdout


def loaded(pid):
    with open(f"/proc/{pid}/maps") as f:
        return "probe_http.so" in f.read()


def test_it_is_loaded_with_the_first_check_that_needs_it(make):
    plain = check("h", f"http http://{ADDRESS}:8080/")
    c = make(plain)
    assert c.wait("h", "down")["lastReason"] == "refused"
    assert not loaded(c.node.daemon_pid("checkd"))
    c.reload(plain + check("s", f"https https://{ADDRESS}:8080/"))
    assert c.wait("s", "down")["lastReason"] == "refused"
    assert loaded(c.node.daemon_pid("checkd"))


def test_a_missing_module_is_a_failure_until_it_comes(make, tmp_path):
    c = make()
    c.node.web(8080)
    alone = c.node.dir / "bin"
    alone.mkdir(mode=0o755)
    shutil.copy(BUILD / "checkd", alone / "checkd")
    conf = c.node.write("trivet.conf", both("h", f"http http://{ADDRESS}:8080/", interval="200ms"))
    c.proc = c.node.spawn([alone / "checkd", "-c", conf, "--run-dir", c.node.run_dir,
                           "--state-dir", c.node.state_dir], "checkd")
    c.node.wait_ready("checkd", c.proc)
    c.wait("h", "up")
    seen = c.wait("hx", "down")
    assert seen["lastReason"] == "system"
    words = "https checks, and redirects, need the package trivet-checkd-http"
    assert seen["lastDetail"].startswith(f"{words}: ")
    c.proc.wait_log(f"warning: {words}, which is not installed here")
    assert c.proc.log().count(words) <= 3  # and once more, and the state
    shutil.copy(BUILD / "probe_http.so", alone / "probe_http.so")
    c.wait("hx", "up", timeout=15)  # looked for every 10 s


def test_a_module_of_another_version(make):
    """In the middle of an upgrade: its calls are not what we know, so none is made."""
    c = make()
    alone = c.node.dir / "bin"
    alone.mkdir(mode=0o755)
    shutil.copy(BUILD / "checkd", alone / "checkd")
    module = (BUILD / "probe_http.so").read_bytes()
    version = re.search(rb"\0(\d+) \d+\.\d+\.\d+\0", module)
    number = version.group(1)
    other = bytes([number[0] ^ 1]) + number[1:]
    at = version.start(1)
    (alone / "probe_http.so").write_bytes(module[:at] + other + module[at + len(number):])
    conf = c.node.write("trivet.conf", check("h", f"https https://{ADDRESS}:8080/"))
    c.proc = c.node.spawn([alone / "checkd", "-c", conf, "--run-dir", c.node.run_dir,
                           "--state-dir", c.node.state_dir], "checkd")
    c.node.wait_ready("checkd", c.proc)
    seen = c.wait("h", "down")
    assert seen["lastReason"] == "system"
    assert re.fullmatch(r"https checks, and redirects, need the package trivet-checkd-http: "
                        rf"probe_http.so is version {other.decode()} [0-9.]+, "
                        rf"not {number.decode()} [0-9.]+", seen["lastDetail"]), seen


# ---- answers ----


def answers(node, port=8080):
    """One URL for each thing an answer can be."""
    temp = "".join(f"\t{kind}_temp_path {node.dir}/web/{kind};\n"
                   for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return node.nginx(f"""http {{
	access_log off;
{temp}	keepalive_requests 1000000;
	server {{
		listen {port};
		listen [::]:{port};
		location /ok {{ return 200 "{{\\"state\\": \\"ok\\", \\"nodes\\": 17}}\\n"; }}
		location /broken {{ return 503 "no\\n"; }}
		location /moved {{ return 302 http://10.255.255.1/; }}
		location /two {{ return 301 http://10.4.7.11:{port}/one; }}
		location /one {{ return 307 ok; }}
		location /round {{ return 302 /round; }}
		location /from {{ return 200 "from $remote_addr.\\n"; }}
		location /post {{ if ($request_method != POST) {{ return 405; }} return 200; }}
		location /secret {{
			if ($http_authorization != "Bearer hunter2") {{ return 401; }}
			return 200 "in\\n";
		}}
		location /host {{ return 200 "$host|$http_user_agent|$http_connection\\n"; }}
		location /serial {{ return 200 "connection $connection_requests.\\n"; }}
	}}
}}""", "web", ready=port)


GOOD = [
    ("plain", "http http://10.4.7.11:8080/ok"),
    ("IPv6", "http http://[fd00:4:7::11]:8080/ok"),
    ("status in the list", "http http://10.4.7.11:8080/broken status 500-599,404"),
    ("no redirect is followed", "http http://10.4.7.11:8080/moved"),
    ("redirects, absolute and relative",
     'http http://10.4.7.11:8080/two status 200 redirects 2 expect nodes'),
    ("as many as allowed", "http http://10.4.7.11:8080/two status 307 redirects 1"),
    ("not to another host", "http http://10.4.7.11:8080/moved status 302 redirects 5"),
    ("in a circle", "http http://10.4.7.11:8080/round status 302 redirects 10"),
    ("text", 'http http://10.4.7.11:8080/ok expect "\\"ok\\""'),
    ("regex", 'http http://10.4.7.11:8080/ok expect "/\\"nodes\\": *[0-9]{2}[^0-9]/"'),
    ("head", "http http://10.4.7.11:8080/ok method HEAD"),
    ("post", "http http://10.4.7.11:8080/post method POST"),
    ("header", 'http http://10.4.7.11:8080/secret header "Authorization: Bearer hunter2"'),
    ("host", 'http http://10.4.7.11:8080/host header "Host: web.lab" expect "/^web.lab\\\\|trivet/"'),
    ("closes", 'http http://10.4.7.11:8080/host expect "|close"'),
    ("by name", "http http://localhost:8080/ok"),
]


def test_good_answers(make):
    c = make()
    answers(c.node)
    c.node.ip("link", "set", "lo", "up")
    rows = [(f"c{i}", what, kind) for i, (what, kind) in enumerate(GOOD)]
    rows += [(f"{name}x", what, kind + LIBCURL) for name, what, kind in rows
             if "redirect" not in what and "redirects" not in kind]
    c.start("".join(check(name, kind, timeout="5s") for name, _, kind in rows))
    for name, what, _ in rows:
        seen = c.wait(name, "up")
        assert seen["lastReason"] == "ok" and seen["lastDetail"] == "", (what, seen)
        assert seen["kind"] == "http" and seen["target"].startswith("http://")
    assert "hunter2" not in c.proc.log()


def test_where_it_comes_from(make):
    c = make()
    answers(c.node)
    c.node.ip("link", "set", "lo", "up")
    c.node.ip("addr", "add", "10.4.7.12/24", "dev", "eth0")
    c.start(both("bound", 'http http://10.4.7.11:8080/from expect "from 10.4.7.12."',
                 bindto="10.4.7.12") +
            both("kept", 'http http://10.4.7.11:8080/from keep_alive on expect "from 10.4.7.12."',
                 bindto="10.4.7.12", interval="100ms", timeout="5s") +
            both("near", 'http http://10.4.7.11:8080/from keep_alive on expect "from 10.4.7.11."',
                 interval="100ms", timeout="5s") +
            both("away", "http http://10.4.7.11:8080/ok", bindto="10.4.7.13") +
            both("lo", "http http://127.0.0.1:8080/ok", bind_if="lo") +
            both("none", "http http://127.0.0.1:8080/ok", bind_if="eth7"))
    for way in ("", "x"):
        c.wait("bound" + way, "up")
        c.wait("lo" + way, "up")
        for name in ("kept" + way, "near" + way):
            c.wait(name, "up")
            wait_for(lambda: c.get(name)["consecutiveSuccesses"] > 3, "each has its own place")
        seen = c.wait("away" + way, "down")
        assert (seen["lastReason"], seen["lastDetail"]) == (
            "unreachable", "connect: Cannot assign requested address")
        assert "No such device" in c.wait("none" + way, "down")["lastDetail"]


def test_a_port_of_its_own(make):
    """Each run has it again, whoever closed the connection before."""
    c = make()
    seen = {}

    def first(conn):
        seen.setdefault(9000, set()).add(conn.getpeername()[1])
        conn.recv(65536)
        conn.sendall(OK + b"hello")

    def last(conn):
        first(conn)
        conn.recv(65536)
    servers = [Server(c.node, ADDRESS, 9000).serve(first), Server(c.node, ADDRESS, 9001).serve(last)]
    conf = "".join(
        check(f"c{i}", kind.format(port=port), interval="50ms", timeout="5s", bind_port=20000 + i)
        for i, (port, kind) in enumerate((port, kind) for port in (9000, 9001) for kind in (
            f"http http://{ADDRESS}:{{port}}/", f"http http://{ADDRESS}:{{port}}/{LIBCURL}",
            f"tcp {ADDRESS}:{{port}} send x expect hello")))
    c.start(conf + check("taken", f"http http://{ADDRESS}:9000/", bind_port=9000))
    for i in range(6):
        c.wait(f"c{i}", "up")
        wait_for(lambda: c.get(f"c{i}")["consecutiveSuccesses"] > 5, "again and again")
    assert seen == {9000: set(range(20000, 20006))} and "c0 is down" not in c.proc.log()
    assert "Address already in use" in c.wait("taken", "down")["lastDetail"]
    for server in servers:
        server.close()


BAD = [
    ("http http://10.4.7.11:8080/broken", "status", "status 503"),
    ("http http://10.4.7.11:8080/moved status 200", "status", "status 302"),
    ("http http://10.4.7.11:8080/post", "status", "status 405"),
    ("http http://10.4.7.11:8080/ok expect nothing", "protocol",
     'status 200, expect not found; got "{"state": "ok", "nodes": 17} "'),
    ('http http://10.4.7.11:8080/ok expect "/^nodes/"', "protocol", "expect not found"),
    ("http http://10.4.7.11:8081/ok", "refused", "connect: Connection refused"),
    ("http http://192.0.2.1/", "unreachable", "connect: Network is unreachable"),
    ("http http://10.4.7.99/", "timeout", "timeout after 1 s: no connection"),
    ("http http://no-such-name.invalid/", "resolve", "no-such-name.invalid is not found: "),
    ("https https://10.4.7.11:8080/ok", "tls", "tls: "),
]


def test_bad_answers(make):
    c = make()
    answers(c.node)
    # Without name servers every name but those of /etc/hosts fails at once.
    c.node.ip("link", "set", "lo", "up")
    c.start("".join(both(f"c{i}", kind, timeout="1s" if reason == "timeout" else "5s")
                    for i, (kind, reason, _) in enumerate(BAD)))
    for name, kind, reason, detail in [(f"c{i}{way}", *row) for i, row in enumerate(BAD)
                                       for way in ("", "x")]:
        seen = c.wait(name, "down")
        if reason == "timeout":  # before ARP gives up, or after
            assert seen["lastReason"] in ("timeout", "unreachable"), (kind, seen)
            continue
        assert seen["lastReason"] == reason and detail in seen["lastDetail"], (kind, seen)


def test_how_far_it_came(make):
    """What a timeout says: a peer that lets us in and is silent, and one that is not there."""
    c = make()
    # A neighbour that is known and not there, so that nothing is answered for it.
    c.node.ip("neigh", "add", "10.4.7.250", "lladdr", "02:00:00:00:00:01", "dev", "eth0")
    c.node.ip("route", "add", "10.99.0.0/16", "via", "10.4.7.250")

    def silent(conn):
        conn.recv(1 << 16)
        conn.recv(1)
    server = Server(c.node, ADDRESS, 9000).serve(silent)
    c.start(both("silent", f"http http://{ADDRESS}:9000/", timeout="1s") +
            check("tls", f"https https://{ADDRESS}:9000/", timeout="1s") +
            both("void", "http http://10.99.0.1/", timeout="1s") +
            check("voids", "https https://10.99.0.1/", timeout="1s"))
    for name, phase in (("silent", "no answer"), ("silentx", "no answer"),
                        ("tls", "no end of the TLS handshake"), ("void", "no connection"),
                        ("voidx", "no connection"), ("voids", "no connection")):
        assert c.wait(name, "down")["lastDetail"] == f"timeout after 1 s: {phase}"
    server.close()


def test_keep_alive(make):
    """One connection for all runs; without it, one for each."""
    c = make()
    answers(c.node)
    kept = both("kept", "http http://10.4.7.11:8080/serial keep_alive on expect first",
                interval="50ms")
    c.start(kept + both("anew", 'http http://10.4.7.11:8080/serial expect "connection 1."',
                        interval="50ms"))
    for way in ("", "x"):
        c.wait("anew" + way, "up")
        wait_for(lambda: re.search(r'got "connection ([5-9]|\d\d+)\. ',
                                   c.get("kept" + way)["lastDetail"]), "it is the same one")
        assert c.state("anew" + way) == "up"


def test_a_kept_connection_that_was_closed(make):
    """By the peer, before or after it is asked again: another is made, in the same run.

    A word that nobody asked for is an end too; libcurl takes it for the next answer.
    """
    c = make()
    late = b"HTTP/1.1 408 Request Timeout\r\n\r\n"
    peers = [(9000, both, lambda conn: conn.recv(65536)), (9001, both, reset),
             (9002, check, lambda conn: conn.sendall(late))]
    connections = {port: 0 for port, _, _ in peers}

    def once(port, again):
        def handle(conn):
            connections[port] += 1
            conn.recv(65536)
            conn.sendall(OK + b"hello")
            again(conn)
        return handle
    servers = [Server(c.node, ADDRESS, port).serve(once(port, again)) for port, _, again in peers]
    c.start("".join(ways(f"c{port}", f"http http://{ADDRESS}:{port}/ keep_alive on expect hello",
                         interval="500ms", timeout="10s") for port, ways, _ in peers))
    for name in ("c9000", "c9000x", "c9001", "c9001x", "c9002"):
        c.wait(name, "up")
        wait_for(lambda: c.get(name)["consecutiveSuccesses"] > 3, f"{name} goes on")
    assert min(connections.values()) > 3 and " is down" not in c.proc.log()
    for server in servers:
        server.close()


def test_a_peer_that_takes_its_time(make):
    """Its queue is full, and then it reads slowly what is long: each byte goes when there is room."""
    c = make()
    server = Server(c.node, ADDRESS, 9000, backlog=8)
    server.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    first = [connect(c.node, ADDRESS, 9000) for _ in range(9)]
    sizes = set()

    def read(conn):
        said = b""
        while not said.endswith(b"\r\n\r\n"):
            if not (piece := conn.recv(4096)):
                return
            said += piece
        sizes.add(len(said))
        conn.sendall(OK + b"hello")
    lines = "\n\theader ".join(f'"X-{i}: {"y" * 4000}"' for i in range(30))
    c.start(both("h", f"http http://{ADDRESS}:9000/ expect hello", timeout="30s", header=lines))
    wait_for(lambda: c.node.run(["ss", "-Htn", "state", "syn-sent"]).stdout.count(":9000") == 2,
             "they wait to be let in")
    server.serve(read)
    for conn in first:
        conn.close()
    for way in ("", "x"):
        assert c.wait("h" + way, "up", timeout=20)["lastReason"] == "ok"
    assert min(sizes) > 120000 and " is down" not in c.proc.log()
    server.close()


def test_both_ways_say_the_same(make):
    """Byte by byte."""
    c = make()
    said = {}

    def listen(conn):
        request = conn.recv(65536)
        if not request:  # a run that came to its end before it said anything
            return
        name = request.partition(b"?")[2].partition(b"&")[0].decode()
        said.setdefault(name, set()).add(request)
        conn.sendall(OK + b"hello")
    servers = [Server(c.node, address, 8080).serve(listen)
               for address in (ADDRESS, "fd00:4:7::11")]
    c.node.ip("link", "set", "lo", "up")
    headers = 'header "Accept:" header "X-A: b  " header "host: web.lab" header "Authorization: x"'
    agent = 'header "User-Agent: same"'  # the usual one has the name of the check
    kinds = {"a": f'http "http://{ADDRESS}:8080/a/../b?a&x=/?y#z" {agent}',
             "b": f"http http://{ADDRESS}:8080?b& {agent} method HEAD",
             "c": f"http HTTP://[FD00:4:7:0::11]:8080/?c& {agent} method POST keep_alive on",
             "d": f"http http://{ADDRESS}:8080/?d&%20 {headers} {agent}"}
    c.start("".join(both(name, kind, interval="100ms", timeout="5s")
                    for name, kind in kinds.items()))
    for name in kinds:
        for way in ("", "x"):
            c.wait(name + way, "up")
    assert {name: len(requests) for name, requests in said.items()} == dict.fromkeys(kinds, 1), said
    for server in servers:
        server.close()


def test_a_header_is_a_secret(make):
    c = make()
    answers(c.node)
    conf = check("h", 'http http://10.4.7.11:8080/secret header "Authorization: Bearer hunter2"')
    c.start(conf, args=("-v",))
    c.wait("h", "up")
    c.reload(conf.replace("hunter2", "hunter3"))
    c.wait("h", "down")
    assert "hunter" not in c.proc.log()
    printed = c.node.trivet("check", c.node.dir / "trivet.conf")
    assert "hunter" not in printed.stdout + printed.stderr


# ---- certificates ----


class Certificates:
    """An authority, and what it signs."""

    def __init__(self, where):
        self.dir = where
        where.mkdir(mode=0o755)
        self.sh("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", where / "ca.key", "-out", where / "ca.pem", "-days", "365",
                "-subj", "/CN=lab")
        (where / "ca.pem").chmod(0o644)

    @staticmethod
    def sh(*argv):
        subprocess.run(["openssl", *argv], check=True, capture_output=True)

    def sign(self, name, alternative, days=365):
        d = self.dir
        (d / f"{name}.ext").write_text(f"subjectAltName={alternative}\n")
        self.sh("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", d / f"{name}.key", "-out", d / f"{name}.csr", "-subj", "/CN=web")
        self.sh("x509", "-req", "-in", d / f"{name}.csr", "-CA", d / "ca.pem", "-CAkey",
                d / "ca.key", "-CAcreateserial", "-days", str(days), "-extfile",
                d / f"{name}.ext", "-out", d / f"{name}.pem")


def test_certificates(make):
    c = make()
    c.node.ip("link", "set", "lo", "up")
    certs = Certificates(c.node.dir / "certs")
    ca = certs.dir / "ca.pem"
    servers = {"good": (8441, f"IP:{ADDRESS},DNS:web.lab,DNS:localhost", 365),
               "expired": (8442, f"IP:{ADDRESS}", -1),
               "other": (8443, "DNS:elsewhere.lab", 365),
               "soon": (8444, f"IP:{ADDRESS}", 5)}
    blocks = ""
    for name, (port, alternative, days) in servers.items():
        certs.sign(name, alternative, days)
        blocks += (f"server {{ listen {port} ssl; ssl_certificate {certs.dir}/{name}.pem; "
                   f"ssl_certificate_key {certs.dir}/{name}.key; location / {{ return 200 "
                   f"\"$ssl_server_name|$http_host\\n\"; }} }}\n")
    temp = "".join(f"\t{kind}_temp_path {c.node.dir}/tls/{kind};\n"
                   for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    c.node.nginx(f"http {{ access_log off;\n{temp}{blocks} }}", "tls", ready=8444)
    rows = {
        "trusted": (f"https https://{ADDRESS}:8441/ ca {ca}", "up", "ok", ""),
        "unknown": (f"https https://{ADDRESS}:8441/", "down", "tls",
                    "tls: unable to get local issuer certificate"),
        "blind": (f"https https://{ADDRESS}:8441/ verify off", "up", "ok", ""),
        "expired": (f"https https://{ADDRESS}:8442/ ca {ca}", "down", "tls",
                    "tls: certificate has expired"),
        "other": (f"https https://{ADDRESS}:8443/ ca {ca}", "down", "tls",
                  "tls: no alternative certificate subject name matches target host name"),
        "sni": (f"https https://{ADDRESS}:8443/ ca {ca} sni elsewhere.lab expect "
                f"\"elsewhere.lab|{ADDRESS}:8443\"", "up", "ok", ""),
        "named": (f"https https://localhost:8441/ ca {ca} expect \"localhost|localhost:8441\"",
                  "up", "ok", ""),
        "soon": (f"https https://{ADDRESS}:8444/ ca {ca}", "up", "ok",
                 "the certificate expires in "),
        "quiet": (f"https https://{ADDRESS}:8444/ ca {ca} expiry_warning 2d", "up", "ok", ""),
        "no_file": (f"https https://{ADDRESS}:8441/ ca /no/such.pem", "down", "tls", "tls: "),
        "plain": (f"http http://{ADDRESS}:8441/", "down", "status", "status 400"),
    }
    c.start("".join(check(name, row[0], interval="1s", timeout="5s")
                    for name, row in rows.items()))
    for name, (_, state, reason, detail) in rows.items():
        seen = c.wait(name, state)
        assert seen["lastReason"] == reason, (name, seen)
        assert seen["lastDetail"].startswith(detail) and bool(seen["lastDetail"]) == bool(detail), \
            (name, seen)
    assert re.search(r" in [45] days, on \w{3} +\d+ [0-9:]{8} \d{4} GMT$",
                     c.get("soon")["lastDetail"])
    runs = c.get("soon")["consecutiveSuccesses"]
    wait_for(lambda: c.get("soon")["consecutiveSuccesses"] > runs + 2, "it ran again")
    assert c.proc.log().count("check soon: the certificate expires in ") == 1


# ---- peers that do anything ----


def say(data, then=None):
    def handle(conn):
        conn.recv(65536)
        conn.sendall(data)
        if then:
            then(conn)
    return handle


def for_ever(data, pause=0.0):
    def handle(conn):
        conn.recv(65536)
        while True:
            conn.sendall(data)
            time.sleep(pause)
    return handle


def slowly(data):
    """One byte at a time."""
    def handle(conn):
        conn.recv(65536)
        for i in range(len(data)):
            conn.sendall(data[i:i + 1])
            time.sleep(0.2)
    return handle


def silent(conn):
    conn.recv(65536)
    while conn.recv(65536):
        pass


def endless_body(conn):
    conn.recv(65536)
    conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        conn.sendall(b"x" * 65536)


def endless_headers(conn):
    conn.recv(65536)
    conn.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        conn.sendall(b"X-Filler: " + b"y" * 1000 + b"\r\n")


def endless_line(conn):
    conn.recv(65536)
    conn.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        conn.sendall(b"y" * 65536)


def endless_continue(conn):
    conn.recv(65536)
    while True:
        conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HOSTILE = [
    # what it does, with which options, the state it makes and the reasons that are allowed
    ("garbage", say(bytes(range(256)) * 64), "", "down", {"protocol"}),
    ("nothing at all", lambda conn: None, "", "down", {"protocol"}),
    ("silence", silent, "", "down", {"timeout"}),
    ("reset", lambda conn: (conn.recv(9), reset(conn)), "", "down", {"protocol"}),
    ("reset in the answer", say(b"HTTP/1.1 200 OK\r\nContent-Le", reset), "", "down", {"protocol"}),
    ("reset in the body", say(OK + b"ab", reset), "", "down", {"protocol"}),
    ("a body too short", say(OK + b"ab"), "", "down", {"protocol"}),
    ("a slow peer", slowly(OK + b"hello"), "", "down", {"timeout"}),
    ("a slow body", say(OK, silent), "", "down", {"timeout"}),
    ("endless headers", endless_headers, "", "down", {"protocol"}),
    ("an endless header", endless_line, "", "down", {"protocol"}),
    ("endless 100 Continue", endless_continue, "", "down", {"protocol", "timeout"}),
    ("endless body", endless_body, "", "up", {"ok"}),
    ("endless body, expected", endless_body, " expect y", "down", {"protocol"}),
    ("endless drip", for_ever(b"\r\n", 0.1), "", "down", {"timeout", "protocol"}),
    ("NULs in the headers", say(b"HTTP/1.1 200 OK\r\nX: \0\0\r\n\r\nhello"), "", "down",
     {"protocol"}),
    ("NULs in the body", say(b"HTTP/1.1 200 OK\r\n\r\n" + b"\0" * 100 + b"hello"),
     ' expect "/hel+o/"', "up", {"ok"}),
    ("a broken chunk", say(CHUNKED + b"zz\r\nhello"), "", "down", {"protocol"}),
    ("a chunk of ages", say(CHUNKED + b"ffffffffffffffffff\r\nhello"), "", "down", {"protocol"}),
    ("a chunk cut off", say(CHUNKED + b"a\r\nhello"), "", "down", {"protocol"}),
    ("a length of letters", say(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nhello"), "",
     "down", {"protocol"}),
    ("a negative length", say(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello"), "", "down",
     {"protocol"}),
    ("a status of letters", say(b"HTTP/1.1 2x0 OK\r\n\r\n"), "", "down", {"protocol", "status"}),
    ("status 999", say(b"HTTP/1.1 999 Hm\r\nContent-Length: 0\r\n\r\n"), "", "down",
     {"status", "protocol"}),
    ("HTTP/0.9", say(b"hello\n"), "", "down", {"protocol"}),
]
SAYS = {  # in our own words, whichever way it was asked; of the others ours or libcurl's
    "silence": "timeout after 0.5 s: no answer",
    "reset": "connection reset before the answer",
    "reset in the answer": "connection reset before the answer ended",
    "reset in the body": "connection reset before the answer ended",
    "a body too short": "connection closed before the answer ended",
    "a chunk cut off": "connection closed before the answer ended",
    "a slow peer": "timeout after 0.5 s: no answer",
    "a slow body": "timeout after 0.5 s: the answer did not end",
    "endless headers": "its headers do not end",
    "an endless header": "its headers do not end",
}


def test_hostile_peers(make):
    """Each in its own way: a reason in time, bounded memory, and all others undisturbed."""
    c = make()
    c.node.web(8080)
    rows = []
    conf = check("calm", "http http://10.4.7.11:8080/", interval="100ms")
    for i, (what, handle, options, state, reasons) in enumerate(HOSTILE):
        server = Server(c.node, ADDRESS, 9000 + i).serve(handle)
        rows += [(what, server, f"c{i}{way}", state, reasons) for way in ("", "x")]
        conf += both(f"c{i}", f"http http://{ADDRESS}:{9000 + i}/{options}", interval="500ms",
                     timeout="500ms" if "timeout" in reasons else "4s")
    c.start(conf)
    c.wait("calm", "up")
    for what, _, name, state, reasons in rows:
        seen = c.wait(name, state)
        assert seen["lastReason"] in reasons, (what, seen)
        assert state == "up" or seen["lastDetail"], (what, seen)
        assert SAYS.get(what, seen["lastDetail"]) == seen["lastDetail"], seen
        assert seen["lastDurationUsec"] < 10_000_000, (what, seen)
    pid = c.node.daemon_pid("checkd")
    before = memory_kib(pid)
    runs = c.get("c0")["consecutiveFailures"]
    wait_for(lambda: c.get("c0")["consecutiveFailures"] > runs + 8, "they went on", timeout=20)
    assert memory_kib(pid) < before + 8192 or is_sanitized(pid)
    assert c.state("calm") == "up" and c.proc.alive()
    for _, server, *_ in rows:
        server.close()


TLS_HOSTILE = [
    ("plain text", lambda conn: conn.sendall(b"220 hello\r\n" * 100), {"tls"}),
    ("nothing", lambda conn: None, {"tls"}),
    ("silence", silent, {"timeout"}),
    ("reset", lambda conn: (conn.recv(100), reset(conn)), {"tls"}),
    ("an alert", say(b"\x15\x03\x01\x00\x02\x02\x28"), {"tls"}),
    ("a record too long", say(b"\x16\x03\x03\xff\xff" + b"A" * 70000), {"tls"}),
    ("an endless handshake", for_ever(b"\x16\x03\x03\x00\x04\x02\xff\xff\xff" * 100), {"tls"}),
]


def test_hostile_tls(make):
    c = make()
    servers = [Server(c.node, ADDRESS, 9000 + i).serve(handle)
               for i, (_, handle, _) in enumerate(TLS_HOSTILE)]
    c.start("".join(check(f"c{i}", f"https https://{ADDRESS}:{9000 + i}/", interval="2s",
                          timeout="1s" if "timeout" in reasons else "5s")
                    for i, (*_, reasons) in enumerate(TLS_HOSTILE)))
    for i, (what, _, reasons) in enumerate(TLS_HOSTILE):
        seen = c.wait(f"c{i}", "down")
        assert seen["lastReason"] in reasons and seen["lastDetail"], (what, seen)
    assert c.proc.alive()
    for server in servers:
        server.close()


def test_tls_cut_off_in_the_answer(make):
    """The connection ends without close_notify: what came is not taken for the whole."""
    c = make()
    certs = Certificates(c.node.dir / "certs")
    certs.sign("web", f"IP:{ADDRESS}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs.dir / "web.pem", certs.dir / "web.key")

    def handle(conn):
        with context.wrap_socket(conn, server_side=True) as tls:
            tls.recv(65536)
            tls.sendall(OK + b"ab")
            reset(tls)
    server = Server(c.node, ADDRESS, 9000).serve(handle)
    c.start(check("h", f"https https://{ADDRESS}:9000/ ca {certs.dir}/ca.pem"))
    assert c.wait("h", "down")["lastReason"] in ("protocol", "tls")
    server.close()


def test_a_reload_in_the_middle(make):
    """The run that is on goes with its check; the module does not miss it."""
    c = make()
    server = Server(c.node, ADDRESS, 9000).serve(silent)
    c.node.web(8080)
    slow = check("slow", f"http http://{ADDRESS}:9000/", interval="5s", timeout="5s")
    c.start(slow + check("calm", "http http://10.4.7.11:8080/", interval="100ms"))
    c.wait("calm", "up")
    wait_for(lambda: "ESTAB" in c.node.run(["ss", "-Htn", "dport = :9000"]).stdout, "it is on")
    c.reload(check("calm", "http http://10.4.7.11:8080/", interval="100ms"))
    wait_for(lambda: "ESTAB" not in c.node.run(["ss", "-Htn", "dport = :9000"]).stdout, "it is off")
    runs = c.get("calm")["consecutiveSuccesses"]
    wait_for(lambda: c.get("calm")["consecutiveSuccesses"] > runs + 3, "others go on")
    server.close()
