package when

import "errors"

// verdict gathers what several ways of reading one text say.
type verdict[T comparable] struct {
	value      T
	found      bool // value is a reading
	ambiguous  bool
	impossible bool
}

// add takes one more reading. One that was not understood says nothing.
func (v *verdict[T]) add(value T, err error) {
	switch {
	case err == nil && v.found && v.value != value:
		v.ambiguous = true
	case err == nil:
		v.value, v.found = value, true
	case errors.Is(err, ErrAmbiguous):
		v.ambiguous = true
	case errors.Is(err, ErrImpossible):
		v.impossible = true
	}
}

// result takes the only reading there is. A reading that is impossible does not
// count beside one that is possible.
func (v *verdict[T]) result() (T, error) {
	var none T
	switch {
	case v.ambiguous:
		return none, ErrAmbiguous
	case v.found:
		return v.value, nil
	case v.impossible:
		return none, ErrImpossible
	}
	return none, ErrUnknown
}

// agreed is the stricter result, of different languages: what one of them finds
// impossible, no other may read.
func (v *verdict[T]) agreed() (T, error) {
	if v.found && v.impossible {
		v.ambiguous = true
	}
	return v.result()
}
