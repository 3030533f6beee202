package configs

import "fmt"

// Counted is n with the word for one or for many, for a person: "1 server", "2 servers".
func Counted(n int, one, many string) string {
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}
