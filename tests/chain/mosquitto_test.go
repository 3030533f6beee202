package chain

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/certs/certstest"
	"github.com/ntsgw/ntsgw/tests/loopback"
	"github.com/ntsgw/ntsgw/tests/program"
)

// startMosquitto runs Debian's broker on a port of loopback.
func startMosquitto(t *testing.T, port int) *program.Process {
	t.Helper()
	need(t, "mosquitto", "mosquitto_sub")
	conf := filepath.Join(program.Folder(t), "m.conf")
	program.Write(t, conf, fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npersistence false\n", port))
	p := program.Start(t, exec.Command("mosquitto", "-c", conf))
	program.Eventually(t, 5*time.Second, "mosquitto listens", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return p
}

// arrival is one message as mosquitto_sub saw it.
type arrival struct {
	at      time.Time
	topic   string
	retain  bool
	payload string // hex
}

// subscribe runs mosquitto_sub until the test ends. It comes back by itself when the broker does.
func subscribe(t *testing.T, port int, topic string) <-chan arrival {
	t.Helper()
	cmd := exec.Command("mosquitto_sub", "-p", fmt.Sprint(port), "-t", topic, "-F", "%t %r %x")
	r, w := io.Pipe()
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := make(chan arrival, 256)
	go func() {
		for sc := bufio.NewScanner(r); sc.Scan(); {
			if f := strings.Fields(sc.Text()); len(f) == 3 {
				out <- arrival{time.Now(), f[0], f[1] == "1", f[2]}
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		w.Close()
	})
	return out
}

// receive waits for the next one on topic, which comes within that time on a machine that does nothing else.
func receive(t *testing.T, in <-chan arrival, topic string, within time.Duration) arrival {
	t.Helper()
	within *= program.Busy
	timeout := time.After(within)
	for {
		select {
		case a := <-in:
			if strings.HasSuffix(a.topic, "/"+topic) {
				return a
			}
		case <-timeout:
			t.Fatalf("nothing on %s within %v", topic, within)
		}
	}
}

func TestBeaconsThroughMosquitto(t *testing.T) {
	pki := certstest.New(t)
	chrony := startChrony(t, pki)
	broker := loopback.Port(t)
	mosquitto := startMosquitto(t, broker)
	in := subscribe(t, broker, "ntsgw/#")
	g := startGateway(t, server(chrony.ke, pki.CAFile(t)), fmt.Sprintf("broker = \"mqtt://127.0.0.1:%d\"\n", broker), "")
	g.waitSynced(10 * time.Second)
	key := ""

	var last uint32
	verify := func(a arrival) (made time.Time) {
		t.Helper()
		if a.retain {
			t.Error("a beacon is retained")
		}
		if key == "" {
			key = g.onlineKey()
		}
		out, code := g.run(a.payload, "beacon", "verify", "-key", key, "-gateway", "gw1", "-json")
		var m struct {
			Kind     string  `json:"kind"`
			Seconds  int64   `json:"seconds"`
			Nanos    int64   `json:"nanoseconds"`
			MaxError float64 `json:"max_error_seconds"`
			Sequence uint32  `json:"sequence"`
		}
		if err := json.Unmarshal([]byte(out), &m); err != nil || code != 0 || m.Kind != "beacon" {
			t.Fatalf("%d %v\n%s", code, err, out)
		}
		// One way: true time (here the host clock) is at least t − E when the beacon has arrived.
		made = time.Unix(m.Seconds, m.Nanos)
		if early := made.Sub(a.at); early.Seconds() > m.MaxError {
			t.Errorf("beacon %d came %v before its time", m.Sequence, early)
		}
		if m.Sequence <= last {
			t.Errorf("sequence %d after %d", m.Sequence, last)
		}
		last = m.Sequence
		return made
	}
	var old []time.Duration
	for fresh := 0; fresh < 3; {
		// One that is a second old was kept somewhere. A busy machine keeps one, not all of them.
		a := receive(t, in, "beacon", 5*time.Second)
		if age := a.at.Sub(verify(a)); age < 900*time.Millisecond {
			fresh++
		} else if old = append(old, age); len(old) > 20 {
			t.Fatalf("beacons are %v old", old)
		}
	}
	if out, code := g.run("00", "beacon", "verify", "-key", key, "-gateway", "gw1"); code != 1 || !strings.Contains(out, "not accepted") {
		t.Errorf("%d %s", code, out)
	}

	mosquitto.Stop()
	time.Sleep(3 * time.Second) // beacons that are made now must never arrive
	restarted := time.Now()
	startMosquitto(t, broker)
	again := subscribe(t, broker, "ntsgw/#")
	a := receive(t, again, "beacon", 5*time.Second)
	t.Logf("the first beacon came %v after the broker's restart", a.at.Sub(restarted).Round(time.Millisecond))
	if early := restarted.Sub(verify(a)); early > 10*time.Millisecond {
		t.Errorf("a beacon came that was made %v before the broker was back", early)
	}
	verify(receive(t, again, "beacon", 3*time.Second))

	// Retained topics are there for whoever comes later.
	late := subscribe(t, broker, "ntsgw/gw1/key")
	k := receive(t, late, "key", 3*time.Second)
	if !k.retain {
		t.Error("the delegation is not retained")
	}
	root := ""
	out, _ := g.run("", "keys", "-json", "-config", g.config)
	var list struct {
		Keys []struct{ Role, Public string }
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	for _, k := range list.Keys {
		if k.Role == "root" {
			root = k.Public
		}
	}
	if out, code := g.run(k.payload, "beacon", "verify", "-key", root, "-gateway", "gw1"); code != 0 || !strings.HasPrefix(out, "delegation ok") {
		t.Errorf("%d %s", code, out)
	}

	// Stopped in order: everyone is told.
	g.Stop()
	for told := subscribe(t, broker, "ntsgw/gw1/status"); ; {
		if a := receive(t, told, "status", 3*time.Second); a.payload == "6f66666c696e65" { // offline
			break
		}
	}
}
