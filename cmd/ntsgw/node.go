package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/ntsgw/ntsgw/certs/signing"
	"github.com/ntsgw/ntsgw/configs"
	"github.com/ntsgw/ntsgw/downstream/mqtt"
	"github.com/ntsgw/ntsgw/downstream/status"
)

func nodeVerb(ctx context.Context, t terminal, args []string) error {
	words := []string{"add", "list", "revoke", "rotate"}
	if wantsHelp(t, "node", args, words...) {
		return nil
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return misuse("say what to do: %s", strings.Join(words, ", "))
	}
	what := args[0]
	if !slices.Contains(words, what) {
		return unknownWord("subcommand", what, words...)
	}
	f := newFlags(t, "node "+what)
	config := f.config()
	form, out, socket, asJSON := new(string), new(string), new(string), new(bool)
	least := 1
	switch what { // a flag that would do nothing is unknown
	case "list":
		least = 0
		socket = f.socket()
		f.BoolVar(asJSON, "json", false, "print JSON")
	case "add", "rotate":
		f.StringVar(form, "form", "", "how to print the secrets, a `FORM`: "+strings.Join(mqtt.Forms(), ", ")+" (default "+mqtt.Forms()[0]+")")
		f.StringVar(out, "out", "", "write the secrets to a new `FILE` (mode 0600) instead of the terminal")
		f.BoolVar(asJSON, "json", false, "the same as -form json")
	}
	rest, err := f.operands(args[1:], 0, least)
	if err != nil {
		return err
	}
	if len(rest) < least {
		return f.misuse("the node's name is missing")
	}
	if *form == "" {
		*form = mqtt.Forms()[0]
		if *asJSON {
			*form = "json"
		}
	}
	if *asJSON && what != "list" && *form != "json" {
		return f.misuse("-json and -form %s can't go together", *form)
	}
	if !slices.Contains(mqtt.Forms(), *form) {
		hint := "the forms are " + strings.Join(mqtt.Forms(), ", ")
		if n := configs.Nearest(*form, mqtt.Forms()); n != "" {
			hint = fmt.Sprintf("did you mean %q?", n)
		}
		return f.misuse("unknown form %q; %s", *form, hint)
	}
	if least == 1 && !configs.ValidName(rest[0]) {
		return f.misuse("%q is not a name; use 1 to 16 characters of a–z, 0–9 and -", rest[0])
	}
	open := openStore
	if what == "list" || what == "revoke" {
		open = readStore
	}
	cfg, store, err := open(*config)
	if err != nil {
		return err
	}
	nodes, err := openNodes(cfg, store.Gateway())
	if err != nil {
		return err
	}
	switch what {
	case "list":
		if *socket == "" {
			*socket = cfg.Status.Socket
		}
		return nodeList(ctx, t, nodes, *socket, *asJSON)
	case "revoke":
		if err := nodes.Revoke(rest[0]); err != nil {
			return err
		}
		_, err := fmt.Fprintf(t.out, "%s is revoked; a running gateway answers it no more within a second\n", rest[0])
		return err
	case "rotate":
		return enrol(t, store, nodes.Rotate, rest[0], *form, *out)
	}
	return enrol(t, store, nodes.Add, rest[0], *form, *out)
}

// enrol makes a node's secrets and prints them, this once. A file that can't be made is found out
// before anything is changed.
func enrol(t terminal, store *signing.Store, change func(name string) (*mqtt.Enrolment, error), name, form, out string) error {
	w := t.out
	var file *os.File
	if out != "" {
		var err error
		if file, err = os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return fmt.Errorf("the secrets can't be written, and nothing was changed: %w", err)
		}
		w = file
	}
	e, err := change(name)
	enrolled := err == nil
	if enrolled {
		err = printEnrolment(w, store, e, form)
	}
	if file != nil {
		err = errors.Join(err, file.Close())
		if err != nil {
			os.Remove(out)
		}
	}
	if enrolled && err != nil {
		return fmt.Errorf("%s is enrolled, but its new secrets were lost when they were written: %w; when that is mended, make others with: ntsgw node rotate %s", name, err, name)
	}
	return err
}

func printEnrolment(w io.Writer, store *signing.Store, e *mqtt.Enrolment, form string) error {
	for _, root := range store.Roots() {
		kid := root.KID()
		e.Roots = append(e.Roots, mqtt.Root{Alg: root.Alg().String(), KID: hex.EncodeToString(kid[:]), Public: hex.EncodeToString(root.Bytes())})
	}
	if err := e.Write(w, form); err != nil || form != "qr" {
		return err
	}
	_, err := fmt.Fprintf(w, "node %s of gateway %s, with its secrets\n", e.Node, e.Gateway)
	return err
}

func nodeList(ctx context.Context, t terminal, nodes *mqtt.Nodes, socket string, asJSON bool) error {
	list := mqtt.Merge(nodes.List(), seenNodes(ctx, socket))
	if asJSON {
		return printJSON(t.out, list)
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NODE\tSTATE\tGENERATION\tLAST EXCHANGE\tITS OWN BOUND")
	for _, n := range list {
		last, half := "–", "–"
		if n.LastExchange != nil {
			last = n.LastExchange.UTC().Format("2006-01-02 15:04:05Z")
		}
		if n.HalfWidthSeconds != nil {
			half = "± " + status.Bound(*n.HalfWidthSeconds)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", n.Node, n.State, n.Generation, last, half)
	}
	return w.Flush()
}

// seenNodes is what a running gateway has seen of its nodes; nil when none is running.
func seenNodes(ctx context.Context, socket string) []mqtt.NodeStatus {
	r, err := status.Ask(ctx, socket)
	if err != nil {
		return nil
	}
	seen := make([]mqtt.NodeStatus, len(r.Devices))
	for i, d := range r.Devices {
		seen[i] = mqtt.NodeStatus{Node: d.Name, Generation: d.Generation, LastExchange: d.LastExchange, HalfWidthSeconds: d.HalfWidth}
	}
	return seen
}
