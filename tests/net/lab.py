"""The laboratory: nodes that are network namespaces, joined by switches that are
bridges in namespaces of their own, with real daemons and real peers in them.

	def test_something(lab):
		lab.switch("lan")
		r1 = lab.node("r1", "10.4.7.11/24")
		r2 = lab.node("r2", "10.4.7.12/24")
		vrrpd = r1.daemon("vrrpd", CONF)
		peer = r2.keepalived(KEEPALIVED_CONF)
		wait_for(lambda: r1.holds("10.4.7.10"), "r1 holds the VIP", timeout=8)

Namespaces are made by netns.py, links and addresses by rtnl.py, by system calls: a process for each
(`ip`) costs more than most of what is tested.
Nothing here touches the host's network.  Names carry this process's id, so
that runs do not meet; what a dead run left behind is removed by the next one.
Namespaces separate networks only: processes, files and users are the host's.
Hence every process name and every path a node uses is made unique here.

Files lie below /var/lib/trivet-lab and not in /tmp: every directory above a
check script has to be root's alone (script security), the daemons' own users
have to reach their configuration, and a Unix socket's path is short.
TRIVET_LAB_KEEP=1 leaves the files.
"""

import atexit
import grp
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import netns
import varlink
from rtnl import Rtnl
from varlink import PATIENCE, VarlinkError  # noqa: F401: for the tests

CHECKOUT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("TRIVET_BUILD") or "build")
if not BUILD.is_absolute():
    BUILD = CHECKOUT / BUILD
ROOT = Path("/var/lib/trivet-lab")
DAEMONS = ("vrrpd", "checkd", "proxyd")
PREFIX = re.compile(r"^tl(\d+)-")
SANITIZED = "build-san" in str(BUILD)  # made by `make test-san`: everything takes five times as long
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error:|SUMMARY: \w+Sanitizer")

# LeakSanitizer wants to ptrace its own process at exit; one that dropped root is
# not dumpable, so it cannot.  Leaks are the unit tests' business.
os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0")

_labs = []


class LabError(AssertionError):
    """The laboratory, or what runs in it, did not do what was asked."""


def wait_for(predicate, what, timeout=10.0, step=0.02):
    """Wait until predicate() is true and return what it returned.

    After 'timeout' seconds: LabError, with the ends of all logs of the lab.  What lets itself
    be waited for is asked less often: after 'step' seconds at first, at last after four times that.
    """
    limit = time.monotonic() + timeout * PATIENCE
    longest = 4 * step
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > limit:
            raise LabError(f"not within {timeout} s: {what}; last seen: {value!r}\n{_tails()}")
        time.sleep(step)
        step = min(step * 1.2, longest)


def holds_for(predicate, what, seconds, step=0.05):
    """The opposite of wait_for: predicate() stays true for so long."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if not predicate():
            raise LabError(f"did not last {seconds} s: {what}\n{_tails()}")
        time.sleep(step)


def _tails():
    return "\n".join(lab.logs(lines=25) for lab in _labs)


def _sh(*argv, check=True, timeout=30):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout * PATIENCE)
    if check and done.returncode:
        raise LabError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def sweep():
    """Remove what earlier runs left behind whose process is gone."""
    for name in netns.names():
        owner = PREFIX.match(name)
        if owner and not netns.alive(int(owner.group(1))):
            netns.kill(name)
            netns.remove(name)
    for path in ROOT.glob("tl*"):
        owner = PREFIX.match(path.name)
        if owner and not netns.alive(int(owner.group(1))):
            shutil.rmtree(path, ignore_errors=True)


class Lab:
    """Switches, nodes, and their end."""

    count = 0

    def __init__(self):
        if os.geteuid() != 0:
            raise LabError("network namespaces need root")
        sweep()
        Lab.count += 1
        self.id = f"tl{os.getpid()}-{Lab.count}"
        self.dir = ROOT / self.id
        self.dir.mkdir(parents=True, mode=0o755)
        os.chmod(ROOT, 0o755)
        os.chmod(self.dir, 0o755)
        self.switches = {}
        self.nodes = {}
        self._rtnl = {}
        self._closed = False
        _labs.append(self)
        atexit.register(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _netns(self, name):
        name = f"{self.id}-{name}"
        netns.make(name)
        self._rtnl[name] = None
        self._rtnl[name] = Rtnl(name)
        self._rtnl[name].set_up("lo")
        return name

    def rtnl(self, name):
        """The Rtnl of one of this laboratory's namespaces."""
        return self._rtnl[name]

    def switch(self, name="lan"):
        """A bridge in its own namespace; forwards at once, floods multicast."""
        self.switches[name] = self._netns(f"sw-{name}")
        self.rtnl(self.switches[name]).add_bridge("br0")
        return name

    def node(self, name, address=None, switch=None):
        """A namespace with lo, and eth0 on the switch (default: the first made)."""
        node = Node(self, name)
        self.nodes[name] = node
        if address:
            node.attach(switch or next(iter(self.switches)), address)
        return node

    def logs(self, lines=60):
        """The ends of all logs, for a person who wants to know what happened."""
        return "\n".join(
            f"---- {node.name}: {proc.name} ({proc.state()})\n{proc.tail(lines)}"
            for node in self.nodes.values() for proc in node.procs)

    def sanitizer_reports(self):
        return [f"{proc.name}: {line}" for node in self.nodes.values() for proc in node.procs
                for line in proc.log().splitlines() if SANITIZER.search(line)]

    def close(self):
        """Everything goes, whatever happened before.  May be called again."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        if self in _labs:
            _labs.remove(self)
        for name in self._rtnl:
            netns.kill(name)
        for node in self.nodes.values():
            for proc in node.procs:
                proc.reap()
        for name, rtnl in self._rtnl.items():
            if rtnl:
                rtnl.close()
            netns.remove(name)
        if not os.environ.get("TRIVET_LAB_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)


class Proc:
    """A process in a node: its log, its end."""

    def __init__(self, node, argv, name, env=None, cwd=None):
        self.node = node
        self.name = name
        self.argv = [str(a) for a in argv]
        same = sum(1 for p in node.procs if p.name == name)
        self.log_path = node.dir / (f"{name}.{same}.log" if same else f"{name}.log")
        with open(self.log_path, "wb") as log:
            self.popen = netns.run_in(node.netns, lambda: subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, cwd=cwd, env={**os.environ, **(env or {})}))
        self.pid = self.popen.pid

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def tail(self, lines=25):
        return "\n".join(self.log().splitlines()[-lines:])

    def state(self):
        code = self.popen.poll()
        return f"pid {self.pid}" if code is None else f"ended with {code}"

    def alive(self):
        return self.popen.poll() is None

    def wait_log(self, regex, timeout=10.0, count=1):
        """Wait for the count-th match in the log; the match object."""
        pattern = re.compile(regex, re.MULTILINE)

        def found():
            matches = list(pattern.finditer(self.log()))
            if len(matches) >= count:
                return matches[count - 1]
            if not self.alive() and len(matches) < count:
                raise LabError(f"{self.node.name}: {self.name} {self.state()} before it said "
                               f"/{regex}/\n{self.tail()}")
            return None
        return wait_for(found, f"{self.node.name}: {self.name} says /{regex}/", timeout)

    def kill(self, sig):
        if self.alive():
            os.kill(self.pid, sig)

    def hup(self):
        self.kill(signal.SIGHUP)

    def wait(self, timeout=10.0):
        """Its exit code (negative: the signal)."""
        try:
            return self.popen.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.node.name}: {self.name} has not ended after {timeout} s\n"
                           f"{_tails()}") from None

    def stop(self, timeout=10.0):
        """SIGTERM, and its exit code."""
        self.kill(signal.SIGTERM)
        return self.wait(timeout)

    def kill9(self):
        self.kill(signal.SIGKILL)
        return self.wait()

    def reap(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()


class Node:
    """One machine: a network namespace, a run and a state directory."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.netns = lab._netns(name)
        self.rtnl = lab.rtnl(self.netns)
        self.dir = lab.dir / name
        self.run_dir = self.dir / "run"
        self.state_dir = self.dir / "state"
        self.dir.mkdir(mode=0o755)
        os.chmod(self.dir, 0o755)
        self.procs = []
        self._made = 0
        self.attached = []

    # ---- the network ----

    def attach(self, switch, address, dev=None):
        """One more interface, on a switch."""
        dev = dev or f"eth{len(self.attached)}"
        port = f"p-{self.name}"[:12] + f".{len(self.attached)}"
        bridge = self.lab.switches[switch]
        self.lab.rtnl(bridge).add_veth(port, "br0", dev, self.netns)
        self.attached.append((dev, bridge, port))
        for one in [address] if isinstance(address, str) else address:
            self.rtnl.add_address(dev, one)
        self.rtnl.set_up(dev)

    def ip(self, *args, check=True):
        return _sh("ip", "-n", self.netns, *args, check=check)

    def link(self, dev="eth0", state="down"):
        """The administrator's switch: ip link set DEV up|down."""
        self.rtnl.set_up(dev, {"up": True, "down": False}[state])

    def cable(self, dev="eth0", state="down"):
        """The far end: carrier goes, the administrative state stays."""
        _, bridge, port = next(a for a in self.attached if a[0] == dev)
        self.lab.rtnl(bridge).set_up(port, {"up": True, "down": False}[state])

    def addresses(self, dev="eth0"):
        """The records of `ip -json address` (local, prefixlen, valid_life_time, protocol, ...)."""
        links = json.loads(self.ip("-json", "-details", "addr", "show", "dev", dev) or "[]")
        return [a for link in links for a in link.get("addr_info", [])]

    def holds(self, address, dev="eth0"):
        return self.rtnl.holds(address, dev)

    def mac(self, dev="eth0"):
        return json.loads(self.ip("-json", "link", "show", "dev", dev))[0]["address"]

    # ---- processes ----

    def run(self, argv, check=True, timeout=20.0, env=None, input=None):
        """To its end, in the node; subprocess.CompletedProcess with text."""
        argv = [str(a) for a in argv]
        done = netns.run_in(self.netns, lambda: subprocess.run(
            argv, capture_output=True, text=True, timeout=timeout * PATIENCE, input=input,
            errors="replace", env={**os.environ, **(env or {})}))
        if check and done.returncode:
            raise LabError(f"{self.name}: {' '.join(argv)}: exit {done.returncode}\n"
                           f"{done.stdout}{done.stderr}\n{_tails()}")
        return done

    def spawn(self, argv, name=None, env=None, cwd=None):
        proc = Proc(self, argv, name or Path(str(argv[0])).name, env, cwd)
        self.procs.append(proc)
        return proc

    def pids(self):
        """Everything that runs in this node now."""
        return netns.pids(self.netns)

    def pids_of(self, name):
        """Processes here whose executable's file name is 'name'."""
        return [p for p in self.pids()
                if os.path.basename(_readlink(f"/proc/{p}/exe")).removesuffix(" (deleted)") == name]

    def kill_all(self):
        """kill -9 of everything in the node, in one instant as far as they can tell."""
        netns.kill(self.netns)
        for proc in self.procs:
            # killall -0 finds a process that nobody has waited for; and one that is ending has
            # left its namespace before it is a zombie.
            proc.wait()

    # ---- files ----

    def write(self, name, text, mode=0o640):
        """A file in the node's directory, root:_trivet."""
        path = self.dir / name
        new = path.with_name(path.name + ".new")
        new.write_text(text)
        try:
            os.chown(new, 0, grp.getgrnam("_trivet").gr_gid)
        except KeyError:
            mode |= 0o004
        os.chmod(new, mode)
        os.rename(new, path)
        return path

    def script(self, name, text, mode=0o755):
        """An executable script no one but root may write."""
        path = self.write(name, text, mode)
        os.chown(path, 0, 0)
        return path

    # ---- trivet ----

    def binary(self, name):
        path = BUILD / name
        if not path.exists():
            raise LabError(f"{path} is not built")
        return path

    def daemon(self, name, conf_text=None, args=(), env=None, ready=True, conf="trivet.conf"):
        """One daemon started by hand as root.  conf_text None: the file as it stands.

        With ready, returns when it answers on its socket.
        """
        path = self.write(conf, conf_text) if conf_text is not None else self.dir / conf
        proc = self.spawn([self.binary(name), "-c", path, "--run-dir", self.run_dir,
                           "--state-dir", self.state_dir, *args], name, env)
        if ready:
            self.wait_ready(name, proc)
        return proc

    def suite(self, conf_text=None, only=None, args=(), env=None, ready=True, conf="trivet.conf"):
        """`trivet run`: all three (or those named in only) and the runner."""
        path = self.write(conf, conf_text) if conf_text is not None else self.dir / conf
        some = ["--only", ",".join(only)] if only else []
        proc = self.spawn([self.binary("trivet"), "run", "-c", path, "--run-dir", self.run_dir,
                           "--state-dir", self.state_dir, *some, *args], "suite", env)
        if ready:
            for name in only or DAEMONS:
                self.wait_ready(name, proc)
        return proc

    def wait_ready(self, daemon, proc, timeout=10.0):
        """Until the daemon answers org.trivet.daemon.GetStatus; the answer."""
        def answered():
            if not proc.alive():
                raise LabError(f"{self.name}: {proc.name} {proc.state()} before {daemon} was "
                               f"ready\n{proc.tail(60)}")
            try:
                return self.call(daemon, "org.trivet.daemon.GetStatus")
            except (OSError, EOFError):
                return None
        return wait_for(answered, f"{self.name}: {daemon} answers on its socket", timeout)

    def trivet(self, *args, check=True, timeout=20.0):
        """The command, on this node's sockets."""
        return self.run([self.binary("trivet"), "--run-dir", self.run_dir, *args],
                        check=check, timeout=timeout)

    def socket_path(self, daemon):
        return self.run_dir / f"{daemon}.sock"

    def varlink(self, daemon, timeout=5.0):
        return Varlink(self.socket_path(daemon), timeout)

    def call(self, daemon, method, parameters=None, timeout=5.0):
        """One call on a fresh connection: the reply's parameters, or VarlinkError."""
        with self.varlink(daemon, timeout) as bus:
            return bus.call(method, parameters)

    def status(self, daemon):
        return self.call(daemon, "org.trivet.daemon.GetStatus")

    def daemon_pid(self, daemon):
        return self.status(daemon)["pid"]

    def instance(self, name):
        """The vrrp instance as the bus tells it."""
        return self.call("vrrpd", "org.trivet.vrrp.ListInstances",
                         {"name": name})["instances"][0]

    def check(self, name):
        return self.call("checkd", "org.trivet.check.ListChecks", {"name": name})["checks"][0]

    # ---- peers and services ----

    def keepalived(self, conf_text, name="keepalived", ready=True):
        """The real one, with pid files of its own."""
        path = self.write(f"{name}.conf", conf_text, 0o644)
        proc = self.spawn(["keepalived", "--dont-fork", "--log-console", "--log-detail", "--vrrp",
                           "-f", path, "-p", self.dir / f"{name}.pid",
                           "-r", self.dir / f"{name}-vrrp.pid"], name,
                          env={"TMPDIR": str(self.dir)})
        if ready:
            proc.wait_log(r"Entering (BACKUP|FAULT) STATE")
        return proc

    def nginx(self, body, name="nginx", ready=None, connections=512):
        """The real one: body is what follows `events {}`.  ready: a local port to wait for."""
        prefix = self.dir / name
        prefix.mkdir(exist_ok=True)
        module = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
        load = f"load_module {module};\n" if module.exists() and "stream" in body else ""
        conf = self.write(f"{name}.conf", f"{load}daemon off;\nuser root;\nworker_processes 1;\n"
                          f"pid {prefix}/nginx.pid;\nerror_log stderr notice;\n"
                          f"events {{ worker_connections {connections}; }}\n{body}\n", 0o644)
        proc = self.spawn(["nginx", "-p", prefix, "-c", conf, "-e", "stderr"], name)
        if ready:
            self.wait_port(ready)
        return proc

    def web(self, port, text=None, name=None):
        """An nginx web server that answers every request with the node's name (or text)."""
        name = name or f"web{port}"
        temp = "".join(f"\t{kind}_temp_path {self.dir}/{name}/{kind};\n"
                       for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return self.nginx(f"http {{\n\taccess_log off;\n{temp}\tserver {{ listen {port}; listen "
                          f"[::]:{port}; location / {{ return 200 \"{text or self.name}\\n\"; }} "
                          f"}}\n}}", name, ready=port)

    def service(self, name):
        """A process whose name is unique on this host, for `killall -0 NAME` and process checks.

        The name the check has to ask for is .comm of what is returned.
        """
        self._made += 1
        comm = f"{name[:4]}{self._made}{self.lab.id.replace('-', '')}{self.name}"[-15:]
        binary = self.dir / comm
        if not binary.exists():
            shutil.copy("/bin/sleep", binary)
        proc = self.spawn([binary, "100000"], comm)
        proc.comm = comm
        wait_for(lambda: _comm(proc.pid) == comm, f"{comm} runs")
        return proc

    def respawn(self, proc):
        """The same program again, once it has ended."""
        again = self.spawn(proc.argv, proc.name)
        again.comm = getattr(proc, "comm", None)
        if again.comm:
            wait_for(lambda: _comm(again.pid) == again.comm, f"{again.comm} runs")
        return again

    def listener(self, port, name=None):
        """A plain TCP echo service on a port."""
        proc = self.spawn(["socat", f"TCP-LISTEN:{port},fork,reuseaddr", "PIPE"],
                          name or f"listen{port}")
        self.wait_port(port)
        return proc

    def listens(self, port):
        with netns.inside(self.netns):
            return any(re.search(rf"^ *\d+: \w+:{port:04X} \w+:0000 0A ", Path(table).read_text(),
                                 re.MULTILINE)
                       for table in ("/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"))

    def wait_port(self, port, timeout=10.0):
        wait_for(lambda: self.listens(port), f"{self.name}: something listens on {port}", timeout)

    def pulse(self, address, port, every=0.02, timeout=3.0):
        """Requests one after another from this node, until stopped: see Pulse."""
        return Pulse(self, address, port, every, timeout)

    def capture(self, expression="", dev="eth0"):
        return Capture(self, expression, dev)


class Pulse:
    """A client that asks a web server again and again, and notes each answer."""

    def __init__(self, node, address, port, every, timeout):
        self.node = node
        self.path = node.dir / f"pulse-{len(node.procs)}.jsonl"
        self.path.touch()
        self.proc = node.spawn(["/usr/bin/python3", Path(__file__).with_name("pulse.py"), address,
                                port, every, timeout, self.path], "pulse")
        wait_for(lambda: self.results() or not self.proc.alive(), "the first request is done")

    def results(self):
        """[{at, ok, took, answer|error}]; 'at' is CLOCK_MONOTONIC seconds."""
        with open(self.path, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def failures(self):
        return [r for r in self.results() if not r["ok"]]

    def answers(self):
        return {r["answer"] for r in self.results() if r["ok"]}

    def longest_gap(self):
        """Seconds without an answer, at most."""
        ends = [r["at"] + r["took"] for r in self.results() if r["ok"]]
        return max((b - a for a, b in zip(ends, ends[1:])), default=0.0)

    def more(self, n=10, timeout=10.0):
        """Wait for n further good answers."""
        goal = sum(r["ok"] for r in self.results()) + n
        wait_for(lambda: sum(r["ok"] for r in self.results()) >= goal,
                 f"{n} more answers", timeout)

    def stop(self):
        self.proc.stop()
        return self.results()


class Capture:
    """tcpdump in a node; what it saw, and tshark's opinion of it."""

    def __init__(self, node, expression, dev):
        self.path = node.dir / f"capture-{len(node.procs)}.pcap"
        self.proc = node.spawn(["tcpdump", "-i", dev, "-U", "-n", "-s0", "-Z", "root", "-w",
                                self.path, *expression.split()], f"tcpdump-{len(node.procs)}")
        self.proc.wait_log("listening on")

    def stop(self):
        self.proc.stop()
        return self

    def packets(self):
        """Scapy's packets so far."""
        # What knows the layers of these packets; scapy.all takes twice as long to load.
        from scapy.error import Scapy_Exception
        from scapy.layers import inet, inet6, l2, vrrp  # noqa: F401
        from scapy.utils import PcapReader
        seen = []
        try:
            with PcapReader(str(self.path)) as reader:
                seen.extend(reader)
        except (EOFError, OSError, Scapy_Exception):
            pass
        return seen

    def tshark(self, display_filter, *fields):
        """Rows of fields (or whole lines) that match a display filter."""
        argv = ["tshark", "-n", "-r", str(self.path), "-o", "ip.check_checksum:TRUE",
                "-Y", display_filter]
        if fields:
            argv += ["-T", "fields", *[a for f in fields for a in ("-e", f)]]
        lines = [line for line in _sh(*argv, timeout=60).splitlines() if line.strip()]
        return [line.split("\t") for line in lines] if fields else lines

    def malformed(self):
        """What tshark objects to: dissection errors, bad checksums of IP and VRRP."""
        return self.tshark("_ws.malformed || _ws.expert.group == checksum || "
                           "vrrp.checksum.status == 0 || ip.checksum.status == 0")


class Varlink(varlink.Bus):
    """A connection to a daemon of the node; every reply is checked against ipc/model."""

    def __init__(self, path, timeout=5.0):
        super().__init__(path, timeout * PATIENCE)

    more = varlink.Bus.monitor


def _readlink(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _comm(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def proc_status(pid):
    """/proc/PID/status as a dictionary of strings."""
    text = Path(f"/proc/{pid}/status").read_text()
    return dict((k, v.strip()) for k, _, v in (line.partition(":") for line in text.splitlines()))
