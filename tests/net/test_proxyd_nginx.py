"""What nginx's own tests of its stream module assert, one row each, and which of our
tests does; what nothing else asks is asked here, of nginx in the same test."""

import contextlib
import re
import socket
from pathlib import Path

import pytest

from lab import wait_for
from peers import Server, connect, echo, ending, greeter, make_socket, read_all, read_exactly
from test_proxyd import NGINX, ONE, OURS, TWO, VIP, Front, both
from test_proxyd_udp import UdpServer, client

# By file of nginx-tests: what is asserted, and where it is here.  unit/NAME is
# tests/unit/NAME.c; "not here" says why.
ROWS = {
    "stream_proxy.t": ("bytes both ways, the end; the connect timeout ends with the connect",
                       "relay/test_half_close nginx/test_the_connect_timeout_is_over"),
    "stream_proxy_half_close.t": ("either end first", "relay/test_half_close "
                                  "relay/test_half_close_off_is_nginx"),
    "stream_proxy_next_upstream.t": ("off, on, tries, down is no try",
                                     "proxyd/test_next_upstream_off nginx/test_tries"),
    "stream_proxy_bind.t": ("the source chosen", "tcp/test_source_addresses_in_turn"),
    "stream_proxy_complex.t": ("variables name upstreams and addresses",
                               "words/test_pass_by_variable_as_nginx_does"),
    "stream_proxy_protocol.t": ("version 1 to servers, before all else; off",
                                "client/test_v1_is_sent client/test_no_header_is_sent_without_a_word"),
    "stream_proxy_protocol_ipv6.t": ("of IPv6", "client/test_ipv6_is_sent"),
    "stream_proxy_protocol2_tlv.t": ("TLVs as variables, none, SSL's", "unit/facts_test"),
    "proxy_protocol.t": ("version 1, UNKNOWN", "client/test_header_is_read "
                         "client/test_header_is_wrong unit/proxyproto_test"),
    "proxy_protocol2.t": ("version 2, LOCAL, TLVs skipped", "client/test_header_is_read "
                          "unit/proxyproto_test"),
    "stream_realip.t": ("who is believed", "client/test_header_is_read "
                        "client/test_header_of_somebody_untrusted"),
    "stream_realip_hostname.t": ("a name in set_real_ip_from", "not here: an error that says so"),
    "stream_access.t": ("inet, inet6, unix; denied without a byte", "client/test_access "
                        "client/test_access_of_ipv6 client/test_client_of_a_unix_socket"),
    "stream_access_log.t": ("formats, conditions, counts, times",
                            "words/test_access_log_as_nginx_writes_it"),
    "stream_access_log_escape.t": ("json, default, none", "words/test_access_log_as_nginx_writes_it"),
    "stream_error_log.t": ("levels, several targets, syslog", "words/test_error_log_levels "
                           "words/test_syslog"),
    "stream_status_variable.t": ("200 400 403 502 503", "nginx/test_statuses"),
    "stream_variables.t": ("addresses, ports, times, protocol",
                           "words/test_variables_as_nginx_has_them words/test_udp unit/facts_test"),
    "stream_set.t": ("set", "words/test_variables_as_nginx_has_them"),
    "stream_map.t": ("map", "words/test_variables_as_nginx_has_them"),
    "stream_geo.t": ("geo, ranges, binary, IPv6", "words/test_variables_as_nginx_has_them"),
    "stream_split_clients.t": ("split_clients", "words/test_variables_as_nginx_has_them"),
    "stream_geoip.t": ("places", "not here: no database of places is read"),
    "stream_limit_conn.t": ("per key and zone, given back", "client/test_limit_conn "
                            "client/test_limit_conn_is_given_back"),
    "stream_limit_conn_complex.t": ("two zones", "client/test_limit_conn_of_two_zones"),
    "stream_limit_conn_dry_run.t": ("only logged", "client/test_limit_conn_dry_run"),
    "stream_limit_rate.t": ("down, up, nothing lost", "client/test_download_rate "
                            "client/test_upload_rate"),
    "stream_limit_rate2.t": ("a byte in a second", "client/test_rate_of_a_byte"),
    "stream_tcp_nodelay.t": ("on and off", "tcp/test_nodelay"),
    "stream_resolver.t": ("names at run time", "not here: a session goes to what the file names"),
    "stream_upstream.t": ("turns, one dead, weights, backup, recovery", "proxyd/test_forwards_in_turn "
                          "proxyd/test_stopped_server_is_not_felt proxyd/test_backup_and_down "
                          "proxyd/test_a_probe_and_no_client_finds_out"),
    "stream_upstream_hash.t": ("same key same server; an empty key takes turns",
                               "rules/test_hashes_agree_with_nginx nginx/test_an_empty_key_takes_turns"),
    "stream_upstream_least_conn.t": ("a busy server is avoided", "rules/test_least_conn"),
    "stream_upstream_least_time.t": ("times", "not here: no time is measured"),
    "stream_upstream_random.t": ("random, two", "rules/test_random_two unit/balance_test"),
    "stream_upstream_max_conns.t": ("per server, backup, refusal, with each method",
                                    "rules/test_max_conns nginx/test_max_conns_with_each_method"),
    "stream_upstream_zone.t": ("one state for all threads", "proxyd/test_stopped_server_is_not_felt"),
    "stream_upstream_resolve.t": ("names come, change, go; bad answers", "proxyd/test_name_not_resolved_yet "
                                  "srv/test_answers_that_change"),
    "stream_upstream_resolve_reload.t": ("a set outlives a reload and a restart",
                                         "handover/test_names_are_not_asked_again"),
    "stream_upstream_resolver.t": ("resolver in an upstream", "srv/test_name_servers_of_its_own"),
    "stream_upstream_service.t": ("SRV", "srv/test_ports_weights_and_backups srv/test_answers_that_change"),
    "stream_pass.t": ("to another server {}", "nginx/test_pass"),
    "stream_server_name.t": ("servers by name", "not here: ssl_preread and map choose"),
    "stream_unix.t": ("unix both ways", "listen/test_unix_sockets_both_ways"),
    "stream_udp_proxy.t": ("responses; empty datagrams", "udp/test_responses "
                           "udp/test_no_response_expected udp/test_sizes"),
    "stream_udp_proxy_requests.t": ("another binding; late replies", "udp/test_requests "
                                    "udp/test_requests_in_one_burst"),
    "stream_udp_stream.t": ("one port each, a new session after the timeout",
                            "udp/test_one_client_one_session udp/test_idle"),
    "stream_udp_upstream.t": ("turns, weights, a dead server, backup", "udp/test_servers_take_turns "
                              "udp/test_dead_server_is_noticed_by_icmp nginx/test_datagrams_to_a_backup"),
    "stream_udp_upstream_hash.t": ("same key same server", "udp/test_hash"),
    "stream_udp_upstream_least_conn.t": ("a busy server is avoided",
                                         "nginx/test_datagrams_and_a_busy_server"),
    "stream_udp_limit_conn.t": ("sessions count", "client/test_limit_conn_of_datagrams"),
    "stream_udp_limit_rate.t": ("whole datagrams, delayed", "udp/test_download_rate_as_nginx_has_it "
                                "udp/test_upload_rate_as_nginx_has_it"),
    "stream_udp_wildcard.t": ("from the address asked", "udp/test_reply_from_the_address_asked"),
    "worker_shutdown_timeout_stream.t": ("what is open ends in time",
                                         "proxyd/test_stop_resets_what_does_not_end"),
    "stream_ssl_preread.t": ("names, pieces, no TLS, next server", "words/test_preread_as_nginx_does "
                             "nginx/test_what_was_read_ahead_goes_to_the_next_server"),
    "stream_ssl_preread_alpn.t": ("ALPN", "words/test_preread_as_nginx_does"),
    "stream_ssl_preread_protocol.t": ("versions", "words/test_preread_as_nginx_does unit/clienthello_test"),
}


@pytest.fixture
def front(lab):
    return Front(lab)


def test_every_row_has_its_test():
    here = Path(__file__).parent
    for row, (_, tests) in ROWS.items():
        for name in [] if tests.startswith("not here") else tests.split():
            place, test = name.split("/")
            if place == "unit":
                assert (here.parent / "unit" / f"{test}.c").exists(), row
                continue
            text = (here / ("test_proxyd.py" if place == "proxyd" else f"test_proxyd_{place}.py")).read_text()
            assert re.search(rf"^def {test}\(", text, re.M), (row, name)


def each(front):
    """The first port of each."""
    return ((front.client, OURS), (front.client, NGINX))


def answers(front, port):
    """Of ours and of nginx: what a connection to PORT+port brings."""
    found = []
    for node, base in each(front):
        try:
            with connect(node, VIP, base + port) as sock:
                found.append(read_all(sock))
        except ConnectionResetError:
            found.append(b"")
    return found


READY = f"server {{ listen {VIP}:PORT+1; return WHO; }}"


def test_the_connect_timeout_is_over(front):
    """Once connected it ends nothing."""
    with Server(front.servers, ONE, 8081).serve(echo):
        both(front, f"{READY} server {{ listen {VIP}:PORT+2; proxy_connect_timeout 1s; proxy_pass {ONE}:8081; }}")
        socks = [connect(node, VIP, base + 2) for node, base in each(front)]
        for _ in range(2):
            for sock in socks:
                sock.sendall(b"hello")
                assert read_exactly(sock, 5) == b"hello"
            assert [ending(sock, 0.7) for sock in socks] == ["silence", "silence"]


def test_tries(front):
    """So many servers and no more; one that is marked down is no try."""
    dead = f"server {ONE}:1 max_fails=0; server {ONE}:2 max_fails=0;"
    text = f"""{READY}
        upstream a {{ {dead} server {TWO}:8082 backup; }}
        upstream b {{ server {ONE}:1 down; server {ONE}:2 max_fails=0; server {TWO}:8082 backup; }}
        server {{ listen {VIP}:PORT+2; proxy_next_upstream_tries 2; proxy_pass a; }}
        server {{ listen {VIP}:PORT+3; proxy_next_upstream_tries 3; proxy_pass a; }}
        server {{ listen {VIP}:PORT+4; proxy_next_upstream_tries 2; proxy_pass b; }}
        server {{ listen {VIP}:PORT+5; proxy_next_upstream off; proxy_pass b; }}"""
    with Server(front.servers, TWO, 8082).serve(greeter(b"backup")):
        both(front, text)
        assert [answers(front, n) for n in (2, 3, 4, 5)] == \
            [[b"", b""], [b"backup"] * 2, [b"backup"] * 2, [b"", b""]]


def test_an_empty_key_takes_turns(front):
    with Server(front.servers, ONE, 8081).serve(greeter(b"1")), \
            Server(front.servers, TWO, 8082).serve(greeter(b"2")):
        both(front, f"""{READY}
            upstream a {{ hash $proxy_protocol_addr; server {ONE}:8081; server {TWO}:8082; }}
            upstream b {{ hash $proxy_protocol_addr consistent; server {ONE}:8081; server {TWO}:8082; }}
            server {{ listen {VIP}:PORT+2; proxy_pass a; }}
            server {{ listen {VIP}:PORT+3; proxy_pass b; }}""")
        got = [answers(front, 2) for _ in range(4)]
        assert got == [[b"1", b"1"], [b"2", b"2"]] * 2
        ours = [answers(front, 3)[0] for _ in range(4)]
        assert sorted(ours) == [b"1", b"1", b"2", b"2"]  # nginx takes what comes first in its ring


METHODS = ("", "least_conn;", "hash $remote_addr;", "hash $remote_addr consistent;")


def test_max_conns_with_each_method(front):
    """One each, whatever the weight; the third is refused; a place that was left is there again."""
    text = READY
    for n, method in enumerate(METHODS):
        text += f"""upstream u{n} {{ zone u{n} 64k; {method} server {ONE}:8081 max_conns=1 weight=5;
                                     server {TWO}:8082 max_conns=1; }}
            server {{ listen {VIP}:PORT+{n + 2}; proxy_pass u{n}; }}"""
    with Server(front.servers, ONE, 8081).serve(echo), Server(front.servers, TWO, 8082).serve(echo):
        both(front, text)

        def is_served(node, port):
            try:
                sock = stack.enter_context(connect(node, VIP, port))
                sock.sendall(b"x")
                return sock.recv(1) == b"x" and sock
            except ConnectionResetError:
                return False
        with contextlib.ExitStack() as stack:
            for node, base in each(front):
                for n in range(len(METHODS)):
                    port = base + n + 2
                    first, second = is_served(node, port), is_served(node, port)
                    assert first and second and not is_served(node, port), (base, METHODS[n])
                    first.close()
                    wait_for(lambda node=node, port=port: is_served(node, port), "a place is free again")


def test_statuses(front):
    """$status as nginx says it."""
    logs = front.proxy.dir / "logs"
    logs.mkdir()
    logs.chmod(0o777)
    both(front, f"""log_format f '$status'; access_log {logs}/WHO f;
        limit_conn_zone $remote_addr zone=z:64k;
        {READY}
        server {{ listen {VIP}:PORT+2; deny all; proxy_pass {ONE}:8081; }}
        server {{ listen {VIP}:PORT+3; proxy_pass {ONE}:1; }}
        server {{ listen {VIP}:PORT+4; limit_conn z 1; proxy_pass {ONE}:8081; }}
        server {{ listen {VIP}:PORT+5 proxy_protocol; return x; }}""")

    def said(who):
        """Without that of who waited for nginx."""
        words = (logs / who).read_text().split() if (logs / who).exists() else []
        return sorted(word for word in words if word != "200")
    with Server(front.servers, ONE, 8081).serve(echo):
        for node, base in each(front):
            with contextlib.ExitStack() as stack:
                held = stack.enter_context(connect(node, VIP, base + 4))
                held.sendall(b"x")
                assert held.recv(1) == b"x"
                for n, data in ((2, b""), (3, b""), (4, b""), (5, b"GET / HTTP/1.0\r\n\r\n")):
                    with contextlib.suppress(ConnectionResetError):
                        sock = stack.enter_context(connect(node, VIP, base + n))
                        sock.sendall(data)
                        assert read_all(sock) == b""
        for who in ("ours", "nginx"):
            wait_for(lambda who=who: said(who) == ["400", "403", "502", "503"], f"{who} has said all")


def test_what_was_read_ahead_goes_to_the_next_server(front):
    both(front, f"""{READY}
        upstream a {{ server {ONE}:1 max_fails=0 weight=100; server {TWO}:8082; }}
        server {{ listen {VIP}:PORT+2; ssl_preread on; proxy_pass a; }}""")
    with Server(front.servers, TWO, 8082).serve(echo):
        for node, base in each(front):
            with connect(node, VIP, base + 2) as sock:
                sock.sendall(b"no TLS at all\n")
                assert read_exactly(sock, 14) == b"no TLS at all\n"


def test_pass(front):
    """Ours alone (nginx has it from 1.25.5 on): what was read ahead is there for the other server."""
    front.proc = front.proxy.daemon("proxyd", f"""stream {{
        server {{ listen {VIP}:{OURS}; ssl_preread on; pass 127.0.0.1:{OURS + 1}; }}
        server {{ listen 127.0.0.1:{OURS + 1}; proxy_pass {ONE}:8081; }} }}""")
    with Server(front.servers, ONE, 8081).serve(echo), connect(front.client, VIP, OURS) as sock:
        sock.sendall(b"no TLS at all\n")
        assert read_exactly(sock, 14) == b"no TLS at all\n"
        assert front.listener(f"127.0.0.1:{OURS + 1}")["currentSessions"] == 1


def test_pass_by_a_variable(front):
    """To the server of the file, or the upstream, that the client's address chooses."""
    front.client.ip("addr", "add", "10.4.7.31/24", "dev", "eth0")
    front.proc = front.proxy.daemon("proxyd", f"""stream {{
        upstream web {{ server {ONE}:8081; }}
        map $remote_addr $whereto {{ 10.4.7.31 127.0.0.1:{OURS + 1}; default web; }}
        server {{ listen {VIP}:{OURS}; pass $whereto; }}
        server {{ listen 127.0.0.1:{OURS + 1}; return "the other, of $remote_addr"; }} }}""")
    with Server(front.servers, ONE, 8081).serve(echo):
        with connect(front.client, VIP, OURS) as sock:
            sock.sendall(b"hello")
            assert read_exactly(sock, 5) == b"hello"
        with make_socket(front.client, socket.AF_INET) as sock:
            sock.bind(("10.4.7.31", 0))
            sock.connect((VIP, OURS))
            assert read_all(sock) == b"the other, of 127.0.0.1"


def test_datagrams_to_a_backup(front):
    """A dead server's first datagram may be lost; then the backup has them all."""
    backup = UdpServer(front.servers, TWO, 8082)
    both(front, f"""{READY}
        upstream a {{ server {ONE}:1 fail_timeout=60s; server {TWO}:8082 backup; }}
        server {{ listen {VIP}:PORT+2 udp; proxy_responses 1; proxy_pass a; }}""")
    for _, base in each(front):
        def is_answered(base=base):
            sock = client(front, port=base + 2)
            sock.settimeout(1)
            sock.send(b"hello")
            with contextlib.suppress(TimeoutError):
                return sock.recv(100) == b"hello"
            return False
        wait_for(is_answered, "the dead server is found out")
        for _ in range(4):
            assert is_answered()
    backup.close()


def test_datagrams_and_a_busy_server(front):
    """least_conn: sessions that go on count."""
    servers = [UdpServer(front.servers, ONE, 8081), UdpServer(front.servers, TWO, 8082)]
    both(front, f"""{READY}
        upstream a {{ least_conn; server {ONE}:8081; server {TWO}:8082 weight=3; }}
        server {{ listen {VIP}:PORT+2 udp; proxy_pass a; }}""")
    for _, base in each(front):
        before = [len(server.seen) for server in servers]
        for _ in range(8):
            sock = client(front, port=base + 2)
            sock.send(b"x")
            assert sock.recv(10) == b"x"
        assert [len(server.seen) - n for server, n in zip(servers, before)] == [2, 6]
    for server in servers:
        server.close()
