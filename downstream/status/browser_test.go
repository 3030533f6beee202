package status

import (
	"context"
	"fmt"
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
	alloc, cancel := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath("chromium"), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1100, 1000),
		chromedp.WSURLReadTimeout(5*time.Minute))
	defer cancel()
	ctx, cancel := chromedp.NewContext(alloc)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()

	if err := chromedp.Do(ctx, chromedp.Navigate(base)); err != nil {
		t.Fatal(err)
	}
	// In one step: the page replaces what it shows, and an element that was found may be gone when it is read.
	verdict := chromedp.Evaluate[string](`document.querySelector("h1").textContent`)
	title, err := chromedp.Run(ctx, verdict)
	if err != nil {
		t.Fatal(err)
	}
	if title != "Synchronized" {
		t.Errorf("the verdict is %q", title)
	}
	shoot := func(suffix string, quality int) {
		path := os.Getenv("NTSGW_SCREENSHOT")
		if path == "" {
			return
		}
		shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(quality))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+suffix, shot, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shoot("", 90)
	// On no screen anything is cut at the right edge, whatever a server's cause is.
	const outOfSight = `Math.max(...[document.documentElement, ...document.querySelectorAll("section")].map(e => e.scrollWidth - e.clientWidth))`
	for _, width := range []int64{1280, 1089, 1088, 900, 768, 737, 736, 600, 481} {
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 1000)); err != nil {
			t.Fatal(err)
		}
		if n, err := chromedp.Run(ctx, chromedp.Evaluate[int](outOfSight)); err != nil || n > 0 {
			t.Errorf("at %d pixels %d are out of sight, %v", width, n, err)
		}
		shoot(fmt.Sprintf(".%d.png", width), 100)
	}
	// The page replaces itself every 2 s; a link that has the focus has it afterwards, too.
	const focus = `(() => { const a = [...document.links].find(a => a.getAttribute("href") === "/metrics"); a.focus(); window.left = a; return 0 })()`
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[int](focus)); err != nil {
		t.Fatal(err)
	}
	for replaced := false; ctx.Err() == nil && !replaced; time.Sleep(100 * time.Millisecond) {
		if replaced, err = chromedp.Run(ctx, chromedp.Evaluate[bool](`!window.left.isConnected`)); err != nil {
			t.Fatal(err)
		}
	}
	if at, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.activeElement.getAttribute("href") ?? ""`)); err != nil || at != "/metrics" {
		t.Errorf("after the page replaced itself the focus is on %q, %v", at, err)
	}
	// On a phone all of it is seen without scrolling sideways, and each value has its label.
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(360, 800)); err != nil {
		t.Fatal(err)
	}
	for what, script := range map[string]string{
		"pixels are out of sight":    outOfSight,
		"sections are not there":     `7 - document.querySelectorAll("section").length`,
		"cells show no label":        `[...document.querySelectorAll(".cards td:not([colspan])")].filter(e => getComputedStyle(e, "::before").content.length < 5).length`,
		"rows of headings are shown": `[...document.querySelectorAll(".cards th")].filter(e => e.getClientRects().length > 0).length`,
	} {
		n, err := chromedp.Run(ctx, chromedp.Evaluate[int](script))
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			t.Errorf("on a phone %d %s", n, what)
		}
	}
	shoot(".phone.png", 100)
	// No reload by hand: the page asks every 2 s.
	g.set(func(s *discipline.Snapshot) { s.State = discipline.Unsynchronized })
	for ctx.Err() == nil && title != "Unsynchronized" {
		if title, err = chromedp.Run(ctx, verdict); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if title != "Unsynchronized" {
		t.Errorf("after the change the verdict is %q", title)
	}
}
