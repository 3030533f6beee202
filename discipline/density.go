package discipline

import "math"

// queueUpdate: s ~ N(m, v); s with Gaussian noise of deviation soft lies below edge by an exponential of that mean.
func queueUpdate(m, v, edge, soft, mean float64) (log, m1, v1 float64) {
	all := v + soft*soft
	shifted, sd := m+all/mean, math.Sqrt(all)
	l, d1, d2 := under((edge - shifted) / sd)
	log = l - math.Log(mean) - (edge-m)/mean + all/(2*mean*mean)
	g := v / all
	return log, m + g*(shifted+sd*d1-m), v - g*v + g*g*all*max(1+d2, 1e-9)
}

// under returns log Φ(b) and its first and second derivatives by a shift of the mean: truncated without a lower end.
func under(b float64) (log, d1, d2 float64) {
	if b < -25 {
		// Far in the tail the mass sits at b's edge.
		return -0.5*b*b - math.Log(-b) - logSqrt2Pi, b, -1 + 1/(b*b)
	}
	z := 0.5 * math.Erfc(-b*invSqrt2)
	d1 = -math.Exp(-0.5*b*b-logSqrt2Pi) / z
	return math.Log(z), d1, b*d1 - d1*d1
}

// queueDelay is the logarithm of the density of an extra delay e: two exponentials of that mean, and noise of deviation sd.
func queueDelay(e, sd, mean float64) float64 {
	// The exponential's slope moves the noise by sd²/mean.
	k := sd / mean
	x := e/sd - k
	log := 0.5*k*k - e/mean + math.Log(sd/mean/mean)
	if x < -5 {
		return log - 0.5*x*x - 2*math.Log(-x) - logSqrt2Pi
	}
	return log + math.Log(x*0.5*math.Erfc(-x*invSqrt2)+math.Exp(-0.5*x*x-logSqrt2Pi))
}

// unlikeDelay is the same for two exponentials of unlike means.
func unlikeDelay(e, sd, long, short float64) float64 {
	if long < 1.5*short {
		return queueDelay(e, sd, (long+short)/2)
	}
	x := e / sd
	soft := sd * math.Exp(-0.5*x*x-logSqrt2Pi) / (x * x) // the noise's mean beyond −e, far below
	if x > -5 {
		soft = e*0.5*math.Erfc(-x*invSqrt2) + sd*math.Exp(-0.5*x*x-logSqrt2Pi)
	}
	return math.Log(max(-math.Expm1(-soft*(1/short-1/long)), 1e-300)) - math.Log(long-short) - max(e, 0)/long
}

// gaussUpdate is Kalman's: s ~ N(m, v), measured z with variance r.
func gaussUpdate(m, v, z, r float64) (log, mean, variance float64) {
	k := 1 / (v + r)
	d := z - m
	return -logSqrt2Pi + 0.5*math.Log(k) - 0.5*d*d*k, m + v*k*d, v * r * k
}

// boxUpdate: s ~ N(m, v); s with Gaussian noise of deviation soft lies within e/2 of z, where the
// density's logarithm is tilted by tilt per ns.
func boxUpdate(m, v, z, e, soft, tilt float64) (log, mean, variance float64) {
	all := v + soft*soft // of s with the noise
	half := e / 2
	if half < 0.5*soft {
		// Nearly a point.
		return gaussUpdate(m, v, z, soft*soft+e*e/12)
	}
	shifted := m
	if tilt != 0 {
		if te := math.Abs(tilt * e); te > 1e-6 {
			// The density over the box has the integral 1; beyond 600 sinh is half an exponential.
			if te < 600 {
				log = -math.Log(math.Sinh(te/2) * 2 / te)
			} else {
				log = math.Log(te) - te/2
			}
		}
		log += tilt*(m-z) + tilt*tilt*all/2
		shifted += all * tilt
	}
	sd := math.Sqrt(all)
	l, d1, d2 := truncated((z-half-shifted)/sd, (z+half-shifted)/sd)
	log += l - math.Log(e)
	// From s with the noise back to s.
	g := v / all
	mean = m + g*(shifted+sd*d1-m)
	variance = v - g*v + g*g*all*max(1+d2, 1e-9)
	return log, mean, max(variance, 1e-6*v)
}

// truncated returns log(Φ(b) − Φ(a)) and its first and second derivatives by a shift of the
// mean, in units of the deviation.
func truncated(a, b float64) (log, d1, d2 float64) {
	if a > 0 { // by symmetry stay where erfc is accurate
		log, d1, d2 = truncated(-b, -a)
		return log, -d1, d2
	}
	if b-a < 1e-6 {
		x := (a + b) / 2
		return -0.5*x*x - logSqrt2Pi + math.Log(max(b-a, 1e-300)), x, -1
	}
	if b < -25 {
		return under(b)
	}
	za := math.Exp(-0.5*a*a - logSqrt2Pi)
	zb := math.Exp(-0.5*b*b - logSqrt2Pi)
	z := 0.5 * (math.Erfc(-b*invSqrt2) - math.Erfc(-a*invSqrt2))
	if !(z > 1e-300) {
		z = 1e-300
	}
	d1 = (za - zb) / z
	d2 = (a*za-b*zb)/z - d1*d1
	return math.Log(z), d1, d2
}
