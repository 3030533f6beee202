#!/usr/bin/python3
"""The node on a host against the real gateway: an NTS server of ntsgw's lab, a gateway that observes, its broker.

real_gateway.py NTSGW NODE: the two programs. Must be good with its enrolment, and not with another's key.
"""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ntsgw, node = sys.argv[1], sys.argv[2]
no_clock = ["setpriv", "--bounding-set", "-sys_time", "--inh-caps", "-sys_time"] if os.getuid() == 0 and shutil.which("setpriv") else []


# The kernel gives ports from 32768 on to whoever asks for any: ours lie below, so that they are still free when they are used.
ports = iter(random.sample(range(12000, 32000), 1000))


def free():
    for port in ports:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    sys.exit("real gateway: no port is free")


BUSY = 10  # how many times as long things may take on a machine that does something else as well


def wait_for(what, seconds, ready):
    seconds *= BUSY
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            sys.exit("real gateway: %s takes longer than %d s" % (what, seconds))
        time.sleep(0.05)


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


running = []
with tempfile.TemporaryDirectory() as d:
    def start(name, *args):
        log = open(os.path.join(d, name + ".log"), "w")
        p = subprocess.Popen([*no_clock, ntsgw, *args], stdout=log, stderr=log, cwd=d)
        running.append(p)
        return p

    try:
        os.mkdir(os.path.join(d, "srv"))
        ke, ntp, broker, status = free(), free(), free(), free()
        open(os.path.join(d, "gw.toml"), "w").write("""
[gateway]
id = "lab"
state_dir = "%s/state"
[clock]
mode = "observe"
[[server]]
address = "localhost:%d"
ca = "%s/srv/ca.pem"
min_poll = "1s"
max_poll = "4s"
revocation = "off"
[mqtt]
listen = "127.0.0.1:%d"
interval = "1s"
[status]
listen = "127.0.0.1:%d"
socket = "%s/s.sock"
""" % (d, ke, d, broker, status, d))
        start("server", "lab", "server", "-dir", "srv", "-host", "localhost", "-listen", "127.0.0.1:%d" % ke, "-ntp-listen", "127.0.0.1:%d" % ntp)
        wait_for("the NTS server", 20, lambda: os.path.exists(os.path.join(d, "srv", "ca.pem")) and listens(ke))
        subprocess.run([*no_clock, ntsgw, "node", "add", "tester", "-form", "json", "-out", "node.json", "-config", "gw.toml"],
                       cwd=d, check=True, capture_output=True, timeout=BUSY * 20)
        start("gateway", "run", "-config", "gw.toml")
        wait_for("the gateway's broker", 20, lambda: listens(broker))
        wait_for("synchronization", 40, lambda: '"synchronized"' in open(os.path.join(d, "gateway.log")).read())

        def run(path, seconds):
            return subprocess.run([node, "-enrolment", path, "-broker", "127.0.0.1:%d" % broker, "-for", str(seconds), "-every", "1"],
                                  cwd=d, capture_output=True, text=True, timeout=seconds + BUSY * 20)

        for seconds in (6, 12, 24, 48):  # a busy machine may not have done in six
            good = run("node.json", seconds)
            if good.returncode == 0:
                break
        last = good.stdout.strip().splitlines()[-1]
        if good.returncode != 0:
            sys.exit("real gateway: not good\n%s%s\n%s" % (good.stdout, good.stderr, open(os.path.join(d, "gateway.log")).read()))
        enrolment = json.load(open(os.path.join(d, "node.json")))
        enrolment["key"] = "00" * 32
        json.dump(enrolment, open(os.path.join(d, "thief.json"), "w"))
        bad = run("thief.json", 3)
        if bad.returncode == 0 or "0 exchanges" not in bad.stdout.splitlines()[-1]:
            sys.exit("real gateway: answers a node with another key\n" + bad.stdout)
        print("real gateway: %s; with another key: %s" % (last, bad.stdout.strip().splitlines()[-1]))
    finally:
        for p in reversed(running):
            p.send_signal(signal.SIGTERM)
        for p in running:
            try:
                p.wait(BUSY * 10)
            except subprocess.TimeoutExpired:
                p.kill()
