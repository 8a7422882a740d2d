"""Interfaces that are made of others: the addresses follow them."""

from lab import wait_for
from vrrp import VIP, globals_of, instance


def upper(node):
    """A link on eth0.  (As a VLAN would be; not every kernel that runs the tests has those.)"""
    node.ip("link", "add", "eth0.7", "link", "eth0", "type", "macvlan", "mode", "bridge")
    node.ip("addr", "add", "10.4.7.11/24", "dev", "eth0.7")
    node.ip("link", "set", "eth0.7", "up")


def test_a_link_deleted_and_made_again(lab):
    lab.switch("lan")
    node = lab.node("r1", "10.9.0.11/24")
    upper(node)
    proc = node.daemon("vrrpd", globals_of("r1") + instance(interface="eth0.7", extra="""
        virtual_routes {
            10.50.0.0/16 via 10.4.7.254
        }"""))

    def there():
        return node.holds(VIP, "eth0.7") and "10.50.0.0/16" in node.ip("route")
    wait_for(there, "r1 is master", timeout=6)
    node.ip("link", "del", "eth0.7")
    proc.wait_log("FAULT STATE: interface eth0.7 is down: there is no such interface")
    upper(node)
    wait_for(there, "on the new one", timeout=8)
    # Another link takes the name: the address moves over with it.
    node.ip("link", "set", "eth0.7", "down")
    node.ip("link", "set", "eth0.7", "name", "old")
    upper(node)
    wait_for(there, "on the link that has the name now", timeout=8)
    assert not node.holds(VIP, "old")
