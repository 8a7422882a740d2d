"""More changes of addresses than the netlink socket holds: what was not heard is read."""

import signal

from lab import wait_for
from vrrp import VIP, globals_of, instance


def test_an_overrun_leads_to_a_look_at_everything(lab):
    lab.switch("lan")
    node = lab.node("r1", "10.4.7.11/24")
    node.ip("link", "add", "many", "type", "veth", "peer", "name", "other")
    vrrpd = node.daemon("vrrpd", globals_of("r1") + instance(extra="vip_lease off"))
    wait_for(lambda: node.holds(VIP), "master", timeout=6)
    vrrpd.kill(signal.SIGSTOP)
    # The deletion is the last thing said, behind far more than there is room for.
    flood = [f"addr {verb} 10.{i // 250}.{i % 250}.1/32 dev many"
             for i in range(9000) for verb in ("add", "del")]
    batch = node.write("batch", "\n".join([*flood, f"addr del {VIP}/24 dev eth0"]) + "\n")
    node.run(["ip", "-batch", batch], timeout=60)
    assert not node.holds(VIP)
    vrrpd.kill(signal.SIGCONT)
    vrrpd.wait_log("events were lost")
    wait_for(lambda: node.holds(VIP), "it is missed, and put back", timeout=8)
