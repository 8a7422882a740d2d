"""Requests one after another against a web server: one line of JSON for each.

usage: pulse.py ADDRESS PORT EVERY TIMEOUT FILE

A request is a fresh TCP connection, "GET /", and the answer read to its end.
"""

import json
import socket
import sys
import time


def ask(address, port, timeout):
    with socket.create_connection((address, port), timeout) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\nHost: test\r\n\r\n")
        data = b""
        while True:
            more = sock.recv(65536)
            if not more:
                break
            data += more
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator or b" 200 " not in head.split(b"\r\n")[0] + b" ":
        raise OSError(f"no answer: {data[:60]!r}")
    return body.decode(errors="replace").strip()


def main():
    address, port, every, timeout, path = sys.argv[1:]
    with open(path, "a", encoding="utf-8", buffering=1) as out:
        while True:
            at = time.monotonic()
            result = {"at": at, "ok": True}
            try:
                result["answer"] = ask(address, int(port), float(timeout))
            except OSError as error:
                result.update(ok=False, error=str(error))
            result["took"] = time.monotonic() - at
            out.write(json.dumps(result) + "\n")
            time.sleep(max(0.0, at + float(every) - time.monotonic()))


main()
