package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/parleyhq/parley/pkg/whatsapp/forms"
)

// whatsappCommand is what is done at Meta's side.
type whatsappCommand struct {
	Keys keysCommand `cmd:"" help:"The keys that WhatsApp forms are encrypted with."`
}

type keysCommand struct {
	Rotate  keysRotate  `cmd:"" help:"Make a new key, and keep the old one behind it: phones use that for a while."`
	Publish keysPublish `cmd:"" help:"Give the newest key to the phones of the numbers, once Parley has it."`
	Status  keysStatus  `cmd:"" help:"Compare the keys that Meta gives to phones with those that Parley has."`
}

// keysFile is where the keys are.
type keysFile struct {
	File string `name:"file" env:"PARLEY_FLOWS_PRIVATE_KEY_FILE" required:"" help:"File of the private keys, the newest first."`
}

// read returns the keys, which are there.
func (k keysFile) read() (forms.Keys, error) {
	file, err := os.ReadFile(k.File)
	if err != nil {
		return nil, fmt.Errorf("no keys: %w: make one with parley whatsapp keys rotate", err)
	}
	keys, err := forms.ParseKeys(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.File, err)
	}
	return keys, nil
}

// numbers are the numbers that the keys are of.
type numbers struct {
	GraphURL string   `name:"graph" env:"PARLEY_GRAPH_URL" default:"https://graph.facebook.com" help:"The Graph API."`
	Token    string   `name:"token" env:"PARLEY_META_ACCESS_TOKEN" required:"" help:"Access token; better given as PARLEY_META_ACCESS_TOKEN."`
	Channels []string `name:"channel" required:"" help:"phone_number_id of each number; may be given several times."`
}

func (n numbers) client() *forms.Client { return forms.NewClient(n.GraphURL, n.Token, nil) }

type keysRotate struct{ keysFile }

// Run publishes nothing: a key that phones have, and Parley does not, would answer 421
// to everybody.
func (c keysRotate) Run() error {
	old, err := os.ReadFile(c.File)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s cannot be read: %w", c.File, err)
	}
	private, _, err := forms.GenerateKey()
	if err != nil {
		return err
	}
	file := append(bytes.Clone(private), old...)
	keys, err := forms.ParseKeys(file)
	if err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", c.File, err)
	}
	if err := replaceFile(c.File, file); err != nil {
		return fmt.Errorf("the new key cannot be kept: %w; nothing was changed", err)
	}
	fmt.Printf("made key %s, the first of %d in %s\n", keys[0].ID(), len(keys), c.File)
	fmt.Println("Next: restart what reads the file (parley-ingress, or parley up), and then")
	fmt.Println("  parley whatsapp keys publish --channel PHONE_NUMBER_ID")
	return nil
}

type keysPublish struct {
	keysFile
	numbers
}

// Run publishes the newest key for every number, and says which are left if one fails.
func (c keysPublish) Run(ctx context.Context) error {
	keys, err := c.read()
	if err != nil {
		return err
	}
	var failed error
	for _, channel := range c.Channels {
		if err := c.client().Publish(ctx, channel, keys[0]); err != nil {
			failed = errors.Join(failed, fmt.Errorf("number %s still has its old key: %w", channel, err))
			continue
		}
		fmt.Printf("published for number %s\n", channel)
	}
	if failed != nil {
		return fmt.Errorf("%w\n  mend that, and see where it stands: parley whatsapp keys status", failed)
	}
	return nil
}

// replaceFile writes a file as a whole, for its owner alone.
func replaceFile(path string, data []byte) error {
	fresh := path + ".new"
	if err := os.WriteFile(fresh, data, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

type keysStatus struct {
	keysFile
	numbers
}

// Run fails if phones of a number have a key that cannot be read here.
func (c keysStatus) Run(ctx context.Context) error {
	keys, err := c.read()
	if err != nil {
		return err
	}
	var wrong error
	fmt.Printf("%-20s  %-16s  %-8s  %s\n", "NUMBER", "KEY OF PHONES", "META", "HERE")
	for _, channel := range c.Channels {
		published, err := c.client().Published(ctx, channel)
		if err != nil {
			return fmt.Errorf("number %s: %w", channel, err)
		}
		here := placeOfKey(keys, published)
		fmt.Printf("%-20s  %-16s  %-8s  %s\n", channel, published.ID, published.Status, here)
		if here == keyUnknown || published.Status != forms.KeyValid {
			wrong = errors.Join(wrong, fmt.Errorf("number %s: phones cannot be answered: parley whatsapp keys publish --channel %s", channel, channel))
		}
	}
	return wrong
}

const keyUnknown = "not here"

// placeOfKey says which of our keys phones use.
func placeOfKey(keys forms.Keys, published forms.PublishedKey) string {
	for i, key := range keys {
		switch {
		case key.ID() != published.ID:
		case i == 0:
			return "the newest"
		default:
			return fmt.Sprintf("number %d of %d", i+1, len(keys))
		}
	}
	return keyUnknown
}
