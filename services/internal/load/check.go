package load

import (
	"slices"
	"time"
)

// The kinds of Finding.
const (
	// Lost is a reply that never came to a message that was answered 200.
	Lost = "lost"
	// Doubled is a reply that came once more than it should.
	Doubled = "doubled"
	// Excused is a double that a kill explains: see Config.TolerateInFlightDoubles.
	Excused = "excused"
	// OutOfOrder is a reply that came at another place than it should.
	OutOfOrder = "out of order"
	// Unexpected is a reply that no message of the contact asks for.
	Unexpected = "unexpected"
	// Misaddressed is a send with a wrong `to`, `recipient` or channel.
	Misaddressed = "misaddressed"
	// Callback is a send whose callback id is missing or belongs to another send.
	Callback = "callback"
	// Unacknowledged is a message that was not answered 200 until the end.
	Unacknowledged = "unacknowledged"
)

// Finding is one thing that is wrong.
type Finding struct {
	Kind     string `json:"kind"`
	Contact  int    `json:"contact"`
	Position int    `json:"position"` // in what the contact should hear, from 0; in what it heard, if nothing is expected
	Expected string `json:"expected,omitempty"`
	Got      string `json:"got,omitempty"`
}

// reply is a send, joined to the message that it replies to.
type reply struct {
	to *message
	at time.Time
}

// checker compares what contacts heard with what the dialogue says.
type checker struct {
	marks     []Mark
	tolerate  bool
	callbacks map[string]owner

	findings []Finding
	replies  []reply
}

// owner is the first send under a callback id.
type owner struct {
	contact *contact
	heard   heard
}

func (k *checker) report(kind string, c *contact, position int, expected, got string) {
	k.findings = append(k.findings, Finding{kind, c.index, position, expected, got})
}

// check judges one contact.
func (k *checker) check(c *contact) {
	var d dialogue
	want := make([]string, len(c.said))
	for i, m := range c.said {
		want[i] = d.reply(m.words)
		if i >= c.acked {
			k.report(Unacknowledged, c, i, want[i], "")
		}
	}
	k.compare(c, want, k.withoutRepeats(c))
}

// withoutRepeats takes out the sends that were repeated under their callback id,
// and reports them. What is left must be the dialogue.
func (k *checker) withoutRepeats(c *contact) []heard {
	var once []heard
	for i, h := range c.heard {
		first, repeated := k.callbacks[h.callback]
		same := repeated && first.contact == c && first.heard.text == h.text
		switch {
		case h.callback == "":
			k.report(Callback, c, i, "", "callback id is missing")
		case same && k.tolerate && inFlight(k.marks, first.heard.at):
			k.report(Excused, c, i, "", h.text)
		case same:
			k.report(Doubled, c, i, "", h.text)
		case repeated:
			k.report(Callback, c, i, "", "callback id of another send: "+h.callback)
		default:
			k.callbacks[h.callback] = owner{c, h}
		}
		if !same {
			once = append(once, h)
		}
	}
	return once
}

// compare aligns what was heard with what is wanted. Only the replies to
// acknowledged messages must be there; those behind may be.
func (k *checker) compare(c *contact, want []string, got []heard) {
	// A reply cannot come before its message: such a one repeats an earlier reply.
	match := func(i, j int) bool { return want[i] == got[j].text && !got[j].at.Before(c.said[i].sent) }
	pairs, missing, extra := align(len(want), len(got), match)
	for _, pair := range pairs {
		k.replies = append(k.replies, reply{c.said[pair[0]], got[pair[1]].at})
	}
	for _, i := range missing {
		instead := ""
		if i < len(got) {
			instead = got[i].text
		}
		stray := slices.IndexFunc(extra, func(j int) bool { return match(i, j) })
		switch {
		case stray >= 0:
			extra = slices.Delete(extra, stray, stray+1)
			k.report(OutOfOrder, c, i, want[i], instead)
		case i < c.acked:
			k.report(Lost, c, i, want[i], instead)
		}
	}
	for _, j := range extra { // nothing asked for these
		kind, instead := Unexpected, ""
		if slices.Contains(want, got[j].text) {
			kind = Doubled
		}
		if j < len(want) {
			instead = want[j]
		}
		k.report(kind, c, j, instead, got[j].text)
	}
}

// align finds a longest common subsequence of want wanted and got gotten things:
// the pairs of positions in it, what is only wanted (missing), and what was only
// gotten (extra).
func align(want, got int, match func(i, j int) bool) (pairs [][2]int, missing, extra []int) {
	length := commonLengths(want, got, match)
	i, j := 0, 0
	for i < want && j < got {
		switch {
		case match(i, j):
			pairs = append(pairs, [2]int{i, j})
			i, j = i+1, j+1
		case length[i+1][j] >= length[i][j+1]:
			missing = append(missing, i)
			i++
		default:
			extra = append(extra, j)
			j++
		}
	}
	for ; i < want; i++ {
		missing = append(missing, i)
	}
	for ; j < got; j++ {
		extra = append(extra, j)
	}
	return pairs, missing, extra
}

// commonLengths is the table of the longest common subsequences from i and j on;
// nil if one side is the beginning of the other, which is the usual case.
func commonLengths(want, got int, match func(i, j int) bool) [][]int32 {
	same := 0
	for same < want && same < got && match(same, same) {
		same++
	}
	if same == want || same == got {
		return nil
	}
	length := make([][]int32, want+1)
	for i := range length {
		length[i] = make([]int32, got+1)
	}
	for i := want - 1; i >= 0; i-- {
		for j := got - 1; j >= 0; j-- {
			length[i][j] = max(length[i+1][j], length[i][j+1])
			if match(i, j) {
				length[i][j] = max(length[i][j], length[i+1][j+1]+1)
			}
		}
	}
	return length
}
