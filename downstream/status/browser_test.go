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
	alloc, cancel := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath("chromium"), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1100, 1000))
	defer cancel()
	ctx, cancel := chromedp.NewContext(alloc)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 20*time.Second)
	defer cancel()

	if err := chromedp.Do(ctx, chromedp.Navigate(base)); err != nil {
		t.Fatal(err)
	}
	title, err := chromedp.Run(ctx, chromedp.Text("h1"))
	if err != nil {
		t.Fatal(err)
	}
	if title != "Synchronized" {
		t.Errorf("the verdict is %q", title)
	}
	if path := os.Getenv("NTSGW_SCREENSHOT"); path != "" {
		shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(90))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, shot, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// On a phone the verdicts are seen without scrolling sideways.
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(360, 800)); err != nil {
		t.Fatal(err)
	}
	hidden, err := chromedp.Run(ctx, chromedp.Evaluate[int](`(e => e.scrollWidth - e.clientWidth)(document.querySelector("section:has(.pass)"))`))
	if err != nil {
		t.Fatal(err)
	}
	if hidden > 0 {
		t.Errorf("on a phone %d pixels of the targets are out of sight", hidden)
	}
	// No reload by hand: the page asks every 2 s.
	g.set(func(s *discipline.Snapshot) { s.State = discipline.Unsynchronized })
	for ctx.Err() == nil && title != "Unsynchronized" {
		if title, err = chromedp.Run(ctx, chromedp.Text("h1")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if title != "Unsynchronized" {
		t.Errorf("after the change the verdict is %q", title)
	}
}
