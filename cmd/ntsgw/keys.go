package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ntsgw/ntsgw/certs/signing"
	"github.com/ntsgw/ntsgw/configs"
)

func keysVerb(ctx context.Context, t terminal, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "rotate":
			return keysRotate(ctx, t, args[1:])
		case "delegate":
			return keysDelegate(t, args[1:])
		}
	}
	f := newFlags(t, "keys")
	config := f.config()
	asJSON := f.Bool("json", false, "print JSON")
	rest, err := f.operands(args, 0, 1)
	if err != nil {
		return err
	}
	if len(rest) == 1 {
		return unknownWord("subcommand", rest[0], "rotate", "delegate")
	}
	_, store, err := readStore(*config)
	if err != nil {
		return err
	}
	list := store.List()
	if *asJSON {
		return printJSON(t.out, list)
	}
	fmt.Fprintf(t.out, "gateway %s\n\n", list.Gateway)
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY ID\tROLE\tALGORITHM\tSTATE\tSERIAL\tVALID UNTIL\tPUBLIC")
	for _, k := range list.Keys {
		until := "–"
		if k.NotAfter != 0 {
			until = time.Unix(int64(k.NotAfter), 0).UTC().Format("2006-01-02 15:04 MST")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", k.KID, k.Role, k.Alg, k.State, k.Serial, until, k.Public)
	}
	return w.Flush()
}

func openStore(config string, options ...func(*signing.Options)) (configs.Config, *signing.Store, error) {
	cfg, err := configs.Load(config)
	if err != nil {
		return cfg, nil, asConfigError(err)
	}
	store, err := openSigning(cfg, options...)
	return cfg, store, err
}

// readStore is openStore for verbs that only look: it makes no keys.
func readStore(config string, options ...func(*signing.Options)) (configs.Config, *signing.Store, error) {
	return openStore(config, append(options, func(o *signing.Options) { o.Look = true })...)
}

// keysRotate replaces the online keys now. Their validity begins at the gateway's proved time,
// so a gateway must be running and serve it.
func keysRotate(ctx context.Context, t terminal, args []string) error {
	f := newFlags(t, "keys rotate")
	config, socket := socketFlags(f)
	lost := f.Bool("lost", false, "the online key's file is lost: make a new one")
	if _, err := f.operands(args, 0, 0); err != nil {
		return err
	}
	cfg, store, err := openStore(*config, func(o *signing.Options) { o.ReplaceLost = *lost })
	if err != nil {
		return err
	}
	if *socket == "" {
		*socket = cfg.Status.Socket
	}
	now, err := provedTime(ctx, *socket)
	if *lost && err != nil {
		// A gateway can't start without its key: it delegates the new one itself once it knows the time.
		_, err = fmt.Fprintln(t.out, "a new online key is there; the gateway delegates it as soon as it knows the time")
		return err
	}
	if err != nil {
		return err
	}
	if err := store.Rotate(now); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "new online keys, serial %d; the old ones are erased and the gateway signs with the new ones from its next beacon on\n", store.Serial())
	return err
}

// provedTime is the time that the running gateway serves.
func provedTime(ctx context.Context, socket string) (time.Time, error) {
	r, err := ask(ctx, socket)
	if err != nil {
		return time.Time{}, err
	}
	if r.Time == "" {
		return time.Time{}, exit(exitNotSynced, "the gateway is %s: a key's validity can't be stated before the time is known", r.State)
	}
	return time.Parse(time.RFC3339, r.Time)
}

func keysDelegate(t terminal, args []string) error {
	f := newFlags(t, "keys delegate")
	config := f.config()
	away := f.String("away", "", "move the root key into `FILE` and erase it here: it is then kept elsewhere")
	want := f.Int("want", 0, "print `N` rounds of new public keys for the place where the root is")
	take := f.String("import", "", "take the batch in `FILE` that was made there")
	root := f.String("root", "", "at the place where the root is: the root key `FILE`")
	start := f.String("start", "", "with -root: `TIME` (RFC 3339) that the first delegation begins at (default: now by this machine)")
	validity := f.Duration("validity", signing.DefaultValidity, "with -root: how long each delegation holds")
	rest, err := f.operands(args, 0, 1)
	if err != nil {
		return err
	}
	var given []string
	empty, set := false, map[string]bool{}
	f.Visit(func(g *flag.Flag) {
		set[g.Name] = true
		switch g.Name {
		case "away", "want", "import", "root":
			given, empty = append(given, "-"+g.Name), empty || g.Value.String() == ""
		}
	})
	const each = "-away FILE, -want N, -import FILE, or -root FILE want.json"
	switch {
	case len(given) == 0:
		return f.misuse("say what to do: %s", each)
	case len(given) > 1:
		return f.misuse("%s can't go together: give one of %s", strings.Join(given, " and "), each)
	case empty:
		return f.misuse("%s needs a file's name: give one of %s", given[0], each)
	case given[0] == "-want" && (*want < 1 || *want > 100):
		return f.misuse("-want must be 1 to 100 rounds: each is one rotation of the online keys")
	}
	if *root == "" {
		for _, name := range []string{"start", "validity"} {
			if set[name] {
				return f.misuse("-%s goes with -root alone: it is said where the root is", name)
			}
		}
	} else {
		if len(rest) != 1 {
			return f.misuse("give the file that keys delegate -want printed")
		}
		begin := time.Now()
		if *start != "" {
			if begin, err = time.Parse(time.RFC3339, *start); err != nil {
				return f.misuse("-start %q is not a time such as 2026-01-31T12:00:00Z", *start)
			}
		}
		return delegateElsewhere(t, *root, rest[0], begin, *validity)
	}
	if len(rest) != 0 {
		return f.misuse("unexpected operand %q", rest[0])
	}
	_, store, err := openStore(*config)
	if err != nil {
		return err
	}
	switch {
	case *away != "":
		if err := store.TakeRootAway(*away); err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.out, "the root is in %s and no longer here; before the present delegation ends, bring a batch: keys delegate -want 12 > want.json\n", *away)
		return err
	case *want != 0:
		b, err := store.Want(*want)
		if err != nil {
			return err
		}
		_, err = t.out.Write(append(b, '\n'))
		return err
	}
	b, err := os.ReadFile(*take)
	if err != nil {
		return err
	}
	n, err := store.Import(b)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "%s at hand\n", configs.Counted(n, "rotation is", "rotations are"))
	return err
}

func delegateElsewhere(t terminal, root, want string, begin time.Time, validity time.Duration) error {
	rootPEM, err := os.ReadFile(root)
	if err != nil {
		return err
	}
	wanted, err := os.ReadFile(want)
	if err != nil {
		return err
	}
	b, err := signing.Delegate(rootPEM, wanted, begin, validity)
	if err != nil {
		return err
	}
	_, err = t.out.Write(append(b, '\n'))
	return err
}

// unknownWord is the error for a word that is not one of known.
func unknownWord(what, word string, known ...string) error {
	if n := configs.Nearest(word, known); n != "" {
		return misuse("unknown %s %q; did you mean %q?", what, word, n)
	}
	return misuse("unknown %s %q", what, word)
}
