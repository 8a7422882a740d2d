"""What a stream block says in words: variables, map, geo, split_clients, set, return,
ssl_preread, logs.  Where nginx has an opinion it is asked in the same test."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess

import pytest

from lab import wait_for
from peers import Server, connect, ending, greeter, make_socket, read_all
from test_proxyd import NGINX, ONE, OURS, TWO, VIP, Front, both
from test_proxyd_udp import datagram_socket


@pytest.fixture
def front(lab):
    return Front(lab)


@pytest.fixture
def logs(front):
    """A directory where the daemon and nginx may make files."""
    path = front.proxy.dir / "logs"
    path.mkdir()
    path.chmod(0o777)
    return path


def ask(front, port, source=None, say=b""):
    sock = make_socket(front.client)
    if source:
        sock.bind((source, 0))
    with sock:
        try:
            sock.connect((VIP, port))
            if say:
                sock.sendall(say)
            return read_all(sock).decode("latin-1")
        except ConnectionResetError:
            return ""


def lines_of(path, count):
    def found():
        text = path.read_text("latin-1") if path.exists() else ""
        return text.splitlines() if text.count("\n") >= count else None
    return wait_for(found, f"{count} lines in {path.name}")


# ---- variables ----

WORDS = """
    map $remote_addr $site { default other; 10.4.7.30 "the client"; 10.4.7.31 ""; }
    map $site $next { "the client" $protocol; ~^o(?<rest>..)(.*)$ $2-$rest-$1; default "[$site]"; }
    map x${remote_addr}y $mask { hostnames; volatile; default none; x10.4.* head;
        .30y suffix; *.7.31y tail; ~*^X10\\.4\\.7\\.(\\d\\d)[^z]$ d$1; }
    map $next:$mask $deep { default $next/$mask; }
    geo $net { default far; 10.0.0.0/8 ten; 10.4.7.0/24 lan; 10.4.7.31 one; delete 10.4.7.0/24; }
    geo $remote_addr $range { ranges; default -; 10.4.7.29-10.4.7.30 a; 10.4.7.31-10.4.7.31 b; }
    geo $server_addr $mine { 10.4.7.10 yes; }
    split_clients "$remote_addr" $half { 33.3% a; 33.33% b; * c; }
    split_clients "x$remote_addr" $few { 10% some; }
"""

ANSWERS = [
    "$remote_addr $server_addr $protocol $realip_remote_addr [$ssl_preread_server_name]",
    "$site|$next|$mask|$deep",
    "$net|$range|$mine",
    "$half|$few",
    "$bytes_sent $bytes_received $status [$upstream_addr] [$proxy_protocol_addr]",
    "$hostname ${remote_addr}x$1",
]


def test_variables_as_nginx_has_them(front):
    for n in range(31, 60):
        front.client.ip("addr", "add", f"10.4.7.{n}/24", "dev", "eth0")
    servers = "".join(f"server {{ listen PORT+{i}; return '{text}'; }}\n"
                      for i, text in enumerate(ANSWERS, 1))
    servers += """server { listen PORT+20; set $a $site; set $site new; set $b "$a-$site-$next";
                           set $a $a$a; set $c $bytes_sent; return "$a|$site|$b|$c|$net"; }"""
    both(front, WORDS + servers)
    seen = set()
    for n in range(30, 60):
        source = f"10.4.7.{n}"
        for i in [*range(1, len(ANSWERS) + 1), 20] if n < 33 else [4]:
            ours, theirs = (ask(front, base + i, source) for base in (OURS, NGINX))
            assert ours == theirs, (source, i)
            seen.add((i, ours))
    assert {a for i, a in seen if i == 4} >= {"a|", "b|", "c|", "a|some"}, seen
    assert (2, "the client|TCP|suffix|TCP/suffix") in seen
    assert (20, "the clientthe client|new|the client-new-[new]|0|ten") in seen


def test_return_reaches_a_client_that_talks(front):
    """What it sends meanwhile does not turn the end into a reset."""
    front.proc = front.proxy.daemon(
        "proxyd", f"stream {{ server {{ listen {OURS}; return 'you are $remote_addr'; }} }}")
    sock = connect(front.client, VIP, OURS)
    with sock:
        sock.sendall(b"x" * 100000)
        assert read_all(sock) == b"you are 10.4.7.30"
    wait_for(lambda: front.listener(f"*:{OURS}")["counters"]["closeReasons"].get("answered") == 1,
             "an orderly end")


def test_udp(front, logs):
    """return, map and the log for datagrams."""
    front.proc = front.proxy.daemon("proxyd", f"""stream {{
        map $remote_addr $to {{ default {ONE}:5301; 10.4.7.31 nowhere; }}
        log_format f '$protocol $remote_addr $bytes_received $bytes_sent $upstream_addr $status $close_reason';
        access_log {logs}/log f;
        server {{ listen 10.4.7.10:{OURS} udp; return '$protocol $remote_addr:$bytes_sent'; }}
        server {{ listen 10.4.7.10:{OURS + 1} udp; proxy_pass $to; proxy_responses 1; }}
    }}""")
    with datagram_socket(front.servers, ONE, 5301) as server, \
            datagram_socket(front.client, "10.4.7.30") as client:
        client.sendto(b"abc", (VIP, OURS))
        assert client.recv(100) == b"UDP 10.4.7.30:0"
        client.sendto(b"hello", (VIP, OURS + 1))
        data, source = server.recvfrom(100)
        assert data == b"hello"
        server.sendto(b"you too", source)
        assert client.recv(100) == b"you too"
        front.client.ip("addr", "add", "10.4.7.31/24", "dev", "eth0")
        with datagram_socket(front.client, "10.4.7.31") as other:
            other.sendto(b"x", (VIP, OURS + 1))
            assert lines_of(logs / "log", 3) == [
                "UDP 10.4.7.30 3 15 - 200 answered",
                f"UDP 10.4.7.30 5 7 {ONE}:5301 200 complete",
                "UDP 10.4.7.31 0 0 - 502 no server"]


# ---- proxy_pass ----

def test_pass_by_variable_as_nginx_does(front):
    for n in range(31, 36):
        front.client.ip("addr", "add", f"10.4.7.{n}/24", "dev", "eth0")
    with Server(front.servers, ONE, 8081).serve(greeter(b"one")), \
            Server(front.servers, TWO, 8082).serve(greeter(b"two")):
        both(front, f"""
            upstream web {{ server {ONE}:8081; }}
            map $remote_addr $to {{ 10.4.7.31 web; 10.4.7.32 {TWO}:8082; 10.4.7.33 {ONE}:8081;
                                    default ""; }}
            server {{ listen PORT+1; proxy_pass $to; }}
            server {{ listen PORT+2; set $where web; proxy_pass $where; }}""")
        for n, answer in ((31, "one"), (32, "two"), (33, "one"), (34, "")):
            for base in (OURS, NGINX):
                assert ask(front, base + 1, f"10.4.7.{n}", b"") == answer, (n, base)
        assert [ask(front, base + 2) for base in (OURS, NGINX)] == ["one", "one"]
    reasons = front.listener(f"*:{OURS + 1}")["counters"]["closeReasons"]
    assert reasons.get("no server") == 1, reasons


# ---- ssl_preread ----

def hello(name, alpn=("h2", "http/1.1"), newest=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    if newest:
        context.maximum_version = newest
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    return out.read()


def records(data, size):
    body = data[5:]
    return b"".join(b"\x16\x03\x01" + len(body[i:i + size]).to_bytes(2, "big") + body[i:i + size]
                    for i in range(0, len(body), size))


PREREAD = """
    map $ssl_preread_server_name $name { hostnames; default none; one.example one; .two.example two; }
    map "" $unused { default x; }
    upstream one { server 10.4.7.21:8081; }
    upstream two { server 10.4.7.22:8082; }
    upstream none { server 10.4.7.21:8083; }
    log_format f '$ssl_preread_server_name|$ssl_preread_protocol|$ssl_preread_alpn_protocols|$status';
    server { listen PORT+1; ssl_preread on; proxy_pass $name; preread_timeout 2s; access_log DIR/WHO f; }
    server { listen PORT+2; ssl_preread on; proxy_pass $name; preread_buffer_size 64;
             access_log DIR/WHO f; }
    server { listen PORT+3; ssl_preread on; return "$ssl_preread_server_name"; }
"""


def named(name):
    """A server that says its name and what it was sent, when that has ended."""
    def serve(conn):
        conn.sendall(name + b":" + read_all(conn))
    return serve


def say_all(front, port, data, step):
    sock = connect(front.client, VIP, port)
    with sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for i in range(0, len(data), step):
                sock.sendall(data[i:i + step])
            sock.shutdown(socket.SHUT_WR)
            return read_all(sock)
        except (ConnectionResetError, BrokenPipeError):
            return b""


def test_preread_as_nginx_does(front, logs):
    """Whole, byte by byte, cut into records, of old versions, not TLS: bytes are passed on as
    they came."""
    old = b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + b"\0" * 37
    rows = [(hello("one.example"), 10000), (hello("one.example"), 1),
            (records(hello("a.TWO.example"), 50), 33), (hello("two.example"), 7),
            (hello(None), 10000), (hello("three.example"), 10000),
            (hello("one.example", newest=ssl.TLSVersion.TLSv1_2), 10000),
            (b"GET / HTTP/1.1\r\n\r\n", 10000), (old, 10000)]
    with Server(front.servers, ONE, 8081).serve(named(b"one")), \
            Server(front.servers, TWO, 8082).serve(named(b"two")), \
            Server(front.servers, ONE, 8083).serve(named(b"none")):
        both(front, "proxy_half_close on; " + PREREAD.replace("DIR", str(logs)))
        for data, step in rows:
            ours, theirs = (say_all(front, base + 1, data, step) for base in (OURS, NGINX))
            assert ours == theirs and ours.partition(b":")[2] == data
        assert [say_all(front, base + 3, hello("x.example"), 99) for base in (OURS, NGINX)] == \
            [b"x.example"] * 2
        # a client that says half of it, one that says nothing, more than the buffer holds
        for base in (OURS, NGINX):
            assert say_all(front, base + 1, hello("one.example")[:100], 100) == b""
            with connect(front.client, VIP, base + 1) as silent:
                assert ending(silent, 10) in ("fin", "reset")
            with connect(front.client, VIP, base + 2) as big:
                big.sendall(hello("one.example"))
                assert ending(big) in ("fin", "reset")
    ours, theirs = (lines_of(logs / who, len(rows) + 3) for who in ("ours", "nginx"))
    assert ours == theirs
    assert ours[0] == "one.example|TLSv1.3|h2,http/1.1|200" and ours[-1].endswith("|400")
    reasons = front.listener(f"*:{OURS + 1}")["counters"]["closeReasons"]
    assert reasons.get("greeting timeout") == 1, reasons


def test_real_tls_to_the_server_by_name(front, lab):
    """Two TLS servers behind one port: each answers to its own name, unbroken."""
    key = front.proxy.dir / "key.pem"
    front.proxy.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", f"{key}.crt",
                     "-days", "1", "-subj", "/CN=any"])

    def serve(name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{key}.crt", key)

        def handle(conn):
            with context.wrap_socket(conn, server_side=True) as tls:
                tls.sendall(name + tls.recv(100))
        return handle

    with Server(front.servers, ONE, 8081).serve(serve(b"one")), \
            Server(front.servers, TWO, 8082).serve(serve(b"two")):
        front.proc = front.proxy.daemon("proxyd", f"""stream {{
            map $ssl_preread_server_name $to {{ one.example {ONE}:8081; two.example {TWO}:8082; }}
            server {{ listen {OURS}; ssl_preread on; proxy_pass $to; }} }}""")
        for name in ("one", "two"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(connect(front.client, VIP, OURS),
                                     server_hostname=f"{name}.example") as tls:
                tls.sendall(b"!")
                assert tls.recv(100) == f"{name}!".encode()


def test_preread_over_a_restart(front, logs):
    """Half a hello before, the rest after: the server gets all of it, the log tells of it."""
    data = hello("one.example")
    with Server(front.servers, ONE, 8081).serve(named(b"one")):
        text = f"""stream {{
            map $ssl_preread_server_name $to {{ one.example {ONE}:8081; }}
            log_format f '$ssl_preread_server_name $bytes_received $upstream_addr $close_reason';
            access_log {logs}/log f;
            server {{ listen {OURS}; ssl_preread on; proxy_pass $to; }}
            server {{ listen {OURS + 1}; proxy_pass {ONE}:8081; access_log {logs}/plain f; }} }}"""
        suite = front.proxy.suite(text, only=["proxyd"])
        before = front.proxy.daemon_pid("proxyd")
        with connect(front.client, VIP, OURS) as sock, \
                connect(front.client, VIP, OURS + 1) as plain:
            sock.sendall(data[:200])
            plain.sendall(b"one")
            wait_for(lambda: sum(li["counters"]["sessions"] for li in front.call(
                "ListListeners")["listeners"]) == 2, "both are here")
            wait_for(lambda: front.listener(f"*:{OURS + 1}")["counters"]["bytesIn"] == 3, "passed")
            front.proxy.trivet("restart", "proxyd")
            assert front.proxy.daemon_pid("proxyd") != before
            suite.wait_log(r"took over 2 listeners, 2 sessions")
            sock.sendall(data[200:])
            sock.shutdown(socket.SHUT_WR)
            assert read_all(sock) == b"one:" + data
            plain.sendall(b"two")
            plain.shutdown(socket.SHUT_WR)
            assert read_all(plain) == b"one:onetwo"
        assert lines_of(logs / "log", 1) == [f"one.example {len(data)} {ONE}:8081 client fin"]
        assert lines_of(logs / "plain", 1) == [f"- 6 {ONE}:8081 client fin"]


# ---- logs ----

LOGGED = r"""
    log_format f '$remote_addr $protocol $server_addr $status $bytes_sent $bytes_received '
                 '$upstream_addr $upstream_bytes_sent $upstream_bytes_received "$odd"';
    log_format js escape=json '{"odd":"$odd","none":"$proxy_protocol_addr","time":"$time_iso8601"}';
    log_format raw escape=none 'raw$odd.$proxy_protocol_addr.';
    log_format times '$msec|$time_local|$time_iso8601|$session_time|$upstream_connect_time|$upstream_first_byte_time|$upstream_session_time';
    map $remote_addr $wanted { 10.4.7.30 1; 10.4.7.31 0; default ""; }
    map 1 $odd { 1 'q"b\\e	ü'; }
    upstream dead { server 10.4.7.21:1 max_fails=0; server 10.4.7.21:8081 backup; }
    upstream gone { server 10.4.7.21:1 max_fails=0; }
    access_log DIR/WHO-outer f;
    server { listen PORT+1; proxy_pass 10.4.7.21:8081; access_log DIR/WHO f if=$wanted; }
    server { listen PORT+2; proxy_pass 10.4.7.21:8081; access_log DIR/WHO-js js;
             access_log DIR/WHO-raw raw; access_log DIR/WHO-times times buffer=64k flush=100ms; }
    server { listen PORT+3; proxy_pass dead; }
    server { listen PORT+4; proxy_pass gone; access_log off; }
    server { listen PORT+5; proxy_pass gone; }
    server { listen PORT+6; proxy_pass 10.4.7.21:8081; deny all; }
"""


def test_access_log_as_nginx_writes_it(front, logs):
    for n in range(31, 33):
        front.client.ip("addr", "add", f"10.4.7.{n}/24", "dev", "eth0")
    with Server(front.servers, ONE, 8081).serve(greeter(b"12345678")):
        both(front, LOGGED.replace("DIR", str(logs)))
        for base in (OURS, NGINX):
            for n in (30, 31, 32):
                assert ask(front, base + 1, f"10.4.7.{n}") == "12345678"
            for port in (2, 3, 4, 5, 6):
                assert ask(front, base + port) in ("12345678", "")
    for name, count in (("", 1), ("-js", 1), ("-raw", 1), ("-times", 1), ("-outer", 3)):
        ours, theirs = (lines_of(logs / f"{who}{name}", count) for who in ("ours", "nginx"))
        if name == "-times":
            for line in ours + theirs:
                assert re.fullmatch(r"\d+\.\d{3}\|\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\|"
                                    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d(\|\d\.\d{3}){4}",
                                    line), line
            continue
        strip = [re.sub(r'"time":"[^"]*"', "", line) for line in ours]
        assert strip == [re.sub(r'"time":"[^"]*"', "", line) for line in theirs]
        if name == "-js":
            assert json.loads((logs / "ours-js").read_text())["odd"] == 'q"b\\e\tü'
    assert ours[0].split()[3] == "200" and "10.4.7.21:1, 10.4.7.21:8081" in ours[0]
    assert [line.split()[3] for line in ours] == ["200", "502", "403"]


def test_our_own_formats_and_the_start(front, logs):
    with Server(front.servers, ONE, 8081).serve(greeter(b"12345678")):
        front.start(f"server {ONE}:8081;", f"""access_log {logs}/main;
            access_log {logs}/json json; access_log {logs}/start main when=start;
            access_log stderr main; error_log {logs}/error info;""")
        with front.connect() as sock:
            start, = lines_of(logs / "start", 1)
            assert read_all(sock) == b"12345678"
    line, = lines_of(logs / "main", 1)
    assert re.fullmatch(r'10\.4\.7\.30:\d+ \[\S+ \S+\] TCP 10\.4\.7\.10:7443 "10\.4\.7\.21:8081" 200 '
                        r'"server fin" 8 0 \d\.\d{3} "\d\.\d{3}"', line), line
    assert re.search(r'"-" 000 "-" 0 0 ', start), start
    entry = json.loads(lines_of(logs / "json", 1)[0])
    assert entry["closeReason"] == "server fin" and entry["bytesSent"] == 8
    assert entry["status"] == 200 and entry["upstream"] == f"{ONE}:8081"
    front.proc.wait_log(r'"server fin" 8 0 ')
    errors = lines_of(logs / "error", 3)
    assert re.search(r"\[info\] \d+#0: \*\d+ client 10\.4\.7\.30:\d+ connected to 10\.4\.7\.10:7443$",
                     errors[0])
    assert re.search(rf"\[info\] .* proxy connected to {ONE}:8081$", errors[1])
    assert re.search(r"\[info\] .* server fin, tcp, client: 10\.4\.7\.30, server: 10\.4\.7\.10:7443, "
                     rf'upstream: "{ONE}:8081", bytes from/to client:0/8', errors[2])


def test_error_log_levels(front, logs):
    """A failed connect is an error; at level crit there is none of it."""
    front.start(f"server {ONE}:1 max_fails=0;",
                f"error_log {logs}/error; error_log {logs}/crit crit;")
    assert front.ending() in ("reset", "fin")
    first, = lines_of(logs / "error", 1)
    assert re.search(r"\[error\] .*connect: Connection refused while connecting to upstream, tcp, "
                     rf'client: 10\.4\.7\.30, .*upstream: "{ONE}:1"', first)
    assert (logs / "crit").read_text() == ""


def test_reopen(front, logs):
    """SIGUSR1 after a rename, as logrotate does it: no line is lost, none is written twice."""
    with Server(front.servers, ONE, 8081).serve(greeter(b"x")):
        front.start(f"server {ONE}:8081;", f"access_log {logs}/log main buffer=1m flush=1h;")
        for _ in range(3):
            assert read_all(front.connect()) == b"x"
        wait_for(lambda: front.listener()["currentSessions"] == 0, "they have ended")
        os.rename(logs / "log", logs / "log.1")
        os.kill(front.proxy.daemon_pid("proxyd"), signal.SIGUSR1)
        wait_for((logs / "log").exists, "a new file")
        assert len(lines_of(logs / "log.1", 3)) == 3
        assert os.stat(logs / "log").st_mode & 0o777 == 0o640
        assert read_all(front.connect()) == b"x"
        wait_for(lambda: front.listener()["currentSessions"] == 0, "it has ended")
        front.proc.stop()
    assert len(lines_of(logs / "log", 1)) == 1 and len(lines_of(logs / "log.1", 3)) == 3


def test_a_file_it_may_not_open(front):
    """A warning; lines go among the daemon's own; clients do not notice."""
    with Server(front.servers, ONE, 8081).serve(greeter(b"x")):
        front.start(f"server {ONE}:8081;", "access_log /proc/version main;")
        front.proc.wait_log(r"warning: access_log /proc/version: Permission denied")
        assert read_all(front.connect()) == b"x"
        front.proc.wait_log(r'"server fin" 1 0 ')


def test_full_disk(front, logs):
    """Lines are counted, nobody waits; room again: they are written again."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "none", logs], check=True)
    try:
        with Server(front.servers, ONE, 8081).serve(greeter(b"x")):
            front.start(f"server {ONE}:8081;", f"access_log {logs}/log main;")
            (logs / "fill").write_bytes(b"x")
            with open(logs / "fill", "wb", buffering=0) as fill, pytest.raises(OSError):
                for _ in range(100):
                    fill.write(b"x" * 4096)
            for _ in range(5):
                assert read_all(front.connect()) == b"x"
            front.proc.wait_log(rf"warning: access_log {logs}/log: No space left on device: "
                                r"\d+ lines are lost")
            (logs / "fill").unlink()
            assert read_all(front.connect()) == b"x"
            lines = lines_of(logs / "log", 1)
            assert all(line.startswith("10.4.7.30:") for line in lines), lines
            assert f'proxyd_log_lines_lost_total{{log="{logs}/log"}} ' in \
                front.proxy.trivet("metrics", "proxyd").stdout
    finally:
        front.proc.stop()
        subprocess.run(["umount", "-l", logs], check=True)


def test_syslog(front):
    """One datagram a line, as nginx sends them, also from an error_log."""
    with datagram_socket(front.servers, ONE, 514) as server, \
            Server(front.servers, ONE, 8081).serve(greeter(b"x")):
        both(front, f"""log_format f '$remote_addr $bytes_sent';
            server {{ listen PORT+1; proxy_pass {ONE}:8081;
                access_log syslog:server={ONE},tag=WHO,facility=local0,severity=notice f; }}
            server {{ listen PORT+2; proxy_pass {ONE}:1;
                error_log syslog:server={ONE}:514,nohostname,tag=WHO; }}""")
        for base, who in ((OURS, b"ours"), (NGINX, b"nginx")):
            assert ask(front, base + 1) == "x"
            data = server.recv(1000)
            assert re.fullmatch(rb"<133>\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ " + who +
                                rb": 10\.4\.7\.30 1", data), data
            assert ask(front, base + 2) == ""
            data = server.recv(1000)
            assert re.match(rb"<187>\w{3} [ \d]\d \d\d:\d\d:\d\d " + who + rb": .*\[error\] ", data), \
                data
