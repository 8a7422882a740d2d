"""A planned restart is not felt: the service manager says that it is one, the
addresses and their lease stay, the next process goes on."""

import os
import socket
import threading

import pytest

from lab import holds_for, wait_for
from vrrp import VIP, AddressLog, Pair, globals_of, instance


class Supervisor:
    """What vrrpd asks at SIGTERM (common/notify.h): which job is this?"""

    def __init__(self, node, answer):
        self.path = node.dir / "supervisor"
        self.answer = answer
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(str(self.path))
        os.chmod(self.path, 0o666)
        self.sock.listen()
        self.asked = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.sock.accept()
            except OSError:
                return
            with peer:
                self.asked.append(peer.makefile().readline())
                peer.sendall(f"{self.answer}\n".encode())

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


def pair_of(lab, conf, peer, answer="restart"):
    pair = Pair(lab, conf, ("trivet", peer), start=False)
    supervisor = Supervisor(pair.r1, answer)
    start = lambda text=None: pair.r1.daemon(  # noqa: E731
        "vrrpd", text, env={"TRIVET_SUPERVISOR": str(supervisor.path)})
    pair.procs[0] = start(pair.texts[0])
    pair.start(1)
    pair.settle("r1")
    return pair, supervisor, start


def seconds(name, priority, own, peer):
    return globals_of(name) + instance(priority=priority, peer=peer, source=own,
                                       password="secret12")


def tenths(name, priority, own, peer):
    return globals_of(name) + instance(priority=priority, advert_int=0.1, extra="version 3")


@pytest.mark.parametrize("peer", ["trivet", "keepalived"])
@pytest.mark.parametrize("conf", [seconds, tenths], ids=["v2-1s", "v3-100ms"])
def test_a_restart_is_not_felt(lab, conf, peer):
    pair, supervisor, start = pair_of(lab, conf, peer)
    capture, log = pair.r2.capture("proto 112"), AddressLog(pair.r1)
    for _ in range(2):
        pair.procs[0].stop()
        assert pair.r1.holds(VIP), "left standing"
        pair.procs[0] = start()
        pair.procs[0].wait_log(r"\(VI_1\) resumed as master")
    holds_for(lambda: pair.holders() == ["r1"], "nothing moved", 4)
    capture.stop()
    assert len(supervisor.asked) == 2
    assert log.removals(VIP) == []
    assert capture.tshark("vrrp.prio == 0") == []
    assert {row[0] for row in capture.tshark("vrrp", "ip.src")} == {"10.4.7.11"}
    supervisor.close()


def test_a_stop_is_one(lab):
    pair, supervisor, _ = pair_of(lab, seconds, "trivet", answer="stop")
    pair.procs[0].stop()
    assert not pair.r1.holds(VIP)
    pair.settle("r2", timeout=3)
    supervisor.close()


def test_a_restart_that_never_comes_back(lab):
    """The lease ends as with any dead node."""
    pair, supervisor, _ = pair_of(lab, seconds, "trivet")
    pair.procs[0].stop()
    wait_for(lambda: not pair.r1.holds(VIP), "the lease ended")
    pair.settle("r2", timeout=5)
    supervisor.close()
