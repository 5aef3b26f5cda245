package meta_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// span is where a value stands in a body.
type span struct{ start, end int }

// member is a member of an object; a list's elements have no key.
type member struct {
	key string
	at  span
}

// coverage says, with encoding/json alone, which parts of a body must be envelopes,
// and how often.
type coverage struct {
	body []byte
	want map[span]int
}

// children are the members of an object or the elements of a list, a repeated key
// repeatedly.
func (c coverage) children(of span) (list []member) {
	decoder := json.NewDecoder(bytes.NewReader(c.body[of.start:of.end]))
	open, err := decoder.Token()
	delim, isContainer := open.(json.Delim)
	if err != nil || !isContainer {
		return nil
	}
	for decoder.More() {
		var m member
		if delim == '{' {
			key, _ := decoder.Token()
			m.key = strings.ReplaceAll(fmt.Sprint(key), "\x00", "")
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return list
		}
		m.at.end = of.start + int(decoder.InputOffset())
		m.at.start = m.at.end - len(value)
		list = append(list, m)
	}
	return list
}

// last is the last member of a name; nothing if there is none.
func (c coverage) last(of span, name string) (at span) {
	if !c.is(of, '{') {
		return at
	}
	for _, m := range c.children(of) {
		if m.key == name {
			at = m.at
		}
	}
	return at
}

func (c coverage) is(at span, first byte) bool { return at.end > at.start && c.body[at.start] == first }

func (c coverage) text(at span) string {
	var s string
	if json.Unmarshal(c.body[at.start:at.end], &s) != nil {
		return ""
	}
	return strings.ReplaceAll(s, "\x00", "")
}

// updates counts what must come of a webhook; false if the body is none.
func (c coverage) updates() bool {
	if !json.Valid(c.body) || tooDeep(c.body) {
		return false
	}
	whole := span{0, len(c.body)}
	whole.start = len(c.body) - len(bytes.TrimLeft(c.body, " \t\r\n"))
	if c.text(c.last(whole, "object")) != "whatsapp_business_account" || !c.is(c.last(whole, "entry"), '[') {
		return false
	}
	for _, m := range c.children(whole) {
		if m.key == "entry" && c.is(m.at, '[') {
			for _, entry := range c.children(m.at) {
				c.entry(entry.at)
			}
		}
	}
	return c.total() <= 20_000
}

func (c coverage) total() (n int) {
	for times := range maps.Values(c.want) {
		n += times
	}
	return n
}

func (c coverage) entry(at span) {
	if !c.is(c.last(at, "changes"), '[') {
		c.want[at]++
		return
	}
	for _, m := range c.children(at) {
		if m.key == "changes" && c.is(m.at, '[') {
			for _, change := range c.children(m.at) {
				c.change(change.at)
			}
		}
	}
}

func (c coverage) change(at span) {
	value := c.last(at, "value")
	lists := map[string]bool{
		"messages": true, "statuses": true, "message_echoes": true, "user_preferences": true, "errors": true,
		"user_actions": true, "calls": true, "state_sync": true, "history": true,
	}
	switch c.text(c.last(at, "field")) {
	case "messages", "smb_message_echoes", "user_preferences", "calls", "smb_app_state_sync", "history":
	default:
		c.want[at]++ // also user_id_update, which is told apart if each of its elements can be
		return
	}
	found, rest := 0, !c.is(value, '{')
	for _, m := range c.children(value) {
		elements := c.children(m.at)
		switch {
		case m.key == "contacts" || !c.is(value, '{'):
		case lists[m.key] && c.is(m.at, '['):
			found += len(elements)
			for _, element := range elements {
				if m.key == "history" {
					c.chunk(element.at)
					continue
				}
				c.want[element.at]++
			}
		case lists[m.key]:
			rest = rest || !c.is(m.at, 'n')
		default:
			rest = rest || c.is(m.at, '[') && len(elements) > 0
		}
	}
	if rest || found == 0 {
		c.want[at]++
	}
}

// chunk is a part of the history: its progress, its errors and the messages of its
// threads are told apart, or else it is one.
func (c coverage) chunk(at span) {
	found, rest := 0, !c.is(at, '{')
	for _, m := range c.children(at) {
		elements := c.children(m.at)
		switch {
		case !c.is(at, '{'):
		case m.key == "metadata" && c.is(m.at, '{'):
			found++
			c.want[m.at]++
		case m.key == "errors" && c.is(m.at, '['):
			found += len(elements)
			for _, fault := range elements {
				c.want[fault.at]++
			}
		case m.key == "threads" && c.is(m.at, '['):
			for _, thread := range elements {
				found += c.thread(thread.at)
			}
		default:
			rest = rest || c.is(m.at, '[') && len(elements) > 0
		}
	}
	if rest || found == 0 {
		c.want[at]++
	}
}

// thread counts the messages of a thread; one without is kept whole.
func (c coverage) thread(at span) (found int) {
	messages := c.last(at, "messages")
	if !c.is(messages, '[') {
		c.want[at]++
		return 1
	}
	for _, m := range c.children(messages) {
		c.want[m.at]++
		found++
	}
	return found
}

func tooDeep(body []byte) bool {
	depth, inside := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '{' || c == '[':
			if depth++; depth > 64 {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// tester is a test, of testing or of rapid.
type tester interface {
	Errorf(format string, args ...any)
}

// checkCoverage: every element of every batch is exactly one envelope with its own
// bytes, or the whole body is one that is unreadable. Nothing is in between.
func checkCoverage(t tester, body []byte, envelopes []*parleyv1.Envelope) {
	c := coverage{body: body, want: map[span]int{}}
	if !c.updates() {
		if len(envelopes) != 1 || envelopes[0].GetKind() != parleyv1.Kind_KIND_UNREADABLE || !bytes.Equal(envelopes[0].GetRaw(), body) {
			t.Errorf("no webhook, and %d envelopes", len(envelopes))
		}
		return
	}
	got, renamed := map[span]int{}, map[span]bool{}
	for _, e := range envelopes {
		switch at := c.within(e.GetRaw()); e.GetKind() {
		case parleyv1.Kind_KIND_IDENTITY:
			renamed[c.around(at)] = true // all of a change, or none
		default:
			got[at]++
		}
	}
	for at := range renamed {
		got[at]++
	}
	if !maps.Equal(got, c.want) {
		t.Errorf("of %q\nenvelopes are %v,\nupdates    are %v", body, got, c.want)
	}
}

// within is where the bytes of an envelope stand: they are part of the body itself.
func (c coverage) within(raw []byte) span {
	start := int(uintptr(unsafe.Pointer(unsafe.SliceData(raw))) - uintptr(unsafe.Pointer(unsafe.SliceData(c.body))))
	return span{start, start + len(raw)}
}

// around is the update that a part belongs to.
func (c coverage) around(part span) span {
	for at := range c.want {
		if at.start <= part.start && part.end <= at.end {
			return at
		}
	}
	return part
}

// elementsOf are the updates of all payloads of the corpus, to build others of.
func elementsOf(t *testing.T) (list []string) {
	t.Helper()
	payloads, err := filepath.Glob("testdata/*.json")
	if err != nil || len(payloads) == 0 {
		t.Fatal(err)
	}
	for _, path := range payloads {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range meta.Split(body, receivedAt) {
			if len(e.GetRaw()) < 4096 && json.Valid(e.GetRaw()) {
				list = append(list, string(e.GetRaw()))
			}
		}
	}
	return list
}

// broken are elements that are no updates.
var broken = []string{"null", "7", `""`, "[]", "{}", `{"id":"wamid.1"}`, ` { "from" : "1" } `, "[[]]", "true"}

// renames are elements of user_id_update, of which the last two say too little.
var renames = []string{
	`{"user_id":{"previous":"US.1","current":"US.2"}}`, `{"user_id":{"previous":"US.2","current":"US.3"},"wa_id":"1"}`, `{"user_id":{"previous":"US.1"}}`, `{}`,
}

// chunks are parts of the history, the last of which say too little, or too much.
var chunks = []string{
	`{"metadata":{"phase":0,"progress":5},"threads":[{"id":"1","messages":[{"id":"h1","from":"1"},{"id":"h2"},7]},{"id":"2","messages":[]}]}`,
	`{"errors":[{"code":2593109},{}]}`, `{"threads":[{"messages":[{"id":"h3"}]},{"id":"3"}]}`, `{"threads":[{"id":"1","messages":[]}],"extra":[1]}`, `{}`,
}

// Whatever a POST is made of, each of its updates is kept once, and none twice.
func TestEveryUpdateIsOneEnvelope(t *testing.T) {
	element := rapid.OneOf(rapid.SampledFrom(elementsOf(t)), rapid.SampledFrom(broken), rapid.SampledFrom(renames), rapid.SampledFrom(chunks))
	list := listed(element, 6)
	fields := rapid.SampledFrom([]string{
		"messages", "messages", "smb_message_echoes", "user_preferences", "user_id_update", "account_update", `m\u0065ssages`,
		"calls", "smb_app_state_sync", "history",
	})
	names := rapid.SampledFrom([]string{
		"messages", "statuses", "errors", "contacts", "message_echoes", "user_preferences", "user_id_update", "metadata", "others", `mess\u0061ges`, `messages\u0000`,
		"user_actions", "calls", "state_sync", "history",
	})
	change := rapid.Custom(func(t *rapid.T) string {
		field := fields.Draw(t, "field")
		members := []string{`"metadata":{"phone_number_id":"100000000000001"}`}
		for range rapid.IntRange(0, 4).Draw(t, "members") {
			name := rapid.OneOf(rapid.Just(strings.TrimPrefix(field, "smb_")), names).Draw(t, "name")
			members = append(members, `"`+name+`":`+seldom(list, element).Draw(t, "content"))
		}
		return `{"field":"` + field + `","value":{` + strings.Join(members, ",") + `}}`
	})
	entry := rapid.Custom(func(t *rapid.T) string {
		return `{"id":"1","changes":` + listed(seldom(change, element), 4).Draw(t, "changes") + `}`
	})
	rapid.Check(t, func(t *rapid.T) {
		body := []byte(`{"object":"whatsapp_business_account","entry":` + listed(seldom(entry, element), 3).Draw(t, "entries") + `}`)
		checkCoverage(t, body, meta.Split(body, receivedAt))
	})
}

// listed is a list of at most so many elements.
func listed(element *rapid.Generator[string], most int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		gap := rapid.SampledFrom([]string{",", " ,\n"}).Draw(t, "gap")
		return "[" + strings.Join(rapid.SliceOfN(element, 0, most).Draw(t, "elements"), gap) + "]"
	})
}

// seldom is one of the other kind now and then.
func seldom(usual, other *rapid.Generator[string]) *rapid.Generator[string] {
	return rapid.OneOf(usual, usual, usual, usual, other)
}
