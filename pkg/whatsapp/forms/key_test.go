package forms_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/forms"
)

// pkcs1 writes a PKCS#8 key anew.
func pkcs1(private []byte) []byte {
	block, _ := pem.Decode(private)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key.(*rsa.PrivateKey))})
}

func TestParseKeys(t *testing.T) {
	a, b := present(), previous()
	idA, idB := a.keys[0].ID(), b.keys[0].ID()
	for name, c := range map[string]struct {
		file []byte
		want []string
	}{
		"PKCS#8":      {a.privatePEM, []string{idA}},
		"PKCS#1":      {pkcs1(a.privatePEM), []string{idA}},
		"two":         {append(bytes.Clone(b.privatePEM), a.privatePEM...), []string{idB, idA}},
		"both kinds":  {append(pkcs1(b.privatePEM), a.privatePEM...), []string{idB, idA}},
		"twice":       {append(pkcs1(a.privatePEM), a.privatePEM...), []string{idA}},
		"a text":      {append([]byte("# since May\n\n"), a.privatePEM...), []string{idA}},
		"CRLF":        {bytes.ReplaceAll(a.privatePEM, []byte("\n"), []byte("\r\n")), []string{idA}},
		"no line end": {bytes.TrimSpace(a.privatePEM), []string{idA}},
	} {
		keys, err := forms.ParseKeys(c.file)
		if err != nil || len(keys) != len(c.want) {
			t.Errorf("%s: %v, %v", name, keys, err)
			continue
		}
		for i, key := range keys {
			if key.ID() != c.want[i] {
				t.Errorf("%s: %v, want %v", name, keys, c.want)
			}
		}
	}
	if !bytes.Equal(a.keys[0].PublicPEM(), a.publicBytes) {
		t.Error("the public half is another one than GenerateKey gave")
	}
}

func TestParseKeysRefuses(t *testing.T) {
	good := present().privatePEM
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Replace(good, []byte("M"), []byte("?"), 1)
	var many []byte
	for range 5 {
		many = append(many, newPair().privatePEM...)
	}
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":       {nil, "no private key"},
		"no PEM":      {[]byte("secret"), "no private key"},
		"public":      {present().publicBytes, "is a public key"},
		"certificate": {[]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "is a certificate"},
		"1024 bits":   {pkcs8(short), "1024 bits"},
		"EC":          {pkcs8(curve), "is not RSA"},
		"no DER":      {[]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "no PKCS#8"},
		"no PKCS#1":   {[]byte("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"), "no PKCS#1"},
		"damaged":     {damaged, "damaged"},
		"second cut":  {append(bytes.Clone(good), good[:len(good)/2]...), "damaged"},
		"too many":    {many, "5 private keys"},
		"DES": {
			[]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"),
			"openssl pkey -in private.pem -out flows.pem",
		},
		"PKCS#8 with passphrase": {
			[]byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"),
			"openssl pkey -in private.pem -out flows.pem",
		},
	} {
		keys, err := forms.ParseKeys(c.file)
		if err == nil || keys != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v", name, keys, err)
		}
	}
}

// A key made as Meta's page says is refused with a command, and the command helps.
func TestOpensslRemovesPassphrases(t *testing.T) {
	openssl := lookFor(t, "openssl")
	dir := t.TempDir()
	protected, plain := filepath.Join(dir, "private.pem"), filepath.Join(dir, "flows.pem")
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), openssl, args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	for _, traditional := range []string{"", "-traditional"} {
		args := []string{"genrsa", "-des3", "-passout", "pass:secret", "-out", protected}
		if traditional != "" {
			args = append(args, traditional)
		}
		run(append(args, "2048")...)
		file, err := os.ReadFile(protected)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := forms.ParseKeys(file); err == nil || !strings.Contains(err.Error(), "passphrase") {
			t.Errorf("%q: %v", traditional, err)
		}
		run("pkey", "-in", protected, "-out", plain, "-passin", "pass:secret")
		file, err = os.ReadFile(plain)
		if err != nil {
			t.Fatal(err)
		}
		if keys, err := forms.ParseKeys(file); err != nil || len(keys) != 1 {
			t.Errorf("%q: %v, %v", traditional, keys, err)
		}
	}
}

func TestKeysThatArePrintedTellNothing(t *testing.T) {
	keys := present().keys
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, value := range []any{keys, keys[0], &keys[0]} {
			if text := fmt.Sprintf(format, value); len(text) > 4000 || strings.Contains(text, "Primes") {
				t.Errorf("%s of %T: %s", format, value, text)
			}
		}
	}
	if got := fmt.Sprint(keys); got != "[key "+keys[0].ID()+"]" {
		t.Errorf("keys print as %s", got)
	}
}
