"""The few requests of rtnetlink(7) that the laboratory makes all the time, by hand: each is some
ten microseconds here, and as much as a hundred times that when `ip` is executed for it.

	net = Rtnl("tl1-r1")                    # of that namespace, until closed
	net.add_address("eth0", "10.4.7.11/24")
	net.holds("10.4.7.10", "eth0")

Errors are OSError as the kernel answers, with the device's name.
"""

import ipaddress
import os
import socket
import struct
import threading

import netns

RTM_NEWLINK, RTM_GETLINK, RTM_SETLINK = 16, 18, 19
RTM_NEWADDR, RTM_GETADDR = 20, 22
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP, NLM_F_CREATE_NEW = 0x1, 0x4, 0x300, 0x600  # CREATE | EXCL
IFLA_IFNAME, IFLA_MASTER, IFLA_LINKINFO, IFLA_NET_NS_FD = 3, 10, 18, 28
IFLA_INFO_KIND, IFLA_INFO_DATA = 1, 2
IFLA_BR_FORWARD_DELAY, IFLA_BR_MCAST_SNOOPING = 1, 23
VETH_INFO_PEER = 1
IFA_ADDRESS, IFA_LOCAL = 1, 2
IFA_F_NODAD = 0x02
IFF_UP = 1


def _attr(kind, value):
    """One attribute; a list is a nest of them."""
    if isinstance(value, list):
        value = b"".join(value)
    elif isinstance(value, str):
        value = value.encode() + b"\0"
    elif isinstance(value, int):
        value = struct.pack("=I", value)
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _attrs(data):
    """{kind: bytes} of a message's attributes."""
    found = {}
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        found[kind] = data[4:size]
        data = data[(size + 3) & ~3:]
    return found


def _ifinfo(index=0, up=None):
    """struct ifinfomsg; up None: leave it as it is."""
    return struct.pack("=BxHiII", 0, 0, index, IFF_UP if up else 0, 0 if up is None else IFF_UP)


class Rtnl:
    """One socket in one namespace; threads take turns."""

    def __init__(self, name):
        with netns.inside(name):
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC,
                                      socket.NETLINK_ROUTE)
        self.sequence = 0
        self.turn = threading.Lock()

    def close(self):
        self.sock.close()

    def _request(self, kind, flags, body, what):
        """[payload] of the replies, until the acknowledgement or the end of the dump."""
        with self.turn:
            return self._ask(kind, flags, body, what)

    def _ask(self, kind, flags, body, what):
        self.sequence += 1
        self.sock.send(struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST | flags,
                                   self.sequence, 0) + body)
        replies = []
        while True:
            data = self.sock.recv(1 << 20)
            while len(data) >= 16:
                size, kind, _, sequence, _ = struct.unpack_from("=IHHII", data)
                payload, data = data[16:size], data[(size + 3) & ~3:]
                if sequence != self.sequence:
                    continue  # the rest of one that was interrupted
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    number = struct.unpack_from("=i", payload)[0] if len(payload) >= 4 else 0
                    if number:
                        raise OSError(-number, f"{what}: {os.strerror(-number)}")
                    return replies
                replies.append(payload)

    def index(self, dev):
        reply, = self._request(RTM_GETLINK, NLM_F_ACK, _ifinfo() + _attr(IFLA_IFNAME, dev), dev)
        return struct.unpack_from("=i", reply, 4)[0]

    def set_up(self, dev, up=True):
        """The administrator's switch."""
        self._request(RTM_SETLINK, NLM_F_ACK, _ifinfo(up=up) + _attr(IFLA_IFNAME, dev), dev)

    def add_bridge(self, dev):
        """Up; forwards at once, floods multicast."""
        options = [_attr(IFLA_BR_FORWARD_DELAY, 0), _attr(IFLA_BR_MCAST_SNOOPING, b"\0")]
        self._request(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE_NEW, _ifinfo(up=True)
                      + _attr(IFLA_IFNAME, dev)
                      + _attr(IFLA_LINKINFO, [_attr(IFLA_INFO_KIND, "bridge"),
                                              _attr(IFLA_INFO_DATA, options)]), dev)

    def add_veth(self, dev, bridge, peer, there):
        """A pair: dev, up and a port of the bridge; peer in the namespace 'there', down."""
        fd = os.open(netns.NAMED / there, os.O_RDONLY | os.O_CLOEXEC)
        try:
            end = _ifinfo() + _attr(IFLA_IFNAME, peer) + _attr(IFLA_NET_NS_FD, fd)
            self._request(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE_NEW, _ifinfo(up=True)
                          + _attr(IFLA_IFNAME, dev) + _attr(IFLA_MASTER, self.index(bridge))
                          + _attr(IFLA_LINKINFO,
                                  [_attr(IFLA_INFO_KIND, "veth"),
                                   _attr(IFLA_INFO_DATA, [_attr(VETH_INFO_PEER, end)])]),
                          f"{dev}, {peer}")
        finally:
            os.close(fd)

    def add_address(self, dev, text):
        """ADDRESS/PREFIX; of IPv6 it is of use at once (nodad)."""
        own = ipaddress.ip_interface(text)
        family = socket.AF_INET6 if own.version == 6 else socket.AF_INET
        flags = IFA_F_NODAD if own.version == 6 else 0
        self._request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE_NEW,
                      struct.pack("=BBBBi", family, own.network.prefixlen, flags, 0,
                                  self.index(dev))
                      + _attr(IFA_LOCAL, own.packed) + _attr(IFA_ADDRESS, own.packed),
                      f"{text} on {dev}")

    def holds(self, address, dev):
        own, index = ipaddress.ip_address(address), self.index(dev)
        family = socket.AF_INET6 if own.version == 6 else socket.AF_INET
        for reply in self._request(RTM_GETADDR, NLM_F_DUMP, struct.pack("=BBBBi", family, 0, 0, 0, 0),
                                   dev):
            if struct.unpack_from("=i", reply, 4)[0] == index:
                found = _attrs(reply[8:])
                if found.get(IFA_LOCAL, found.get(IFA_ADDRESS)) == own.packed:
                    return True
        return False
