package grammar

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

const (
	// indexDepth is how deep the members of a message are, with either provider.
	indexDepth = 9
	// indexBytes is the size from which on a container's end is noted: below, it is
	// found as fast.
	indexBytes = 256
)

// Document is valid JSON with an index of its large outer containers. Walking over it
// copies nothing, so each update keeps its own bytes; the index keeps the price of
// a walk independent of what the containers hold.
type Document struct {
	// Data is the whole of it.
	Data  []byte
	spans []span // of large containers down to indexDepth, in order of their start
}

type span struct{ start, end int }

// Read checks data as Check does, and gives its document.
func Read(data []byte, depthMax int) (*Document, error) {
	doc := &Document{Data: data}
	if err := Check(data, depthMax, doc.closed); err != nil {
		return nil, err
	}
	slices.SortFunc(doc.spans, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	return doc, nil
}

// closed notes where a container is, if it is large and far enough out.
func (d *Document) closed(depth, start, end int) {
	if depth < indexDepth && end-start >= indexBytes {
		d.spans = append(d.spans, span{start, end})
	}
}

// Start is where its value starts.
func (d *Document) Start() int { return len(d.Data) - len(bytes.TrimLeft(d.Data, " \n\t\r")) }

// ValueEnd is the index behind the value that starts at at.
func (d *Document) ValueEnd(at int) int {
	switch d.Data[at] {
	case '"':
		return d.StringEnd(at)
	case '{', '[':
		return d.containerEnd(at)
	}
	for at < len(d.Data) && strings.IndexByte(",]} \n\t\r", d.Data[at]) < 0 {
		at++
	}
	return at
}

func (d *Document) containerEnd(at int) int {
	byStart := func(s span, at int) int { return cmp.Compare(s.start, at) }
	if i, ok := slices.BinarySearchFunc(d.spans, at, byStart); ok {
		return d.spans[i].end
	}
	for depth := 0; ; at++ {
		switch d.Data[at] {
		case '"':
			at = d.StringEnd(at) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return at + 1
			}
		}
	}
}

// StringEnd is the index behind the string that starts at at.
func (d *Document) StringEnd(at int) int {
	for at++; at < len(d.Data); at++ {
		switch d.Data[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return len(d.Data)
}

// MemberStart is where the value of a member starts, given the end of its key.
func (d *Document) MemberStart(keyEnd int) int { return d.GapEnd(d.GapEnd(keyEnd) + len(":")) }

// GapEnd is the index of what follows the white space at at.
func (d *Document) GapEnd(at int) int {
	for d.Data[at] <= ' ' { // valid JSON has no other control characters here
		at++
	}
	return at
}

// NextStart is where the next member or element starts, or where the container
// closes, given the end of the one before it.
func (d *Document) NextStart(end int) int {
	at := d.GapEnd(end)
	if d.Data[at] == ',' {
		return d.GapEnd(at + 1)
	}
	return at
}
