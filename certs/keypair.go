package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"strings"
)

// LoadKeyPair reads a PEM certificate chain, leaf first, and its PEM private key: PKCS#8, PKCS#1
// or SEC 1, not encrypted, in a file that not everybody may read. Its error is an *Error.
func LoadKeyPair(certPath, keyPath string) (*tls.Certificate, error) {
	chain, err := readCertificates(certPath, false)
	if err != nil {
		return nil, err
	}
	key, err := readKey(keyPath)
	if err != nil {
		return nil, err
	}
	type public interface{ Equal(crypto.PublicKey) bool }
	if p, ok := chain[0].PublicKey.(public); !ok || !p.Equal(key.Public()) {
		return nil, refuse(WhyKeyMismatch, "the key in %s is not that of the first certificate in %s (%s)",
			keyPath, certPath, chain[0].Subject)
	}
	if weak := weakKey(chain[0]); weak != "" {
		return nil, refuse(WhyWeakKey, "%s: %s", certPath, weak)
	}
	pair := &tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	return pair, nil
}

func readKey(path string) (crypto.Signer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, refuse(WhyUnreadableFile, "cannot read the private key").because(err)
	}
	defer f.Close()
	info, err := f.Stat() // of the open file: what is judged is what is read
	if err != nil {
		return nil, refuse(WhyUnreadableFile, "cannot read the private key").because(err)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o006 != 0 {
		return nil, refuse(WhyWorldReadableKey, "the private key %s is open to every user (mode %04o); run: chmod o-rwx %s",
			path, info.Mode().Perm(), path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, refuse(WhyUnreadableFile, "cannot read the private key").because(err)
	}
	return parseKey(path, text)
}

// maxKeyFile is far above the largest RSA key with a chain in the same file, bytes.
const maxKeyFile = 256 << 10

func parseKey(path string, text []byte) (crypto.Signer, error) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, refuse(WhyBadFile, "%s holds no private key (a PEM block of type PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY is wanted)", path)
		}
		text = rest
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, refuse(WhyEncryptedKey, "the private key %s is encrypted, and nobody is there to type the pass phrase when a gateway starts; "+
				"decrypt it with: openssl pkey -in %s -out NEWFILE, then protect NEWFILE with chmod 600", path, path)
		}
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		default:
			return nil, refuse(WhyBadFile, "%s holds a %s; RSA, EC and Ed25519 keys in PEM are read", path, block.Type)
		}
		if err != nil {
			return nil, refuse(WhyBadFile, "the private key %s cannot be read", path).because(err)
		}
		switch key := key.(type) {
		case *rsa.PrivateKey:
			return key, nil
		case *ecdsa.PrivateKey:
			return key, nil
		case ed25519.PrivateKey:
			return key, nil
		}
		return nil, refuse(WhyBadFile, "%s holds a key of a kind that TLS 1.3 does not use", path)
	}
}
