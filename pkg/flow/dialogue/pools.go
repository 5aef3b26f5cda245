package dialogue

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/leads"
)

// assigned gives the person's lead to somebody of a pool.
func (c *Chat) assigned(l flow.Lookup) ([][]byte, error) {
	name := l.Where["pool"]
	if c.pools == nil {
		c.pools = map[string]*leads.Pool{}
	}
	if c.pools[name] == nil {
		pool, err := poolOf(name, c.given.Pools[name])
		if err != nil {
			return nil, err
		}
		c.pools[name] = pool
	}
	return [][]byte{c.pools[name].Do(leads.Order{
		Verb: l.Verb, Where: l.Where, Contact: me, At: c.now, ID: "lead-" + name,
	}).Row()}, nil
}

// poolOf makes a pool of the rows of its agents. One that is not given has an agent who
// can do everything.
func poolOf(name string, table Table) (*leads.Pool, error) {
	p := &leads.Pool{Name: name, Leads: map[string]*leads.Lead{}, Changed: map[string]bool{}}
	if table == nil {
		p.Agents = []*leads.Agent{{ID: "agent", On: true, Zone: time.UTC, Everything: true}}
	}
	for i, row := range table {
		a := &leads.Agent{ID: row["agent"], Name: row["name"], Skills: strings.Fields(row["skills"]), On: row["on"] != "false", Zone: time.UTC}
		for column, into := range map[string]*int{"capacity": &a.Capacity, "open": &a.Open, "weight": &a.Weight} {
			if row[column] == "" {
				continue
			}
			n, err := strconv.Atoi(row[column])
			if err != nil {
				return nil, fmt.Errorf("pool %s, row %d: %s is %q: write a number", name, i+1, column, row[column])
			}
			*into = n
		}
		p.Agents = append(p.Agents, a)
	}
	return p, nil
}
