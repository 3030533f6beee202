// Command simtable simulates the discipline in every scenario and prints the table of make sim.
package main

import (
	"flag"
	"os"

	"github.com/ntsgw/ntsgw/discipline/sim"
)

func main() {
	seeds := flag.Int("seeds", 21, "runs of each scenario")
	flag.Parse()
	if sim.Table(os.Stdout, *seeds) > 0 {
		os.Exit(1)
	}
}
