// Command simtable simulates the discipline in every scenario and prints the table of make sim.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"

	"github.com/ntsgw/ntsgw/discipline/sim"
)

func main() {
	seeds := flag.Int("seeds", 21, "runs of each scenario")
	only := flag.String("scenarios", "", "run those whose name matches `regexp`")
	flag.Parse()
	match, err := regexp.Compile(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "simtable: -scenarios:", err)
		os.Exit(2)
	}
	list := slices.DeleteFunc(sim.Scenarios(), func(sc sim.Scenario) bool { return !match.MatchString(sc.Name) })
	if len(list) == 0 {
		fmt.Fprintf(os.Stderr, "simtable: no scenario's name matches %q: leave -scenarios out for all of them\n", *only)
		os.Exit(2)
	}
	if sim.Table(os.Stdout, list, *seeds) > 0 {
		os.Exit(1)
	}
}
