"""One node with all three daemons under `trivet run`, requests flowing through
it all the time: a client asks the VIP, proxyd passes it on to two web servers.

What is killed, restarted or broken here must not be felt by the client, or only
as the design says (design.md section 2).
"""

import os
import signal
import threading
import time

import pytest

from lab import DAEMONS, VarlinkError, holds_for, wait_for

VIP = "10.4.7.10"
CONF = """
vrrp_script chk_service {{
    script "killall -0 {service}"
    interval 1
    timeout 5
    weight -20
}}
vrrp_instance VI_1 {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 1
    virtual_ipaddress {{
        10.4.7.10/24
    }}
    track_script {{
        chk_service
    }}
}}
stream {{
    upstream web {{
        server 10.4.7.21:8080 max_fails=3 fail_timeout=30s;
        server 10.4.7.22:8080 max_fails=3 fail_timeout=30s;
    }}
    server {{
        listen 10.4.7.10:80;
        proxy_connect_timeout 2s;
        proxy_timeout 900s;
        proxy_pass web;
    }}
}}
"""


class Site:
    """r1 with the suite, two web servers, a client that has begun to ask."""

    def __init__(self, lab):
        lab.switch("lan")
        self.r1 = lab.node("r1", "10.4.7.11/24")
        self.web = {n: lab.node(n, f"10.4.7.2{n[-1]}/24") for n in ("w1", "w2")}
        self.servers = {n: node.web(8080) for n, node in self.web.items()}
        self.client = lab.node("client", "10.4.7.31/24")
        self.service = self.r1.service("svc")
        self.suite = self.r1.suite(self.conf())
        wait_for(lambda: self.r1.holds(VIP), "r1 has the VIP", timeout=8)
        wait_for(lambda: self.r1.instance("VI_1")["effectivePriority"] == 100, "the check is good")
        self.pulse = self.client.pulse(VIP, 80)
        self.pulse.more(10)

    def conf(self):
        return CONF.format(service=self.service.comm)

    def pids(self):
        return {daemon: self.r1.daemon_pid(daemon) for daemon in DAEMONS}

    def others_untouched(self, daemon, before):
        after = self.pids()
        assert after.pop(daemon) != before[daemon]
        assert after == {k: v for k, v in before.items() if k != daemon}

    def back(self, daemon, old_pid):
        """The daemon has a successor that answers."""
        def answered():
            try:
                return self.r1.daemon_pid(daemon) != old_pid
            except (OSError, EOFError, VarlinkError):
                return False
        wait_for(answered, f"{daemon} is back", timeout=8)

    def peers_live(self):
        """Everybody who looks at somebody else's state sees it live."""
        return all(peer["state"] == "live" for daemon in DAEMONS
                   for peer in self.r1.status(daemon)["peers"])


class Watch:
    """All that vrrpd says about VI_1 while it lasts: states and priorities seen."""

    def __init__(self, node):
        self.seen = []
        self.bus = node.varlink("vrrpd", timeout=60)
        first = threading.Event()

        def listen():
            try:
                for reply in self.bus.more("org.trivet.vrrp.Monitor"):
                    for one in reply.get("instances") or []:
                        self.seen.append((one["state"], one["effectivePriority"]))
                    first.set()
            except (OSError, EOFError, ValueError):
                pass
        self.thread = threading.Thread(target=listen, daemon=True)
        self.thread.start()
        assert first.wait(5)

    def stop(self):
        self.bus.sock.shutdown(2)
        self.thread.join(5)
        self.bus.close()
        return self.seen


def test_requests_are_forwarded_to_both_servers(lab):
    site = Site(lab)
    wait_for(lambda: site.pulse.answers() == {"w1", "w2"}, "both servers answer")
    assert site.pulse.failures() == []


def test_a_stopped_server_is_not_felt(lab):
    """No request begun after the server ended fails.

    One that the server's own end cut off, its bytes already passed, cannot be
    given to another server by anybody who does not know the protocol; the client
    asks one thing at a time, so that is one request at most.
    """
    site = Site(lab)
    cut_off = []
    for name in ("w1", "w2"):
        site.servers[name].stop()
        ended = time.monotonic()
        site.pulse.more(60)
        failures = [f for f in site.pulse.failures() if f not in cut_off]
        assert [f for f in failures if f["at"] > ended] == []
        assert len(failures) <= 1
        cut_off += failures
        site.servers[name] = site.web[name].web(8080)
        # Until it is tried again by itself, only the other one answers; then both do.
        seen = len(site.pulse.results())
        wait_for(lambda: {r["answer"] for r in site.pulse.results()[seen:]} == {"w1", "w2"},
                 f"{name} is used again", timeout=45)
    assert site.pulse.failures() == cut_off


def restart(site, daemon):
    site.r1.trivet("restart", daemon)


def kill9(site, daemon):
    os.kill(site.r1.daemon_pid(daemon), signal.SIGKILL)


@pytest.mark.parametrize("how", [restart, kill9])
@pytest.mark.parametrize("daemon", DAEMONS)
def test_one_daemon_restarted_alone_while_requests_flow(lab, daemon, how):
    site = Site(lab)
    before = site.pids()
    watch = Watch(site.r1) if daemon != "vrrpd" else None
    how(site, daemon)
    site.back(daemon, before[daemon])
    site.others_untouched(daemon, before)
    wait_for(site.peers_live, "the others are connected again", timeout=8)
    site.pulse.more(60)
    holds_for(lambda: site.r1.holds(VIP), "the VIP stays", 3.0)
    assert site.r1.instance("VI_1")["state"] == "master"
    if watch:
        # Verdicts and pool health are held over the restart: nothing moved in between.
        assert set(watch.stop()) == {("master", 100)}
    if daemon == "proxyd":
        # Its listeners end with it: a moment's connects are refused, no more than that.
        assert site.pulse.longest_gap() < 1.0
    else:
        assert site.pulse.failures() == []


def test_verdicts_are_held_while_checkd_is_away_and_renewed_after(lab):
    """The service stops while checkd is down: the old verdict holds, the new one counts."""
    site = Site(lab)
    watch = Watch(site.r1)
    before = site.pids()
    kill9(site, "checkd")
    site.service.stop()
    site.back("checkd", before["checkd"])
    wait_for(lambda: site.r1.instance("VI_1")["effectivePriority"] == 80, "the new verdict counts")
    assert set(watch.stop()) == {("master", 100), ("master", 80)}


BROKEN = {
    "unknown word": lambda text: text.replace("priority 100", "prioriy 100"),
    "missing brace": lambda text: text.rstrip().rstrip("}"),
    "bad value": lambda text: text.replace("virtual_router_id 51", "virtual_router_id 512"),
    "bad reference": lambda text: text.replace("proxy_pass web;", "proxy_pass webb;"),
}


@pytest.mark.parametrize("error", BROKEN)
def test_a_broken_file_changes_nothing_that_runs(lab, error):
    site = Site(lab)
    site.r1.write("trivet.conf", BROKEN[error](site.conf()))

    before = site.pids()
    done = site.r1.trivet("reload", check=False)
    assert done.returncode != 0
    assert "trivet.conf:" in done.stdout + done.stderr
    assert site.pids() == before

    for daemon in DAEMONS:
        for how in (restart, kill9):
            old = site.pids()
            how(site, daemon)
            site.back(daemon, old[daemon])
            assert site.r1.holds(VIP)
    site.pulse.more(20)
    assert site.r1.instance("VI_1")["state"] == "master"
    assert {site.r1.status(daemon)["health"] for daemon in DAEMONS} == {"degraded"}
    assert site.r1.trivet("status", check=False).returncode != 0

    site.r1.write("trivet.conf", site.conf())
    site.r1.trivet("reload")
    wait_for(lambda: {site.r1.status(daemon)["health"] for daemon in DAEMONS} == {"ok"},
             "all is well again")


def test_stopping_the_suite_leaves_nothing_behind(lab):
    site = Site(lab)
    site.pulse.proc.stop()
    assert site.suite.stop() == 0
    assert not site.r1.holds(VIP)
    assert site.r1.pids() == [site.service.pid]
    routes = site.r1.ip("route", "show", "table", "all")
    assert VIP not in routes


def test_the_runner_killed_is_back_and_checks_go_on(lab):
    site = Site(lab)
    runner = site.r1.pids_of("trivet-runner")
    assert len(runner) == 1
    watch = Watch(site.r1)
    os.kill(runner[0], signal.SIGKILL)
    wait_for(lambda: site.r1.pids_of("trivet-runner") not in ([], runner), "the runner is back")
    site.service.stop()
    wait_for(lambda: site.r1.instance("VI_1")["effectivePriority"] == 80, "the check still works")
    assert set(watch.stop()) == {("master", 100), ("master", 80)}


def test_everything_killed_at_once_comes_back_with_the_address(lab):
    """`trivet run` lives; all its children die in one instant."""
    site = Site(lab)
    before = site.pids()
    for sig in (signal.SIGSTOP, signal.SIGKILL):
        for pid in before.values():
            os.kill(pid, sig)
    for daemon in DAEMONS:
        site.back(daemon, before[daemon])
    started = time.monotonic()
    site.pulse.more(20)
    assert time.monotonic() - started < 8
    assert site.r1.instance("VI_1")["state"] == "master"
