#!/usr/bin/python3
"""What forwarding costs: proxyd, nginx stream (half-close on) and HAProxy (forced
splice, pipes of 1 MiB), one worker each, in turn in one run.  As root.

	tests/bench/proxy.py [rounds]

CPU is the forwarder's own (schedstat of its threads).  Each row: the
median over the rounds for each, the ratio to the best peer (the median of the
ratios within a round), the bar.  Ratios only mean something; the machine may be
busy with other things.
"""

import asyncio
import contextlib
import select
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "net"))

from lab import Lab  # noqa: E402
from peers import inside, make_socket, read_exactly  # noqa: E402

HOST = "127.0.0.1"
SERVER, DOWN, UP, BOTH, DGRAM, IDLE = 8080, 8081, 8082, 8083, 8084, 8085
TARGETS = (SERVER, DOWN, UP, BOTH, IDLE)
FORWARDERS = {"proxyd": 10000, "nginx": 20000, "haproxy": 30000}
SESSIONS = 9000  # two descriptors each, at both ends as well
GB = 1 << 30
BULK = 1 << 28
WIRE = 1 << 26  # a packet at a time costs more
CHUNK = bytes(1 << 18)

STREAM = """
stream {{
    {settings}
    {servers}
}}
"""
HAPROXY = """
global
    nbthread 1
    maxconn 9000
    tune.pipesize 1048576
    maxpipes 64
defaults
    mode tcp
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    option splice-request
    option splice-response
{listens}
"""


def stream(base, settings, here, there):
    servers = "\n".join(f"server {{ listen {here}:{base + to}; proxy_pass {there}:{to}; }}"
                        for to in TARGETS)
    servers += f"server {{ listen {here}:{base + DGRAM} udp; proxy_pass {there}:{DGRAM}; }}"
    return STREAM.format(settings=settings, servers=servers)


def start(node, here=HOST, there=HOST, threads=1):
    """The pid that forwards, by name."""
    pids = {}
    node.daemon("proxyd", f"worker_processes {threads};\n" +
                stream(FORWARDERS["proxyd"], "", here, there))
    pids["proxyd"] = node.daemon_pid("proxyd")
    base = FORWARDERS["nginx"]
    nginx = node.nginx(stream(base, "proxy_half_close on; proxy_buffer_size 256k; tcp_nodelay on;",
                              here, there), ready=base + SERVER, connections=19000)
    pids["nginx"] = int(subprocess.check_output(["pgrep", "-P", str(nginx.pid)]).split()[0])
    base = FORWARDERS["haproxy"]
    listens = "\n".join(f"listen l{to}\n    bind {here}:{base + to}\n    server s {there}:{to}"
                        for to in TARGETS)
    conf = node.write("haproxy.cfg", HAPROXY.format(listens=listens), 0o644)
    haproxy = node.spawn(["haproxy", "-db", "-f", str(conf)])
    node.wait_port(base + SERVER)
    pids["haproxy"] = haproxy.pid
    return pids


def cpu_ns(pid):
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


# ---- the ends ----

def pump(sock, size):
    while size > 0:
        size -= sock.send(CHUNK[:size])
    sock.shutdown(socket.SHUT_WR)


def drink(sock):
    room, size = bytearray(1 << 20), 0
    while n := sock.recv_into(room):
        size += n
    return size


def serve(node, port, handle, host=HOST):
    sock = make_socket(node)
    sock.settimeout(None)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen(4096)

    def one(conn):
        with conn, contextlib.suppress(OSError):
            handle(conn)

    def loop():
        while True:
            conn, _ = sock.accept()
            threading.Thread(target=one, args=(conn,), daemon=True).start()
    threading.Thread(target=loop, daemon=True).start()


def both(conn, size):
    thread = threading.Thread(target=pump, args=(conn, size), daemon=True)
    thread.start()
    got = drink(conn)
    thread.join()
    return got


def bulk(node, base, way, streams, host=HOST, total=BULK):
    """Seconds of CPU for each GB are (cpu before - after) / this."""
    sizes, size = [], total // streams

    def one():
        with make_socket(node) as sock:
            sock.settimeout(60)
            sock.connect((host, base + way))
            if way == DOWN:
                sizes.append(drink(sock))
            elif way == UP:
                pump(sock, size)
                drink(sock)
                sizes.append(size)
            else:
                sizes.append(both(sock, size) * 2)
    def tolerant():
        with contextlib.suppress(OSError):
            one()
    threads = [threading.Thread(target=tolerant) for _ in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(sizes) < streams:
        print(f"    {streams - len(sizes)} of {streams} transfers failed at port {base}")
    return sum(sizes) / GB


async def short(base, connections=2000, at_a_time=50):
    left = connections

    async def client():
        nonlocal left
        while left > 0:
            left -= 1
            reader, writer = await asyncio.open_connection(HOST, base + SERVER)
            writer.write(bytes(64))
            await reader.readexactly(64)
            writer.close()
            await writer.wait_closed()
    await asyncio.gather(*(client() for _ in range(at_a_time)))
    return connections / 1e6  # CPU in us


async def echo(reader, writer):
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


def datagrams(node, base, size, flows=8, window=8, rounds=150):
    socks = []
    for _ in range(flows):
        with inside(node):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(2)
        sock.connect((HOST, base + DGRAM))
        socks.append(sock)
    data, lost = bytes(size), 0
    for _ in range(rounds):
        for sock in socks:
            for _ in range(window):
                sock.send(data)
        for sock in socks:
            for _ in range(window):
                try:
                    sock.recv(65536)
                except TimeoutError:
                    lost += 1
    if lost:
        print(f"    {lost} datagrams lost")
    return flows * window * rounds / 1e6  # CPU in us


def echo_datagrams(node):
    with inside(node):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, DGRAM))

    def loop():
        while True:
            data, source = sock.recvfrom(65536)
            sock.sendto(data, source)
    threading.Thread(target=loop, daemon=True).start()


def idle(node, pid, base, sessions):
    """KiB of private memory for each idle session after 16 KiB each way."""
    def private():
        return sum(int(line.split()[1]) for line in
                   Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                   if line.startswith("Private_"))
    before, keep = private(), []
    while len(keep) < sessions:
        some = [make_socket(node) for _ in range(200)]
        for sock in some:
            sock.settimeout(60)
            sock.connect((HOST, base + IDLE))
        for sock in some:
            sock.sendall(bytes(16384))
        for sock in some:
            read_exactly(sock, 16384)
        keep += some
    grown = (private() - before) / len(keep)
    for sock in keep:
        sock.close()
    return grown


def echo_many(node):
    """In one thread, however many there are."""
    listening = make_socket(node)
    listening.bind((HOST, IDLE))
    listening.listen(4096)
    poll = select.epoll()
    poll.register(listening, select.EPOLLIN)
    conns = {}

    def loop():
        while True:
            for fd, _ in poll.poll():
                if fd == listening.fileno():
                    conn, _ = listening.accept()
                    conns[conn.fileno()] = conn
                    poll.register(conn, select.EPOLLIN)
                elif data := conns[fd].recv(65536):
                    conns[fd].sendall(data)
                else:
                    conns.pop(fd).close()
    threading.Thread(target=loop, daemon=True).start()


async def ping_pong(base, at_a_time, rounds=2000):
    """Round trips of 64 bytes, so many at a time; their durations in us, sorted."""
    took = []

    async def client(left):
        reader, writer = await asyncio.open_connection(HOST, base + SERVER)
        for _ in range(left):
            began = time.perf_counter()
            writer.write(bytes(64))
            await reader.readexactly(64)
            took.append((time.perf_counter() - began) * 1e6)
        writer.close()
    await asyncio.gather(*(client(max(rounds // at_a_time, 4)) for _ in range(at_a_time)))
    return sorted(took)


async def latency(pids, rounds, at_a_time):
    figures = {"CPU": [], "p50": [], "p99": []}
    for _ in range(rounds):
        row = {what: {} for what in figures}
        for who in FORWARDERS:
            before = cpu_ns(pids[who])
            took = await ping_pong(FORWARDERS[who], at_a_time)
            row["CPU"][who] = (cpu_ns(pids[who]) - before) / 1e3 / len(took)
            row["p50"][who] = took[len(took) // 2]
            row["p99"][who] = took[len(took) * 99 // 100]
        for what, rows in figures.items():
            rows.append(row[what])
    for what, rows in figures.items():
        report(f"ping-pong {at_a_time}, {what}", "us", rows, 0.95 if what == "CPU" else 1.0)


def report(name, unit, rows, bar):
    """rows: a round each, {forwarder: figure}."""
    names = [who for who in FORWARDERS if who in rows[0]]
    medians = {who: statistics.median(row[who] for row in rows) for who in names}
    ratio = statistics.median(row["proxyd"] / min(v for who, v in row.items() if who != "proxyd")
                              for row in rows)
    print(f"{name:22} " + " ".join(f"{who} {medians[who]:8.3f}" for who in names) +
          f" {unit:8} ratio {ratio:5.2f}, bar {bar}: {'met' if ratio <= bar else 'MISSED'}")


async def measure(pids, rounds, what, forwarders):
    rows = []
    for _ in range(rounds):
        row = {}
        for who in forwarders:
            before = cpu_ns(pids[who])
            done = what(FORWARDERS[who])
            if asyncio.iscoroutine(done):
                done = await done
            row[who] = (cpu_ns(pids[who]) - before) / 1e9 / done
        rows.append(row)
    return rows


async def bench(lab, rounds):
    node = lab.node("bench")
    serve(node, DOWN, lambda conn: pump(conn, BULK // streams))
    serve(node, UP, drink)
    serve(node, BOTH, lambda conn: both(conn, BULK // streams))
    echo_datagrams(node)
    echo_many(node)
    everyone, with_udp = list(FORWARDERS), ["proxyd", "nginx"]
    with inside(node):  # one loop: every socket made from here on is the node's
        server = await asyncio.start_server(echo, HOST, SERVER, backlog=4096)
        pids = start(node)
        rows = await measure(pids, rounds, short, everyone)
        report("short connection", "us", rows, 0.85)
        for at_a_time in (1, 32, 512):
            await latency(pids, rounds, at_a_time)
        rows = [{who: idle(node, pids[who], FORWARDERS[who], SESSIONS) for who in everyone}]
        print("idle session           " + " ".join(f"{who} {kib:8.3f}" for who, kib in rows[0].items()) +
              f" KiB, bar 0.5: {'met' if rows[0]['proxyd'] <= 0.5 else 'MISSED'}")
        for way, name in ((DOWN, "down"), (UP, "up"), (BOTH, "both ways")):
            for streams in (1, 8):
                rows = await measure(pids, rounds, lambda base: bulk(node, base, way, streams),
                                     everyone)
                report(f"bulk {name}, {streams}", "s/GB", rows, 0.9)
        for size, bar in ((64, 0.5), (1200, 0.6)):
            rows = await measure(pids, rounds, lambda base: datagrams(node, base, size), with_udp)
            report(f"udp exchange, {size} B", "us", rows, bar)
        rows = await measure(pids, rounds, lambda base: datagrams(node, base, 64, 200, 1, 1),
                             with_udp)
        report("udp, new flow", "us", rows, 0.8)
        server.close()


# ---- over a wire, and on two threads ----

def unoffloaded(lab):
    """Three nodes; no segment is larger than the wire's."""
    lab.switch()
    nodes = [lab.node(name, f"10.9.0.{n}/24") for n, name in enumerate(("client", "proxy", "server"), 1)]
    for node in nodes:
        node.ip("link", "set", "eth0", "gso_max_segs", "1")
    return nodes


async def bench_wire(lab, rounds):
    client, node, server = unoffloaded(lab)
    here, there = "10.9.0.2", "10.9.0.3"
    pids = start(node, here, there)
    size = WIRE // 8
    for way, name, handle in ((DOWN, "down", lambda conn: pump(conn, size)), (UP, "up", drink),
                              (BOTH, "both ways", lambda conn: both(conn, size))):
        serve(server, way, handle, there)
        rows = await measure(pids, rounds,
                             lambda base, way=way: bulk(client, base, way, 8, here, WIRE),
                             list(FORWARDERS))
        report(f"wire {name}, 8", "s/GB", rows, 0.9)


async def bench_threads(rounds):
    """What a second data thread brings: connections a second, and CPU for each."""
    for threads in (1, 2):
        with Lab() as lab:
            node = lab.node("bench")
            with inside(node):
                server = await asyncio.start_server(echo, HOST, SERVER, backlog=4096)
                pids = start(node, threads=threads)
                base, figures = FORWARDERS["proxyd"], []
                for _ in range(rounds):
                    before, began = cpu_ns(pids["proxyd"]), time.perf_counter()
                    done = await short(base)
                    figures.append(((cpu_ns(pids["proxyd"]) - before) / 1e9 / done,
                                    done * 1e6 / (time.perf_counter() - began)))
                server.close()
            cpu, rate = (statistics.median(f[i] for f in figures) for i in (0, 1))
            print(f"{threads} data threads         {cpu:8.3f} us each, {rate:8.0f} connections a second")


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with Lab() as lab:
        asyncio.run(bench(lab, rounds))
    with Lab() as lab:
        asyncio.run(bench_wire(lab, rounds))
    asyncio.run(bench_threads(rounds))


if __name__ == "__main__":
    main()
