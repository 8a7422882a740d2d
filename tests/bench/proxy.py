#!/usr/bin/python3
"""What forwarding costs: proxyd, nginx stream (half-close on) and HAProxy (forced
splice, pipes of 1 MiB), one worker each, in turn in one run.  As root.

	tests/bench/proxy.py [rounds [row ...]]

row: the beginning of a row's name, as "short" or "bulk".  CPU is the forwarder's
own (schedstat of its threads).  Each row: the median over the rounds for each,
the ratio to the best peer (the median of the ratios within a round), the bar.
Best is who is best over all rounds: against the better one of each round three
equal forwarders would be 1.13 where rounds differ by a fifth, as tails do.
Ratios only mean something; the machine may be busy with other things.

Both ends are C, load.c and bulk.c; they share the machine with the forwarder: a
latency is that of the whole loop.
"""

import contextlib
import math
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "net"))

from lab import BUILD, Lab, wait_for  # noqa: E402
from peers import inside, make_socket, read_exactly  # noqa: E402
from syscalls import BAR, data_thread, system_calls  # noqa: E402

HOST = "127.0.0.1"
SERVER, DOWN, UP, BOTH, LOGGED, DGRAM = 8080, 8081, 8082, 8083, 8084, 8085
LOG_SINK = 8086
TARGETS = {SERVER: SERVER, DOWN: DOWN, UP: UP, BOTH: BOTH, LOGGED: SERVER}
FORWARDERS = {"proxyd": 10000, "nginx": 20000, "haproxy": 30000}
SESSIONS = 9000  # two descriptors each, at both ends as well
GB = 1 << 30
BULK = 1 << 29
WIRE = 1 << 26  # a packet at a time costs more
WAYS = {DOWN: 1, UP: 2, BOTH: 3}  # as bulk.c calls them
NAMES = {DOWN: "down", UP: "up", BOTH: "both ways"}

STREAM = """
stream {{
    log_format bench '$remote_addr [$time_local] $protocol $status $bytes_sent $bytes_received '
                     '$session_time "$upstream_addr" $upstream_connect_time';
    {settings}
    {servers}
}}
"""
HAPROXY = """
global
    nbthread 1
    maxconn 9500
    tune.pipesize 1048576
    maxpipes 64
    log 127.0.0.1:{sink} local0
defaults
    mode tcp
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    option splice-request
    option splice-response
{listens}
"""


def like_debian(node):
    """Its congestion control, or the nearest that may be set here.  One that paces (bbr) sends by
    timers, which count for whoever is on the CPU: bulk then costs each forwarder thrice as much, by
    chance more or less."""
    name = "net.ipv4.tcp_congestion_control"
    for congestion in ("cubic", "reno"):
        if node.run(["sysctl", "-qw", f"{name}={congestion}"], check=False).returncode == 0:
            return node
    raise SystemExit(f"{name} cannot be set")


def stream(node, who, settings, here, there):
    base, servers = FORWARDERS[who], ""
    for port, to in TARGETS.items():
        log = f"access_log {node.dir}/logs/{who} bench buffer=64k;" if port == LOGGED else ""
        servers += f"server {{ listen {here}:{base + port}; proxy_pass {there}:{to}; {log} }}\n"
    servers += (f"server {{ listen {here}:{base + DGRAM} udp; proxy_timeout 5s; "
                f"proxy_pass {there}:{SERVER}; }}")
    return STREAM.format(settings=settings, servers=servers)


def start(node, here=HOST, there=HOST, threads=1):
    """The pid that forwards, by name."""
    pids = {}
    logs = node.dir / "logs"
    logs.mkdir(exist_ok=True)
    logs.chmod(0o777)
    node.daemon("proxyd", f"worker_processes {threads};\n" +
                stream(node, "proxyd", "", here, there))
    pids["proxyd"] = node.daemon_pid("proxyd")
    settings = "proxy_half_close on; proxy_buffer_size 256k; tcp_nodelay on;"
    nginx = node.nginx(stream(node, "nginx", settings, here, there),
                       ready=FORWARDERS["nginx"] + SERVER, connections=19000)
    pids["nginx"] = int(subprocess.check_output(["pgrep", "-P", str(nginx.pid)]).split()[0])
    base, listens = FORWARDERS["haproxy"], ""
    for port, to in TARGETS.items():
        log = "    log global\n    option tcplog\n" if port == LOGGED else ""
        listens += f"listen l{port}\n    bind {here}:{base + port}\n{log}    server s {there}:{to}\n"
    conf = node.write("haproxy.cfg", HAPROXY.format(listens=listens, sink=LOG_SINK), 0o644)
    haproxy = node.spawn(["haproxy", "-db", "-f", str(conf)])
    node.wait_port(base + SERVER)
    pids["haproxy"] = haproxy.pid
    return pids


def cpu_ns(pid):
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


@contextlib.contextmanager
def own_core(pids):
    """The forwarders have the first core to themselves, the ends the others, as on a machine
    between two.  Left alone, the scheduler moves all three about, and a GB costs one to three
    times as much for whoever is apart from its ends."""
    everywhere = os.sched_getaffinity(0)
    first = {min(everywhere)}

    def place(cores):
        for pid in pids.values():
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), cores)
    place(first)
    os.sched_setaffinity(0, everywhere - first or first)
    yield
    os.sched_setaffinity(0, everywhere)
    place(everywhere)


# ---- the ends ----

@contextlib.contextmanager
def serve_bulk(node, way, each, host=HOST):
    proc = node.spawn([BUILD / "tests/bench/bulk", "serve", host, way, WAYS[way], each >> 10],
                      "bulk")
    node.wait_port(way)
    yield
    proc.stop()


def serve_small(node, host=HOST):
    """Echo, for all that is small."""
    proc = node.spawn([BUILD / "tests/bench/load", "serve", host, SERVER], "load")
    node.wait_port(SERVER)
    return proc


def sink(node, port):
    """What is sent there has arrived, and that is all."""
    with inside(node):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, port))
    return sock


class Broken(Exception):
    """A client did not get what it was owed."""


def led(node, pid, program, *args):
    """The figures that a client says (ends.h), and the CPU in ns that pid took meanwhile."""
    argv = [BUILD / "tests/bench" / program, *args]
    with subprocess.Popen(["ip", "netns", "exec", node.netns, *map(str, argv)], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as proc:
        def step():
            proc.stdin.write("\n")
            proc.stdin.flush()
        if proc.stdout.readline() != "ready\n":
            raise Broken(f"{program} {args} failed")
        before = cpu_ns(pid)
        step()
        figures = [float(word) for word in proc.stdout.readline().split()]
        took = cpu_ns(pid) - before
        if not figures:
            raise Broken(f"{program} {args} failed")
        step()
    return figures, took


def load(node, pid, what, port, *args):
    return led(node, pid, "load", what, HOST, port, *args)


def bulk(node, pid, host, port, way, each, streams):
    """Seconds of CPU for each GB."""
    figures, took = led(node, pid, "bulk", "run", host, port, WAYS[way], each >> 10, streams)
    return took / 1e9 / (figures[0] / GB)


def short(node, pid, port, connections=4000, at_a_time=50):
    """us of CPU for each."""
    figures, took = load(node, pid, "short", port, connections, at_a_time)
    return took / 1e3 / figures[0]


def datagrams(node, pid, port, *args):
    figures, took = load(node, pid, "datagrams", port, *args)
    if figures[2]:
        print(f"    {figures[2]:.0f} of {figures[0]:.0f} datagrams lost at port {port}")
    return took / 1e3 / figures[0]


def idle(node, pid, port, sessions):
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
            sock.connect((HOST, port))
        for sock in some:
            sock.sendall(bytes(16384))
        for sock in some:
            read_exactly(sock, 16384)
        keep += some
    grown = (private() - before) / len(keep)
    for sock in keep:
        sock.close()
    return grown


def report(name, unit, rows, bar):
    """rows: a round each, {forwarder: figure}."""
    names = [who for who in FORWARDERS if who in rows[0]]
    medians = {who: statistics.median(row[who] for row in rows) for who in names}
    best = min((who for who in names if who != "proxyd"), key=medians.get)
    ratio = statistics.median(row["proxyd"] / row[best] for row in rows)
    print(f"{name:28} " + " ".join(f"{who} {medians[who]:8.3f}" for who in names) +
          f" {unit:8} ratio {ratio:5.2f}, bar {bar}: {'met' if ratio <= bar else 'MISSED'}")


def shuffled(names):
    return random.sample(names, len(names))


def measure(rounds, what, names):
    """what(name) for each forwarder in turn."""
    return [{who: what(who) for who in shuffled(names)} for _ in range(rounds)]


def latency(node, pids, rounds, at_a_time):
    def one(who):
        (n, _, p50, p99), took = load(node, pids[who], "pingpong", FORWARDERS[who] + SERVER,
                                      at_a_time, min(max(10000 // at_a_time, 40), 2000))
        return {"CPU": took / 1e3 / n, "p50": p50, "p99": p99}
    rows = measure(rounds, one, list(FORWARDERS))
    for what in ("CPU", "p50", "p99"):
        report(f"ping-pong {at_a_time}, {what}", "us",
               [{who: figures[what] for who, figures in row.items()} for row in rows],
               0.95 if what == "CPU" else 1.0)


def bench_idle(node, pids, server, at_rest):
    """A forwarder may have no more than so many sessions: those of the rows before are gone."""
    wait_for(lambda: descriptors(server) <= at_rest, "no session stands", 60)
    row = {who: idle(node, pids[who], FORWARDERS[who] + SERVER, SESSIONS) for who in FORWARDERS}
    print(f"{'idle session':28} " + " ".join(f"{who} {kib:8.3f}" for who, kib in row.items()) +
          f" KiB, bar 0.5: {'met' if row['proxyd'] <= 0.5 else 'MISSED'}")


def bench_bulk(name, client, server, pids, rounds, way, streams, total, here=HOST, there=HOST):
    each = total // streams

    def one(who):
        try:
            return bulk(client, pids[who], here, FORWARDERS[who] + way, way, each, streams)
        except Broken as failure:
            print(f"    {who}: {failure}")
            if who == "proxyd":
                raise
            return math.inf  # a peer that loses bytes is no measure
    with serve_bulk(server, way, each, there):
        rows = measure(rounds, one, list(FORWARDERS))
    report(f"{name}, {streams}", "s/GB", rows, 0.9)


def descriptors(proc):
    return len(os.listdir(f"/proc/{proc.pid}/fd"))


def bench_calls(lab, node, pids):
    threads = {"proxyd": data_thread(pids["proxyd"]), "nginx": pids["nginx"],
               "haproxy": pids["haproxy"]}
    row = {who: system_calls(lab, who, thread,
                             lambda who=who: load(node, pids[who], "short",
                                                  FORWARDERS[who] + SERVER, 3000, 50), 3000)
           for who, thread in threads.items()}
    print(f"{'system calls':28} " + " ".join(f"{who} {n:8.3f}" for who, n in row.items()) +
          f" each, bar {BAR:.0f}: {'met' if row['proxyd'] <= BAR else 'MISSED'}")


def bench(lab, rounds, wanted):
    node = like_debian(lab.node("bench"))
    server = serve_small(node)
    everyone, with_udp = list(FORWARDERS), ["proxyd", "nginx"]
    at_rest = descriptors(server)
    syslog = sink(node, LOG_SINK)
    pids = start(node)
    if wanted("system calls"):
        bench_calls(lab, node, pids)
    for name, port, bar in (("short connection", SERVER, 0.85), ("short, access log", LOGGED, 0.95)):
        if wanted(name):
            rows = measure(rounds, lambda who: short(node, pids[who], FORWARDERS[who] + port),
                           everyone)
            report(name, "us", rows, bar)
    for at_a_time in (1, 32, 512):
        if wanted("ping-pong"):
            latency(node, pids, rounds, at_a_time)
    if wanted("idle session"):
        bench_idle(node, pids, server, at_rest)
    for way, name in NAMES.items():
        for streams in (1, 8):
            if wanted(f"bulk {name}"):
                bench_bulk(f"bulk {name}", node, node, pids, rounds, way, streams, BULK)
                with own_core(pids):
                    bench_bulk(f"bulk {name}, own core", node, node, pids, rounds, way, streams,
                               BULK)
    for name, bar, args in (("udp exchange, 64 B", 0.5, (64, 8, 8, 150, 1)),
                            ("udp exchange, 1200 B", 0.6, (1200, 8, 8, 150, 1)),
                            ("udp, new flow", 0.8, (64, 200, 1, 1, 10))):
        if wanted(name):
            rows = measure(rounds, lambda who: datagrams(node, pids[who],
                                                         FORWARDERS[who] + DGRAM, *args), with_udp)
            report(name, "us", rows, bar)
    syslog.close()


# ---- over a wire, and on two threads ----

def unoffloaded(lab):
    """Three nodes; no segment is larger than the wire's."""
    lab.switch()
    nodes = [like_debian(lab.node(name, f"10.9.0.{n}/24"))
             for n, name in enumerate(("client", "proxy", "server"), 1)]
    for node in nodes:
        node.ip("link", "set", "eth0", "gso_max_segs", "1")
    return nodes


def bench_wire(lab, rounds, wanted):
    client, node, server = unoffloaded(lab)
    here, there = "10.9.0.2", "10.9.0.3"
    pids = start(node, here, there)
    for way, name in NAMES.items():
        if wanted(f"wire {name}"):
            bench_bulk(f"wire {name}", client, server, pids, rounds, way, 8, WIRE, here, there)
            with own_core(pids):
                bench_bulk(f"wire {name}, own core", client, server, pids, rounds, way, 8, WIRE,
                           here, there)


def start_alone(node, threads):
    text = f"worker_processes {threads};\n" + stream(node, "proxyd", "", HOST, HOST)
    (node.dir / "logs").mkdir(exist_ok=True)
    (node.dir / "logs").chmod(0o777)
    return node.suite(text, only=["proxyd"]), text


def busiest_ns(pid, before=None):
    """CPU of each data thread; with that of before, what the busiest has taken since."""
    now = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().startswith("data-"):
            now[task.name] = int((task / "schedstat").read_text().split()[0])
    return now if before is None else max(ns - before[name] for name, ns in now.items())


def in_turn(nodes, rounds, connections=8000, at_a_time=50):
    """{name: (CPU us of a connection, connections a second, and as many as the busiest data
    thread could have had if it had nothing else to wait for)}, medians; nodes: by name."""
    figures = {name: [] for name in nodes}
    for _ in range(rounds):
        for name in shuffled(list(nodes)):
            pid = nodes[name].daemon_pid("proxyd")
            before = busiest_ns(pid)
            (n, seconds), took = load(nodes[name], pid, "short",
                                      FORWARDERS["proxyd"] + SERVER, connections, at_a_time)
            figures[name].append((took / 1e3 / n, n / seconds, n * 1e9 / busiest_ns(pid, before)))
    return {name: tuple(statistics.median(f[i] for f in rows) for i in (0, 1, 2))
            for name, rows in figures.items()}


def bench_threads(lab, rounds):
    """What a second data thread brings: connections a second, and CPU for each.  The ends
    share the machine: what it could bring with cores of its own is the third figure."""
    nodes = {threads: like_debian(lab.node(f"threads{threads}")) for threads in (1, 2)}
    for threads, node in nodes.items():
        serve_small(node)
        start_alone(node, threads)
    for threads, (cpu, rate, most) in in_turn(nodes, rounds).items():
        print(f"data threads: {threads}        {cpu:8.3f} us each, {rate:8.0f} connections a second, "
              f"{most:8.0f} by the busiest thread")


def bench_sockets(lab, rounds):
    """What it costs one data thread that its listener has the sockets of more: a restart
    with fewer threads leaves them all (listener.h)."""
    nodes = {sockets: like_debian(lab.node(f"sockets{sockets}")) for sockets in (1, 4, 16)}
    for sockets, node in nodes.items():
        serve_small(node)
        _, text = start_alone(node, sockets)
        node.write("trivet.conf", text.replace(f"worker_processes {sockets};", "worker_processes 1;"))
        node.trivet("restart", "proxyd")
    for at_a_time in (1, 50, 500):
        for sockets, (cpu, rate, _) in in_turn(nodes, rounds, 4000, at_a_time).items():
            print(f"sockets: {sockets:2}, {at_a_time:3} at once  {cpu:8.3f} us each, "
                  f"{rate:8.0f} connections a second")
    for sockets, node in nodes.items():
        pid = node.daemon_pid("proxyd")
        calls = system_calls(lab, f"sockets-{sockets}", data_thread(pid), lambda node=node, pid=pid: load(
            node, pid, "short", FORWARDERS["proxyd"] + SERVER, 2000, 50), 2000)
        print(f"sockets: {sockets:2}              {calls:8.3f} system calls each")


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3

    def wanted(row):
        return not sys.argv[2:] or any(row.startswith(word) for word in sys.argv[2:])
    with Lab() as lab:
        bench(lab, rounds, wanted)
    if any(wanted(row) for row in ("wire down", "wire up", "wire both ways")):
        with Lab() as lab:
            bench_wire(lab, rounds, wanted)
    for row, bench_row in (("data threads", bench_threads), ("sockets", bench_sockets)):
        if wanted(row):
            with Lab() as lab:
                bench_row(lab, rounds)


if __name__ == "__main__":
    main()
