package dialogue

import "testing"

// TestMergeIsPlayed: whoever shows as two contacts has one conversation once they are one,
// with the values of both, and what was asked last can be answered.
func TestMergeIsPlayed(t *testing.T) {
	const beginning = `flow shop
given variant.greeting=a name="Ann Lee"
> hi
< Hello Ann Lee!
...
> [Tea]
< How many?
another
state none
> hi
< Hello Ann Lee!
...
values what=
`
	for rest, holds := range map[string]bool{
		"merge\nvalues what=\"tea\"\nstate what\n> [Tea]\n< How many?\nstate many\n": true,
		"merge\nvalues what=\n": false,
		"merge\nmerge\n":        false,
		"another\n":             false,
	} {
		r := shop(t).Run(parse(t, beginning+rest)[0])
		if holds != (len(r.Failures) == 0) {
			t.Errorf("%s\n%v\n%s", rest, r.Failures, r.Transcript)
		}
	}
	if _, err := Parse(beginning + "merge ann2\n"); err == nil {
		t.Error("a word behind merge is understood")
	}
}
