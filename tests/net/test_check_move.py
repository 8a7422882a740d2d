"""From a fault that a check sees to the address on the peer, and how long that takes."""

import time

import pytest

from lab import wait_for
from test_check_net import dnsmasq

VIP = "10.4.7.10"
CONF = """
check service {{
	{check}
	interval 500ms
	timeout 5s
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
		service
	}}
}}
"""

FAULTS = {
    "port": ("port 8080", lambda node: node.listener(8080), "nothing listens on port 8080"),
    "process": ("process {comm}", lambda node: node.service("web"), "no process named {comm}"),
    "script": ('script "killall -0 {comm}"', lambda node: node.service("web"),
               'exit 1 "{comm}: no process found"'),
    "http": ('http http://{address}:8080/ expect "fine"',
             lambda node: node.web(8080, text="fine"), "connect: Connection refused"),
    "dns": ("dns {address} web.lab",
            lambda node: dnsmasq(node, "--host-record=web.lab,10.4.7.80"), "Connection refused"),
    "tcp by name": ("tcp localhost:8080", lambda node: node.listener(8080),
                    "connect: Connection refused"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_the_address_moves(lab, kind, record_property):
    check, serve, evidence = FAULTS[kind]
    lab.switch()
    served = {}
    nodes = []
    for name, address, priority in (("r1", "10.4.7.11", 100), ("r2", "10.4.7.12", 90)):
        node = lab.node(name, f"{address}/24")
        node.ip("link", "set", "lo", "up")
        # dnsmasq of test_check_net listens on the first node's address: the peer has its own.
        if kind == "dns" and name == "r2":
            node.ip("addr", "add", "10.4.7.11/32", "dev", "lo")
        served[name] = serve(node)
        comm = getattr(served[name], "comm", "")
        address = "127.0.0.1" if kind != "dns" else "10.4.7.11"
        conf = CONF.format(check=check.format(address=address, comm=comm), priority=priority)
        node.daemon("checkd", conf)
        node.daemon("vrrpd", conf)
        nodes.append(node)
    r1, r2 = nodes
    wait_for(lambda: r1.holds(VIP) and not r2.holds(VIP), "r1 is master", timeout=15)
    wait_for(lambda: r2.check("service")["state"] == "up", "the peer is well")
    began = time.monotonic()
    served["r1"].stop()  # nginx and its worker; and waited for: killall -0 finds a zombie
    wait_for(lambda: r2.holds(VIP), "the peer has it", timeout=10)
    took = time.monotonic() - began
    record_property("seconds", round(took, 3))
    print(f"{kind}: {took:.2f} s from the fault to the address on the peer")
    wait_for(lambda: not r1.holds(VIP), "the first has let go")
    seen = r1.check("service")
    assert seen["state"] == "down" and seen["lastDetail"] == evidence.format(
        comm=getattr(served["r1"], "comm", ""))
