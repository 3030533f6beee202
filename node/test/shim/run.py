#!/usr/bin/python3
"""Compiles the Arduino examples against the shim and runs them: on the host, and on lx106 and a Cortex-M4 in QEMU.

run.py BUILD_DIR. The targets' objects are those of test/target/run.py, which runs first.
"""
import glob
import json
import os
import shutil
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
node = os.path.dirname(os.path.dirname(here))
build = sys.argv[1]
out = os.path.join(build, "examples")
os.makedirs(out, exist_ok=True)


def run(args):
    p = subprocess.run(args, capture_output=True, text=True)
    if p.returncode != 0:
        sys.exit("%s\n%s%s" % (" ".join(args), p.stdout, p.stderr))
    return p.stdout


# What `ntsgw node add -form c-header` would write for the vectors' node.
v = json.load(open(os.path.join(node, "../downstream/beacon/testdata/vectors.json")))
root = next(k for k in v["keys"] if k["name"] == "root-ed25519")


def array(h):
    return "{ " + "".join("0x%02x, " % b for b in bytes.fromhex(h)) + "}"


with open(os.path.join(out, "enrolment.h"), "w") as f:
    k = v["node_keys"][0]
    f.write('#define NTSGW_GATEWAY "%s"\n#define NTSGW_NODE "%s"\n#define NTSGW_GENERATION %dUL\n' % (k["gateway"], k["node"], k["generation"]))
    f.write('#define NTSGW_TOPIC_PREFIX "lab/ntsgw/%s/"\n' % k["gateway"])  # a gateway with a prefix in [mqtt]
    f.write('#define NTSGW_MQTT_USER "%s"\n#define NTSGW_MQTT_PASSWORD "%s"\n' % (k["node"], k["mqtt_password"]))
    f.write("#define NTSGW_NODE_KEY %s\n#define NTSGW_ROOT_ED25519 %s\n#define NTSGW_ROOT_ED25519_KID %s\n" % (array(k["key"]), array(root["public"]), array(root["kid"])))

with open(os.path.join(out, "world_vectors.h"), "w") as f:
    named = {m["name"]: m["message"] for m in v["messages"]}
    for macro, name in (("DELEGATION", "delegation-ed25519"), ("BEACON", "beacon-ed25519"), ("RESPONSE", "response")):
        f.write('#define %s "%s"\n' % (macro, named[name]))
    f.write('#define NODE_KEY "%s"\n' % k["key"])

TARGETS = {
    "host": (["g++", "-g", "-O1", "-fsanitize=address,undefined", "-no-pie"], ["gcc", "-g", "-O1", "-fsanitize=address,undefined", "-no-pie"], None, None),
    "lx106": (["xtensa-lx106-elf-g++", "-mlongcalls", "-Os"], ["xtensa-lx106-elf-gcc", "-mlongcalls", "-Os"], "/usr/include/newlib",
              ["qemu-system-xtensa", "-M", "sim", "-cpu", "lx106", "-m", "16M", "-serial", "stdio"]),
    "cortex-m4": (["arm-none-eabi-g++", "-mcpu=cortex-m4", "-mthumb", "-Os"], ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-Os"], None,
                  ["qemu-system-arm", "-M", "mps2-an386"]),
}

for name, (cxx, cc, isystem, qemu) in TARGETS.items():
    objects = os.path.join(build, name)
    if not shutil.which(cxx[0]) or (qemu and (not shutil.which(qemu[0]) or not os.path.exists(os.path.join(objects, "bearssl.a")))):
        print("skipped the examples on %s: no compiler, no QEMU or no BearSSL for it" % name)
        continue
    bare = ["-ffreestanding", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"] if qemu else []
    include = ["-I" + os.path.join(here, "include"), "-I" + os.path.join(node, "src"), "-I" + out]
    if isystem:
        include += ["-isystem", isystem]
    for example in ("ESP8266", "ESP32"):
        sketch = os.path.join(node, "examples", example, example + ".ino")
        world = os.path.join(out, "%s-%s.o" % (name, example))
        run([*cxx, "-std=gnu++17", "-Wall", "-Wextra", "-Werror", *bare, *include, '-DEXAMPLE="%s"' % sketch, "-c", "-o", world, os.path.join(here, "world.cpp")])
        mbed = os.path.join(out, name + "-mbedtls.o")
        run([*cc, "-c", "-o", mbed, *include, os.path.join(here, "mbedtls.c")])
        image = os.path.join(out, "%s-%s.elf" % (name, example))
        if not qemu:
            sources = glob.glob(os.path.join(node, "src/*.c")) + [os.path.join(node, "src/ports/bearssl/ntsgw_bearssl.c"),
                                                                 os.path.join(node, "src/ports/ed25519/ntsgw_ed25519.c"), os.path.join(here, "host.c")]
            run([*cc, "-w", "-o", image, world, mbed, *sources, "-lbearssl"])
            text = run([image])
        else:
            others = [o for o in glob.glob(os.path.join(objects, "*.o")) if not os.path.basename(o).startswith(("br_", "main"))]
            run([*cc, "-nostdlib", "-Wl,--gc-sections", "-T", os.path.join(objects, "link.ld"), "-o", image, world, mbed, *others,
                 os.path.join(objects, "bearssl.a"), "-lgcc"])
            p = subprocess.run([*qemu, "-semihosting", "-display", "none", "-monitor", "none", "-kernel", image], capture_output=True, text=True,
                               timeout=900, stdin=subprocess.DEVNULL)
            text = p.stdout + p.stderr
        if "passed" not in text:
            sys.exit("%s on %s:\n%s" % (example, name, text))
        print("%s on %s: %s" % (example, name, ", ".join(text.strip().splitlines()[-2:])))
