#!/usr/bin/python3
"""Builds the library for its targets, runs it there, and says what it costs.

run.py BUILD_DIR BEARSSL_DIR [--write FILE]

lx106 (ESP8266) and two Cortex-M in QEMU. Every protocol vector is judged on each; flash is what the
link of a whole node takes, stack is painted, instructions come from the cores' counters.
"""
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
node = os.path.dirname(os.path.dirname(here))
build, bearssl = sys.argv[1], sys.argv[2]

BEARSSL = ["hash/*.c", "mac/hmac.c", "ec/ec_p256_m15.c", "ec/ec_secp*.c", "ec/ecdsa_i15_*.c", "int/i15_*.c", "codec/*.c"]
OURS = ["ntsgw_node.o", "ntsgw_cbor.o", "ntsgw_interval.o"]

# Functions that a node may use and the one that is run does not.
REST = ["alarm", "alarm_clear", "bound", "discontinuity", "evidence", "exchange_in", "interval_tai", "interval_utc", "match",
        "monotonic_now", "restore", "retry_ms", "state", "ticks_extend", "topic", "would_raise"]

TARGETS = {
    "lx106": {
        "cc": "xtensa-lx106-elf-gcc", "prefix": "xtensa-lx106-elf-",
        "flags": ["-mlongcalls"], "isystem": "/usr/include/newlib",
        "own": ["-DESP8266"],  # the library's files alone: what stays in flash does so here, too
        "start": ["lx106.S", "lx106_rom.c"], "ld": "lx106.ld", "define": {},
        "qemu": ["qemu-system-xtensa", "-M", "sim", "-cpu", "lx106", "-m", "16M", "-serial", "stdio", "-icount", "shift=5"],
        "per": 1.28,
    },
    "cortex-m4": {
        "cc": "arm-none-eabi-gcc", "prefix": "arm-none-eabi-",
        "flags": ["-mcpu=cortex-m4", "-mthumb"], "isystem": None,
        "start": ["armv7m.c"], "ld": "arm.ld.in", "define": {"CODE": "0x00000000", "RAM": "0x20000000"},
        "qemu": ["qemu-system-arm", "-M", "mps2-an386", "-icount", "shift=4"], "per": 0.4,
    },
    "cortex-m33": {
        "cc": "arm-none-eabi-gcc", "prefix": "arm-none-eabi-",
        "flags": ["-mcpu=cortex-m33", "-mthumb"], "isystem": None,
        "start": ["armv7m.c"], "ld": "arm.ld.in", "define": {"CODE": "0x10000000", "RAM": "0x38000000"},
        "qemu": ["qemu-system-arm", "-M", "mps2-an505", "-icount", "shift=4"], "per": 0.32,
    },
}


def run(args, **more):
    p = subprocess.run(args, capture_output=True, text=True, **more)
    if p.returncode != 0:
        sys.exit("%s\n%s%s" % (" ".join(args), p.stdout, p.stderr))
    return p.stdout


def make(name):
    t = TARGETS[name]
    out = os.path.join(build, name)
    os.makedirs(os.path.join(out, "one"), exist_ok=True)
    cc = [t["cc"], "-std=gnu99", "-ffreestanding", "-ffunction-sections", "-fdata-sections", *t["flags"]]
    if t["isystem"]:
        cc += ["-isystem", t["isystem"]]
    include = ["-I" + os.path.join(bearssl, "inc"), "-I" + os.path.join(bearssl, "src")]
    archive = os.path.join(out, "bearssl.a")
    jobs, one = [], []
    if not os.path.exists(archive):
        for pattern in BEARSSL:
            for f in glob.glob(os.path.join(bearssl, "src", pattern)):
                jobs.append([*cc, "-O1", "-w", *include, "-c", "-o", os.path.join(out, "br_" + os.path.basename(f)[:-2] + ".o"), f])
    objects = []
    sources = glob.glob(os.path.join(node, "src", "*.c")) + [os.path.join(node, "src/ports/bearssl/ntsgw_bearssl.c")]
    own = os.path.join(node, "src/ports/ed25519/ntsgw_ed25519.c")
    define = []
    if os.path.exists(own):
        sources.append(own)
        define = ["-DWITH_ED25519", "-DTARGET_ED25519=ntsgw_ed25519"]
    sources += [os.path.join(here, f) for f in ["main.c", "mem.c", *t["start"]]]
    for f in sources:
        o = os.path.join(out, os.path.splitext(os.path.basename(f))[0] + ".o")
        if o in objects:
            o = o[:-2] + "_start.o"
        objects.append(o)
        more = ["-Wa,--text-section-literals"] if f.endswith(".S") else ["-Os", "-Wall", "-Wextra", "-Werror", *define, *include]
        if os.path.basename(o) in OURS:
            more += t.get("own", [])
        jobs.append([*cc, *more, "-c", "-o", o, f])
        if os.path.basename(o) in OURS + ["main.o"]:
            one.append(os.path.join(out, "one", os.path.basename(o)))
            jobs.append([*cc, *more, "-DNTSGW_GATEWAYS_MAX=1", "-c", "-o", one[-1], f])
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(run, jobs))
    if not os.path.exists(archive):
        run([t["prefix"] + "ar", "rcs", archive, *glob.glob(os.path.join(out, "br_*.o"))])
    script = open(os.path.join(here, t["ld"])).read()
    for k, v in t["define"].items():
        script = re.sub(r"\b%s\b" % k, v, script)
    ld = os.path.join(out, "link.ld")
    open(ld, "w").write(script)
    elf = os.path.join(out, "node.elf")


    def link(to, objects, *more):
        run([t["cc"], *t["flags"], "-nostdlib", "-Wl,--gc-sections", *more, "-Wl,-Map," + to + ".map", "-T", ld, "-o", to, *objects, archive, "-lgcc"])

    link(elf, objects)
    link(elf + ".all", objects, *["-Wl,-u,ntsgw_" + f for f in REST])
    link(elf + ".one", [os.path.join(out, "one", os.path.basename(o)) if o in [os.path.join(out, os.path.basename(x)) for x in one] else o for o in objects])
    return elf


def flash(elf, names):
    text = open(elf + ".map").read()
    text = text[text.index("Linker script and memory map"):]
    total = rodata = 0
    for m in re.finditer(r"^ (\.\S+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+(\S+)$", text, re.M):
        path = os.path.basename(re.sub(r".*\(|\)", "", m[4]))
        if int(m[2], 16) == 0 and m[1].startswith(".debug"):
            continue
        if not re.match(r"\.(text|literal|irom|rodata)", m[1]) or not any(re.match(n, path) for n in names):
            continue
        total += int(m[3], 16)
        if m[1].startswith(".rodata"):
            rodata += int(m[3], 16)
    return total, rodata


def measure(name, elf):
    t = TARGETS[name]
    p = subprocess.run([*t["qemu"], "-semihosting", "-display", "none", "-monitor", "none", "-kernel", elf],
                       capture_output=True, text=True, timeout=900, stdin=subprocess.DEVNULL)
    text = p.stdout + p.stderr
    got = dict(re.findall(r"^([a-z0-9.-]+) (\d+)$", text, re.M))
    got = {k: int(v) for k, v in got.items()}
    if p.returncode != 0 or "passed" not in text:
        sys.exit("%s: exit code %d\n%s" % (name, p.returncode, text))
    for k in list(got):
        if k.endswith(".count"):
            got[k[:-6] + ".instructions"] = round(got[k] / t["per"])
    got["flash"], got["rodata"] = flash(elf, OURS)
    got["flash.ed25519"], _ = flash(elf, ["ntsgw_ed25519"])
    for o in OURS:
        got["flash." + o], _ = flash(elf, [o])
    got["flash.one"], _ = flash(elf + ".one", OURS)
    got["flash.all"], _ = flash(elf + ".all", OURS)
    return got


def main():
    results = {}
    for name, t in TARGETS.items():
        missing = [x for x in (t["cc"], t["qemu"][0]) if not shutil.which(x)]
        if missing:
            print("skipped %s: %s is not installed" % (name, ", ".join(missing)))
            continue
        results[name] = measure(name, make(name))
        r = results[name]
        print("%s: %d vectors judged, %d wrong; library %d bytes of flash (%d for one gateway, %d with every function), exchange %d instructions, ES256 beacon %d, Ed25519 beacon %s" % (
            name, r["vectors.judged"], r["vectors.wrong"], r["flash"], r["flash.one"], r["flash.all"], r["request.instructions"] + r["response.instructions"],
            r["beacon-es256.instructions"], r.get("beacon-ed25519.instructions", "not built")))
    if "--write" in sys.argv and results:
        write(sys.argv[sys.argv.index("--write") + 1], results)


def ms(n, mhz):
    return "%.2f" % (n / mhz / 1000)


def write(path, results):
    names = list(results)
    rows = []

    def row(what, f):
        rows.append("| %s | %s |" % (what, " | ".join(f(results[n]) for n in names)))

    row("library without cryptography, flash (bytes)", lambda r: "%d" % r["flash"])
    for o, what in zip(OURS, ["state, requests, estimate", "decoder", "interval arithmetic, UTC"]):
        row("- of it: " + what, lambda r, o=o: "%d" % r["flash." + o])
    row("the same, built for one gateway", lambda r: "%d" % r["flash.one"])
    row("the same, every function of the header", lambda r: "%d" % r["flash.all"])
    if any(r["flash.ed25519"] for r in results.values()):
        row("own Ed25519, flash (bytes)", lambda r: "%d" % r["flash.ed25519"])
    row("static RAM: the node, and constants (bytes)", lambda r: "%d" % (r["ram.node"] + r["rodata"]))
    row("static RAM, a gateway (bytes)", lambda r: "%d" % r["ram.gateway"])
    row("the application's: enrolment with keys, configuration (bytes)", lambda r: "%d" % (r["ram.enrolment"] + r["ram.config"]))
    row("evidence, a gateway (bytes)", lambda r: "%d" % r["ram.evidence"])
    for key, what in [("beacon-ed25519", "beacon, Ed25519"), ("beacon-es256", "beacon, ES256"), ("delegation-ed25519", "delegation, Ed25519"),
                      ("delegation-es256", "delegation, ES256"), ("request", "request"), ("response", "response"), ("now", "`ntsgw_now`")]:
        if not all(key + ".instructions" in r for r in results.values()):
            continue
        row(what + ": instructions", lambda r, key=key: "{:,}".format(r[key + ".instructions"]))
        row(what + ": peak stack (bytes)", lambda r, key=key: "%d" % r[key + ".stack"])
    row("exchange (request and response): instructions",
        lambda r: "{:,}".format(r["request.instructions"] + r["response.instructions"]))
    lx = results.get("lx106")
    times = ""
    if lx:
        lines = ["", "On an ESP8266, one instruction a cycle (a lower bound: misses of the flash cache come on top):", "",
                 "| | at 80 MHz, ms | at 160 MHz, ms |", "|---|---|---|"]
        for key, what in [("beacon-ed25519", "beacon, Ed25519"), ("beacon-es256", "beacon, ES256"), ("exchange", "exchange"), ("now", "`ntsgw_now`")]:
            n = lx["request.instructions"] + lx["response.instructions"] if key == "exchange" else lx.get(key + ".instructions")
            if n:
                lines.append("| %s | %s | %s |" % (what, ms(n, 80), ms(n, 160)))
        times = "\n".join(lines) + "\n"
    with open(path, "w") as f:
        f.write("""# What the node library costs

Made by `make -C node cost`; `make -C node test` runs the same. The library is compiled with `-Os` by Debian's cross compilers,
linked as one whole node (delegations, beacons, exchanges, UTC, up to 8 gateways; unused functions left out) and run in QEMU: the
ESP8266's core (lx106), a Cortex-M4 (machine mps2-an386) and a Cortex-M33 (mps2-an505). Cryptography is BearSSL's, built from Debian's
source package (`-O1`, which is faster there than `-O2` and `-Os`) with the 15-bit code for P-256, and the library's own Ed25519. Each
target judges the protocol's test vectors first. For comparison, on lx106: libsodium's portable ref10 verifies a 160-byte message in
10.3 million instructions with 3.5 KB of stack.

"Built for one gateway" is with `-DNTSGW_GATEWAYS_MAX=1`; "every function of the header" is what a program takes that calls them all.
On lx106 an addition or a comparison of 64 bits takes four to six instructions, and times and readings have 64 bits.

Instructions are the difference of the core's cycle counter, scaled for QEMU's instruction clock (lx106: CCOUNT / 1.28; Cortex-M:
SysTick, good to some dozens). What the ESP8266 has in its ROM (64-bit multiplication, division and shifts) is supplied by the test in
C, and counted. Stack is what a call paints over, its own arguments included; where a row verifies a signature, that is nearly all the
cryptography's. The BearSSL port keeps 97 bytes of HMAC states besides. In an exchange nearly all instructions are SHA-256's, too.
Constants count as RAM, where the ESP8266 has them; there, the decoder's table alone stays in flash. A Cortex-M has them all in flash.

""")
        f.write("| | %s |\n|---|%s\n" % (" | ".join(names), "---|" * len(names)))
        f.write("\n".join(rows) + "\n" + times)


main()
