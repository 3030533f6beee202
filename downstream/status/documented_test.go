package status

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/status-json.md tells what scripts rely on: each name of the report is in it, and no other.
func TestReportIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/status-json.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, s := range strings.Split(string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(s, "\n")
		sections[title] = body
	}
	row, name := regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|"), regexp.MustCompile("`([a-z_]+)`")
	for title, v := range map[string]any{"The gateway": Report{}, "An entry of `targets`": Target{}, "An entry of `sources`": Source{},
		"An entry of `outlets`": Outlet{}, "An entry of `devices`": Device{}, "An entry of `expiries`": Expiry{}} {
		var told, are []string
		for _, r := range row.FindAllStringSubmatch(sections[title], -1) {
			for _, n := range name.FindAllStringSubmatch(r[1], -1) {
				told = append(told, n[1])
			}
		}
		typ := reflect.TypeOf(v)
		for i := range typ.NumField() {
			n, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			are = append(are, n)
		}
		slices.Sort(told)
		slices.Sort(are)
		if !slices.Equal(told, are) {
			t.Errorf("%s: the document has\n%q, the report\n%q", title, told, are)
		}
	}
}
