package hostile

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/tests/program"
)

// rejected reads the page's own counters from its metrics.
func (g *gateway) rejected() map[string]float64 {
	g.t.Helper()
	resp, err := http.Get("http://" + g.page + "/metrics")
	must(g.t, err)
	defer resp.Body.Close()
	out := map[string]float64{}
	for s := bufio.NewScanner(resp.Body); s.Scan(); {
		rest, ok := strings.CutPrefix(s.Text(), `ntsgw_status_rejected_total{reason="`)
		if !ok {
			continue
		}
		reason, number, _ := strings.Cut(rest, `"} `)
		out[reason], _ = strconv.ParseFloat(number, 64)
	}
	return out
}

// Whoever may open the page or the socket can ask, and change nothing.
func TestItsPageAndSocket(t *testing.T) {
	t.Parallel()
	g := newGateway(t, []*peer{newPeer(t, "s0")}, options{}).start()
	line := g.synced(15 * time.Second)
	request := func(method, path string, more ...string) []byte {
		return []byte(method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + strings.Join(more, "\r\n") + "\r\n\r\n")
	}
	for _, tt := range []struct {
		name, want string // want: the word it is counted under; empty: the server itself ends it
		status     int    // 0: none, the connection is closed
		send       []byte
	}{
		{"another path", "unknown-path", 404, request("GET", "/etc/passwd")},
		{"a path that climbs", "unknown-path", 404, request("GET", "/%2e%2e/%2e%2e/etc/passwd")},
		{"the profiler", "unknown-path", 404, request("GET", "/debug/pprof/")},
		{"POST", "method", 405, request("POST", "/status.json", "Content-Length: 0")},
		{"DELETE", "method", 405, request("DELETE", "/")},
		{"PUT of 10 MB that never comes", "method", 405, request("PUT", "/metrics", "Content-Length: 10000000")},
		{"a method of its own", "method", 405, request("STEP", "/clock")},
		{"headers of 1 MB", "", 431, request("GET", "/", "X: "+strings.Repeat("x", 1<<20))},
		{"no HTTP", "", 400, []byte("\x16\x03\x01\x00\xa5 hello\r\n\r\n")},
		{"two lengths", "", 400, request("POST", "/", "Content-Length: 3", "Content-Length: 5")},
		{"length and chunks", "method", 405, request("POST", "/", "Content-Length: 3", "Transfer-Encoding: chunked", "", "0")},
	} {
		for _, over := range []string{"page", "socket"} {
			t.Run(tt.name+" over the "+over, func(t *testing.T) {
				g.t = t
				before := g.rejected()
				network, address := "tcp", g.page
				if over == "socket" {
					network, address = "unix", g.socket
				}
				c, err := net.Dial(network, address)
				must(t, err)
				defer c.Close()
				c.SetDeadline(time.Now().Add(program.Busy * 5 * time.Second))
				go c.Write(tt.send)
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				must(t, err)
				body, _ := io.ReadAll(resp.Body)
				if resp.StatusCode != tt.status {
					t.Errorf("answered %s", resp.Status)
				}
				if bytes.Contains(body, []byte("max_error_seconds")) || len(body) > 4096 {
					t.Errorf("answered %d bytes: %.200s", len(body), body)
				}
				if tt.want != "" {
					before[tt.want]++
				}
				if after := g.rejected(); fmt.Sprint(after) != fmt.Sprint(before) {
					t.Errorf("counted %v, want %v", after, before)
				}
				g.same(line)
			})
		}
	}
	t.Run("two hundred connections that say nothing", func(t *testing.T) {
		g.t = t
		for i := range 200 {
			c, err := net.Dial("tcp", g.page)
			must(t, err)
			defer c.Close()
			if i%2 == 0 {
				fmt.Fprint(c, "GET / HT")
			}
		}
		g.same(line)
	})
	g.t = t
}
