#!/usr/bin/python3
"""Leaves out one check of the node library after the other: the adversarial schedules must notice each,
or else the tests on the host.

mutants.py STREAM: schedules as downstream/beacon's TestPromise writes them.
"""
import os
import shutil
import subprocess
import sys
import tempfile

node = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MUTANTS = [
    ("nonce", "ntsgw_node.c", "memcmp(gw->nonce, message + c.nonce.at, 16) != 0", "0"),
    ("open request", "ntsgw_node.c", "    gw->open = 0;\n    gw->unanswered = 0;", "    gw->unanswered = 0;"),
    ("MAC", "ntsgw_node.c", "good = !differ(hash, proof - 32);", "good = 1;"),
    ("signature", "ntsgw_node.c", "if (crypto->ed25519) good = crypto->ed25519(key, proof, s.pieces, 4);", "good = 1;"),
    ("kind, gateway and node", "ntsgw_node.c", "  s->pieces[2] = span((const uint8_t *)text, head + n);", "  s->pieces[2] = span((const uint8_t *)text, 3);"),
    ("key's validity", "ntsgw_node.c", "if (c.seconds < gw->not_before || c.seconds > gw->not_after ||", "if (c.seconds > gw->not_after ||"),
    ("floor of beacons", "ntsgw_node.c", "    if (below(&e, gw->floor)) return NTSGW_E_BELOW_FLOOR;\n", ""),
    ("floor of answers", "ntsgw_node.c", "    if (below(&e, gw->asked_floor)) {", "    if (0) {"),
    ("deadline", "ntsgw_node.c", "if (node->last - gw->asked_at >= node->deadline) return NTSGW_E_LATE;", ""),
    ("older delegation", "ntsgw_node.c", "  if (serial < gw->serial) return NTSGW_E_OLD_SERIAL;\n", ""),
    ("serial in answers", "ntsgw_node.c", "    saw_serial(node, gw, c.value[NTSGW_SERIAL]);\n", ""),
    ("stated rate", "ntsgw_node.c", "node->rate.rho_ppb = config->rho_ppb;", "node->rate.rho_ppb = 0;"),
    ("clock's step", "ntsgw_interval.c", "    n += r->tick;", "    n += 0;"),
    ("TAI", "ntsgw_cbor.c", "(int64_t)c->seconds + c->value[NTSGW_TAI_UTC]);", "(int64_t)c->seconds + 37);"),
    ("contradiction", "ntsgw_interval.c", "if (own.lo > old.hi) return -NTSGW_LO;", "if (own.lo > old.hi) return 0;"),
    ("n - f", "ntsgw_node.c", "count(node) - node->config->faults, &out->all", "count(node), &out->all"),
    ("month's own end", "ntsgw_interval.c", "outward > 0 && r->leap != 2", "outward > 0"),
    ("discontinuity", "ntsgw_node.c", "    v->interval.hi.tai = NTSGW_HI_UNKNOWN;\n", ""),
    ("shortest heads", "ntsgw_cbor.c", "low >= (n == 1 ? 24u", "low >= (n == 1 ? 0u"),
    ("order of keys", "ntsgw_cbor.c", "r->major > NEGINT || !before(", "r->major > NEGINT || 0 * before("),
]
missed = 0
for name, path, old, new in MUTANTS:
    with tempfile.TemporaryDirectory() as d:
        os.symlink(os.path.join(os.path.dirname(node), "downstream"), os.path.join(d, "downstream"))
        d = os.path.join(d, "node")
        shutil.copytree(os.path.join(node, "src"), os.path.join(d, "src"))
        shutil.copytree(os.path.join(node, "test"), os.path.join(d, "test"))
        source = open(os.path.join(d, "src", path)).read()
        if source.count(old) != 1:
            sys.exit("mutant %s: %r is there %d times" % (name, old, source.count(old)))
        open(os.path.join(d, "src", path), "w").write(source.replace(old, new))
        library = ["src/ntsgw_node.c", "src/ntsgw_cbor.c", "src/ntsgw_interval.c", "src/ports/bearssl/ntsgw_bearssl.c",
                   "src/ports/sodium/ntsgw_sodium.c", "src/ports/ed25519/ntsgw_ed25519.c", "-lsodium", "-lbearssl", "-lpthread", "-lm"]

        def judged(program, *args):
            out = os.path.join(d, "judge")
            subprocess.run(["gcc", "-std=gnu99", "-w", "-O1", "-o", out, "test/" + program, *library], cwd=d, check=True)
            p = subprocess.run([out, *args], capture_output=True, text=True)
            return p.returncode == 1, p.stdout.strip().splitlines()[-1] if p.stdout else p.stderr

        noticed, text = judged("schedule.c", sys.argv[1])
        if noticed:
            text = text.split(": ")[-1]
        else:
            noticed, text = judged("host_test.c")
            text = "on the host: " + text
        missed += not noticed
        print("%s without %s: %s" % ("noticed" if noticed else "MISSED ", name, text))
sys.exit(1 if missed else 0)
