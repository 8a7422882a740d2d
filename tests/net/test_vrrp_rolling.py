"""A rolling change: a keepalived pair, node by node and on the same text, to a
trivet pair and back, while a client asks the address all the time."""

import time

from holders import Prober, Watch
from lab import holds_for, wait_for
from test_vrrp_pair import SKEW_90, unicast
from vrrp import VIP, Pair

# The lesser node first each time, as one does it.
STEPS = [(1, "trivet"), (0, "trivet"), (1, "keepalived"), (0, "keepalived")]
MASTER_DOWN = 3 + SKEW_90
DOUBLE = 0.1
SLACK = 1.0  # a machine with other work; with SKEW_90 still far from a master-down interval


def test_keepalived_to_trivet_and_back(lab):
    pair = Pair(lab, unicast, ["keepalived", "keepalived"])
    pair.settle("r1")
    client = lab.node("client", "10.4.7.99/24")
    prober, watch = Prober(client, VIP, 0.01), Watch(pair.nodes, VIP)

    for which, kind in STEPS:
        step = f"{pair.nodes[which].name} from {pair.kinds[which]} to {kind}"
        watch.late, begin = 0.0, time.monotonic()
        assert pair.procs[which].stop() == 0, step
        pair.kinds[which] = kind
        pair.start(which)
        pair.settle("r1")
        if which == 1:
            # The new one was not merely quiet because its time had not come yet.
            holds_for(lambda: pair.holders() == ["r1"], step, MASTER_DOWN + 0.5, step=0.25)
        settled = time.monotonic()
        wait_for(lambda: [mac for t, mac in prober.answers() if t > settled][-1:]
                 == [pair.r1.mac()], f"{step}: r1 answers")
        end = time.monotonic()

        # One's stop and return are two moves, the other's are none.
        moves = [[], []] if which == 1 else [[False, True], [True, False]]
        assert [watch.changes(n.name, begin, end) for n in pair.nodes] == moves, step
        double = max([b - a for a, b in watch.both(begin, end)], default=0.0)
        silence = prober.silence(begin, end)
        said = (f"{step}: {double * 1000:.0f} ms with two holders, {silence * 1000:.0f} ms "
                f"without an answer, {watch.late * 1000:.0f} ms late at most")
        print(said)
        assert double < DOUBLE + 2 * watch.late, said
        assert silence < (SKEW_90 if which == 0 else 0) + SLACK, said
    assert watch.changes("r1", end, time.monotonic()) == []
