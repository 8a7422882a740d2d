"""Two machines with a real systemd, packages installed, on one switch with a client
and two servers: the address, the sessions through it, and what systemctl does to
the daemons while clients look.

The tests are the life of one pair, in order: n1 is the better node, and each test
leaves it master, with everything running.
"""

import os
import shutil
import sys
import threading
import time
from pathlib import Path

import pytest

from container import Container, workplace

CHECKOUT = Path(__file__).resolve().parents[2]
BUILD = CHECKOUT / (os.environ.get("TRIVET_BUILD") or "build")
sys.path.insert(0, str(CHECKOUT / "tests/net"))
os.environ.setdefault("TRIVET_BUILD", str(BUILD))

from lab import Lab, wait_for  # noqa: E402
from load import Load, Caller, serve  # noqa: E402
from vrrp import AddressLog  # noqa: E402

DEBS = Path(os.environ.get("TRIVET_DEBS", BUILD / "deb"))
DEBS_NEXT = Path(os.environ.get("TRIVET_DEBS_NEXT", BUILD / "deb-next"))
DAEMONS = ("checkd", "proxyd", "vrrpd")
UNIT = {name: f"trivet-{name}.service" for name in DAEMONS + ("runner",)}
VIP = "10.4.7.10"
ADDRESS = {"n1": "10.4.7.11", "n2": "10.4.7.12"}
SERVERS = {"up1": "10.4.7.21", "up2": "10.4.7.22"}

CONF = """
check alive {{
	script "/usr/bin/test -e /etc/trivet"
	interval 1
	weight -20
}}
vrrp_instance VI_1 {{
	interface eth0
	virtual_router_id 51
	priority {priority}
	advert_int 1
	virtual_ipaddress {{
		10.4.7.10/24
	}}
	track_check {{
		alive
	}}
	track_upstream short
}}
stream {{
	upstream short {{
		server 10.4.7.21:8080;
		server 10.4.7.22:8080;
	}}
	upstream bulk {{
		server 10.4.7.21:8081;
		server 10.4.7.22:8081;
	}}
	server {{
		listen 80;
		proxy_timeout 10m;
		proxy_pass short;
	}}
	server {{
		listen 81;
		proxy_timeout 10m;
		proxy_pass bulk;
	}}
}}
"""


class Machine:
    """A node of the laboratory with a booted container in it."""

    def __init__(self, node, directory):
        self.node = node
        self.container = Container(directory, node.name, netns=node.netns)
        self.conf = CONF.format(priority={"n1": 100, "n2": 90}[node.name])

    def boot(self):
        self.container.boot()
        debs = self.container.root / "var/debs"
        for directory, name in ((DEBS, "now"), (DEBS_NEXT, "next")):
            (debs / name).mkdir(parents=True)
            for deb in directory.glob("*.deb"):
                if "-dbgsym_" not in deb.name:
                    shutil.copy(deb, debs / name)
        self.run("sh", "-c", "dpkg -i /var/debs/now/*.deb")
        self.configure(self.conf)
        self.run("trivet", "reload")

    def run(self, *argv, **more):
        return self.container.run(*argv, **more)

    def systemctl(self, *words, check=True, timeout=60):
        return self.run("systemctl", *words, check=check, timeout=timeout)

    def configure(self, text):
        self.run("sh", "-c", "cat > /etc/trivet/trivet.conf", input=text)

    def holds_vip(self):
        return self.node.holds(VIP)

    def pid(self, name):
        return int(self.container.show(UNIT[name], "MainPID"))

    def pids(self):
        return {name: self.pid(name) for name in DAEMONS}

    def is_active(self, name):
        return self.container.show(UNIT[name], "ActiveState") == "active"

    def kill(self, name, sig):
        victim = self.pid(name)
        assert victim > 0
        self.run("kill", f"-{sig}", victim)
        return victim

    def wait_successor(self, name, victim, timeout=20):
        wait_for(lambda: self.is_active(name) and self.pid(name) not in (0, victim),
                 f"{self.node.name}: {name} is back", timeout, step=0.1)

    def version(self, name):
        return self.run(name, "--version").stdout.split()[-1]

    def journals(self):
        return "\n".join(f"---- {self.node.name} {unit}\n{self.container.journal(unit)[-4000:]}"
                         for unit in UNIT.values())


class Pair:
    def __init__(self, directory):
        self.lab = lab = Lab()
        lab.switch("lan")
        self.client = lab.node("client", "10.4.7.50/24")
        for name, address in SERVERS.items():
            serve(lab.node(name, f"{address}/24"), address)
        self.machines = {name: Machine(lab.node(name, f"{address}/24"), directory)
                         for name, address in ADDRESS.items()}
        self.n1, self.n2 = self.machines.values()
        for machine in self.machines.values():
            machine.container.lay()
        starts = [threading.Thread(target=m.boot) for m in self.machines.values()]
        for thread in starts:
            thread.start()
        for thread in starts:
            thread.join()
        self.settle()

    def holders(self):
        return [name for name, machine in self.machines.items() if machine.holds_vip()]

    def settle(self, name="n1", timeout=30):
        wait_for(lambda: self.holders() == [name], f"{name} alone holds the address", timeout)

    def serves(self):
        """A connection through the address, now."""
        Caller(self.client, VIP).call()

    def close(self):
        for machine in self.machines.values():
            machine.container.power_cut()
            machine.container.close()
        self.lab.close()


@pytest.fixture(scope="module")
def pair():
    if os.geteuid() != 0:
        pytest.skip("containers need root")
    directory = workplace()
    one = Pair(directory)
    yield one
    one.close()
    shutil.rmtree(directory)


@pytest.fixture(autouse=True)
def at_rest(request, pair):
    """Each begins with n1 as master and everything running; a failing one shows the journals."""
    failed = request.session.testsfailed
    for machine in pair.machines.values():
        machine.systemctl("start", "trivet.target", *UNIT.values())
    pair.settle()
    wait_for(lambda: all(m.run("trivet", "status", "--plugin", check=False).returncode == 0
                         for m in pair.machines.values()), "all is well", 30, step=0.2)
    yield
    if request.session.testsfailed > failed:
        for machine in pair.machines.values():
            print(machine.journals())


def test_a_stopped_node_hands_over_at_once_and_takes_back(pair):
    pair.n1.systemctl("stop", "trivet.target")
    pair.settle("n2", timeout=6)
    pair.serves()
    pair.n1.systemctl("start", "trivet.target")
    pair.settle("n1")
    pair.serves()


@pytest.mark.parametrize("words", [
    ("restart", "trivet-proxyd"), ("try-restart", "trivet-proxyd"),
    ("restart", "trivet-vrrpd"), ("try-restart", "trivet-vrrpd"),
    ("restart", "trivet-checkd"), ("restart", "trivet-runner"),
    ("restart", "trivet-proxyd", "trivet-vrrpd", "trivet-checkd", "trivet-runner"),
    ("restart", "trivet.target"),
], ids=lambda words: "-".join(words).replace("trivet-", ""))
def test_a_restart_is_not_felt(pair, words):
    """By no client, no ping, no peer; and in the other node's eyes nothing happened."""
    before = pair.n1.pids()
    seen = [AddressLog(m.node) for m in pair.machines.values()]
    with Load(pair.client, VIP) as load:
        pair.n1.systemctl(*words)
        load.goes_on()
    load.must_be_untouched()
    after = pair.n1.pids()
    for name in DAEMONS:
        hit = f"trivet-{name}" in words or "trivet.target" in words
        assert (after[name] != before[name]) == hit, name
    assert [log.removals(VIP) for log in seen] == [[], []]
    assert pair.holders() == ["n1"]
    wait_for(lambda: pair.n1.container.show(UNIT["proxyd"], "NFileDescriptorStore") == "1",
             "the listeners in the store, nothing else")


def test_over_a_reexecution_of_systemd(pair):
    with Load(pair.client, VIP) as load:
        pair.n1.systemctl("daemon-reexec")
        pair.n1.systemctl("restart", *UNIT.values())
        load.goes_on()
    load.must_be_untouched()
    assert pair.holders() == ["n1"]


def test_a_broken_file_changes_nothing_over_a_restart(pair):
    pair.n1.configure(pair.n1.conf.replace("priority", "prioriy"))
    with Load(pair.client, VIP) as load:
        pair.n1.systemctl("restart", *UNIT.values())
        load.goes_on()
        assert pair.n1.run("trivet", "status", check=False).returncode != 0
    load.must_be_untouched()
    pair.n1.configure(pair.n1.conf)
    pair.n1.run("trivet", "reload")


@pytest.mark.parametrize("name", ["vrrpd", "checkd"])
def test_a_crash_is_not_felt(pair, name):
    seen = [AddressLog(m.node) for m in pair.machines.values()]
    with Load(pair.client, VIP) as load:
        pair.n1.wait_successor(name, pair.n1.kill(name, "KILL"))
        load.goes_on()
    load.must_be_untouched()
    assert [log.removals(VIP) for log in seen] == [[], []]


def test_a_crash_of_proxyd_refuses_nobody(pair):
    """What was established is lost; connects wait for the successor; the address stays."""
    seen = AddressLog(pair.n1.node)
    caller = Caller(pair.client, VIP)
    caller.start()
    wait_for(lambda: caller.done > 5, "clients call")
    pair.n1.wait_successor("proxyd", pair.n1.kill("proxyd", "KILL"))
    done = caller.done
    wait_for(lambda: caller.done > done + 5, "clients go on")
    caller.ended = True
    caller.join()
    assert not [e for _, e in caller.errors if "Refused" in e]
    assert len(caller.errors) <= 1, caller.errors
    assert seen.removals(VIP) == []


def test_a_hang_of_vrrpd_is_two_holders_for_an_instant_at_most(pair):
    """SIGSTOP: the lease ends, the backup takes over; the watchdog ends the hang."""
    both = []
    victim = pair.n1.kill("vrrpd", "STOP")
    began = time.monotonic()

    def taken_over():
        holders = pair.holders()
        if len(holders) == 2:
            both.append(time.monotonic())
        return holders == ["n2"]
    wait_for(taken_over, "n2 alone holds the address", 12, step=0.02)
    moved = time.monotonic() - began
    overlap = both[-1] - both[0] if both else 0.0
    pair.n1.wait_successor("vrrpd", victim, timeout=30)
    pair.settle("n1")
    print(f"hang of vrrpd: moved after {moved:.2f} s, both for {overlap:.2f} s")
    assert overlap < 2.0
    assert "watchdog" in pair.n1.container.journal(UNIT["vrrpd"]).lower()


def test_a_hang_of_proxyd_moves_the_address(pair):
    """Its listeners live on in the store: only the bus knows.  Then the watchdog ends it."""
    victim = pair.n1.kill("proxyd", "STOP")
    began = time.monotonic()
    pair.settle("n2", timeout=15)
    moved = time.monotonic() - began
    print(f"hang of proxyd: moved after {moved:.2f} s")
    pair.serves()
    pair.n1.wait_successor("proxyd", victim, timeout=30)
    pair.settle("n1")
    pair.serves()


def test_a_crash_loop_moves_the_address_and_is_slowed_down(pair):
    """It comes back quickly three times; then it waits, and the other node serves."""
    began = time.monotonic()
    slowed = []

    def still_dying():
        pair.n1.run("sh", "-c", f"kill -KILL $(systemctl show --value -p MainPID {UNIT['proxyd']})",
                    check=False)
        if not slowed and "crashes in a short time: waiting for" in \
                pair.n1.container.journal(UNIT["proxyd"]):
            slowed.append(time.monotonic() - began)
        return slowed and pair.holders() == ["n2"]
    wait_for(still_dying, "n2 holds the address", 30, step=0.1)
    pair.serves()
    print(f"crash loop of proxyd: slowed down after {slowed[0]:.2f} s, moved after "
          f"{time.monotonic() - began:.2f} s")
    wait_for(lambda: pair.n1.is_active("proxyd"), "proxyd is back", 30, step=0.1)
    pair.settle("n1")
    pair.n1.systemctl("restart", UNIT["proxyd"])  # an orderly end: the brake is off


def test_a_stop_during_a_restart_is_a_stop(pair):
    for name in ("proxyd", "vrrpd"):
        pair.n1.systemctl("restart", "--no-block", UNIT[name])
        pair.n1.systemctl("stop", UNIT[name])
        assert not pair.n1.is_active(name)
    # It may have ended for the restart before the stop came: then its lease is what ends.
    wait_for(lambda: not pair.n1.holds_vip(), "the address is released, or its lease over", 5)
    assert pair.n1.container.show(UNIT["proxyd"], "NFileDescriptorStore") == "0"
    pair.settle("n2", timeout=10)


def test_a_start_during_a_stop_brings_it_back(pair):
    pair.n1.systemctl("stop", "--no-block", UNIT["proxyd"])
    pair.n1.systemctl("start", UNIT["proxyd"])
    assert pair.n1.is_active("proxyd")
    wait_for(lambda: pair.holders() != [], "somebody holds the address")


def test_kill_without_a_job(pair):
    """systemctl kill: nobody said restart, so it is a stop; and then it comes back."""
    victims = pair.n1.pids()
    for name in DAEMONS:
        pair.n1.systemctl("kill", UNIT[name])
    for name in DAEMONS:
        pair.n1.wait_successor(name, victims[name])
    pair.settle("n1")


def test_everything_killed_at_once(pair):
    """The first good request after it, and no refused one."""
    caller = Caller(pair.client, VIP)
    caller.start()
    wait_for(lambda: caller.done > 5, "clients call")
    victims = pair.n1.pids()
    began = time.monotonic()
    pair.n1.run("kill", "-KILL", *victims.values())
    for name in DAEMONS:
        pair.n1.wait_successor(name, victims[name])
    wait_for(lambda: [t for t in caller.good_at if t > began + 0.2], "a request is answered", 30)
    good = [began] + [t for t in caller.good_at if t > began]
    longest = max(b - a for a, b in zip(good, good[1:]))
    caller.ended = True
    caller.join()
    print(f"all killed at once: {longest * 1000:.0f} ms without an answer")
    assert not [e for _, e in caller.errors if "Refused" in e]
    pair.settle("n1")


def upgraded(machine, directory, apt=True):
    verb = "apt-get install -y -q --allow-downgrades" if apt else "dpkg -i"
    before = machine.pids()
    starts = machine.container.journal(UNIT["proxyd"]).count("Started trivet")
    machine.run("sh", "-c", f"{verb} /var/debs/{directory}/*.deb", timeout=300)
    after = machine.pids()
    assert all(after[name] not in (0, before[name]) for name in DAEMONS)
    again = machine.container.journal(UNIT["proxyd"]).count("Started trivet")
    assert again == starts + 1, "each daemon once"
    return after


def test_an_upgrade_is_not_felt_nor_the_way_back(pair):
    """N to N+1 and back, whose records differ, on both nodes, the backup first."""
    now, later = pair.n1.version("proxyd"), None
    seen = [AddressLog(m.node) for m in pair.machines.values()]
    with Load(pair.client, VIP) as load:
        upgraded(pair.n2, "next")
        load.goes_on()
        upgraded(pair.n1, "next")
        load.goes_on()
        later = pair.n1.version("proxyd")
        assert later != now and later == pair.n2.version("trivet")
        status = pair.n1.run("trivet", "--json", "status").stdout
        assert f'"{later}"' in status
        upgraded(pair.n1, "now", apt=False)
        load.goes_on()
        assert pair.n1.version("proxyd") == now
        load.goes_on()
    load.must_be_untouched()
    assert [log.removals(VIP) for log in seen] == [[], []]


def test_the_master_loses_power_under_load(pair):
    """Last of all: n1 is gone for good."""
    caller = Caller(pair.client, VIP, timeout=0.5)
    caller.start()
    wait_for(lambda: caller.done > 5, "clients call")
    began = time.monotonic()
    pair.n1.node.cable("eth0", "down")  # the namespace outlives the machine in it
    pair.n1.container.power_cut()
    wait_for(lambda: pair.n2.holds_vip(), "n2 holds the address", 15)
    wait_for(lambda: [t for t in caller.good_at if t > began + 0.5], "requests are answered", 15)
    first = min(t for t in caller.good_at if t > began + 0.5) - began
    caller.ended = True
    caller.join()
    print(f"power cut: first request after {first:.2f} s")
