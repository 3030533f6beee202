package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"
)

// ErrNotRunning says that nobody answers on the control socket.
var ErrNotRunning = errors.New("no gateway is running here")

// ErrPermission says that the control socket may not be opened by this user.
var ErrPermission = errors.New("the control socket may not be opened")

// Ask fetches the report from the gateway whose control socket is at path.
func Ask(ctx context.Context, path string) (*Report, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://ntsgw/status.json", nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w: nothing answers on %s; start it with: ntsgw run", ErrNotRunning, path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: %s; try with sudo", ErrPermission, path)
	case err != nil:
		return nil, fmt.Errorf("asking the gateway on %s: %w", path, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking the gateway on %s: it answered %s", path, resp.Status)
	}
	var r Report
	if err := json.NewDecoder(io.LimitReader(resp.Body, 4<<20)).Decode(&r); err != nil {
		return nil, fmt.Errorf("reading the gateway's answer on %s: %w", path, err)
	}
	return &r, nil
}

// Wait asks until the host clock is known to be true to maxError, or ctx ends. It returns the last report, which is nil
// when none came, and ctx's error with it. Each report that isn't good enough is handed to waits, unless that is nil.
func Wait(ctx context.Context, path string, maxError time.Duration, waits func(*Report)) (*Report, error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var last *Report
	for {
		r, err := Ask(ctx, path)
		if err == nil {
			last = r
			if e := r.HostError(); e != nil && *e <= maxError.Seconds() {
				return r, nil
			}
			if waits != nil {
				waits(r)
			}
		} else if errors.Is(err, ErrPermission) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-tick.C:
		}
	}
}
