package status

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/ntsgw/ntsgw/discipline"
)

// The page in a real browser: it says the verdict, follows the gateway by itself, and does not go on
// showing a verdict when the gateway has gone.
func TestPageInABrowser(t *testing.T) {
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("chromium is not installed: make test installs it when run as root")
	}
	g := synced()
	base, _ := start(t, g)
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.WindowSize(1100, 1000))
	alloc, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	defer cancel()
	ctx, cancel := chromedp.NewContext(alloc)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 90*time.Second)
	defer cancel()

	var title, targets string
	var shot []byte
	if err := chromedp.Run(ctx, chromedp.Navigate(base), chromedp.Text("h1", &title), chromedp.Text("table", &targets), chromedp.FullScreenshot(&shot, 90)); err != nil {
		t.Fatal(err)
	}
	if title != "Synchronized" {
		t.Errorf("the verdict is %q", title)
	}
	if path := os.Getenv("NTSGW_SCREENSHOT"); path != "" {
		if err := os.WriteFile(path, shot, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// No reload by hand: the page asks every 2 s.
	g.set(func(s *discipline.Snapshot) { s.State = discipline.Unsynchronized })
	if err := chromedp.Run(ctx, chromedp.WaitVisible("h1.unsynchronized"), chromedp.Text("h1", &title)); err != nil || title != "Unsynchronized" {
		t.Errorf("after the change: %q, %v", title, err)
	}
}
