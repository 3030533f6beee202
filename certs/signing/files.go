package signing

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ntsgw/ntsgw/downstream/beacon"
	"github.com/ntsgw/ntsgw/durable"
)

const maxFile = 1 << 20

// readPrivate reads a regular file that only its owner may read.
func readPrivate(path string) ([]byte, error) {
	b, err := durable.ReadPrivate(path, maxFile)
	var exposed *durable.ExposedError
	switch {
	case err == nil:
		return b, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Error{Path: path, Why: WhyMissing, Text: "is missing", Fix: "restore it from the backup", Err: nil}
	case errors.Is(err, durable.ErrNotRegular):
		return nil, &Error{Path: path, Why: WhyBad, Text: "is not a regular file", Fix: "restore it from the backup"}
	case errors.As(err, &exposed):
		return nil, &Error{Path: path, Why: WhyReadable, Text: exposed.Error(),
			Fix: "run: chmod 600 " + path + ", and replace the key if somebody may have read it"}
	case errors.Is(err, durable.ErrTooLong):
		return nil, &Error{Path: path, Why: WhyBad, Text: "is larger than 1 MiB", Fix: "restore it from the backup"}
	}
	return nil, &Error{Path: path, Why: WhyUnreadable, Text: "can't be read", Fix: "chown it to the user that ntsgw runs as", Err: err}
}

// erase overwrites a file and removes it. On flash the old blocks may survive until the drive
// reuses them: what a thief could do with them ends with the key's validity.
func erase(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st, err := f.Stat(); err == nil {
		f.Write(make([]byte, st.Size())) // whether that worked or not, the file goes
		f.Sync()
	}
	f.Close()
	if err := os.Remove(path); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

// encodeKey writes a secret key as PKCS #8 in PEM, which openssl reads as well.
func encodeKey(k *beacon.SigningKey) ([]byte, error) {
	var key any
	switch k.Public().Alg() {
	case beacon.Ed25519:
		key = ed25519.NewKeyFromSeed(k.Secret())
	case beacon.ES256:
		ec, err := ecdsa.ParseRawPrivateKey(curve(), k.Secret())
		if err != nil {
			return nil, err
		}
		key = ec
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// decodeKey reads what encodeKey wrote, for one algorithm.
func decodeKey(path string, alg beacon.Alg, b []byte) (*beacon.SigningKey, error) {
	bad := func(err error) error {
		return &Error{Path: path, Why: WhyBad, Text: fmt.Sprintf("is not a %v key in PKCS #8", alg), Fix: "restore it from the backup", Err: err}
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, bad(nil)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, bad(err)
	}
	var secret []byte
	switch p := parsed.(type) {
	case ed25519.PrivateKey:
		if alg != beacon.Ed25519 {
			return nil, bad(nil)
		}
		secret = p.Seed()
	case *ecdsa.PrivateKey:
		if alg != beacon.ES256 || p.Curve != curve() {
			return nil, bad(nil)
		}
		if secret, err = p.Bytes(); err != nil {
			return nil, bad(err)
		}
	default:
		return nil, bad(nil)
	}
	k, err := beacon.NewSigningKey(alg, secret)
	if err != nil {
		return nil, bad(err)
	}
	return k, nil
}

// readKey reads a secret key's file.
func readKey(path string, alg beacon.Alg) (*beacon.SigningKey, error) {
	b, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	return decodeKey(path, alg, b)
}

func writeKey(path string, k *beacon.SigningKey) error {
	b, err := encodeKey(k)
	if err != nil {
		return err
	}
	return durable.Replace(path, b, 0o600)
}

// decodeRoots reads what TakeRootAway wrote: one PEM block an algorithm.
func decodeRoots(b []byte) (map[beacon.Alg]*beacon.SigningKey, error) {
	roots := map[beacon.Alg]*beacon.SigningKey{}
	for {
		block, rest := pem.Decode(b)
		if block == nil {
			break
		}
		one := pem.EncodeToMemory(block)
		for _, alg := range []beacon.Alg{beacon.Ed25519, beacon.ES256} {
			if k, err := decodeKey("root", alg, one); err == nil {
				roots[alg] = k
			}
		}
		b = rest
	}
	if len(roots) == 0 {
		return nil, errors.New("there is no root key in the file")
	}
	return roots, nil
}
