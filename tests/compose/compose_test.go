// Package compose runs the lab as containers: it builds the image from the Dockerfile, and looks at
// what the node says while the server's container is stopped and started.
package compose

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const baseImage = "golang:1.26-bookworm" // as the Dockerfile names it

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

// rootImage is a Debian root with the Go toolchain, made once a machine; the base image is that and
// the modules that go.sum lists.
const rootImage = "ntsgw-test-root"

// makeBase makes the Dockerfile's base image from local files where it was not pulled. It returns the
// arguments that the build needs then.
func makeBase(t *testing.T) (arguments []string) {
	label, err := exec.Command("docker", "image", "inspect", "-f", `{{index .Config.Labels "ntsgw-test"}}`, baseImage).Output()
	if err == nil && strings.TrimSpace(string(label)) == "" {
		return nil // the real one
	}
	if exec.Command("docker", "image", "inspect", rootImage).Run() != nil {
		makeRoot(t)
	}
	dir := t.TempDir()
	cache := strings.TrimSpace(output(t, time.Minute, "go", "env", "GOMODCACHE"))
	output(t, 10*time.Minute, "go", "mod", "download")
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
	output(t, 5*time.Minute, "docker", "build", "-t", baseImage, context)
	return []string{"--build-arg", "GOPROXY=off"}
}

func makeRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("the base image is not here, and only root can make it")
	}
	if _, err := exec.LookPath("debootstrap"); err != nil {
		t.Skip("the base image is not here, and debootstrap is not installed: make test installs it when run as root")
	}
	root := filepath.Join(t.TempDir(), "root")
	output(t, 10*time.Minute, "debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", root)
	goroot := strings.TrimSpace(output(t, time.Minute, "go", "env", "GOROOT"))
	tar := func(dir, as string) *exec.Cmd {
		return exec.Command("tar", "-C", dir, "--transform", "s,^\\.,."+as+",", "-c", ".")
	}
	load := exec.Command("docker", "import", "-c", "LABEL ntsgw-test=1",
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
	output(t, 15*time.Minute, "docker", append(append([]string{"build"}, arguments...), "-t", "ntsgw", "../..")...)
	// The sidecar's user is root without any power over files: it must be able to keep its state on a new
	// volume. (It is not started here: it would set this machine's clock.)
	volume := project + "sidecar"
	t.Cleanup(func() { exec.Command("docker", "volume", "rm", volume).Run() })
	output(t, time.Minute, "docker", "run", "--rm", "--user", "0:0", "--cap-drop", "ALL", "--read-only", "--network", "none",
		"-v", volume+":/var/lib/ntsgw", "ntsgw", "node", "add", "sidecar")

	output(t, 3*time.Minute, "docker-compose", compose("up", "-d", "--no-build")...)

	node := func(word string, since time.Time) bool {
		out, err := exec.Command("docker-compose", compose("logs", "--no-color", "-t", "node")...).CombinedOutput()
		if err != nil {
			return false
		}
		for _, l := range strings.Split(string(out), "\n") {
			_, stamp, ok := strings.Cut(l, "| ")
			if !ok {
				continue
			}
			stamp, text, _ := strings.Cut(stamp, " ")
			at, err := time.Parse(time.RFC3339Nano, stamp)
			if err == nil && at.After(since) && strings.HasPrefix(strings.TrimSpace(text), "beacon accepted") && strings.Contains(text, word) {
				return true
			}
		}
		return false
	}
	wait := func(within time.Duration, what, word string, since time.Time) {
		t.Helper()
		for deadline := time.Now().Add(within); !node(word, since); time.Sleep(500 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not within %v: %s", within, what)
			}
		}
	}
	wait(60*time.Second, "the node verifies a beacon", "synchronized", time.Time{})
	wait(30*time.Second, "the node's own interval is bounded", "| node: ", time.Time{})
	if out := output(t, time.Minute, "docker-compose", compose("exec", "-T", "gateway", "/usr/bin/ntsgw", "status", "-config", "/etc/ntsgw/lab.toml")...); !strings.Contains(out, "Synchronized") {
		t.Errorf("status in the container:\n%s", out)
	}

	stopped := time.Now()
	output(t, time.Minute, "docker-compose", compose("stop", "-t", "2", "server")...)
	wait(90*time.Second, "the node sees holdover", "holdover", stopped)

	started := time.Now()
	output(t, time.Minute, "docker-compose", compose("start", "server")...)
	wait(90*time.Second, "the node sees recovery", "synchronized", started)
}
