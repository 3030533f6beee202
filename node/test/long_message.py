#!/usr/bin/python3
"""Holds the host node to its connection when a stranger sends what is longer than its buffer.

long_message.py NTSGW_NODE. This is the broker.
"""
import socket
import subprocess
import sys


def read(conn):
    def exactly(n):
        b = b""
        while len(b) < n:
            part = conn.recv(n - len(b))
            if not part:
                sys.exit("FAILED: the node ended its connection")
            b += part
        return b

    first, n, shift = exactly(1)[0], 0, 0
    while True:
        b = exactly(1)[0]
        n |= (b & 127) << shift
        shift += 7
        if b < 128:
            return first >> 4, exactly(n)


def publish(topic, payload):
    body = len(topic).to_bytes(2, "big") + topic + payload
    n, head = len(body), b"\x30"
    while True:
        head += bytes([n % 128 | (128 if n > 127 else 0)])
        n //= 128
        if n == 0:
            return head + body


listener = socket.create_server(("127.0.0.1", 0))
listener.settimeout(60)
node = subprocess.Popen([sys.argv[1], "-broker", "127.0.0.1:%d" % listener.getsockname()[1], "-gateway", "gw1", "-node", "node-1",
                         "-key", "00" * 32, "-for", "60"], stdout=subprocess.PIPE, text=True)
try:
    conn, _ = listener.accept()
    conn.settimeout(60)
    subscriptions = requests = 0
    while requests < 2:
        kind, body = read(conn)
        if kind == 1:
            conn.sendall(b"\x20\x02\x00\x00")
        elif kind == 8:
            conn.sendall(b"\x90\x03" + body[:2] + b"\x00")
            subscriptions += 1
            if subscriptions == 3:
                answer = b"ntsgw/gw1/resp/node-1"
                conn.sendall(publish(answer, bytes(300000)) + publish(answer, b"short"))
        elif kind == 3:
            requests += 1
    node.terminate()
    said = node.communicate(timeout=60)[0]
    if said.count("reason=malformed") != 1:
        sys.exit("FAILED: the short message after the long one was not judged:\n" + said)
finally:
    node.kill()
print("a message of 300,000 bytes does not end the host node's connection")
