#!/usr/bin/python3
"""Mixed load through proxyd while its servers, its configuration and itself change.  As root,
with a build of the sanitizers (`make soak-proxy`).

	tests/bench/soak_proxy.py [SECONDS] [--seed N] [--cpu SHARE]

The load: short connections, talks, bulk both ways, slow readers, half-closes, resets, sessions
that are idle or time out, headers of the PROXY protocol in and out, wrong ones, datagrams.
Meanwhile servers are stopped, killed and started, weighted, drained; the configuration is
reloaded with other servers, balancing, timeouts, listeners; logs are turned over; proxyd is
restarted with 1 to 4 threads.  Choices come from the seed; what meets what is the machine's.

Each byte is compared.  A session may be cut off only when its own server was killed while it ran
(`cut` in the last lines).  Every few minutes everything rests: no session is left; descriptors
and memory are what they were; counters, the lines of the access log and what clients counted
agree.  At the end: exit status 0, and no report of a sanitizer, leaks included.
"""

import argparse
import faulthandler
import os
import random
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "net"))

import lab as laboratory  # noqa: E402
import soak_peers  # noqa: E402
import varlink  # noqa: E402
from lab import Lab, wait_for  # noqa: E402
from soak_peers import PATIENT, Backend, Book, Session, UdpBackend, datagrams  # noqa: E402

# A sanitizer's own books grow, with each new way to an allocation, with each address touched.
GROWTH_KIB = {"build-san": 8192, "build-tsan": 1 << 20}.get(laboratory.BUILD.name, 1024)
VIP, VIP6 = "10.4.7.10", "fd00:7::10"
WORKERS = 20
IDLE = 40
UPSTREAMS = {"calm": ([f"10.4.7.{n}:8081" for n in (21, 22, 23, 24)], Backend),
             "web": ([f"10.4.7.{n}:8081" for n in (25, 26, 27, 28)], Backend),
             "datagrams": ([f"10.4.7.{n}:8091" for n in (21, 22, 23)], UdpBackend),
             "flaky": ([f"10.4.7.{n}:8091" for n in (25, 26, 27, 28)], UdpBackend)}
KILLED = ("web", "flaky")  # their servers are killed, others' are stopped
ORDINARY = ("short",) * 12 + ("talk",) * 4 + (
    "up", "down", "both", "slow", "trickle", "half", "half", "resets", "is_reset")


class Listener:
    def __init__(self, port, upstream, more="", address=VIP, udp=False, header_in=False,
                 header_out=None, kinds=ORDINARY, exact=False):
        self.port, self.upstream, self.more, self.address = port, upstream, more, address
        self.udp, self.header_in, self.header_out = udp, header_in, header_out
        self.kinds = kinds
        self.exact = exact  # all its sessions run as planned: counters are known to the byte
        where = f"[{address}]" if ":" in address else address
        self.listen = f"{where}:{port}"
        self.name = self.listen + ("/udp" if udp else "")

    def text(self, logs):
        options = " udp" * self.udp + " proxy_protocol" * self.header_in
        header = f"proxy_protocol {self.header_out};" if self.header_out else ""
        return f"""
    server {{
        listen {self.listen}{options};
        proxy_pass {self.upstream};
        {header} {self.more}
        access_log {logs}/{self.port}.log soak buffer=64k flush=1s;
    }}"""


LISTENERS = [
    Listener(7001, "calm", exact=True),
    Listener(7002, "web", kinds=ORDINARY + ("abort",) * 4 + ("is_closed",)),
    Listener(7003, "calm", header_in=True, header_out="v2"),
    Listener(7004, "web", header_in=True, header_out="on",
             kinds=ORDINARY + ("abort", "bad_header", "bad_header")),
    Listener(7005, "calm", "proxy_download_rate 2m; proxy_upload_rate 2m;", header_out="on"),
    Listener(7006, "calm", address=VIP6, exact=True),
    Listener(7007, "calm", "proxy_timeout 6s;", kinds=("times_out",)),
    Listener(7010, "datagrams", "proxy_timeout 8s;", udp=True),
    Listener(7011, "flaky", "proxy_timeout 8s; proxy_responses 1;", udp=True),
    Listener(7012, "datagrams", "proxy_timeout 8s;", udp=True, header_out="v2")]
GUESTS = [Listener(port, "calm") for port in (7101, 7102, 7103)]  # not always there


class Plan:
    """What the configuration says at the moment."""

    BALANCE = ("", "least_conn;", "hash $remote_addr consistent;", "hash $remote_port;",
               "random two least_conn;")

    def __init__(self):
        self.threads = 4
        self.servers = {name: list(servers) for name, (servers, _) in UPSTREAMS.items()}
        self.weights, self.guests = {}, []
        self.balance = {name: "" for name in UPSTREAMS}
        self.words = "proxy_timeout 20m;"

    def change(self, rng):
        """One thing of it; nothing that ends a session."""
        what = rng.choice(("servers", "weights", "balance", "words"))
        name = rng.choice(list(UPSTREAMS))
        if what == "servers":
            every = UPSTREAMS[name][0]
            self.servers[name] = sorted(rng.sample(every, rng.randint(len(every) - 1, len(every))))
        elif what == "weights":
            self.weights[rng.choice(UPSTREAMS[name][0])] = rng.randint(1, 9)
        elif what == "balance":
            self.balance[name] = rng.choice(self.BALANCE)
        else:
            self.words = (f"proxy_timeout {rng.randint(15, 30)}m; "
                          f"proxy_half_close_timeout {rng.randint(10, 20)}m; "
                          f"proxy_buffer_size {rng.choice((4, 16, 64, 128))}k; "
                          f"proxy_socket_keepalive {rng.choice(('on', 'off'))}; "
                          f"tcp_nodelay {rng.choice(('on', 'off'))};")
        return what

    def text(self, logs):
        upstreams = "".join(f"""
    upstream {name} {{
        {self.balance[name]}
        {" ".join(f"server {s} weight={self.weights.get(s, 1)} max_fails=1 fail_timeout=1s;"
                  for s in self.servers[name])}
    }}""" for name in UPSTREAMS)
        listeners = "".join(one.text(logs) for one in LISTENERS + self.guests)
        return f"""
worker_processes {self.threads};
stream {{
    log_format soak '$bytes_received $bytes_sent $status $close_reason';
    set_real_ip_from 10.4.7.0/24;
    proxy_connect_timeout 30s;
    proxy_protocol_timeout 60s;
    {self.words}{upstreams}{listeners}
}}
"""


class Soak:
    def __init__(self, lab, seconds, seed, share):
        self.seconds, self.seed, self.share = seconds, seed, share
        self.rng = random.Random(f"{seed}/chaos")
        self.book = Book()
        self.pausing, self.over = threading.Event(), threading.Event()
        self.lock, self.running, self.pause = threading.Lock(), 0, 0.2
        lab.switch()
        self.proxy = lab.node("p", ["10.4.7.11/24", f"{VIP}/24", f"{VIP6}/64"])
        self.servers = lab.node("s", [f"10.4.7.{n}/24" for n in range(21, 29)])
        self.client = lab.node("c", ["10.4.7.30/24", "fd00:7::30/64"])
        self.servers.run(["nft", "add table inet soak; add set inet soak stopped { "
                          "type ipv4_addr . inet_service; }; add chain inet soak i { "
                          "type filter hook input priority 0; }; add rule inet soak i tcp flags & "
                          "(syn | ack) == syn ip daddr . tcp dport @stopped reject with tcp reset"])
        self.backends = {(upstream, name): kind(self.book, self.servers, upstream,
                                                *(name.split(":")[0], int(name.split(":")[1])))
                         for upstream, (names, kind) in UPSTREAMS.items() for name in names}
        self.logs = self.proxy.dir / "logs"
        self.logs.mkdir()
        self.logs.chmod(0o777)
        self.turned, self.plan, self.drained, self.due = 0, Plan(), set(), []
        self.did, self.rests = {}, []
        self.calls_of_guests = 0
        self.suite = self.proxy.suite(self.plan.text(self.logs), only=["proxyd"],
                                      env=self.environment(lab))
        self.begun = time.monotonic()

    @staticmethod
    def environment(lab):
        """Leaks are looked for, and what is freed is soon used again: memory can be compared."""
        shim = lab.dir / "dumpable.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", shim,
                        Path(__file__).with_name("dumpable.c")], check=True)
        return {"LD_PRELOAD": str(shim), "ASAN_OPTIONS": "detect_leaks=1:verify_asan_link_order=0:"
                "quarantine_size_mb=2:thread_local_quarantine_size_kb=64:malloc_context_size=10"}

    # ---- the bus ----

    def call(self, method, **parameters):
        """Until somebody answers: proxyd may be on its way."""
        def asked():
            try:
                return [varlink.call(self.proxy.socket_path("proxyd"), f"org.trivet.{method}",
                                     **parameters)]
            except (OSError, EOFError):
                return None
        return wait_for(asked, f"an answer to {method}", PATIENT)[0]

    def close_session(self, listener, client):
        """Called by a client: the session that is its own (a port of a client may be in use
        towards another listener, too)."""
        found = False
        limit = time.monotonic() + PATIENT
        while time.monotonic() < limit:
            try:
                with varlink.Bus(self.proxy.socket_path("proxyd")) as bus:
                    mine = [s["id"] for part in bus.monitor("org.trivet.proxy.ListSessions",
                                                            listener=listener, limit=5000)
                            for s in part["sessions"] if s["client"] == client]
                if found and not mine:
                    return
                found = found or bool(mine)
                if mine and varlink.call(self.proxy.socket_path("proxyd"),
                                         "org.trivet.proxy.control.CloseSessions",
                                         session=mine[0])["closed"]:
                    return
            except (OSError, EOFError):
                time.sleep(0.05)
        raise soak_peers.Wrong(f"the session of {client} is not listed, or was not closed")

    def states(self, upstream):
        return {s["name"]: s["state"] for s in
                self.call("proxy.ListUpstreams", name=upstream)["servers"]}

    def reload(self):
        self.proxy.write("trivet.conf", self.plan.text(self.logs))
        self.call("daemon.control.Reload")

    # ---- the load ----

    def worker(self, number):
        rng, count = random.Random(f"{self.seed}/{number}"), 0
        while not self.over.is_set():
            with self.lock:
                paused = self.pausing.is_set()
                self.running += not paused
            if paused:
                time.sleep(0.1)
                continue
            try:
                count += 1
                self.one(rng, f"{number}.{count}", number >= WORKERS)
            except Exception as error:  # whatever it is, the verdict has to know
                self.book.fail(f"worker {number}: {error!r}")
            finally:
                with self.lock:
                    self.running -= 1
            self.pausing.wait(rng.expovariate(1 / max(self.pause, 0.001)))

    def one(self, rng, name, is_idle):
        guests = list(self.plan.guests)
        listener = rng.choice([one for one in LISTENERS + guests if "times_out" not in one.kinds
                               and not one.udp] if is_idle else LISTENERS + guests)
        if listener.udp:
            return datagrams(self, rng, name, listener)
        kind = "idle" if is_idle else rng.choice(listener.kinds)
        kw = {"rcvbuf": 8192} if kind == "slow" and rng.random() < 0.5 else {}
        Session(self, rng, name, kind, listener, **kw).run()

    def governor(self):
        """Keeps us and proxyd near the share of one processor."""
        def used():
            total = time.process_time()
            try:
                words = Path(f"/proc/{self.proxy.daemon_pid('proxyd')}/stat").read_text()
                words = words.rpartition(")")[2].split()
                total += (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
            except (OSError, EOFError):
                pass
            return total
        last, at = used(), time.monotonic()
        while not self.over.wait(2):
            now, moment = used(), time.monotonic()
            share, last, at = (now - last) / (moment - at), now, moment
            if 0 < share < 4 and not self.pausing.is_set():  # another process: not known
                self.pause = min(max(self.pause * (share / self.share) ** 0.5, 0.005), 5.0)

    # ---- what happens meanwhile ----

    def usable(self, upstream):
        states = self.states(upstream)
        return [name for name in self.plan.servers[upstream]
                if self.backends[upstream, name].alive and states.get(name) == "up"]

    def do_stop(self):
        upstream = self.rng.choice(["calm", "web", "web", "flaky"])
        spare = self.usable(upstream)
        if len(spare) < 3:
            return
        one = self.backends[upstream, self.rng.choice(spare)]
        if upstream in KILLED and self.rng.random() < 0.7:
            one.kill(self.rng.random() < 0.6)
        else:
            one.stop()
        self.due.append((time.monotonic() + self.rng.uniform(0.5, 6), one))

    def do_reload(self):
        before = {name: list(servers) for name, servers in self.plan.servers.items()}
        self.plan.change(self.rng)
        for upstream in UPSTREAMS:
            if len(self.usable(upstream)) < 2:
                self.plan.servers[upstream] = before[upstream]
        self.reload()

    def do_guests(self):
        """A listener comes, or goes once nobody is queued on it."""
        if self.plan.guests and self.rng.random() < 0.5:
            going = self.plan.guests[0]
            self.plan.guests = self.plan.guests[1:]
            wait_for(lambda: not self.book.nobodys(going.port), "all are through", PATIENT)
            time.sleep(0.2)  # a worker may have chosen it before it went
            wait_for(lambda: not self.book.nobodys(going.port), "all are through", PATIENT)
            self.reload()
        else:
            coming = [one for one in GUESTS if one not in self.plan.guests]
            if not coming:
                return
            coming = self.rng.choice(coming)
            self.plan.guests = self.plan.guests + [coming]
            text = self.plan.text(self.logs)
            self.plan.guests = self.plan.guests[:-1]
            self.proxy.write("trivet.conf", text)
            self.call("daemon.control.Reload")
            wait_for(lambda: self.call("proxy.ListListeners", name=coming.name)["listeners"][0]
                     ["state"] == "listening", "it listens", PATIENT)
            self.plan.guests = self.plan.guests + [coming]

    def do_weight(self):
        upstream = self.rng.choice(list(UPSTREAMS))
        self.call("proxy.control.SetServerWeight", upstream=upstream,
                  server=self.rng.choice(self.plan.servers[upstream]),
                  weight=self.rng.choice((None, 1, 3, 20)))

    def do_drain(self):
        upstream = self.rng.choice(list(UPSTREAMS))
        spare = self.usable(upstream)
        if len(spare) < 3:
            return self.undrain()
        server = self.rng.choice(spare)
        self.call("proxy.control.SetServerState", upstream=upstream, server=server,
                  state=self.rng.choice(("drain", "maintenance")))
        self.drained.add((upstream, server))

    def undrain(self):
        for upstream, server in sorted(self.drained):
            if server in self.plan.servers[upstream]:
                self.call("proxy.control.SetServerState", upstream=upstream, server=server,
                          state="ready")
                self.drained.discard((upstream, server))

    def do_ready(self):
        self.undrain()

    def do_turn_logs(self):
        self.turned += 1
        for path in self.logs.glob("*.log"):
            path.rename(f"{path}.{self.turned}")
        os.kill(self.proxy.daemon_pid("proxyd"), signal.SIGUSR1)

    def do_look(self):
        self.call("daemon.FormatMetrics")
        with varlink.Bus(self.proxy.socket_path("proxyd")) as bus:
            for _ in bus.monitor("org.trivet.proxy.ListSessions"):
                pass

    def do_restart(self):
        self.plan.threads = self.rng.randint(1, 4)
        self.proxy.write("trivet.conf", self.plan.text(self.logs))
        before = self.proxy.daemon_pid("proxyd")
        self.proxy.trivet("restart", "proxyd", timeout=2 * PATIENT)
        if self.proxy.daemon_pid("proxyd") == before:
            self.book.fail("a restart, and the same process")

    def step(self, with_restarts):
        for at, one in list(self.due):
            if time.monotonic() >= at:
                self.due.remove((at, one))
                one.start()
        choices = ["stop"] * 8 + ["reload"] * 5 + ["weight"] * 4 + ["drain"] * 2 + [
            "ready", "guests", "guests", "turn_logs", "look"] + ["restart"] * 2 * with_restarts
        what = self.rng.choice(choices)
        getattr(self, f"do_{what}")()
        self.did[what] = self.did.get(what, 0) + 1
        time.sleep(self.rng.uniform(0.2, 1.2))

    # ---- rest: what must be so when nothing happens ----

    def rest(self, number):
        self.pausing.set()
        wait_for(lambda: self.running == 0, "the load has ended", 3 * PATIENT, step=0.1)
        for one in self.backends.values():
            if not one.alive:
                one.start()
        self.due.clear()
        guests = self.plan.guests
        threads = self.plan.threads
        self.plan = Plan()
        self.plan.threads, self.plan.guests = threads, []
        self.reload()
        self.undrain()

        def quiet():
            listeners = self.call("proxy.ListListeners")["listeners"]
            ups = [s for upstream in UPSTREAMS if upstream != "flaky" for s in self.states(upstream).values()]
            return (len(listeners) == len(LISTENERS) and set(ups) == {"up"}
                    and not any(one["currentSessions"] for one in listeners) and listeners)
        try:
            listeners = wait_for(quiet, "no session is left, all servers are up", PATIENT, step=0.2)
        except laboratory.LabError:
            self.book.fail("at rest: " + repr([
                (one["name"], one["currentSessions"], one["state"]) for one in
                self.call("proxy.ListListeners")["listeners"]]) + repr(
                    {u: self.states(u) for u in UPSTREAMS}))
            raise
        self.compare({one["name"]: one["counters"] for one in listeners})
        self.sample(number)
        self.plan.guests = guests
        if guests:
            self.reload()
        self.pausing.clear()

    def logged(self, port):
        """(sessions, bytes of clients, bytes to them, {reason: n}) by all lines so far."""
        n, received, sent, reasons = 0, 0, 0, {}
        for path in self.logs.glob(f"{port}.log*"):
            for line in path.read_text().splitlines():
                r, s, _, why = line.split(" ", 3)
                n, received, sent = n + 1, received + int(r), sent + int(s)
                reasons[why] = reasons.get(why, 0) + 1
        return n, received, sent, reasons

    def compare(self, counters):
        os.kill(self.proxy.daemon_pid("proxyd"), signal.SIGUSR1)  # what waits is written
        for one in LISTENERS:
            c = counters[one.name]
            counted = (c["sessions"], c["bytesIn"], c["bytesOut"], c["closeReasons"])

            def agrees():
                n, received, sent, reasons = self.logged(one.port)
                if one.upstream == "web":  # what came from a server and was cut off is not sent
                    sent = max(sent, min(sent + n * (1 << 20), c["bytesOut"]))
                return (n, received, sent, reasons) == counted
            try:
                wait_for(agrees, "all is logged", 20, step=0.3)
            except laboratory.LabError:
                self.book.fail(f"{one.name}: counted {counted}, logged {self.logged(one.port)}")
            if one.exact:
                ours = (self.book.connects.get(one.port, 0), self.book.sent.get(one.port, 0),
                        self.book.received.get(one.port, 0))
                if counted[:3] != ours:
                    self.book.fail(f"{one.name}: counted {counted}, clients say {ours}")
        lost = [m for m in self.call("daemon.ListMetrics", prefix="proxyd_log_lines_lost")["metrics"]
                if m["value"]]
        if lost:
            self.book.fail(f"lines of the log were lost: {lost}")

    def sample(self, number):
        pid = self.proxy.daemon_pid("proxyd")
        # Connections of our own come and go; the spare descriptor is a /dev/null; a listener gets
        # sockets until they go evenly by each number of threads there was.
        files = min((files_of(pid) for _ in range(8)), key=len)
        listening = len(self.proxy.run(["ss", "-Hltun"]).stdout.splitlines())
        row = {"rest": number, "at": round(time.monotonic() - self.begun), "pid": pid,
               "threads": self.plan.threads,
               "files": sum(f != "/dev/null" and "pipe:" not in f for f in files) - listening,
               "listening": listening,
               "pipes": sum("pipe:" in f for f in files), "KiB": private(pid),
               "suite files": len(os.listdir(f"/proc/{self.suite.pid}/fd")),
               "suite KiB": private(self.suite.pid)}
        self.rests.append(row)
        print(row, flush=True)

    def run(self):
        threads = [threading.Thread(target=self.worker, args=(n,), daemon=True)
                   for n in range(WORKERS + IDLE)]
        for thread in [threading.Thread(target=self.governor, daemon=True), *threads]:
            thread.start()
        length, number = max(min(150.0, self.seconds / 4), 5.0), 0
        while time.monotonic() - self.begun < self.seconds:
            until = time.monotonic() + length
            while time.monotonic() < until:
                self.step(number % 4 < 2)
            self.rest(number)
            self.tell()
            number += 1
        self.over.set()
        for thread in threads:
            thread.join(PATIENT)
        if (code := self.suite.stop(PATIENT)) != 0:
            self.book.fail(f"exit status {code}")

    def tell(self):
        print(f"{time.monotonic() - self.begun:.0f} s: good {sum(self.book.good.values())}, cut "
              f"{sum(self.book.cut.values())}, failed {len(self.book.bad)}; {self.did}", flush=True)

    # ---- the verdict ----

    def flat(self):
        """Of one process (the last two of four rests are of one): memory; of all: descriptors."""
        for before, after in zip(self.rests, self.rests[1:]):
            if before["pid"] == after["pid"] and after["rest"] % 4 == 3 and \
                    after["KiB"] > before["KiB"] + GROWTH_KIB:
                self.book.fail(f"memory grew: {before} {after}")
        settled = [row for row in self.rests if row["rest"] > 0]
        for row in settled:
            first = next(r for r in settled if r["threads"] == row["threads"])
            if row["files"] > first["files"] or row["pipes"] > 2 * 48 + 8 or \
                    row["suite files"] != settled[0]["suite files"] or \
                    row["suite KiB"] > settled[0]["suite KiB"] + GROWTH_KIB:
                self.book.fail(f"not what it was: {first} {settled[0]} {row}")

    def verdict(self, lab):
        self.flat()
        for report in lab.sanitizer_reports():
            self.book.fail(report)
        log = self.suite.log()
        for pattern in (r"LeakSanitizer has encountered a fatal error", r"proxyd\) ended with (?!status 0$)",
                        r"cannot be handed over", r"\(proxyd\) silent", r"\(proxyd\) killed"):
            for line in re.findall(f"^.*{pattern}.*$", log, re.MULTILINE):
                self.book.fail(line)
        for word in ("good", "cut"):
            print(f"{word}: {dict(sorted(getattr(self.book, word).items()))}")
        print(f"done: {self.did}")
        print(f"failed: {len(self.book.bad)}")
        for text in self.book.bad:
            print(f"  {text}")
        return not self.book.bad


def files_of(pid):
    """What its descriptors are, once whoever asked it something may have gone."""
    time.sleep(0.1)
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            pass
    return found


def private(pid):
    """Resident kilobytes that are its own."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(n) for n in re.findall(r"^Private_\w+: +(\d+) kB", text, re.MULTILINE))


def main():
    args = argparse.ArgumentParser()
    args.add_argument("seconds", nargs="?", type=int, default=3600)
    args.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    args.add_argument("--cpu", type=float, default=0.5, help="of one processor (%(default)s)")
    args = args.parse_args()
    print(f"{args.seconds} s; again: {sys.argv[0]} {args.seconds} --seed {args.seed}", flush=True)
    faulthandler.register(signal.SIGUSR2)  # where it is, of all threads
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Lab() as lab:
        soak = Soak(lab, args.seconds, args.seed, args.cpu)
        try:
            soak.run()
        except (laboratory.LabError, varlink.VarlinkError) as error:
            soak.book.fail(f"{error}")
        good = soak.verdict(lab)
        if not good:
            Path("soak_proxy.log").write_text(soak.suite.log())
            print("proxyd's log is in soak_proxy.log")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
