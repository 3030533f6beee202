package upstream

// Nudged reports whether a Recheck has not been taken up yet.
func (s *Source) Nudged() bool { return len(s.recheck) > 0 }
