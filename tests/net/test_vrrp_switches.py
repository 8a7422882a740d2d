"""Departures from the RFC that can be switched off, one by one."""

import time

import pytest

from lab import PATIENCE, holds_for, wait_for
from vrrp import Pair, globals_of, instance

DOWN_100 = 3 + 156 / 256  # the master-down interval of the better node, seconds


@pytest.mark.parametrize("on", ["on", "off"])
def test_fast_preempt(lab, on):
    """The better node is back: one skew time, or a whole master-down interval."""
    def conf(name, priority, own, peer):
        return globals_of(name) + instance(priority=priority, peer=peer, source=own,
                                           extra=f"fast_preempt {on}")
    pair = Pair(lab, conf, start=False)
    pair.start(1)
    pair.settle("r2")
    pair.start(0)
    began = time.monotonic()
    pair.settle("r1", timeout=8)
    took = time.monotonic() - began
    if on == "on":
        assert took < (DOWN_100 - 0.5) * PATIENCE
    else:
        assert took > DOWN_100 - 0.5


def test_yield_when_deaf_off(lab):
    """As keepalived: both hold it for as long as the worse node does not hear the better one."""
    def conf(name, priority, own, peer):
        return globals_of(name) + instance(priority=priority, peer=peer, source=own,
                                           extra="yield_when_deaf off")
    pair = Pair(lab, conf)
    pair.settle("r1")
    pair.r2.run(["nft", "add table ip cut; add chain ip cut in { type filter hook input priority "
                 "0; }; add rule ip cut in ip protocol vrrp drop"])
    wait_for(lambda: pair.holders() == ["r1", "r2"], "both hold it", timeout=8)
    holds_for(lambda: pair.holders() == ["r1", "r2"], "for as long as it lasts", 6)
    pair.r2.run(["nft", "delete table ip cut"])
    pair.settle("r1", timeout=8)
