// Package compose runs the lab as containers: it builds the images from the Dockerfiles, and looks at
// what both nodes say, ntsgw's own and the C library, while the server's container is stopped and started.
package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ntsgw/ntsgw/discipline"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
)

// The base images, as the Dockerfiles name them.
const (
	baseImage     = "golang:1.26-bookworm"
	nodeBaseImage = "debian:bookworm-slim"
)

// project is the compose project's name: containers, volumes and the network bear it.
var project = fmt.Sprintf("ntsgwtest%d", os.Getpid())

func output(t *testing.T, within time.Duration, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func compose(args ...string) []string {
	return append([]string{"-p", project, "-f", "../../packaging/compose/lab.yaml"}, args...)
}

// rootImage is a Debian root with the Go toolchain and what the C node is built with, made once a
// machine; the base image is that and the modules that go.sum lists. rootLabel tells its versions apart.
const (
	rootImage = "ntsgw-test-root"
	rootLabel = "2"
)

// imageLabel is the label that this test gives its own images: false when there is no such image, and
// empty for one that was pulled.
func imageLabel(image string) (string, bool) {
	label, err := exec.Command("docker", "image", "inspect", "-f", `{{index .Config.Labels "ntsgw-test"}}`, image).Output()
	return strings.TrimSpace(string(label)), err == nil
}

// makeBase makes the Dockerfile's base image from local files where it was not pulled. It returns the
// arguments that the build needs then.
func makeBase(t *testing.T) (arguments []string) {
	if label, ok := imageLabel(baseImage); ok && label == "" {
		return nil // the real one
	}
	makeRoot(t)
	dir := t.TempDir()
	cache := strings.TrimSpace(output(t, 5*time.Minute, "go", "env", "GOMODCACHE"))
	output(t, time.Hour, "go", "mod", "download")
	fetch := exec.Command("go", "mod", "download")
	fetch.Dir = "../.."
	fetch.Env = append(os.Environ(), "GOMODCACHE="+filepath.Join(dir, "mod"), "GOPROXY=file://"+cache+"/cache/download", "GOFLAGS=-modcacherw")
	if out, err := fetch.CombinedOutput(); err != nil {
		t.Fatalf("go mod download: %v\n%s", err, out)
	}
	context := filepath.Join(dir, "mod", "cache")
	if err := os.WriteFile(filepath.Join(context, "Dockerfile"), []byte("FROM "+rootImage+"\nCOPY download /go/pkg/mod/cache/download\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	output(t, time.Hour, "docker", "build", "-t", baseImage, context)
	return []string{"--build-arg", "GOPROXY=off"}
}

// nodeBase is makeBase for the C node's Dockerfile, which takes its base and its packages as arguments.
func nodeBase(t *testing.T) (arguments []string) {
	if label, ok := imageLabel(nodeBaseImage); ok && label == "" {
		return nil
	}
	makeRoot(t)
	return []string{"--build-arg", "BASE=" + rootImage, "--build-arg", "PACKAGES="}
}

func makeRoot(t *testing.T) {
	if label, ok := imageLabel(rootImage); ok && label == rootLabel {
		return
	}
	if os.Getuid() != 0 {
		t.Skip("the base image is not here, and only root can make it")
	}
	if _, err := exec.LookPath("debootstrap"); err != nil {
		t.Skip("the base image is not here, and debootstrap is not installed: make test installs it when run as root")
	}
	root := filepath.Join(t.TempDir(), "root")
	output(t, time.Hour, "debootstrap", "--variant=minbase", "--include=ca-certificates,gcc,libc6-dev,libsodium-dev,libbearssl-dev", "bookworm", root)
	goroot := strings.TrimSpace(output(t, 5*time.Minute, "go", "env", "GOROOT"))
	tar := func(dir, as string) *exec.Cmd {
		return exec.Command("tar", "-C", dir, "--transform", "s,^\\.,."+as+",", "-c", ".")
	}
	load := exec.Command("docker", "import", "-c", "LABEL ntsgw-test="+rootLabel,
		"-c", "ENV PATH=/usr/local/go/bin:/usr/sbin:/usr/bin:/sbin:/bin", "-c", "ENV GOPATH=/go", "-c", "ENV GOTOOLCHAIN=local", "-", rootImage)
	in, err := load.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	load.Stdout, load.Stderr = &said, &said
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	// Two archives in a row make one, once the end of the first is left out.
	for i, part := range []*exec.Cmd{tar(root, ""), tar(goroot, "/usr/local/go")} {
		out, err := part.StdoutPipe()
		if err == nil {
			err = part.Start()
		}
		if err == nil {
			err = copyArchive(in, out, i == 1)
		}
		if err == nil {
			err = part.Wait()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	in.Close()
	if err := load.Wait(); err != nil {
		t.Fatalf("docker import: %v\n%s", err, said.String())
	}
}

// copyArchive copies a tar archive, without its end unless last. The end is blocks of zeros.
func copyArchive(w io.Writer, r io.Reader, last bool) error {
	var zeros int
	block := make([]byte, 512)
	for {
		_, err := io.ReadFull(r, block)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if bytes.Count(block, []byte{0}) == len(block) {
			zeros++
			continue
		}
		for ; zeros > 0; zeros-- { // they were a file's content
			if _, err := w.Write(make([]byte, 512)); err != nil {
				return err
			}
		}
		if _, err := w.Write(block); err != nil {
			return err
		}
	}
	if last {
		_, err := w.Write(make([]byte, 1024))
		return err
	}
	return nil
}

func TestComposeLab(t *testing.T) {
	for _, p := range []string{"docker", "docker-compose"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
	if err := exec.Command("docker", "info").Run(); err != nil {
		t.Skip("no Docker Engine answers")
	}
	if os.Getenv("NTSGW_NO_COMPOSE") != "" {
		t.Skip("NTSGW_NO_COMPOSE is set")
	}
	arguments := makeBase(t)
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := exec.Command("docker-compose", compose("logs", "--no-color", "--tail", "40")...).CombinedOutput()
			t.Logf("%s", out)
		}
		exec.Command("docker-compose", compose("down", "-v", "-t", "2")...).Run()
	})
	output(t, time.Hour, "docker", append(append([]string{"build"}, arguments...), "-t", "ntsgw", "../..")...)
	output(t, time.Hour, "docker", append(append([]string{"build"}, nodeBase(t)...),
		"-t", "ntsgw-node", "-f", "../../node/examples/host/Dockerfile", "../../node")...)
	// The sidecar's user is root without any power over files: it must be able to keep its state on a new
	// volume. (It is not started here: it would set this machine's clock.)
	volume := project + "sidecar"
	t.Cleanup(func() { exec.Command("docker", "volume", "rm", volume).Run() })
	output(t, 5*time.Minute, "docker", "run", "--rm", "--user", "0:0", "--cap-drop", "ALL", "--read-only", "--network", "none",
		"-v", volume+":/var/lib/ntsgw", "ntsgw", "node", "add", "sidecar")

	before := sysclock.ReadPair()
	output(t, 10*time.Minute, "docker-compose", compose("up", "-d", "--no-build")...)
	after := sysclock.ReadPair()

	// wait waits for what comes within that time on a machine that does nothing else.
	wait := func(within time.Duration, what string, seen func() bool) {
		t.Helper()
		within *= 4
		for deadline := time.Now().Add(within); !seen(); time.Sleep(500 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not within %v: %s", within, what)
			}
		}
	}
	// Both nodes must tell of a message with this state of the gateway.
	both := func(within time.Duration, what, state string, since time.Time) {
		t.Helper()
		wait(within, "the node "+what, func() bool { return said(t, "node", since, "beacon accepted", state) })
		wait(within, "the C node "+what, func() bool { return said(t, "node-c", since, "beacon ", "gateway="+state) })
	}
	both(60*time.Second, "verifies a beacon", "synchronized", time.Time{})
	wait(30*time.Second, "the node's own interval is bounded", func() bool { return said(t, "node", time.Time{}, "beacon accepted", "| node: ") })
	wait(30*time.Second, "the C node's own interval is bounded", func() bool { return said(t, "node-c", time.Time{}, "exchange ", "state=bounded") })
	if out := output(t, 5*time.Minute, "docker-compose", compose("exec", "-T", "gateway", "/usr/bin/ntsgw", "status", "-config", "/etc/ntsgw/lab.toml")...); !strings.Contains(out, "Synchronized") {
		t.Errorf("status in the container:\n%s", out)
	}

	stopped := time.Now()
	output(t, 5*time.Minute, "docker-compose", compose("stop", "-t", "2", "server")...)
	both(90*time.Second, "sees holdover", "holdover", stopped)
	contained(t, before, after, time.Now())

	// What the server calls true from here on begins anew, 250 ms ahead: only what the nodes hear of the
	// gateway is looked at, and that they follow.
	started := time.Now()
	output(t, 5*time.Minute, "docker-compose", compose("start", "server")...)
	both(90*time.Second, "sees recovery", "synchronized", started)
	wait(60*time.Second, "the C node's own interval is bounded again", func() bool {
		return said(t, "node-c", started, "exchange gateway=synchronized", "state=bounded")
	})
}

// entry is a line of a container's log, with the time that the Docker Engine stamped it at.
type entry struct {
	at   time.Time
	text string
}

func logOf(t *testing.T, service string) (list []entry) {
	t.Helper()
	for l := range strings.Lines(output(t, 5*time.Minute, "docker-compose", compose("logs", "--no-color", "-t", service)...)) {
		_, rest, ok := strings.Cut(l, "| ")
		stamp, text, _ := strings.Cut(rest, " ")
		if at, err := time.Parse(time.RFC3339Nano, stamp); ok && err == nil {
			list = append(list, entry{at, strings.TrimSpace(text)})
		}
	}
	return list
}

// said tells whether a service has said a line since then that begins with begin and has word in it.
func said(t *testing.T, service string, since time.Time, begin, word string) bool {
	for _, e := range logOf(t, service) {
		if e.at.After(since) && strings.HasPrefix(e.text, begin) && strings.Contains(e.text, word) {
			return true
		}
	}
	return false
}

// contained holds the intervals that the C node printed until then against the server's clock, which
// is so far ahead of this host's when it starts, and gains so much on the raw clock, that all containers
// share.
// The host clock's rate against the raw one is taken from two readings around the start.
func contained(t *testing.T, before, after discipline.HostReading, until time.Time) {
	const ahead, gains = 250 * time.Millisecond, 50e-6 // the defaults of lab server
	// What is not known of the server's clock: the log's stamp is later than its start, by how much of a
	// second is anybody's guess; and the host's clock may be steered in the time of the start.
	const slack = 200 * time.Microsecond
	server := logOf(t, "server")
	if len(server) == 0 {
		t.Fatal("the server has said nothing")
	}
	rate := float64(after.Real-before.Real) / float64(after.Raw-before.Raw)
	start := int64(before.Raw) + int64(float64(server[0].at.UnixNano()-before.Real)/rate)
	bounded, holdover, widest := 0, 0, time.Duration(0)
	for _, e := range logOf(t, "node-c") {
		if e.at.After(until) {
			break
		}
		if strings.HasPrefix(e.text, "refused") || strings.Contains(e.text, "alarm=") && !strings.Contains(e.text, "alarm=none") {
			t.Errorf("the C node: %s", e.text)
		}
		if !strings.Contains(e.text, "state=bounded") {
			continue
		}
		says := map[string]string{}
		for f := range strings.FieldsSeq(e.text) {
			key, value, _ := strings.Cut(f, "=")
			says[key] = value
		}
		lo, err1 := time.Parse(time.RFC3339Nano, says["lo"])
		hi, err2 := time.Parse(time.RFC3339Nano, says["hi"])
		count, err3 := strconv.ParseInt(says["count"], 10, 64)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatalf("%s: %v", e.text, err)
		}
		raw := count * 1000
		truth := server[0].at.Add(ahead + time.Duration(raw-start) + time.Duration(float64(raw-start)*gains))
		if truth.Before(lo.Add(-slack)) || truth.After(hi.Add(slack)) {
			t.Errorf("true time %s is outside the C node's interval: %s", truth.UTC().Format(time.RFC3339Nano), e.text)
		}
		bounded, widest = bounded+1, max(widest, hi.Sub(lo))
		if says["gateway"] == "holdover" {
			holdover++
		}
	}
	t.Logf("the C node: %d intervals with two ends, %d of them in holdover, the widest %v", bounded, holdover, widest)
	if bounded < 10 || holdover == 0 || widest > time.Second {
		t.Errorf("%d intervals with two ends, %d of them in holdover, the widest %v", bounded, holdover, widest)
	}
}
