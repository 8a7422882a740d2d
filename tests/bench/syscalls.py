#!/usr/bin/python3
"""System calls for each short TCP connection: proxyd and nginx (half-close on),
one data thread each, side by side in one run.  As root; needs strace.

	tests/bench/syscalls.py [connections [at a time]]

A short connection: connect, 64 bytes there and back, the client closes first.
The bar for proxyd is 15 (nginx 18.3, haproxy 18.9).  Counts only: strace makes
every time meaningless.
"""

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "net"))

from lab import Lab, wait_for  # noqa: E402
from peers import inside  # noqa: E402

BAR = 15.0
CONF = """
worker_processes 1;
stream {{
    server {{
        listen 127.0.0.1:{port};
        {extra}
        proxy_pass 127.0.0.1:8081;
    }}
}}
"""


async def echo(reader, writer):
    try:
        writer.write(await reader.readexactly(64))
        await reader.read()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def load(port, connections, at_a_time):
    left = connections

    async def client():
        nonlocal left
        while left > 0:
            left -= 1
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(bytes(64))
            await reader.readexactly(64)
            writer.close()
            await writer.wait_closed()
    await asyncio.gather(*(client() for _ in range(at_a_time)))


def data_thread(pid):
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().startswith("data-"):
            return int(task.name)
    raise SystemExit(f"{pid} has no data thread")


async def measure(lab, node, name, thread, port, connections, at_a_time):
    out = lab.dir / f"strace-{name}"
    strace = subprocess.Popen(["strace", "-c", "-p", str(thread), "-o", out],
                              stderr=subprocess.DEVNULL)
    wait_for(lambda: "TracerPid:\t0" not in Path(f"/proc/{thread}/status").read_text(), "traced")
    await load(port, connections, at_a_time)
    strace.send_signal(signal.SIGINT)
    strace.wait()
    rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", out.read_text(), re.M)
    calls = {call: int(n) / connections for n, call in rows if call != "total"}
    total = sum(calls.values())
    print(f"{name}: {total:.1f} calls for each connection")
    print("   " + ", ".join(f"{call} {n:.2f}" for call, n in
                            sorted(calls.items(), key=lambda item: -item[1]) if n >= 0.01))
    return total


async def bench(lab, connections, at_a_time):
    node = lab.node("bench")
    with inside(node):
        # One thread, one loop: every socket made from here on is the node's.
        server = await asyncio.start_server(echo, "127.0.0.1", 8081, backlog=4096)
        node.daemon("proxyd", CONF.format(port=7443, extra=""))
        body = CONF.format(port=7444, extra="proxy_half_close on;").replace(
            "worker_processes 1;", "")
        nginx = node.nginx(body, ready=7444)
        worker = int(subprocess.check_output(["pgrep", "-P", str(nginx.pid)]))
        ours = await measure(lab, node, "proxyd", data_thread(node.daemon_pid("proxyd")), 7443,
                             connections, at_a_time)
        theirs = await measure(lab, node, "nginx", worker, 7444, connections, at_a_time)
        server.close()
    print(f"ratio {ours / theirs:.2f}, bar {BAR:.0f}: {'met' if ours <= BAR else 'MISSED'}")
    return ours <= BAR


def main():
    connections, at_a_time = (int(a) for a in (sys.argv[1:] + ["3000", "50"][len(sys.argv) - 1:]))
    with Lab() as lab:
        sys.exit(0 if asyncio.run(bench(lab, connections, at_a_time)) else 1)


if __name__ == "__main__":
    main()
