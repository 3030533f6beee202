package mqtt

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestHeaderCompiles: the C header gives a C99 program the same bytes.
func TestHeaderCompiles(t *testing.T) {
	cc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("gcc is not installed (Debian package gcc)")
	}
	e := testEnrolment(t)
	dir := t.TempDir()
	var h bytes.Buffer
	if err := e.Write(&h, "c-header"); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "enrolment.h"), h.String())
	writeFile(t, filepath.Join(dir, "main.c"), `#include <stdint.h>
#include <stdio.h>
#include "enrolment.h"
#include "enrolment.h"
static const uint8_t key[32] = NTSGW_NODE_KEY;
static const uint8_t root[32] = NTSGW_ROOT_ED25519, kid[8] = NTSGW_ROOT_ED25519_KID;
static const uint8_t es[64] = NTSGW_ROOT_ES256, eskid[8] = NTSGW_ROOT_ES256_KID;
static void hex(const uint8_t *p, unsigned n) { while (n--) printf("%02x", *p++); printf(" "); }
int main(void) {
  printf("%s %s %lu %s %s %s ", NTSGW_GATEWAY, NTSGW_NODE, NTSGW_GENERATION, NTSGW_TOPIC_PREFIX, NTSGW_MQTT_USER, NTSGW_MQTT_PASSWORD);
  hex(key, sizeof key); hex(root, sizeof root); hex(kid, sizeof kid); hex(es, sizeof es); hex(eskid, sizeof eskid);
  return 0;
}
`)
	bin := filepath.Join(dir, "main")
	if out, err := exec.Command(cc, "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-o", bin, filepath.Join(dir, "main.c")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, out, h.String())
	}
	out, err := exec.Command(bin).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("gw1 kitchen 1 ntsgw/gw1/ kitchen %s %s %s %s %s %s ", e.MQTTPassword, e.Key, e.Roots[0].Public, e.Roots[0].KID, e.Roots[1].Public[2:], e.Roots[1].KID)
	if string(out) != want {
		t.Errorf("got  %s\nwant %s", out, want)
	}
}

// TestESPHomeForm is read by an independent YAML parser where there is one.
func TestESPHomeForm(t *testing.T) {
	e := testEnrolment(t)
	var b bytes.Buffer
	if err := e.Write(&b, "esphome"); err != nil {
		t.Fatal(err)
	}
	key, _ := hex.DecodeString(e.Key)
	for _, want := range []string{
		`  ntsgw_key: "` + base64.StdEncoding.EncodeToString(key) + `"`,
		`  username: "kitchen"`, `  password: "` + e.MQTTPassword + `"`, `  ntsgw_generation: "1"`,
	} {
		if !strings.Contains(b.String(), want+"\n") {
			t.Errorf("%s is missing in\n%s", want, b.String())
		}
	}
}

// TestQRFits: the code is square, has its quiet zone, and fits a terminal of 100 columns.
func TestQRFits(t *testing.T) {
	e := testEnrolment(t)
	e.Roots = e.Roots[:1]
	var b bytes.Buffer
	if err := e.Write(&b, "qr"); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	for i, l := range lines {
		if n := len([]rune(l)); n != len([]rune(lines[0])) || n > 100 {
			t.Errorf("line %d has %d columns", i, n)
		}
	}
	if os.Getenv("NTSGW_SHOW_QR") != "" {
		fmt.Print(b.String())
	}
	t.Logf("%d × %d characters", len([]rune(lines[0])), len(lines))
}
