"""One-way loss: the better node's adverts do not arrive.  It gives way, so that
one holder remains; the design's bar is 3 s with two at an interval of 1 s."""

import time

import pytest

from lab import holds_for, wait_for
from vrrp import Pair
from test_vrrp_pair import multicast, unicast


def be_deaf(node, deaf=True):
    """The node hears no VRRP: a firewall's mistake, a switch's."""
    if deaf:
        node.run(["nft", "add table inet cut; "
                  "add chain inet cut in { type filter hook input priority 0; }; "
                  "add rule inet cut in meta l4proto 112 drop"])
    else:
        node.run(["nft", "delete table inet cut"])


@pytest.mark.parametrize("wire", [unicast, multicast])
@pytest.mark.parametrize("peer", ["trivet", "keepalived"])
def test_one_holder_remains(lab, wire, peer):
    pair = Pair(lab, wire, ("trivet", peer))
    pair.settle("r1")
    be_deaf(pair.r2)
    wait_for(lambda: len(pair.holders()) == 2, "r2 takes the address as well", 6)
    began = time.monotonic()
    wait_for(lambda: pair.holders() == ["r2"], "r1 gives way", 6)
    assert time.monotonic() - began < 3
    pair.procs[0].wait_log(r"\(VI_1\) Entering BACKUP STATE: 10\.4\.7\.12, of priority 90, "
                           r"does not hear us \(ours 100\): giving way to it, deaf")
    holds_for(lambda: pair.holders() == ["r2"], "one holder for as long as it lasts", 4)

    # Healed: nothing moves by itself before the next question, a minute later ...
    be_deaf(pair.r2, False)
    holds_for(lambda: pair.holders() == ["r2"], "the master is well and stays", 4)
    # ... but a link that comes back is another path.
    pair.r1.link("eth0", "down")
    pair.r1.link("eth0", "up")
    pair.settle("r1")


def test_another_address_list_is_a_collision(lab):
    """Somebody else's router with our VRID: never give way to it."""
    pair = Pair(lab, unicast, start=False)
    pair.texts = (pair.texts[0], pair.texts[1].replace("10.4.7.10/24", "10.4.7.99/24"))
    pair.start(0)
    wait_for(lambda: pair.r1.holds("10.4.7.10"), "r1 is master")
    be_deaf(pair.r2)
    pair.start(1)
    wait_for(lambda: pair.r2.holds("10.4.7.99"), "r2 is master of its own address")
    holds_for(lambda: pair.r1.holds("10.4.7.10"), "r1 stays", 5)
