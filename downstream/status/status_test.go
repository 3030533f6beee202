package status

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
)

// gateway is a timeline and a clock that a test sets by hand.
type gateway struct {
	mu   sync.Mutex
	snap discipline.Snapshot
	now  discipline.Raw
	real int64

	served atomic.Bool
}

func (g *gateway) Snapshot() *discipline.Snapshot {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.snap
	return &s
}

func (g *gateway) Now() discipline.Raw { g.mu.Lock(); defer g.mu.Unlock(); return g.now }

func (g *gateway) ReadPair() discipline.HostReading {
	return discipline.HostReading{Raw: g.Now(), Real: g.real}
}

// set changes the snapshot while a server reads it.
func (g *gateway) set(f func(*discipline.Snapshot)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f(&g.snap)
}

const utc = 1_800_000_000

func synced() *gateway {
	return &gateway{
		now:  5e9,
		real: utc*1e9 - 250e6,
		snap: discipline.Snapshot{
			State: discipline.Synchronized, At: 4e9, TAI: (utc + 37 - 1) * 1e9, TAIOffset: 37,
			MaxErrorAt: 2 * time.Millisecond, MaxErrorPPM: 100, EstErrorAt: time.Microsecond,
			Stratum: 2, SourceStratum: 1, NTS: true, Jitter: 30 * time.Microsecond, LastUpdate: 4e9,
			RootDelay: time.Millisecond, RootDispersion: 1500 * time.Microsecond,
			Warnings: []discipline.Warning{{ID: "single-source", Text: "Only one server is configured."}},
		},
	}
}

func start(t *testing.T, g *gateway) (base, socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ntsgw-status")
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "s.sock")
	s := New(Options{
		Timeline: g, Clock: g, Gateway: "gw1", Version: "test", Listen: "127.0.0.1:0", Socket: socket, Hosts: []string{"gw1.example.org"},
		Sources: func() []Source {
			return []Source{{Name: "a", State: "selected", Stratum: 1, Reach: 255, Poll: 16, Received: 9, Rejected: map[string]uint64{"stratum": 2}},
				{Name: "ntppool1.time.example:4460", State: "unreachable", Poll: 64, Rejected: map[string]uint64{"ke-timeout": 3, "no-reply": 12, "plain-ntp": 9},
					LastError: "192.0.2.17:123 answers without valid NTS authentication; plain NTP is never used: a router may answer port 123 itself, or the server's NTP part lacks NTS"}}
		},
		Outlets: func() []Outlet {
			return []Outlet{{Way: "PTP", Where: "eth0", State: "serving", Sent: 41, Answered: 43, Refused: map[string]uint64{"domain": 2}}}
		},
		Devices: func() []Device {
			return []Device{{Name: "kitchen", State: "active", Generation: 1, HalfWidth: pointer(0.002)}}
		},
		Expiries: func() []Expiry {
			return []Expiry{{Kind: "server-certificate", Name: "CN=a", From: "a", NotAfter: "2027-01-01T00:00:00Z", Left: pointer(86400)}}
		},
		Served:  g.served.Load,
		Metrics: func() map[string]Counters { return map[string]Counters{"mqtt": {"beacons": uint64(7)}} },
		Log:     slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		os.RemoveAll(dir)
	})
	return "http://" + s.Addr(ctx).String(), socket
}

func get(t *testing.T, method, url string) (int, string) {
	t.Helper()
	req, _ := http.NewRequest(method, url, nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

func TestReportHasTheFixedNames(t *testing.T) {
	base, socket := start(t, synced())
	_, body := get(t, "GET", base+"/status.json")
	var m map[string]any
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields("state synchronized nts stratum source_stratum offset_seconds jitter_seconds root_delay_seconds root_dispersion_seconds max_error_seconds est_error_seconds frequency_ppm leap tai_offset epoch last_update_seconds warnings sources") {
		if _, ok := m[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	source := m["sources"].([]any)[0].(map[string]any)
	for _, name := range strings.Fields("name address state stratum offset_seconds delay_seconds jitter_seconds reach poll_seconds aead cookies ke_age_seconds rejected") {
		if _, ok := source[name]; !ok {
			t.Errorf("sources: %s is missing", name)
		}
	}
	r, err := Ask(context.Background(), socket)
	if err != nil {
		t.Fatal(err)
	}
	if got := *r.Offset; got != 0.25 {
		t.Errorf("offset %v, want 0.25: the host is behind", got)
	}
	if got := *r.MaxError; got != 0.0021 {
		t.Errorf("max_error %v, want 2 ms + 100 ppm of 1 s", got)
	}
	if got := r.RootDelay/2 + r.RootDispersion; got < *r.MaxError || got > *r.MaxError+1e-9 {
		t.Errorf("root delay/2 + root dispersion is %v a second after the snapshot, the bound %v", got, *r.MaxError)
	}
	if r.Targets[0].Pass || !r.Targets[1].Pass || !r.Targets[2].Pass || !r.Targets[3].Pass {
		t.Errorf("targets: %+v", r.Targets)
	}
}

// sleeper falls asleep each time its clock has been read, and its timeline knows.
type sleeper struct{ *gateway }

func (s sleeper) Now() discipline.Raw {
	s.set(func(snap *discipline.Snapshot) { snap.State = discipline.Unsynchronized })
	return s.gateway.Now()
}

func TestSleepBeforeTheReportIsSeen(t *testing.T) {
	g := sleeper{synced()}
	s := New(Options{Timeline: g, Clock: g})
	g.set(func(snap *discipline.Snapshot) { snap.State = discipline.Synchronized })
	if r := s.Report(); r.Time != "" || r.MaxError != nil {
		t.Errorf("%s is stated, ± %v", r.Time, *r.MaxError)
	}
}

func TestNothingIsSaidWhenNothingIsKnown(t *testing.T) {
	g := synced()
	g.snap.State = discipline.Acquiring
	base, socket := start(t, g)
	r, err := Ask(context.Background(), socket)
	if err != nil {
		t.Fatal(err)
	}
	if r.MaxError != nil || r.Offset != nil || r.Time != "" || r.Stratum != 16 || r.Synchronized || r.NTS {
		t.Errorf("%+v", r)
	}
	var m struct {
		Sources []map[string]any
		Targets []Target
	}
	_, body := get(t, "GET", base+"/status.json")
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields("source_stratum offset_seconds jitter_seconds root_delay_seconds root_dispersion_seconds max_error_seconds est_error_seconds frequency_ppm") {
		if !strings.Contains(body, `"`+name+`": null`) {
			t.Errorf("%s is not null in\n%s", name, body)
		}
	}
	if m.Sources[0]["stratum"] != 1. || m.Sources[1]["stratum"] != nil {
		t.Errorf("strata of the sources: %v, never heard: %v", m.Sources[0]["stratum"], m.Sources[1]["stratum"])
	}
	for _, target := range m.Targets {
		if target.Have != "unknown" {
			t.Errorf("%+v", target)
		}
	}
	_, metrics := get(t, "GET", base+"/metrics")
	for _, name := range strings.Fields("source_stratum offset_seconds jitter_seconds root_delay_seconds root_dispersion_seconds max_error_seconds est_error_seconds frequency_ppm") {
		if strings.Contains(metrics, "\nntsgw_"+name+" ") {
			t.Errorf("ntsgw_%s is told", name)
		}
	}
	if _, page := get(t, "GET", base+"/"); strings.Contains(page, `class="fail"`) || strings.Contains(page, "ppm") || strings.Contains(page, ">0 s") {
		t.Errorf("the page states what is not known:\n%s", page)
	}
	if code, body := get(t, "GET", base+"/healthz"); code != 200 || !strings.Contains(body, `"starting"`) {
		t.Errorf("a young gateway: %d %s", code, body)
	}
	g.served.Store(true)
	if code, body := get(t, "GET", base+"/healthz"); code != 503 || !strings.Contains(body, `"unhealthy"`) {
		t.Errorf("a young gateway that lost the time: %d %s", code, body)
	}
	g.served.Store(false)
	g.mu.Lock()
	g.now += discipline.Raw(61 * time.Second)
	g.mu.Unlock()
	if code, body := get(t, "GET", base+"/healthz"); code != 503 || !strings.Contains(body, `"unhealthy"`) {
		t.Errorf("after a minute: %d %s", code, body)
	}
	g.set(func(s *discipline.Snapshot) { s.State = discipline.Holdover })
	if code, _ := get(t, "GET", base+"/healthz"); code != 200 {
		t.Errorf("holdover: %d", code)
	}
	if _, body := get(t, "GET", base+"/metrics"); !strings.Contains(body, `ntsgw_state{state="holdover"} 1`) ||
		!strings.Contains(body, `ntsgw_source_rejected_total{source="a",reason="stratum"} 2`) || !strings.Contains(body, "ntsgw_mqtt_beacons_total 7") ||
		!strings.Contains(body, `ntsgw_expiry_seconds{kind="server-certificate",name="CN=a",from="a"} 86400`) {
		t.Errorf("metrics:\n%s", body)
	}
}

// The text format knows three escapes in a label's value; another one makes a scraper refuse the whole page.
func TestLabelsAreEscapedAsTheTextFormatWantsIt(t *testing.T) {
	var b strings.Builder
	name := "a\tb\"c\\d\ne\u00e4\u200b\xff"
	writeMetrics(&b, &Report{Sources: []Source{{Name: name, State: "selected", Rejected: map[string]uint64{name: 2}}}, Expiries: []Expiry{{Kind: "k", Name: name, From: "f", Left: pointer(1)}}},
		map[string]Counters{"mqtt": {"rejected": map[string]uint64{name: 3}}})
	const escaped = "\"a\tb\\\"c\\\\d\\ne\u00e4\u200b\uFFFD\""
	for _, want := range []string{"ntsgw_source_reach{source=" + escaped + "} 0\n", "ntsgw_source_state{source=" + escaped + `,state="selected"} 1`,
		"ntsgw_source_rejected_total{source=" + escaped + ",reason=" + escaped + "} 2\n", `ntsgw_expiry_seconds{kind="k",name=` + escaped + `,from="f"} 1`,
		"ntsgw_mqtt_rejected_total{reason=" + escaped + "} 3\n", `ntsgw_state{state="holdover"} 0`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
}

func TestBadRequestsAreCountedAndChangeNothing(t *testing.T) {
	base, socket := start(t, synced())
	if code, body := get(t, "GET", base+"/nope"); code != 404 || !strings.Contains(body, "unknown-path") {
		t.Errorf("%d %s", code, body)
	}
	if code, body := get(t, "POST", base+"/status.json"); code != 405 || !strings.Contains(body, "method") {
		t.Errorf("%d %s", code, body)
	}
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "\x00\xff nonsense\r\n\r\n")
	answer, _ := io.ReadAll(c)
	if !strings.Contains(string(answer), "400") {
		t.Errorf("nonsense got %q", answer)
	}
	_, body := get(t, "GET", base+"/metrics")
	for _, want := range []string{`ntsgw_status_rejected_total{reason="method"} 1`, `ntsgw_status_rejected_total{reason="unknown-path"} 1`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
	if _, err := Ask(context.Background(), socket); err != nil {
		t.Errorf("the next honest request: %v", err)
	}
}

// A page from anywhere can have its name lead to 127.0.0.1: the browser then lets it read what is answered.
func TestNamesOfOthersAreNotAnswered(t *testing.T) {
	base, socket := start(t, synced())
	ask := func(host string) (int, string) {
		req, err := http.NewRequest(http.MethodGet, base+"/status.json", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for _, host := range []string{"localhost", "LOCALHOST:8460", "localhost.", "127.0.0.1", "127.0.0.1:8460", "[::1]:8460", "[::1]", "192.0.2.1",
		"gateway", "gateway:8460", "gateway.local", "gateway.lan:80", "ntsgw.monitoring.svc.cluster.local", "page.localhost", "gw", "gw.home.arpa", "gw1.example.org", "GW1.example.org.:8460"} {
		if code, body := ask(host); code != http.StatusOK {
			t.Errorf("Host %s: %d %s", host, code, body)
		}
	}
	others := []string{"evil.example.com", "evil.example.com:8460", "EVIL.DE.", "127.0.0.1.evil.org", "a.github.io", "co.uk", "localhost.evil.net"}
	for _, host := range others {
		code, body := ask(host)
		if code != http.StatusMisdirectedRequest || !strings.Contains(body, "ask for localhost") || strings.Contains(body, "kitchen") {
			t.Errorf("Host %s: %d %s", host, code, body)
		}
	}
	if _, body := get(t, http.MethodGet, base+"/metrics"); !strings.Contains(body, `ntsgw_status_rejected_total{reason="host"} `+strconv.Itoa(len(others))) {
		t.Errorf("not counted:\n%s", body)
	}
	if _, err := Ask(context.Background(), socket); err != nil {
		t.Error(err)
	}
}

func TestSocketIsTakenOverOnlyFromTheDead(t *testing.T) {
	_, socket := start(t, synced())
	if _, err := listenUnix(socket); err == nil || !strings.Contains(err.Error(), "another ntsgw is running") {
		t.Errorf("beside a living one: %v", err)
	}
	dead := filepath.Join(t.TempDir(), "d.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	l2, err := listenUnix(dead)
	if err != nil {
		t.Fatal(err)
	}
	l2.Close()
}

func TestWhatIsNoSocketStays(t *testing.T) {
	dir := t.TempDir()
	file, folder := filepath.Join(dir, "ntsgw.toml"), filepath.Join(dir, "folder")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, folder} {
		if l, err := listenUnix(path); err == nil {
			l.Close()
			t.Errorf("%s was taken for a dead gateway's socket", path)
		} else if !strings.Contains(err.Error(), "set socket in [status]") {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("it is gone: %v", err)
		}
	}
}

func TestWait(t *testing.T) {
	g := synced() // to 2.1 ms
	g.real += 249.8e6
	_, socket := start(t, g)
	if _, err := Wait(context.Background(), socket, 3*time.Millisecond, nil); err != nil {
		t.Errorf("a bound that holds: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if r, err := Wait(ctx, socket, time.Millisecond, nil); !errors.Is(err, context.DeadlineExceeded) || r == nil {
		t.Errorf("a bound that does not: %v %v", r, err)
	}
	if _, err := Ask(context.Background(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, ErrNotRunning) {
		t.Errorf("nobody there: %v", err)
	}
}

// TestWaitIsForTheHostClock holds wait to the clock that those who wait will read: that the timeline is good doesn't
// set it.
func TestWaitIsForTheHostClock(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, c := range []struct {
		name string
		mode string
		off  time.Duration // the host clock
		good bool
	}{
		{"nobody has set it yet", "observe", -10 * year, false},
		{"it is still slewed", "system", 1500 * time.Millisecond, false},
		{"the bound and the offset together are too much", "system", -998500 * time.Microsecond, false},
		{"it was set", "system", 500 * time.Millisecond, true},
		{"another program set it", "observe", -time.Millisecond, true},
		{"the bound holds for it already", "follow", time.Microsecond, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := synced()
			g.real += 250e6 + int64(c.off)
			path := filepath.Join(t.TempDir(), "s")
			s := New(Options{Timeline: g, Clock: g, Socket: path, Mode: func() string { return c.mode }, Log: slog.New(slog.DiscardHandler)})
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx) }()
			s.Addr(ctx)
			waiting, enough := context.WithTimeout(ctx, 10*time.Second)
			asked := false
			_, err := Wait(waiting, path, time.Second, func(*Report) {
				asked = true
				enough()
			})
			if good := err == nil; good != c.good || good == asked {
				t.Errorf("wait returned %v", err)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// What is said of a state is true of every way to it, and says where to look.
func TestVerdict(t *testing.T) {
	source := func(state string, received uint64) Source { return Source{State: state, Received: received} }
	dead, gone, denied := source("unreachable", 0), source("unreachable", 5), source("denied", 0)
	good, odd := source("selected", 5), source("candidate", 5)
	for _, c := range []struct {
		name     string
		state    string
		withheld *float64
		sources  []Source
		want     string
	}{
		{"agreed", "synchronized", nil, []Source{good, good, dead}, "2 servers agree. The time served is true to within 1.01 s."},
		{"one", "synchronized", nil, []Source{good}, "One server is followed. The time served is true to within 1.01 s."},
		{"holdover", "holdover", nil, []Source{gone}, "true to within 1.01 s, and that grows."},
		{"too few", "acquiring", nil, []Source{odd, dead, dead}, "not yet enough of them agree. Nothing is served until they do. To see how each is: ntsgw sources."},
		{"withheld", "acquiring", pointer(20.001e-6), []Source{good, good, good}, "3 servers agree, but the maximum error, 20.1 µs, is larger than max_error_limit in [clock] allows."},
		{"withheld in holdover", "unsynchronized", pointer(1), []Source{gone}, "No majority of servers answers at present, and the maximum error, 1 s, has grown larger than max_error_limit"},
		{"only dead ones", "unsynchronized", nil, []Source{dead, dead}, "No server has answered yet, so nothing is served. To see why: ntsgw sources."},
		{"heard and lost", "acquiring", nil, []Source{gone, dead}, "No server answers at present, so nothing is served. To see why: ntsgw sources."},
		{"refused", "unsynchronized", nil, []Source{denied, denied}, "Every server is refused, so nothing is served. To see why: ntsgw sources."},
		{"at odds", "unsynchronized", nil, []Source{odd, odd}, "Servers answer, but none can be believed at present, so nothing is served. To see how each is: ntsgw sources."},
		{"followed without a majority", "unsynchronized", nil, []Source{odd, gone, gone}, "in follow mode nothing else tells how far off the host clock is, so nothing is served."},
		{"none", "unsynchronized", nil, nil, "No server is configured, so nothing is served."},
	} {
		mode := "system"
		if strings.HasPrefix(c.name, "followed") {
			mode = "follow"
		}
		r := Report{Mode: mode, State: c.state, Sources: c.sources, Withheld: c.withheld, MaxError: pointer(1.00499)}
		if _, got := r.Verdict(); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// A bound that max_error_limit forbids to serve is told as such, and only there.
func TestWithheldBound(t *testing.T) {
	g := synced()
	for _, c := range []struct {
		name string
		set  func(*discipline.Snapshot)
		max  time.Duration
		want bool
	}{
		{"served", func(*discipline.Snapshot) {}, time.Millisecond, false},
		{"withheld", func(s *discipline.Snapshot) { s.State = discipline.Acquiring }, time.Millisecond, true},
		{"for another cause", func(s *discipline.Snapshot) { s.State = discipline.Unsynchronized }, 3 * time.Millisecond, false},
		{"for another cause without a limit", func(s *discipline.Snapshot) {}, 0, false},
		{"contradicted", func(s *discipline.Snapshot) { s.State, s.Warnings[0].ID = discipline.Unsynchronized, "majority-jumped" }, time.Millisecond, false},
		{"no timeline yet", func(s *discipline.Snapshot) { s.State, s.MaxErrorAt, s.Warnings = discipline.Acquiring, 0, nil }, time.Millisecond, false},
	} {
		c.set(&g.snap)
		r := build(g.Snapshot(), g.now, g.ReadPair(), c.max)
		if (r.Withheld != nil) != c.want || c.want && *r.Withheld != 0.0021 {
			t.Errorf("%s: %v", c.name, r.Withheld)
		}
	}
}

func TestBoundIsRoundedUp(t *testing.T) {
	for s, want := range map[float64]string{0: "0 s", 1e-9: "1 ns", 12e-9: "12 ns", 2.5e-6: "2.5 µs", 20.001e-6: "20.1 µs", 0.0021: "2.1 ms", 0.1: "100 ms", 0.9991: "1 s",
		1.00499: "1.01 s", 1.005: "1.01 s", 1.01: "1.01 s", 119.4: "2m0s", 7200.2: "2h0m1s", 86399.9999: "24h0m0s"} {
		if got := Bound(s); got != want {
			t.Errorf("Bound(%v) = %q, want %q", s, got, want)
		}
	}
}

func TestPageEscapesAndSaysTheVerdict(t *testing.T) {
	g := synced()
	g.snap.Warnings[0].Text = "<script>alert(1)</script>"
	base, _ := start(t, g)
	code, body := get(t, "GET", base+"/")
	if code != 200 || !strings.Contains(body, "<h1 class=\"synchronized\">Synchronized</h1>") || strings.Contains(body, "<script>alert") || !strings.Contains(body, "1.0 days") || !strings.Contains(body, "domain 2") {
		t.Errorf("%d\n%s", code, body)
	}
}

func TestDuration(t *testing.T) {
	for s, want := range map[float64]string{0: "0 s", 12e-9: "12 ns", 2.5e-6: "2.5 µs", -0.0321: "-32.1 ms", 1: "1 s", 59.94: "59.9 s", 7200: "2h0m0s", 0.9999: "1 s"} {
		if got := Duration(s); got != want {
			t.Errorf("Duration(%v) = %q, want %q", s, got, want)
		}
	}
}
