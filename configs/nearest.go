package configs

import "strings"

// Nearest returns the candidate that a person most likely meant by word, or "" when none is
// near. It serves configuration keys, verbs and flags alike.
func Nearest(word string, candidates []string) string {
	best, limit := "", len(word)/3+2
	word = strings.ToLower(word) // all of them are in small letters
	for _, c := range candidates {
		if d := editDistance(word, c); d < limit {
			best, limit = c, d
		}
	}
	if best == "" && len(word) >= 2 {
		return onlyBeginning(word, candidates)
	}
	return best
}

// onlyBeginning returns the one candidate that begins with word; "": none does, or several do.
func onlyBeginning(word string, candidates []string) (only string) {
	for _, c := range candidates {
		if strings.HasPrefix(c, word) {
			if only != "" {
				return ""
			}
			only = c
		}
	}
	return only
}

// editDistance is the number of insertions, deletions, replacements and swaps of
// neighbours that turn a into b (optimal string alignment).
func editDistance(a, b string) int {
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
