package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// simulator runs chronyd under clknetsim.
type simulator struct {
	dir    string // with copies of clknetsim's two files, readable by everybody
	chrony string
	keep   string
	user   *syscall.Credential // whom the programs run as; nil: as ourselves
}

// nobody is who runs chronyd where we are root: clknetsim wants that, and so no clock can be set.
const nobody = 65534

// newSimulator takes clknetsim from the folder where it was built.
func newSimulator(built, keep string) (*simulator, error) {
	if built == "" {
		return nil, unusable("which clknetsim is not said: build it (git clone https://github.com/mlichvar/clknetsim && make -C clknetsim) and add CLKNETSIM=its folder")
	}
	chrony, err := exec.LookPath("chronyd")
	if err != nil {
		chrony = "/usr/sbin/chronyd" // not in every user's PATH
	}
	if _, err := os.Stat(chrony); err != nil {
		return nil, unusable("there is no chronyd: install Debian's package chrony")
	}
	if keep != "" {
		if err := os.MkdirAll(keep, 0o755); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp("", "samepackets-")
	if err != nil {
		return nil, err
	}
	s := &simulator{dir: dir, chrony: chrony, keep: keep}
	if os.Getuid() == 0 {
		s.user = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	err = os.Chmod(dir, 0o755)
	for _, file := range []string{"clknetsim", "clknetsim.so"} {
		b, e := os.ReadFile(filepath.Join(built, file))
		if errors.Is(e, os.ErrNotExist) {
			s.close()
			return nil, unusable(fmt.Sprintf("%s has no %s: run make there first", built, file))
		}
		err = errors.Join(err, e, os.WriteFile(filepath.Join(dir, file), b, 0o755))
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *simulator) close() { os.RemoveAll(s.dir) }

// tables are what clknetsim plays: the rate of each second, and each packet's delays by server. A lost one has none.
type tables struct {
	rates     []float64   // ns/s
	out, back [][]float64 // ns; back is negative where the answer is lost
}

// draw makes a world's tables. A path's law at an instant is that of the poll which falls there.
func draw(w world, seed uint64) (t tables) {
	h := fnv.New64a()
	io.WriteString(h, w.name)
	t.rates = make([]float64, w.seconds)
	rate := w.osc.Rates(rand.New(rand.NewPCG(seed, h.Sum64())))
	for i := range t.rates {
		t.rates[i] = rate()
	}
	for i := range w.paths {
		rng := rand.New(rand.NewPCG(seed+1<<32*uint64(i+1), h.Sum64()))
		var out, back []float64
		for at := 0.0; at < 1.1*float64(w.seconds)+100; at += 1.01 * float64(int(1)<<w.poll) {
			o, b, ok := w.paths[i].Draw(rng, at)
			if !ok { // where both are drawn the two ways' tables stay in step
				o, b = w.paths[i].Out+1000, -1
			}
			out, back = append(out, o), append(back, b)
		}
		t.out, t.back = append(t.out, out), append(t.back, back)
	}
	return t
}

// play lets chronyd live through a world, and returns what it did.
func (s *simulator) play(ctx context.Context, w world, seed uint64) (*played, error) {
	t := draw(w, seed)
	var kept string
	if s.keep != "" {
		h := fnv.New64a()
		fmt.Fprint(h, w.poll, w.seconds, t, "root")
		if w.stored {
			fmt.Fprint(h, w.osc.Offset)
		}
		kept = filepath.Join(s.keep, fmt.Sprintf("%x.%d", h.Sum64(), seed))
		if b, err := os.ReadFile(kept); err == nil {
			p := new(played)
			if gob.NewDecoder(bytes.NewReader(b)).Decode(p) == nil {
				return p, nil
			}
		}
	}
	p, err := s.simulate(ctx, w, seed, t)
	if err != nil || kept == "" {
		return p, err
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(p); err != nil {
		return nil, err
	}
	return p, os.WriteFile(kept, b.Bytes(), 0o644)
}

func (s *simulator) simulate(ctx context.Context, w world, seed uint64, t tables) (*played, error) {
	run, err := os.MkdirTemp(s.dir, "")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(run)
	if s.user != nil {
		err = os.Chown(run, nobody, nobody)
	}
	client := len(w.paths) + 1
	write := func(name string, lines ...string) {
		err = errors.Join(err, os.WriteFile(filepath.Join(run, name), []byte(strings.Join(lines, "\n")+"\n"), 0o644))
	}
	links := []string{fmt.Sprintf(`node%d_freq = (file "rates")`, client)}
	write("rates", numbers(t.rates)...)
	var polled []string
	for i := range w.paths {
		write(fmt.Sprint("out", i), numbers(t.out[i])...)
		write(fmt.Sprint("back", i), numbers(t.back[i])...)
		links = append(links, fmt.Sprintf(`node%d_delay%d = (file "out%d")`, client, i+1, i), fmt.Sprintf(`node%d_delay%d = (file "back%d")`, i+1, client, i))
		write(fmt.Sprint("conf", i+1), "local stratum 1", "allow", "cmdport 0", "bindcmdaddress /", fmt.Sprintf("pidfile %s/pid%d", run, i+1))
		polled = append(polled, fmt.Sprintf("server 192.168.123.%d minpoll %d maxpoll %d", i+1, w.poll, w.poll))
	}
	if w.stored {
		write("drift", fmt.Sprintf("%f 0.1", w.osc.Offset/1000))
		polled = append(polled, fmt.Sprintf("driftfile %s/drift", run))
	}
	write("network", links...)
	write(fmt.Sprint("conf", client), append(polled, "log tracking", "logdir "+run, "cmdport 0", "bindcmdaddress /", fmt.Sprintf("pidfile %s/pid%d", run, client))...)
	if err != nil {
		return nil, err
	}
	// A simulation takes seconds; what hangs is ended.
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	command := func(said *bytes.Buffer, path string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, path, args...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = run, said, said
		cmd.Env = []string{"CLKNETSIM_SOCKET=" + run + "/socket", fmt.Sprint("CLKNETSIM_RANDOM_SEED=", seed), fmt.Sprint("CLKNETSIM_START_DATE=", epoch.Unix())}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.user}
		return cmd
	}
	said := make([]bytes.Buffer, client+1)
	for n := 1; n <= client; n++ {
		cmd := command(&said[n], s.chrony, "-d", "-f", fmt.Sprint(run, "/conf", n))
		cmd.Env = append(cmd.Env, "LD_PRELOAD="+s.dir+"/clknetsim.so", fmt.Sprint("CLKNETSIM_NODE=", n))
		if err := cmd.Start(); err != nil {
			return nil, fmt.Errorf("start chronyd: %w", err)
		}
		defer cmd.Wait()
	}
	defer cancel()
	network := command(&said[0], s.dir+"/clknetsim", "-v", "0", "-l", fmt.Sprint(w.seconds+1), "-o", "offsets", "-p", "packets", "-s", run+"/socket", "network", fmt.Sprint(client))
	if err := network.Run(); err != nil {
		cancel()
		return nil, fmt.Errorf("clknetsim: %w: %s", err, bytes.TrimSpace(said[0].Bytes()))
	}
	packets, err := os.Open(filepath.Join(run, "packets"))
	if err != nil {
		return nil, err
	}
	defer packets.Close()
	offsets, err := os.Open(filepath.Join(run, "offsets"))
	if err != nil {
		return nil, err
	}
	defer offsets.Close()
	tracking, err := os.Open(filepath.Join(run, "tracking.log"))
	if err != nil {
		return nil, err
	}
	defer tracking.Close()
	p := &played{Rates: t.rates}
	if p.Exchanges, err = readPackets(packets, client); err != nil {
		return nil, err
	}
	if p.Chrony, err = readOffsets(offsets, client); err != nil {
		return nil, err
	}
	if p.Root, err = readTracking(tracking, w.seconds); err != nil {
		return nil, err
	}
	// The log begins at 0 s; errors are of the end of each second.
	if len(p.Chrony) <= w.seconds || len(p.Exchanges) < w.seconds>>w.poll*len(w.paths)/4 {
		return nil, fmt.Errorf("clknetsim's logs are too short: %d seconds, %d exchanges", len(p.Chrony), len(p.Exchanges))
	}
	p.Chrony = p.Chrony[1 : w.seconds+1]
	return p, nil
}

// numbers writes ns as seconds, or ns/s as a ratio.
func numbers(ns []float64) []string {
	lines := make([]string, len(ns))
	for i, x := range ns {
		lines[i] = strconv.FormatFloat(x/1e9, 'e', 15, 64)
	}
	return lines
}

// readPackets reads clknetsim's packet log: time, from, to, delay (not positive: lost), source port, destination
// port and more. A server answers at the instant a request comes, so the first answer after one is its own.
func readPackets(r io.Reader, client int) (list []exchange, err error) {
	type sent struct{ at, delay float64 }
	waiting := make([][]sent, client)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 6 {
			return nil, fmt.Errorf("clknetsim's packet log has the line %q", lines.Text())
		}
		at, e1 := strconv.ParseFloat(f[0], 64)
		from, e2 := strconv.Atoi(f[1])
		to, e3 := strconv.Atoi(f[2])
		delay, e4 := strconv.ParseFloat(f[3], 64)
		if err := errors.Join(e1, e2, e3, e4); err != nil {
			return nil, fmt.Errorf("clknetsim's packet log: %w", err)
		}
		switch {
		case from == client && to >= 1 && to < client && f[5] == "123":
			if delay > 0 {
				waiting[to] = append(waiting[to], sent{at, delay})
			}
		case to == client && from >= 1 && from < client && f[4] == "123":
			if len(waiting[from]) == 0 {
				return nil, fmt.Errorf("clknetsim's packet log has an answer without a request: %q", lines.Text())
			}
			q := waiting[from][0]
			waiting[from] = waiting[from][1:]
			if delay > 0 {
				list = append(list, exchange{from - 1, q.at, q.delay * 1e9, delay * 1e9})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b exchange) int { return cmp.Compare(a.answered(), b.answered()) })
	return list, lines.Err()
}

// readOffsets reads clknetsim's offset log: a line a second, a column a node, the clock's error in seconds.
func readOffsets(r io.Reader, node int) (ns []float64, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < node {
			return nil, fmt.Errorf("clknetsim's offset log has the line %q", lines.Text())
		}
		x, err := strconv.ParseFloat(f[node-1], 64)
		if err != nil || math.IsNaN(x) {
			return nil, fmt.Errorf("clknetsim's offset log has the line %q", lines.Text())
		}
		ns = append(ns, x*1e9)
	}
	return ns, lines.Err()
}

// epoch is when clknetsim's clients believe to start.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// readTracking reads chronyd's tracking log: what root distance chronyd states at the end of each second, in ns, infinite
// before its first update. From one update to the next it grows by the skew and by 1 ppm (maxclockerror), as in chronyd.
func readTracking(r io.Reader, seconds int) ([]float64, error) {
	root := slices.Repeat([]float64{math.Inf(1)}, seconds)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 14 || f[0] == "Date" {
			continue // headings
		}
		at, e0 := time.ParseInLocation("2006-01-02 15:04:05", f[0]+" "+f[1], time.UTC)
		skew, e1 := strconv.ParseFloat(f[5], 64)
		delay, e2 := strconv.ParseFloat(f[11], 64)
		dispersion, e3 := strconv.ParseFloat(f[12], 64)
		if err := errors.Join(e0, e1, e2, e3); err != nil {
			return nil, fmt.Errorf("chronyd's tracking log has the line %q: %w", lines.Text(), err)
		}
		for i, from := 0, int(at.Sub(epoch)/time.Second); from+i < seconds; i++ {
			root[max(from, 0)+i] = (delay/2+dispersion)*1e9 + (skew+1)*1000*float64(i)
		}
	}
	return root, lines.Err()
}
