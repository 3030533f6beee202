package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ntsgw/ntsgw/certs"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/discipline/sysclock"
	"github.com/ntsgw/ntsgw/downstream/beacon/watch"
	"github.com/ntsgw/ntsgw/downstream/mqtt"
	"github.com/ntsgw/ntsgw/downstream/status"
	"github.com/ntsgw/ntsgw/upstream"
)

// The longest that a server or a broker is waited for.
const (
	probeTimeout  = 10 * time.Second
	brokerTimeout = 6 * time.Second
)

// probe is what came of asking one server for what the gateway wants of it: a key exchange and one answer.
type probe struct {
	server configs.Server
	result *upstream.QueryResult
	judged certs.Report // its certificate; without a chain when it did not come to that
	err    error        // why it can't be used, with the fix
}

// probeServers asks every server of the configuration, all at once. A person looks at the answer, so the host clock
// judges the dates.
func probeServers(ctx context.Context, cfg configs.Config) ([]probe, error) {
	policy, err := certs.New(certs.Options{Servers: cfg.Servers, Trust: cfg.Trust, Clock: hostClock})
	if err != nil {
		return nil, err
	}
	list := make([]probe, len(cfg.Servers))
	var wait sync.WaitGroup
	for i, s := range cfg.Servers {
		wait.Go(func() {
			p := &list[i]
			p.server = s
			p.result, p.err = upstream.Query(ctx, upstream.QueryOptions{Name: s.Name, Address: s.Address,
				Trust: policy, Clock: sysclock.Reader{}, Samples: 1, Timeout: probeTimeout})
			p.judged, _ = policy.Report(s.Name)
			if p.err == nil && int(p.result.Stratum) > cfg.Trust.MaxSourceStratum {
				p.err = fmt.Errorf("its stratum is %d, more than max_source_stratum in [trust]", p.result.Stratum)
			}
			p.err = withAuthority(p.err, fmt.Sprintf(`ca = "FILE" in the [[server]] of %s`, s.Name))
		})
	}
	wait.Wait()
	return list, nil
}

// why is err as it goes on after the server's name.
func (p *probe) why() string {
	return strings.ReplaceAll(p.err.Error(), ": "+p.server.Name+": ", ": ")
}

func (p *probe) finding() finding {
	if p.err != nil {
		return finding{"bad", fmt.Sprintf("%s can't be used: %s", p.server.Name, p.why())}
	}
	return finding{"ok", fmt.Sprintf("%s gives authenticated time: stratum %d, offset %s, delay %s", p.server.Name,
		p.result.Stratum, status.Duration(p.result.Offset), status.Duration(p.result.Delay))}
}

// report is the answer, and how the certificate was judged, in lines.
func (p *probe) report() string {
	_, certificate, _ := strings.Cut(p.judged.String(), "\n")
	name := p.server.Name
	switch {
	case p.err == nil:
		return fmt.Sprintf("%s: accepted, %s left\n  stratum %d, offset %s, delay %s, from %s, AEAD %s\n%s", name,
			configs.Counted(int(math.Round(p.judged.DaysLeft)), "day", "days"), p.result.Stratum,
			status.Duration(p.result.Offset), status.Duration(p.result.Delay), p.result.NTPAddress, aeadText(p.result), certificate)
	case p.judged.Reason != "":
		return fmt.Sprintf("%s: refused (%s): %s\n%s", name, p.judged.Reason, strings.TrimPrefix(p.why(), "the certificate is refused: "), certificate)
	case p.judged.Accepted:
		return fmt.Sprintf("%s: its certificate is accepted, but it gives no time that can be used: %s\n%s", name, p.why(), certificate)
	}
	return fmt.Sprintf("%s: not reached: %s\n", name, p.why())
}

// withAuthority says of a refusal for an authority that nobody here knows where that authority is named.
func withAuthority(err error, where string) error {
	var e *certs.Error
	if !errors.As(err, &e) || e.Why != certs.WhyUnknownCA && e.Why != certs.WhySelfSigned {
		return err
	}
	bare := *e
	bare.Server = ""
	return fmt.Errorf("the certificate is refused: %w; if it is the right server, name its authority: %s", &bare, where)
}

// brokerSession is how the gateway comes to a broker that runs elsewhere.
func brokerSession(cfg configs.MQTT, broker string) (o watch.Options, err error) {
	u, err := url.Parse(broker)
	if err != nil {
		return o, err
	}
	o.Broker = broker
	if o.User, o.Password, err = mqtt.Login(u, cfg); err != nil {
		return o, err
	}
	o.TLS, err = mqtt.ClientTLS(u.Hostname(), cfg)
	return o, err
}

// externalBrokers are those that the gateway publishes to and that run elsewhere.
func externalBrokers(cfg configs.MQTT) []string {
	if !cfg.Enabled {
		return nil
	}
	list := cfg.Also
	if cfg.Broker != "" {
		list = append([]string{cfg.Broker}, list...)
	}
	return list
}

// brokerFindings tries to be let in by each broker that runs elsewhere, all at once.
func brokerFindings(ctx context.Context, cfg configs.MQTT) []finding {
	urls := externalBrokers(cfg)
	list := make([]finding, len(urls))
	var wait sync.WaitGroup
	for i, url := range urls {
		wait.Go(func() {
			list[i] = finding{"ok", "the broker " + url + " lets the gateway in"}
			if err := tryBroker(ctx, cfg, url); err != nil {
				list[i] = finding{"bad", fmt.Sprintf("the broker %s %v", url, err)}
			}
		})
	}
	wait.Wait()
	return list
}

// tryBroker connects once; its error goes on after the broker's name.
func tryBroker(ctx context.Context, cfg configs.MQTT, broker string) error {
	o, err := brokerSession(cfg, broker)
	if err != nil {
		return fmt.Errorf("can't be asked: %w", err)
	}
	said := make(chan error, 1)
	o.Now = sysclock.Now
	o.State = func(err error) {
		select {
		case said <- err:
		default:
		}
	}
	s, err := watch.Open(o)
	if err != nil {
		return fmt.Errorf("can't be asked: %w", err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(ctx, brokerTimeout)
	defer cancel()
	select {
	case err = <-said:
	case <-ctx.Done():
		err = errors.New("no answer in time")
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, watch.ErrRefused) && o.User == "":
		return errors.New("lets nobody in without a name and password: set user and password_file in [mqtt]")
	case errors.Is(err, watch.ErrRefused):
		return fmt.Errorf("refuses the name %s and its password: mend user and password_file in [mqtt]", o.User)
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("can't be reached: nothing listens there; start it, or mend its URL in [mqtt]")
	}
	return fmt.Errorf("can't be reached: %w", err)
}
