package dialogue

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// givenKeys are what a dialogue can say about its beginning.
var givenKeys = []string{"phone", "name", "language", "opted_out", "channel", "at", "zone", "table", "table.", "variant."}

// set takes what a line gives.
func (p *parser) set(args fields) error {
	if err := args.pairs(givenKeys...); err != nil {
		return err
	}
	if err := p.early(); err != nil {
		return err
	}
	for _, f := range args {
		if err := p.now.Given.set(f); err != nil {
			return err
		}
	}
	return nil
}

func (g *Given) set(f field) error {
	group, name, dotted := strings.Cut(f.key, ".")
	switch {
	case group == "table":
		if g.Files == nil {
			g.Files = map[string]string{}
		}
		if !dotted {
			name = tableName(f.value)
		}
		g.Files[name] = f.value
	case group == "variant":
		if g.Variants == nil {
			g.Variants = map[string]string{}
		}
		g.Variants[name] = f.value
	case f.key == "opted_out":
		g.OptedOut = f.value == "true"
	case f.key == "at":
		return g.setAt(f.value)
	case f.key == "phone":
		g.Phone = strings.TrimPrefix(f.value, "+")
		if strings.Trim(g.Phone, "0123456789") != "" {
			return errors.New("a phone has digits only, with its country code")
		}
	case f.key == "name":
		g.Name = f.value
	case f.key == "language":
		g.Language = f.value
	case f.key == "channel":
		g.Channel = f.value
	case f.key == "zone":
		g.Zone = f.value
	}
	return nil
}

// tableName is the name of a file's table: "slots" for "tables/slots.csv".
func tableName(file string) string {
	name, _, _ := strings.Cut(file[strings.LastIndex(file, "/")+1:], ".")
	return name
}

func (g *Given) setAt(value string) error {
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", time.DateOnly} {
		if at, err := time.Parse(layout, value); err == nil && at.Year() > 1970 {
			g.At = at
			return nil
		}
	}
	return fmt.Errorf("%q is no time: write at=\"2026-12-01 10:00\"", value)
}
