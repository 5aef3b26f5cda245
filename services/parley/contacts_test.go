package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// People are a table with the ids that every other command takes.
func TestContactsFind(t *testing.T) {
	o := openOffice(t)
	conn, err := pgx.Connect(t.Context(), o.deps.Common.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	ids := []string{uuid.NewString(), uuid.NewString()}
	for i, name := range []string{"Ann", "Anton"} {
		if _, err := conn.Exec(t.Context(), `INSERT INTO contacts (id, portfolio, lane_key, shard, name, created_at) VALUES ($1, 'p', $2, 0, $2, now())`, ids[i], name); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := tool(t, "contacts", "find", "an"); err != nil || !strings.Contains(got, ids[0]+"  Ann ") || !strings.Contains(got, ids[1]+"  Anton ") || strings.Contains(got, "more") {
		t.Errorf("%v\n%s", err, got)
	}
	if got, err := tool(t, "contacts", "find", "an", "--limit", "1"); err != nil || strings.Contains(got, ids[1]) || !strings.Contains(got, "there are more") {
		t.Errorf("%v\n%s", err, got)
	}
	if got, err := tool(t, "contacts", "find", "anton", "-o", "json"); err != nil || !strings.Contains(got, `"name": "Anton"`) {
		t.Errorf("%v\n%s", err, got)
	}
	if _, err := tool(t, "contacts", "find", "@"); err == nil || !strings.Contains(err.Error(), "who is empty") {
		t.Errorf("%v", err)
	}
}
