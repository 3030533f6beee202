package configs

import (
	"fmt"
	"strings"
)

// position is where a key stands in the file, both counted from 1.
type position struct{ line, col int }

// positions finds where each key of a valid TOML text stands. Keys are named
// "section.key", "section", "server[0].key" and "server[0]". The TOML library checks the
// text but tells positions only of syntax errors.
func positions(text string) map[string]position {
	found := map[string]position{}
	section := ""
	count := map[string]int{}
	var s scan
	for i, line := range strings.Split(text, "\n") {
		fresh := s.depth == 0 && s.quote == ""
		body := strings.TrimLeft(line, " \t")
		col := len(line) - len(body) + 1
		if fresh {
			switch {
			case strings.HasPrefix(body, "[["):
				name := strings.TrimSpace(cut(body[2:], "]"))
				section = fmt.Sprintf("%s[%d]", name, count[name])
				count[name]++
				found[section] = position{i + 1, col}
				continue
			case strings.HasPrefix(body, "["):
				section = strings.TrimSpace(cut(body[1:], "]"))
				if _, seen := found[section]; !seen {
					found[section] = position{i + 1, col}
				}
				continue
			}
			if eq := strings.IndexByte(body, '='); eq > 0 && body[0] != '#' {
				key := strings.Trim(strings.TrimSpace(body[:eq]), `"'`)
				if section != "" {
					key = section + "." + key
				}
				if _, seen := found[key]; !seen {
					found[key] = position{i + 1, col}
				}
				body = body[eq+1:]
			}
		}
		s.line(body)
	}
	return found
}

// scan follows strings and brackets over lines, so that a key is only looked for where one
// may begin.
type scan struct {
	depth int
	quote string // the delimiter of an open multi-line string
}

func (s *scan) line(b string) {
	for len(b) > 0 {
		if s.quote != "" {
			end := strings.Index(b, s.quote)
			if end < 0 {
				return
			}
			b, s.quote = b[end+3:], ""
			continue
		}
		switch {
		case strings.HasPrefix(b, `"""`), strings.HasPrefix(b, `'''`):
			s.quote, b = b[:3], b[3:]
			continue
		case b[0] == '"' || b[0] == '\'':
			b = afterString(b)
			continue
		case b[0] == '#':
			return
		case b[0] == '[' || b[0] == '{':
			s.depth++
		case b[0] == ']' || b[0] == '}':
			s.depth--
		}
		b = b[1:]
	}
}

func afterString(b string) string {
	q := b[0]
	for i := 1; i < len(b); i++ {
		if b[i] == '\\' && q == '"' {
			i++
		} else if b[i] == q {
			return b[i+1:]
		}
	}
	return ""
}

func cut(s, sep string) string {
	before, _, _ := strings.Cut(s, sep)
	return before
}
