// Command guestinit is the first process of a user-mode Linux guest: it mounts what is needed,
// sets its own clock wrong as told, starts a program, and answers probes and commands over UDP.
package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/tests/uml/probe"
	"github.com/ntsgw/ntsgw/upstream/ntp"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guestinit is the first process of a user-mode Linux guest, nothing else")
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Println("guest:", err)
	}
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func run() error {
	for _, m := range [][3]string{
		{"proc", "/proc", "proc"}, {"sysfs", "/sys", "sysfs"}, {"devtmpfs", "/dev", "devtmpfs"},
		{"tmpfs", "/run", "tmpfs"}, {"tmpfs", "/var/lib", "tmpfs"}, {"tmpfs", "/var/log", "tmpfs"},
	} {
		if err := unix.Mount(m[0], m[1], m[2], 0, ""); err != nil && err != unix.EBUSY {
			return fmt.Errorf("mounting %s: %w", m[1], err)
		}
	}
	text, err := os.ReadFile(os.Getenv("guestspec"))
	if err != nil {
		return err
	}
	var spec probe.Spec
	if err := json.Unmarshal(text, &spec); err != nil {
		return err
	}
	if err := unix.Mount("none", spec.Shared, "hostfs", 0, spec.Shared); err != nil {
		return fmt.Errorf("mounting %s: %w", spec.Shared, err)
	}
	if err := setClock(spec); err != nil {
		return err
	}
	for _, path := range spec.Modules {
		if err := load(path); err != nil {
			return fmt.Errorf("loading %s: %w", path, err)
		}
	}
	setup := append([][]string{
		{"ip", "link", "set", "lo", "up"},
		{"ip", "addr", "add", spec.Address, "dev", "vec0"},
		{"ip", "link", "set", "vec0", "up"},
	}, spec.Setup...)
	os.Setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
	for _, c := range setup {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(c, " "), err, out)
		}
	}
	g := &guest{spec: spec}
	if spec.Start {
		if err := g.start(); err != nil {
			return err
		}
	}
	return g.serve()
}

func setClock(spec probe.Spec) error {
	at := time.Now().Add(spec.Wrong).UnixNano()
	switch {
	case spec.Real != 0:
		at = spec.Real
	case spec.Wrong == 0:
		return nil
	}
	ts := unix.NsecToTimespec(at)
	return unix.ClockSettime(unix.CLOCK_REALTIME, &ts)
}

func load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), "", 0)
}

type guest struct {
	spec    probe.Spec
	program *exec.Cmd
	ended   chan error
}

func (g *guest) start() error {
	log, err := os.OpenFile(g.spec.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	c := exec.Command(g.spec.Program[0], g.spec.Program[1:]...)
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		return err
	}
	g.program, g.ended = c, make(chan error, 1)
	go func(c *exec.Cmd, ended chan error) { ended <- c.Wait() }(c, g.ended)
	return nil
}

// serve answers one datagram after the other: two would disturb each other's stamps.
func (g *guest) serve() error {
	conn, err := ntp.Listen(netip.AddrPortFrom(netip.IPv4Unspecified(), probe.Port))
	if err != nil {
		return err
	}
	clock := sysclock.NewObserver()
	buf, out := make([]byte, 65536), make([]byte, 0, 128)
	for silent := 0; ; {
		// A guest whose test was killed ends by itself, after 30 s. A skip of time is a deadline passed too.
		if err := conn.SetReadDeadline(time.Now().Add(3 * time.Second)); err != nil {
			return err
		}
		got, err := conn.Receive(buf)
		if silent++; errors.Is(err, os.ErrDeadlineExceeded) && silent < 10 {
			continue
		}
		if err != nil {
			return err
		}
		silent = 0
		off := false
		n, received := got.N, got.Stamp
		if n == 0 {
			continue
		}
		if received == 0 {
			received = sysclock.ReadPair().Real
		}
		switch buf[0] {
		case probe.Time:
			if n != 9 {
				continue
			}
			k, err := clock.Kernel()
			if err != nil {
				return err
			}
			a := probe.Answer{Token: binary.BigEndian.Uint64(buf[1:]), Received: received,
				MaxError: k.MaxError, EstError: k.EstError, FrequencyPPM: k.FrequencyPPM,
				TAIOffset: int32(k.TAIOffset), Unsynchronized: k.Unsynchronized}
			a.Sent = sysclock.ReadPair().Real
			out = a.AppendBinary(out[:0])
		case probe.Command:
			number, words, _ := strings.Cut(string(buf[1:n]), " ")
			text, err := g.command(strings.Fields(words))
			if err != nil {
				text = "error " + err.Error() + ": " + text
			} else {
				text, off = "ok "+text, words == "off"
			}
			out = append(append(out[:0], number+" "...), text[:min(len(text), 60_000)]...)
		default:
			continue
		}
		if _, err := conn.Send(out, got.Peer, got.Local); err != nil {
			return err
		}
		if off {
			return nil
		}
	}
}

func (g *guest) command(words []string) (string, error) {
	if len(words) == 0 {
		return "", fmt.Errorf("no command")
	}
	switch words[0] {
	case "hello":
		return "", nil
	case "start":
		return "", g.start()
	case "kill", "term":
		signal := unix.SIGKILL
		if words[0] == "term" {
			signal = unix.SIGTERM
		}
		if err := g.program.Process.Signal(signal); err != nil {
			return "", err
		}
		select {
		case err := <-g.ended:
			return fmt.Sprint(err), nil
		case <-time.After(5 * time.Second):
			return "", fmt.Errorf("still running")
		}
	case "ended": // how the program ended, if it did
		select {
		case err := <-g.ended:
			g.ended <- err
			return fmt.Sprint(err), nil
		default:
			return "running", nil
		}
	case "move": // what date -s does, by nanoseconds
		ns, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			return "", err
		}
		ts := unix.NsecToTimespec(time.Now().UnixNano() + ns)
		return "", unix.ClockSettime(unix.CLOCK_REALTIME, &ts)
	case "adjtimex": // frequency in ppm, as another daemon would
		ppm, err := strconv.ParseFloat(words[1], 64)
		if err != nil {
			return "", err
		}
		_, err = unix.Adjtimex(&unix.Timex{Modes: unix.ADJ_FREQUENCY, Freq: int64(ppm * 65536)})
		return "", err
	case "maxerror": // in µs: what it is after hours without a program
		us, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			return "", err
		}
		_, err = unix.Adjtimex(&unix.Timex{Modes: unix.ADJ_MAXERROR, Maxerror: us})
		return "", err
	case "kernel":
		k, err := sysclock.NewObserver().Kernel()
		if err != nil {
			return "", err
		}
		b, err := json.Marshal(k)
		return string(b), err
	case "clockcheck":
		return clockCheck()
	case "run":
		b, err := exec.Command(words[1], words[2:]...).CombinedOutput()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && len(b) > 0 {
			err = nil // what it says counts: status of an unsynchronized gateway ends with 4
		}
		return string(b), err
	case "off":
		return "", nil
	}
	return "", fmt.Errorf("unknown command %q", words[0])
}
