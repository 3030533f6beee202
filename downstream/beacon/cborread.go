package beacon

import "bytes"

// maxSkipDepth is how deep arrays, maps and tags may nest inside a value that is skipped.
const maxSkipDepth = 4

// reader takes apart one CBOR item in core deterministic encoding (RFC 8949 §4.2.1) and accepts
// no other encoding. After the first mistake err is set and everything reads as zero.
type reader struct {
	b   []byte
	i   int
	err string // what was wrong; "" while all is well
}

func (r *reader) fail(text string) {
	if r.err == "" {
		r.err = text
	}
	r.i = len(r.b)
}

func (r *reader) ok() bool { return r.err == "" }

// head reads an initial byte and its argument, which must be in the shortest form.
func (r *reader) head() (major byte, v uint64) {
	first, v, width := r.rawHead()
	if !r.ok() {
		return 0, 0
	}
	major = first >> 5
	if major == majorSimple {
		r.fail("a simple value or a float where none belongs")
		return 0, 0
	}
	r.shortest(v, width)
	return major, v
}

// rawHead reads an initial byte and the argument that follows it, width bytes long.
func (r *reader) rawHead() (first byte, v uint64, width int) {
	if !r.ok() {
		return 0, 0, 0
	}
	if r.i >= len(r.b) {
		r.fail("cut short")
		return 0, 0, 0
	}
	first = r.b[r.i]
	r.i++
	info := first & 0x1f
	switch {
	case info < 24:
		return first, uint64(info), 0
	case info > 27:
		r.fail("an indefinite length or a reserved value")
		return 0, 0, 0
	}
	width = 1 << (info - 24)
	if len(r.b)-r.i < width {
		r.fail("cut short")
		return 0, 0, 0
	}
	for _, c := range r.b[r.i : r.i+width] {
		v = v<<8 | uint64(c)
	}
	r.i += width
	return first, v, width
}

func (r *reader) shortest(v uint64, width int) {
	switch {
	case width == 1 && v < 24, width == 2 && v < 1<<8, width == 4 && v < 1<<16, width == 8 && v < 1<<32:
		r.fail("not the shortest encoding")
	}
}

// expect reads a head of the given major type.
func (r *reader) expect(major byte, what string) uint64 {
	m, v := r.head()
	if r.ok() && m != major {
		r.fail(what)
	}
	if !r.ok() {
		return 0
	}
	return v
}

// uint reads an unsigned integer below limit.
func (r *reader) uint(limit uint64, what string) uint64 {
	v := r.expect(majorUint, what)
	if r.ok() && v >= limit {
		r.fail(what)
		return 0
	}
	return v
}

// bytes reads a byte string; the result lies inside the buffer.
func (r *reader) bytes(what string) []byte {
	n := r.expect(majorBytes, what)
	if !r.ok() {
		return nil
	}
	if n > uint64(len(r.b)-r.i) {
		r.fail("cut short")
		return nil
	}
	v := r.b[r.i : r.i+int(n) : r.i+int(n)]
	r.i += int(n)
	return v
}

// fixed reads a byte string of exactly len(dst) bytes into dst.
func (r *reader) fixed(dst []byte, what string) {
	v := r.bytes(what)
	if r.ok() && len(v) != len(dst) {
		r.fail(what)
	}
	if r.ok() {
		copy(dst, v)
	}
}

// end demands that everything was read.
func (r *reader) end() {
	if r.ok() && r.i != len(r.b) {
		r.fail("bytes follow the item")
	}
}

// mapReader goes through a map with integer keys in bytewise order.
type mapReader struct {
	r    *reader
	left uint64
	prev []byte
}

func (r *reader) openMap(what string) mapReader {
	return mapReader{r: r, left: r.expect(majorMap, what)}
}

// next reads the next key. A key that isn't an integer, is repeated or out of order is a mistake.
// Negative keys come with neg set and v = −1 − key.
func (m *mapReader) next() (neg bool, v uint64, ok bool) {
	if !m.r.ok() || m.left == 0 {
		return false, 0, false
	}
	m.left--
	start := m.r.i
	major, v := m.r.head()
	if m.r.ok() && major != majorUint && major != majorNeg {
		m.r.fail("a key that is not an integer")
	}
	if !m.r.ok() {
		return false, 0, false
	}
	key := m.r.b[start:m.r.i]
	if m.prev != nil && bytes.Compare(m.prev, key) >= 0 {
		m.r.fail("keys repeated or out of order")
		return false, 0, false
	}
	m.prev = key
	return major == majorNeg, v, true
}

// skipLevel is one open container while a value is skipped.
type skipLevel struct {
	left     uint64 // items still to come
	start    int    // of the container itself
	isMap    bool
	keyStart int // of the last key; −1 before the first
	keyEnd   int
}

// skip passes over one value of any type, without recursion, and holds it to the same encoding.
func (r *reader) skip() {
	var stack [maxSkipDepth]skipLevel
	depth := 0
	for r.ok() {
		start := r.i
		first, v, width := r.rawHead()
		if !r.ok() {
			return
		}
		major := first >> 5
		if major == majorSimple {
			r.simple(first, v)
		} else {
			r.shortest(v, width)
		}
		if !r.ok() {
			return
		}
		open, items := false, uint64(0)
		switch major {
		case majorBytes, majorText:
			if v > uint64(len(r.b)-r.i) {
				r.fail("cut short")
				return
			}
			r.i += int(v)
		case majorArray:
			open, items = true, v
		case majorMap:
			if v > uint64(len(r.b)) { // each entry takes two bytes at least: it can't fit
				r.fail("cut short")
				return
			}
			open, items = true, 2*v
		case majorTag:
			open, items = true, 1
		}
		if open {
			if depth == maxSkipDepth {
				r.fail("nested too deep")
				return
			}
			if items > 0 {
				stack[depth] = skipLevel{left: items, start: start, isMap: major == majorMap, keyStart: -1}
				depth++
				continue
			}
		}
		// An item is complete; it may complete those that it lies in.
		for {
			if depth == 0 {
				return
			}
			l := &stack[depth-1]
			if l.isMap && l.left%2 == 0 && !r.keyInOrder(l, start) {
				return
			}
			l.left--
			if l.left > 0 {
				break
			}
			start = l.start
			depth--
		}
	}
}

// keyInOrder takes the key that begins at start and ends here.
func (r *reader) keyInOrder(l *skipLevel, start int) bool {
	if l.keyStart >= 0 && bytes.Compare(r.b[l.keyStart:l.keyEnd], r.b[start:r.i]) >= 0 {
		r.fail("keys repeated or out of order")
		return false
	}
	l.keyStart, l.keyEnd = start, r.i
	return true
}

// simple judges major type 7: simple values in one byte below 24 and in two from 32 on, floats in
// the shortest form that keeps the value (RFC 8949 §3.3, §4.2.1).
func (r *reader) simple(first byte, v uint64) {
	switch first & 0x1f {
	case 24:
		if v < 32 {
			r.fail("a simple value in a reserved form")
		}
	case 26:
		if fitsHalf(uint32(v)) {
			r.fail("a float that is not in its shortest form")
		}
	case 27:
		if fitsSingle(v) {
			r.fail("a float that is not in its shortest form")
		}
	}
}

// fitsHalf reports whether the single-precision float with these bits has an equal half-precision
// one (RFC 8949 appendix D, the other way round).
func fitsHalf(bits uint32) bool {
	exp, frac := int(bits>>23&0xff), bits&0x7fffff
	switch {
	case exp == 0xff: // infinity and NaN
		return frac&0x1fff == 0
	case exp == 0:
		return frac == 0 // single subnormals are too small for half
	}
	e := exp - 127
	switch {
	case e > 15 || e < -24:
		return false
	case e >= -14:
		return frac&0x1fff == 0
	}
	// A half subnormal: the significand 1.frac is shifted right by −14 − e more places.
	lost := uint(13 + (-14 - e))
	return (frac|0x800000)&(1<<lost-1) == 0
}

// fitsSingle is the same from double to single precision.
func fitsSingle(bits uint64) bool {
	exp, frac := int(bits>>52&0x7ff), bits&(1<<52-1)
	switch {
	case exp == 0x7ff:
		return frac&(1<<29-1) == 0
	case exp == 0:
		return frac == 0
	}
	e := exp - 1023
	switch {
	case e > 127 || e < -149:
		return false
	case e >= -126:
		return frac&(1<<29-1) == 0
	}
	lost := uint(29 + (-126 - e))
	return (frac|1<<52)&(1<<lost-1) == 0
}
