package dialogue

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// field is "key=value", or a bare word, which is a key without a value.
type field struct {
	key   string
	value string
	// text says that the value was in quotes.
	text bool
	// set says that there is a value, if only an empty one.
	set bool
}

type fields []field

// fieldsOf takes a command's rest apart, up to a comment.
func fieldsOf(rest string) (fields, error) {
	var all fields
	for rest = strings.TrimLeft(rest, " "); rest != "" && rest[0] != '#'; rest = strings.TrimLeft(rest, " ") {
		f, after, err := fieldOf(rest)
		if err != nil {
			return nil, err
		}
		all, rest = append(all, f), after
		if rest != "" && rest[0] != ' ' {
			return nil, fmt.Errorf("after %s comes %q: put a blank between them", f, rest)
		}
	}
	return all, nil
}

func fieldOf(rest string) (f field, after string, err error) {
	end := strings.IndexAny(rest, " =")
	if end < 0 {
		return field{key: rest}, "", nil
	}
	if f.key, after = rest[:end], rest[end:]; after[0] == ' ' {
		return f, after, nil
	}
	if f.key == "" {
		return f, "", fmt.Errorf("%q has no name before the =", rest)
	}
	f.set = true
	f.value, after, f.text, err = valueOf(after[1:])
	return f, after, err
}

// valueOf reads a text in quotes, a JSON object or list, or a word.
func valueOf(rest string) (value, after string, text bool, err error) {
	switch {
	case strings.HasPrefix(rest, `"`):
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return "", "", false, fmt.Errorf("%s: the quotes do not end, or hold a wrong escape", rest)
		}
		value, err = strconv.Unquote(quoted)
		return value, rest[len(quoted):], true, err
	case strings.HasPrefix(rest, "{"), strings.HasPrefix(rest, "["):
		decoder := json.NewDecoder(strings.NewReader(rest))
		var object json.RawMessage
		if err := decoder.Decode(&object); err != nil {
			return "", "", false, fmt.Errorf("%s is no JSON: %w", rest, err)
		}
		return string(object), rest[decoder.InputOffset():], false, nil
	}
	value, after, more := strings.Cut(rest, " ")
	if more {
		after = " " + after
	}
	return value, after, false, nil
}

// String writes the field as a file has it.
func (f field) String() string {
	switch {
	case !f.set:
		return f.key
	case f.text:
		return f.key + "=" + strconv.Quote(f.value)
	}
	return f.key + "=" + f.value
}

// String writes all of them.
func (all fields) String() string {
	words := make([]string, len(all))
	for i, f := range all {
		words[i] = f.String()
	}
	return strings.Join(words, " ")
}

// words are the bare words, if there is nothing else and at most this many.
func (all fields) words(most int) ([]string, error) {
	words := make([]string, 0, len(all))
	for _, f := range all {
		if f.set {
			return nil, fmt.Errorf("%s is not understood here", f)
		}
		words = append(words, f.key)
	}
	if len(words) > most {
		return nil, fmt.Errorf("%q is not understood", strings.Join(words[most:], " "))
	}
	return words, nil
}

// pairs fails if a field is a bare word, or not one of the keys. A key that ends
// in a dot stands for all that begin with it.
func (all fields) pairs(keys ...string) error {
	for _, f := range all {
		group, _, dotted := strings.Cut(f.key, ".")
		known := slices.Contains(keys, f.key) || dotted && slices.Contains(keys, group+".") || len(keys) == 0
		switch {
		case !f.set:
			return fmt.Errorf("%s has no value: write %s=…", f.key, f.key)
		case !known:
			return fmt.Errorf("unknown %s: there is %s", f.key, strings.Join(keys, ", "))
		}
	}
	return nil
}

// json is the value that a field gives: a text in quotes, or JSON; a word that is
// neither is a text. nil is no value.
func (f field) json() any {
	var value any
	switch {
	case f.text:
		return f.value
	case f.value == "":
		return nil
	case json.Unmarshal([]byte(f.value), &value) != nil:
		return f.value
	}
	return value
}

// fieldFor is the field that gives this value.
func fieldFor(key string, value any) field {
	switch v := value.(type) {
	case nil:
		return field{key: key, set: true}
	case string:
		return field{key: key, value: v, text: true, set: true}
	}
	return field{key: key, value: string(encode(value)), set: true}
}

// encode writes what came from JSON, so it cannot fail.
func encode(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("dialogue: %v is no JSON: %v", value, err))
	}
	return data
}
