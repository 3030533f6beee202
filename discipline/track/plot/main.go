// Command plot draws a tracking log from standard input as SVG on standard output (make plot).
package main

import (
	"fmt"
	"os"

	"github.com/ntsgw/ntsgw/discipline/track"
)

func main() {
	points, err := track.Parse(os.Stdin)
	if err == nil {
		err = track.SVG(os.Stdout, points)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}
