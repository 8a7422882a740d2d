"""The packages on a machine with a real systemd: installed, started from the
configuration they ship, restarted one by one, broken, upgraded, purged.

One container for the whole file: the tests are the life of one machine, in
order.  The packages are those in TRIVET_DEBS (make deb puts them there).
"""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from container import Container, workplace

CHECKOUT = Path(__file__).resolve().parents[2]
DEBS = Path(os.environ.get("TRIVET_DEBS", CHECKOUT / "build/deb"))
DAEMONS = ("vrrpd", "checkd", "proxyd")
UNITS = {name: f"trivet-{name}.service" for name in DAEMONS + ("runner",)}

NET_BIND_SERVICE, NET_ADMIN, NET_RAW = 1 << 10, 1 << 12, 1 << 13
CAPS = {"vrrpd": NET_ADMIN | NET_RAW, "checkd": 0, "proxyd": NET_BIND_SERVICE}

VIP = "10.9.8.10"
CONF = f"""
vrrp_script asked {{
	script "/usr/local/bin/asked"
	interval 1
	weight -20
}}
vrrp_instance VI_1 {{
	interface eth0
	virtual_router_id 51
	priority 100
	advert_int 1
	virtual_ipaddress {{
		{VIP}/24
	}}
	track_script {{
		asked
	}}
}}
stream {{
	server {{
		listen 80;
		proxy_pass 127.0.0.1:8080;
	}}
}}
"""


def until(predicate, what, timeout=15):
    limit = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        assert time.monotonic() < limit, f"not within {timeout} s: {what}; last {value!r}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def machine():
    if os.geteuid() != 0:
        pytest.skip("containers need root")
    directory = workplace()
    with Container(directory) as one:
        yield one
    shutil.rmtree(directory)


@pytest.fixture(autouse=True)
def journals(request, machine):
    """A failing test shows what the units said."""
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed:
        for unit in UNITS.values():
            print(f"---- {unit}\n{machine.journal(unit)[-3000:]}")


def pid(machine, name):
    return int(machine.show(UNITS[name], "MainPID"))


def kill9(machine, name):
    """Returns when there is a successor."""
    victim = pid(machine, name)
    assert victim > 0, f"{name} does not run"
    machine.run("kill", "-KILL", victim)
    until(lambda: active(machine, name) and pid(machine, name) not in (0, victim),
          f"{name} is back")


def pids(machine):
    return {name: pid(machine, name) for name in UNITS}


def active(machine, name):
    return machine.show(UNITS[name], "ActiveState") == "active"


def all_active(machine):
    return all(active(machine, name) for name in UNITS)


def has_vip(machine):
    return f" {VIP}/" in machine.run("ip", "-4", "addr", "show", "dev", "eth0").stdout


def configure(machine, text):
    machine.run("sh", "-c", "cat > /etc/trivet/trivet.conf", input=text)


def debs():
    return [p for p in sorted(DEBS.glob("*.deb")) if "-dbgsym_" not in p.name]


def test_they_install_and_start_from_the_shipped_configuration(machine):
    assert len(debs()) == 7, f"run `make deb` first: {debs()}"
    target = machine.root / "var/debs"
    target.mkdir()
    for deb in debs():
        subprocess.run(["cp", str(deb), str(target)], check=True)
    machine.sh("dpkg -i /var/debs/*.deb")
    until(lambda: all_active(machine), "all units are active")
    assert machine.show("trivet.target", "ActiveState") == "active"
    assert machine.run("systemctl", "--failed", "--plain", "--no-legend").stdout == ""
    assert machine.sh("stat -c '%U:%G %a' /etc/trivet/trivet.conf").stdout == "root:_trivet 640\n"
    for name in DAEMONS:
        assert machine.show(UNITS[name], "NRestarts") == "0"
        assert machine.sh(f"stat -c '%U:%G %a' /run/trivet/{name}").stdout == \
            f"_trivet-{name}:_trivet 750\n"
        assert machine.sh(f"readlink /run/trivet/{name}.sock").stdout == f"{name}/bus\n"


def test_systemd_has_nothing_to_say_about_the_units(machine):
    done = machine.run("systemd-analyze", "verify", "--man=no", *UNITS.values(), "trivet.target")
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize("name", DAEMONS)
def test_what_a_running_daemon_may_do(machine, name):
    text = machine.run("cat", f"/proc/{pid(machine, name)}/status").stdout
    status = dict((k, v.split()) for k, _, v in (line.partition(":") for line in text.splitlines()))
    user = machine.run("id", "-u", f"_trivet-{name}").stdout.strip()
    assert status["Uid"] == [user] * 4
    for which in ("CapPrm", "CapEff", "CapBnd"):
        assert int(status[which][0], 16) == CAPS[name], which
    assert int(status["CapAmb"][0], 16) == 0
    assert int(status["CapInh"][0], 16) & ~CAPS[name] == 0
    assert status["NoNewPrivs"] == ["1"]
    assert status["Seccomp"] == ["2"]


def test_the_runner_is_the_only_root(machine):
    text = machine.run("cat", f"/proc/{pid(machine, 'runner')}/status").stdout
    assert "Uid:\t0\t0\t0\t0" in text
    assert machine.sh("stat -c '%U:%G %a' /run/trivet/runner.sock").stdout == "root:_trivet 660\n"


def test_the_command_answers(machine):
    said = machine.run("trivet", "status")
    for name in DAEMONS:
        assert name in said.stdout
    assert machine.run("trivet", "check", "/etc/trivet/trivet.conf").returncode == 0


@pytest.mark.parametrize("name", DAEMONS)
def test_restarting_one_leaves_the_others_alone(machine, name):
    before = pids(machine)
    machine.run("systemctl", "restart", UNITS[name])
    after = pids(machine)
    assert after[name] not in (0, before[name])
    assert {k: v for k, v in after.items() if k != name} == \
        {k: v for k, v in before.items() if k != name}


@pytest.mark.parametrize("name", tuple(UNITS))
def test_a_killed_one_comes_back_alone(machine, name):
    before = pids(machine)
    kill9(machine, name)
    after = pids(machine)
    assert {k: v for k, v in after.items() if k != name} == \
        {k: v for k, v in before.items() if k != name}


def test_six_quick_restarts_leave_it_up(machine):
    for _ in range(6):
        machine.run("systemctl", "restart", UNITS["checkd"])
    assert active(machine, "checkd")


def test_a_real_configuration_by_reload(machine):
    machine.sh("ip link add eth0 type veth peer name far && ip link set far up && "
               "ip link set eth0 up && ip addr add 10.9.8.11/24 dev eth0")
    machine.sh("printf '#!/bin/sh\\nid -un > /var/asked\\n' > /usr/local/bin/asked && "
               "chmod 755 /usr/local/bin/asked")
    before = pids(machine)
    configure(machine, CONF)
    machine.run("trivet", "reload")
    until(lambda: has_vip(machine), "the address is there")
    until(lambda: machine.sh("ss -Hltn 'sport = :80'").stdout, "proxyd listens on a low port")
    # The script's user is root: it ran in the runner's unit, not in a sandbox.
    until(lambda: machine.sh("cat /var/asked", check=False).stdout == "root\n", "the script ran")
    assert pids(machine) == before


def test_the_address_survives_a_restart_and_a_crash_and_leaves_at_a_stop(machine):
    machine.run("systemctl", "restart", UNITS["vrrpd"])
    assert has_vip(machine)
    kill9(machine, "vrrpd")
    assert has_vip(machine)
    machine.run("systemctl", "stop", UNITS["vrrpd"])
    assert not has_vip(machine)
    machine.run("systemctl", "start", UNITS["vrrpd"])
    until(lambda: has_vip(machine), "the address is back")


def message_ids():
    """{(key, value): id} of common/message.c."""
    rows = re.findall(r'\{ "(\w+)", (?:"([\w-]+)"|NULL),\s*"([0-9a-f]{32})"',
                      (CHECKOUT / "common/message.c").read_text())
    return {(key, value): one for key, value, one in rows}


def test_the_journal_knows_messages_by_what_they_are(machine):
    ids = message_ids()
    said = machine.run("journalctl", "-o", "json", f"MESSAGE_ID={ids[('to', 'MASTER')]}").stdout
    entry = json.loads(said.splitlines()[-1])
    assert "Entering MASTER STATE" in entry["MESSAGE"]
    assert entry["TRIVET_TO"] == "MASTER" and entry["TRIVET_FROM"] == "BACKUP"
    assert entry["_SYSTEMD_UNIT"] == UNITS["vrrpd"]
    assert entry["PRIORITY"] == "5" and entry["SYSLOG_IDENTIFIER"] == "vrrpd"
    for key in (("configuration", "reloaded"), ("resumed", "")):
        assert machine.run("journalctl", "-o", "cat", f"MESSAGE_ID={ids[key]}").stdout
    explained = machine.run("journalctl", "-x", "-n", "1",
                            f"MESSAGE_ID={ids[('resumed', '')]}").stdout
    assert "A new vrrpd went on as master" in explained


def test_without_the_system_bus_a_restart_is_a_stop_and_says_so(machine):
    """Nobody can be asked which job it is: the safe answer, and the way back by itself."""
    machine.run("systemctl", "stop", "dbus.socket", "dbus.service")
    try:
        for name in ("vrrpd", "proxyd", "checkd"):
            before = pid(machine, name)
            machine.run("systemctl", "restart", UNITS[name])
            assert pid(machine, name) not in (0, before)
            until(lambda: "stopping: the system bus cannot be reached"
                  in machine.journal(UNITS[name]), "it says so")
    finally:
        machine.run("systemctl", "start", "dbus.socket")
    until(lambda: has_vip(machine), "the address is back")
    until(lambda: machine.sh("ss -Hltn 'sport = :80'").stdout, "proxyd listens")


def test_missing_directories_are_made_again(machine):
    """tmpfiles has not run, or somebody cleaned up: one line, and one command."""
    machine.run("systemctl", "stop", UNITS["checkd"])
    machine.sh("rm -r /run/trivet/checkd")
    machine.run("systemctl", "start", "--no-block", UNITS["checkd"])
    until(lambda: "/run/trivet/checkd: No such file or directory (--run-dir; made by root at "
          "start, or by systemd-tmpfiles)" in machine.journal(UNITS["checkd"]), "it says so")
    machine.run("systemd-tmpfiles", "--create")
    until(lambda: active(machine, "checkd"), "it starts by itself then")
    machine.run("systemctl", "restart", UNITS["checkd"])


def test_a_broken_file_changes_nothing_that_runs(machine):
    configure(machine, CONF.replace("priority 100", "prioriy 100"))
    for name in DAEMONS:
        machine.run("systemctl", "reload", UNITS[name], check=False)
        machine.run("systemctl", "restart", UNITS[name])
        assert active(machine, name)
    until(lambda: has_vip(machine), "the last good configuration runs")
    kill9(machine, "vrrpd")
    # Not at once: it has adopted its addresses three times within ten leases by now.
    until(lambda: has_vip(machine), "after a crash, too")
    assert machine.run("trivet", "status", check=False).returncode != 0
    configure(machine, CONF)
    for name in DAEMONS:
        machine.run("systemctl", "reload", UNITS[name])
    until(lambda: machine.run("trivet", "status", check=False).returncode == 0, "all is well")


def test_the_target_stops_and_starts_all(machine):
    machine.run("systemctl", "stop", "trivet.target")
    until(lambda: not any(active(machine, name) for name in UNITS), "all are stopped")
    assert not has_vip(machine)
    machine.run("systemctl", "start", "trivet.target")
    until(lambda: all_active(machine), "all are active")
    until(lambda: has_vip(machine), "the address is there")


CHECKS = """
check web {
	http http://127.0.0.1:81/
}
check safe_web {
	https https://127.0.0.1:81/
}
check name {
	dns 127.0.0.1 example.org
}
check named {
	tcp here.lab:81
}
check gateway {
	ping 127.0.0.1
}
check gateway6 {
	ping ::1
}
"""


def test_checks_over_the_network_within_the_units_walls(machine):
    """Nobody is there, and that is what they say: the module is loaded, sockets are open.

    A ping is answered: the package has made the kernel allow it.
    """
    machine.sh("echo 127.0.0.1 here.lab >> /etc/hosts")
    configure(machine, CONF + CHECKS)
    machine.run("trivet", "reload")

    def refused():
        said = machine.journal(UNITS["checkd"])
        return all(f"check {name} is down: {detail}" in said for name, detail in (
            ("web", "connect: Connection refused"), ("safe_web", "connect: Connection refused"),
            ("name", "Connection refused"), ("named", "connect: Connection refused")))
    until(refused, "each has looked")
    until(lambda: all(f"check {name} is up" in machine.journal(UNITS["checkd"])
                      for name in ("gateway", "gateway6")), "pings are answered")
    configure(machine, CONF)
    machine.run("trivet", "reload")


LOGGED = CONF.replace("stream {", """stream {
	log_format short '$remote_addr $close_reason';
	access_log /var/log/trivet/web.log short;""")


def test_logs_are_rotated(machine):
    """By the file that the package brings: what was open is written out, then a new one."""
    configure(machine, LOGGED)
    machine.run("trivet", "reload")
    log = machine.root / "var/log/trivet/web.log"

    def call():
        machine.run("bash", "-c", ": < /dev/tcp/127.0.0.1/80 && cat < /dev/tcp/127.0.0.1/80",
                    check=False)
    call()
    until(lambda: log.exists() and log.read_text().startswith("127.0.0.1 "), "a line is there")
    machine.run("logrotate", "-f", "/etc/logrotate.d/trivet-proxyd")
    old = log.with_name("web.log.1")
    until(lambda: log.exists() and old.exists(), "a new file")
    call()
    until(lambda: log.read_text().startswith("127.0.0.1 "), "lines go into the new one")
    assert machine.sh("stat -c '%U %a' /var/log/trivet/web.log").stdout == "_trivet-proxyd 640\n"
    configure(machine, CONF)
    machine.run("trivet", "reload")


def test_the_packages_own_test(machine):
    """debian/tests/smoke, as autopkgtest would run it."""
    shutil.copy(CHECKOUT / "packaging/debian/tests/smoke", machine.root / "var/smoke")
    done = machine.run("/var/smoke", timeout=180)
    assert "smoke: all is well" in done.stdout
    machine.run("ip", "address", "show")
    configure(machine, CONF)
    machine.run("trivet", "reload")
    until(lambda: has_vip(machine), "the address is there")


def test_bug_script(machine):
    said = machine.sh("exec 3>&1; . /usr/share/bug/trivet-common/script").stdout \
        if (machine.root / "usr/share/bug/trivet-common/script").exists() \
        else machine.sh("exec 3>&1; . /usr/share/bug/trivet-common").stdout
    assert "VI_1" in said and "trivet-proxyd.service" in said
    assert "auth_pass" not in said


def test_upgrading_one_changes_that_one_only(machine):
    before = pids(machine)
    machine.sh("dpkg -i /var/debs/trivet-checkd_*.deb")
    after = pids(machine)
    assert after.pop("checkd") not in (0, before.pop("checkd"))
    assert after == before
    machine.sh("dpkg -i /var/debs/trivet-common_*.deb")
    after = pids(machine)
    assert {k: after[k] for k in ("vrrpd", "proxyd")} == \
        {k: before[k] for k in ("vrrpd", "proxyd")}
    assert has_vip(machine)


def test_purging_leaves_nothing(machine):
    machine.sh("dpkg --purge trivet trivet-vrrpd trivet-checkd trivet-checkd-http trivet-proxyd "
               "trivet-cli trivet-common")
    assert not has_vip(machine)
    left = machine.sh("ls -d /etc/trivet /run/trivet /var/lib/trivet /var/log/trivet /usr/sbin/vrrpd "
                      "/usr/lib/systemd/system/trivet* /etc/systemd/system/*/trivet* "
                      "/etc/apparmor.d/usr.sbin.[vcp]* /etc/apparmor.d/local/usr.sbin.[vcp]* "
                      "/usr/share/bash-completion/completions/trivet "
                      "/usr/share/zsh/vendor-completions/_trivet /etc/logrotate.d/trivet* "
                      "2>/dev/null", check=False)
    assert left.stdout == ""
    assert machine.run("systemctl", "--failed", "--plain", "--no-legend").stdout == ""
    assert machine.sh("pgrep -x 'vrrpd|checkd|proxyd|trivet-runner'", check=False).stdout == ""
