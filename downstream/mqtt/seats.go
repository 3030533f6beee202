package mqtt

import "sync"

// nodeClients is how many connections a node may have at once: its own, that of one that looks on under its
// name, and one or two whose end nobody has noticed yet.
const nodeClients = 4

// seats are the connections that nodes have. The zero value is ready. Safe for concurrent use.
type seats struct {
	mu sync.Mutex
	of map[string]map[*boundConn]string // of a node; the client's identifier
}

// take counts a connection of a node until it is closed, or reports that there are too many. One with
// the same identifier is about to be taken over, and doesn't count.
func (s *seats) take(node, id string, c *boundConn) bool {
	s.mu.Lock()
	others := 0
	for _, held := range s.of[node] {
		if held != id {
			others++
		}
	}
	if others >= nodeClients {
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
