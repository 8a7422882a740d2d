"""What the tests of vrrpd share: a pair of nodes as keepalived.conf text, and
questions about who holds what."""

import os
import re

from lab import wait_for

VIP = "10.4.7.10"
R1, R2 = "10.4.7.11", "10.4.7.12"


def instance(name="VI_1", vrid=51, priority=100, state="BACKUP", advert_int=1, interface="eth0",
             vips=(f"{VIP}/24",), peer=None, source=None, password=None, extra=""):
    """A vrrp_instance block as people write it.  peer: unicast; source: its source address."""
    lines = [f"state {state}", f"interface {interface}", f"virtual_router_id {vrid}",
             f"priority {priority}", f"advert_int {advert_int}"]
    if peer:
        lines += [f"unicast_src_ip {source}"] if source else []
        lines += [f"unicast_peer {{\n        {peer}\n    }}"]
    elif source:
        lines += [f"mcast_src_ip {source}"]
    if password:
        lines += [f"authentication {{\n        auth_type PASS\n        auth_pass {password}\n    }}"]
    lines += ["virtual_ipaddress {\n" + "".join(f"        {v}\n" for v in vips) + "    }"]
    lines += [line for line in extra.splitlines() if line.strip()]
    return f"vrrp_instance {name} {{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"


def globals_of(node, extra=""):
    """router_id keeps keepalived quiet; trivet takes it too."""
    return f"global_defs {{\n    router_id {node}\n{extra}}}\n"


class Pair:
    """Two nodes on one switch, r1 the better one, either of them trivet or keepalived."""

    def __init__(self, lab, conf, kinds=("trivet", "trivet"), start=True):
        """conf(node name, priority, own address, peer's address) -> text."""
        self.lab = lab
        lab.switch("lan")
        self.r1 = lab.node("r1", f"{R1}/24")
        self.r2 = lab.node("r2", f"{R2}/24")
        self.nodes = (self.r1, self.r2)
        self.texts = (conf("r1", 100, R1, R2), conf("r2", 90, R2, R1))
        self.kinds = kinds
        self.procs = [None, None]
        if start:
            self.start(0)
            self.start(1)

    def start(self, i, ready=True):
        node, text = self.nodes[i], self.texts[i]
        if self.kinds[i] == "trivet":
            self.procs[i] = node.daemon("vrrpd", text, ready=ready)
        else:
            self.procs[i] = node.keepalived(text, ready=ready)
        return self.procs[i]

    def holders(self, vip=VIP):
        return [node.name for node in self.nodes if node.holds(vip)]

    def settle(self, holder="r1", timeout=12):
        """Exactly this node holds the VIP."""
        wait_for(lambda: self.holders() == [holder], f"{holder} alone holds the VIP", timeout)


class AddressLog:
    """`ip monitor address` in a node: what happened to addresses, with the time of each."""

    def __init__(self, node):
        self.proc = node.spawn(["ip", "-ts", "monitor", "address"], f"monitor-{len(node.procs)}")
        # It says nothing when it is ready: an address of no account shows that it listens.
        def heard():
            node.ip("addr", "replace", "127.9.9.9/32", "dev", "lo")
            return "127.9.9.9" in self.proc.log()
        wait_for(heard, "ip monitor listens")

    def seen(self, address):
        """[(time of day in seconds, whether it came)]"""
        rows = re.findall(rf"^\[\S+?T(\d+):(\d+):([\d.]+)\] (Deleted )?.*\b{re.escape(address)}/",
                          self.proc.log(), re.MULTILINE)
        return [(int(h) * 3600 + int(m) * 60 + float(s), not gone) for h, m, s, gone in rows]

    def removals(self, address):
        return re.findall(rf"^\[\S+\] Deleted .*\b{re.escape(address)}/", self.proc.log(),
                          re.MULTILINE)


def metric(node, name, **labels):
    """One value of vrrpd's metrics."""
    reply = node.call("vrrpd", "org.trivet.daemon.ListMetrics", {"prefix": name})
    found = [m["value"] for m in reply["metrics"] if m["name"] == name
             and all(m["labels"].get(k) == v for k, v in labels.items())]
    assert len(found) == 1, f"{name} {labels}: {reply['metrics']}"
    return found[0]


def protocol_of(node, address, dev="eth0"):
    """IFA_PROTO, which `ip` of Debian 12 does not show: asked of the kernel by hand."""
    script = f"""
import socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
s.send(struct.pack("IHHII", 24, 22, 0x301, 1, 0) + struct.pack("BBBBI", 2, 0, 0, 0, 0))
want, done = socket.inet_aton("{address}"), False
while not done:
    data = s.recv(65536)
    while data:
        size, kind = struct.unpack_from("IH", data)
        if kind == 3:
            done = True
            break
        attrs, rest = {{}}, data[24:size]
        while len(rest) >= 4:
            n, t = struct.unpack_from("HH", rest)
            attrs[t] = rest[4:n]
            rest = rest[(n + 3) & ~3:]
        if attrs.get(2) == want:
            print(attrs.get(11, b"\\0")[0])
        data = data[(size + 3) & ~3:]
"""
    out = node.run(["/usr/bin/python3", "-c", script]).stdout.split()
    return int(out[0]) if out else None


def scapy_argv(program):
    """Makes packets with scapy; `program` sees scapy's names and iface.

    Of scapy what is needed here: all of it takes a second of processor time to start.
    """
    return ["/usr/bin/python3", "-c", "import logging, time; logging.disable(logging.WARNING)\n"
            "from scapy.layers.l2 import *\nfrom scapy.layers.inet import *\n"
            "from scapy.layers.vrrp import *\nfrom scapy.packet import Raw\n"
            "from scapy.sendrecv import sendp\niface = 'eth0'\n" + program]


def scapy(node, program):
    node.run(scapy_argv(program), timeout=120)


class Scapy:
    """One that stays, for many programs, each a line."""

    def __init__(self, node, beginning=""):
        path = node.dir / "scapy"
        os.mkfifo(path)
        self.pipe = os.open(path, os.O_RDWR)  # open for both it waits for nobody
        node.spawn(scapy_argv(f"{beginning}\nfor line in open({str(path)!r}):\n    exec(line)"),
                   "scapy")

    def __call__(self, program):
        os.write(self.pipe, program.encode() + b"\n")



