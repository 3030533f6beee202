package mqtt

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	qrcode "github.com/skip2/go-qrcode"
)

// Root is the public half of a signing key that nodes are enrolled with.
type Root struct {
	Alg    string `json:"alg"`    // Ed25519 or ES256
	KID    string `json:"kid"`    // 16 hex digits
	Public string `json:"public"` // hex: 32 bytes, or the 65-byte uncompressed point
}

// Enrolment is all that a node needs, secrets included: shown once, never kept.
type Enrolment struct {
	Gateway      string `json:"gateway"`
	Node         string `json:"node"`
	Generation   uint32 `json:"generation"`
	Key          string `json:"key"` // hex, 32 bytes
	Roots        []Root `json:"roots"`
	TopicPrefix  string `json:"topic_prefix"`
	MQTTUser     string `json:"mqtt_user"`
	MQTTPassword string `json:"mqtt_password"`
}

func (n *Nodes) enrolment(k *nodeKeys) *Enrolment {
	return &Enrolment{
		Gateway:      n.gateway,
		Node:         k.Name,
		Generation:   k.Generation,
		Key:          hex.EncodeToString(k.key[:]),
		Roots:        []Root{},
		TopicPrefix:  TopicPrefix(n.site, n.gateway),
		MQTTUser:     k.Name,
		MQTTPassword: k.password,
	}
}

// Forms are the forms that Write knows, the default first.
func Forms() []string { return []string{"c-header", "json", "qr", "esphome"} }

// Write writes the enrolment in one of Forms. The caller has put the roots in.
func (e *Enrolment) Write(w io.Writer, form string) error {
	switch form {
	case "c-header":
		return e.writeHeader(w)
	case "json":
		b, err := json.MarshalIndent(e, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", b)
		return err
	case "qr":
		return e.writeQR(w)
	case "esphome":
		return e.writeESPHome(w)
	}
	return fmt.Errorf("form %q is not known; choose one of %s", form, strings.Join(Forms(), ", "))
}

// writeHeader writes the C header that the node library's examples include.
func (e *Enrolment) writeHeader(w io.Writer) error {
	key, err := hex.DecodeString(e.Key)
	if err != nil {
		return fmt.Errorf("the node's key: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "/* Node %s of gateway %s, generation %d. Secret: keep it out of version control. */\n", e.Node, e.Gateway, e.Generation)
	b.WriteString("#ifndef NTSGW_ENROLMENT_H\n#define NTSGW_ENROLMENT_H\n\n")
	fmt.Fprintf(&b, "#define NTSGW_GATEWAY \"%s\"\n", e.Gateway)
	fmt.Fprintf(&b, "#define NTSGW_NODE \"%s\"\n", e.Node)
	fmt.Fprintf(&b, "#define NTSGW_GENERATION %dUL\n", e.Generation)
	fmt.Fprintf(&b, "#define NTSGW_TOPIC_PREFIX \"%s\"\n", e.TopicPrefix)
	fmt.Fprintf(&b, "#define NTSGW_MQTT_USER \"%s\"\n", e.MQTTUser)
	fmt.Fprintf(&b, "#define NTSGW_MQTT_PASSWORD \"%s\"\n", e.MQTTPassword)
	writeBytes(&b, "NTSGW_NODE_KEY", key)
	for _, r := range e.Roots {
		pub, err := hex.DecodeString(r.Public)
		if err != nil {
			return fmt.Errorf("the root's public key: %w", err)
		}
		kid, err := hex.DecodeString(r.KID)
		if err != nil {
			return fmt.Errorf("the root's key id: %w", err)
		}
		if len(pub) == 65 { // the node library takes x and y, without the byte that says "uncompressed"
			pub = pub[1:]
		}
		name := "NTSGW_ROOT_" + strings.ToUpper(r.Alg)
		writeBytes(&b, name, pub)
		writeBytes(&b, name+"_KID", kid)
	}
	b.WriteString("\n#endif\n")
	_, err = io.WriteString(w, b.String())
	return err
}

// writeBytes writes a macro that is an initializer for an array of bytes.
func writeBytes(b *strings.Builder, name string, v []byte) {
	fmt.Fprintf(b, "#define %s {", name)
	for i, x := range v {
		if i%12 == 0 {
			b.WriteString(" \\\n ")
		}
		fmt.Fprintf(b, " 0x%02x,", x)
	}
	b.WriteString(" \\\n}\n")
}

// writeQR writes the one-line JSON as a QR code of block characters, for a telephone's camera.
func (e *Enrolment) writeQR(w io.Writer) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	q, err := qrcode.New(string(b), qrcode.Low)
	if err != nil {
		return fmt.Errorf("make the QR code: %w", err)
	}
	// Drawn for a light-on-dark terminal, quiet zone included; cameras take the inverse, too.
	_, err = io.WriteString(w, q.ToSmallString(false))
	return err
}

// writeESPHome writes substitutions and the mqtt section for an ESPHome device; the key goes to
// the component as base64, the form that ESPHome uses for keys.
func (e *Enrolment) writeESPHome(w io.Writer) error {
	key, err := hex.DecodeString(e.Key)
	if err != nil {
		return fmt.Errorf("the node's key: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Node %s of gateway %s, generation %d. Secret: keep it in secrets.yaml.\n", e.Node, e.Gateway, e.Generation)
	b.WriteString("substitutions:\n")
	fmt.Fprintf(&b, "  ntsgw_gateway: %q\n", e.Gateway)
	fmt.Fprintf(&b, "  ntsgw_node: %q\n", e.Node)
	fmt.Fprintf(&b, "  ntsgw_generation: %q\n", fmt.Sprint(e.Generation))
	fmt.Fprintf(&b, "  ntsgw_topic_prefix: %q\n", e.TopicPrefix)
	fmt.Fprintf(&b, "  ntsgw_key: %q\n", base64.StdEncoding.EncodeToString(key))
	for _, r := range e.Roots {
		pub, err := hex.DecodeString(r.Public)
		if err != nil {
			return fmt.Errorf("the root's public key: %w", err)
		}
		fmt.Fprintf(&b, "  ntsgw_root_%s: %q\n", strings.ToLower(r.Alg), base64.StdEncoding.EncodeToString(pub))
	}
	b.WriteString("mqtt:\n")
	fmt.Fprintf(&b, "  username: %q\n", e.MQTTUser)
	fmt.Fprintf(&b, "  password: %q\n", e.MQTTPassword)
	b.WriteString("  discovery: false\n")
	_, err = io.WriteString(w, b.String())
	return err
}

// Listed is one line of `node list -json`.
type Listed struct {
	Node             string     `json:"node"`
	Generation       uint32     `json:"generation"`
	State            string     `json:"state"`
	LastExchange     *time.Time `json:"last_exchange"`      // null: none since the gateway started
	HalfWidthSeconds *float64   `json:"half_width_seconds"` // the node's own report; null: none
}

// Merge puts what a running gateway has seen beside the list; seen may be nil.
func Merge(nodes []Node, seen []NodeStatus) []Listed {
	by := make(map[string]NodeStatus, len(seen))
	for _, s := range seen {
		by[s.Node] = s
	}
	out := make([]Listed, 0, len(nodes))
	for _, n := range nodes {
		l := Listed{Node: n.Name, Generation: n.Generation, State: n.State}
		if s, ok := by[n.Name]; ok {
			l.LastExchange, l.HalfWidthSeconds = s.LastExchange, s.HalfWidthSeconds
		}
		out = append(out, l)
	}
	return out
}
