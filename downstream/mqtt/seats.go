package mqtt

import "sync"

// nodeClients is how many connections a node may have at once: its own, that of one that looks on under its
// name, and one or two whose end nobody has noticed yet.
const nodeClients = 4

// mostNameless is how many connections those may have, all together, who give no name: ample for what people run
// on the gateway itself, and too few to cost it its memory or the nodes their places.
const mostNameless = 256

// nameless is how many that are where the broker has room for so many clients.
func nameless(clients int) int { return max(1, min(mostNameless, clients/2)) }

// seats are the connections that nodes have, and those without a name as if they were one. The zero value is ready. Safe for concurrent use.
type seats struct {
	mu sync.Mutex
	of map[string]map[*boundConn]string // of a node; the client's identifier
}

// take counts a connection of a node until it is closed, or reports that it has most already. One with
// the same identifier is about to be taken over, and doesn't count.
func (s *seats) take(node, id string, c *boundConn, most int) bool {
	s.mu.Lock()
	others := 0
	for _, held := range s.of[node] {
		if held != id {
			others++
		}
	}
	if others >= most {
		s.mu.Unlock()
		return false
	}
	if s.of == nil {
		s.of = map[string]map[*boundConn]string{}
	}
	if s.of[node] == nil {
		s.of[node] = map[*boundConn]string{}
	}
	s.of[node][c] = id
	s.mu.Unlock()
	c.atEnd(func() { s.free(node, c) })
	return true
}

func (s *seats) free(node string, c *boundConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.of[node], c)
	if len(s.of[node]) == 0 {
		delete(s.of, node)
	}
}
