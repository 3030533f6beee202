package discipline

// class is a hypothesis on a source's noise. With extra delay e, z = y + noise lies in
// [−e/2, e/2] when both ways have a least delay; tilt is the slope of the density's logarithm
// across that box in units of 1/e's mean: the steep ones leave the other way little beside that. A level that is
// narrow beside e is that of delays which grow and shrink on both ways alike. Around the usual delay a sample says less
// the sooner or later it comes, as a box that sends some packets early has it. Of two routes the slow one is longer on
// one way. A scaled sample has a box's spread beside par of the box's softness: little of it, as what a server states
// as its precision may be far worse than its stamps. With queues each way's extra delay is an exponential of its own: the
// ways' means are alike, or unlike. A stray is explained by nothing else.
type class struct {
	kind  byte
	par   float64 // kind box: tilt; edge, routes: ±1; scaled: share of the softness; level: standard deviation over e's mean; usual, around: over the spread or core; queues: mean over the usual one; unlike: the way out's share
	prior float64 // logarithm
	shape shape   // the filters that weigh it, and others: shape.weighs
}

const (
	box byte = iota
	edgy
	level
	scaled
	usual
	around
	routes
	queues
	unlike
	strays
)

var classes = [...]class{
	{box, 0, 0, mixed},
	{box, 4, 0, back}, {box, -4, 0, out},
	{box, 16, -2, back}, {box, -16, -2, out}, {box, 64, -2, back}, {box, -64, -2, out},
	{edgy, 1, -1, back}, {edgy, -1, -1, out},
	{level, 0.025, -5, mixed}, {level, 0.1, -2, mixed}, {level, 0.2, -1, mixed}, {level, 0.4, -2, mixed},
	{scaled, 1, -1, mixed},
	{usual, 0.5, -6, mixed}, {usual, 1, -6, mixed}, {around, 1, -4, mixed},
	{queues, 1, 0, hard}, {queues, 0.3, -1, hard}, {unlike, 0.9, -2, hard}, {unlike, 0.1, -2, hard}, {unlike, 0.998, -3, hard}, {unlike, 0.002, -3, hard},
	{routes, 1, -1, backOnly}, {routes, -1, -1, outOnly},
	{scaled, 0.1, -2, mixed},
	{strays, 0, -4, mixed},
}

// shape is a hypothesis on how delays are made. Models of different shapes want different states: one
// filter that weighed them all would confirm whichever it began with.
type shape int8

const (
	mixed    shape = iota // anything
	back                  // extra delay rather lies on the way back …
	out                   // … or on the way out
	hard                  // both ways have a least delay that nothing is below, as queues have; their sum is learned
	backOnly              // a side that no mixture with what isn't one-sided could move to a wrong state:
	outOnly               // the usual delay has all samples but the fast ones for it where most take a slow route
	apart                 // each source's are of a shape of their own (apart.go)
)

// shapes are those that one path can have, and last that of paths which are unlike.
var shapes = [...]shape{mixed, back, out, hard, backOnly, outOnly, apart}

// kinds lists the classes that a filter of each shape weighs.
var kinds = func() (lists [len(shapes) - 1][]int) {
	for _, s := range shapes[:len(lists)] {
		lists[s] = s.classes()
	}
	return lists
}()

// Logarithms of the priors of a side, against the others. A side alone is seldom what networks are like, and
// explains a few odd samples well: it has to be far likelier.
const (
	oneSided    = -4.0
	onlySided   = -20.0
	unlikePaths = -2.0 // each path has the shape that explains its samples best, which a few of them can do by chance
)

// sided tells whether all extra delay lies on one way, or most.
func (s shape) sided() bool { return s != mixed && s != hard && s != apart }

// prior is a shape's. Where the slow ones of two groups of delays are the more, they are likely to be slow on one way.
func (s shape) prior(grouped bool) float64 {
	switch s {
	case back, out:
		return oneSided
	case backOnly, outOnly:
		if grouped {
			return oneSided
		}
		return onlySided
	case apart:
		return unlikePaths
	}
	return 0
}

// weighs tells whether a filter of the shape weighs the class c.
func (s shape) weighs(c int) bool {
	k := &classes[c]
	if c == stray || k.shape == s {
		return true
	}
	switch s {
	case back, out:
		return k.shape == mixed
	case backOnly:
		return k.shape == back || k.kind == scaled && k.par == 1
	case outOnly:
		return k.shape == out || k.kind == scaled && k.par == 1
	}
	return false
}

// classes lists the classes that a filter of the shape weighs.
func (s shape) classes() (list []int) {
	for c := range classes {
		if s.weighs(c) {
			list = append(list, c)
		}
	}
	return list
}

// stray is the class of single samples that nothing explains. Its weight stays at its prior: a
// source that seems to send only such ones rather shows that the oscillator changed its rate.
const stray = nc - 1

const nc = len(classes)
