package forms

import (
	"iter"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Opened are the forms that a message opens, with those of the template that may be sent
// in its place.
func Opened(m *parleyv1.MessageQueued) iter.Seq[*parleyv1.Form] {
	return func(yield func(*parleyv1.Form) bool) {
		if form := m.GetForm(); form != nil && !yield(form) {
			return
		}
		for _, tm := range []*parleyv1.Template{m.GetTemplate(), m.GetFallback()} {
			for _, b := range tm.GetButtons() {
				if form := b.GetForm(); form != nil && !yield(form) {
					return
				}
			}
		}
	}
}
