package meta

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// FuzzValue walks over whole documents and compares with encoding/json. Its seeds
// go deeper than the index of the containers.
func FuzzValue(f *testing.F) {
	payloads, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range payloads {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(strings.Repeat(`{"a":[ {} , [],`, 20) + `"]}\"{[", 1` + strings.Repeat(`,true]}`, 20)))
	f.Add([]byte(" \n[ { \"\\u0061\" : -1.5e3 , \"b\" : null } , \"\xff\\ud800\" ]\t"))
	f.Add([]byte(`"top"`))
	f.Fuzz(func(t *testing.T, data []byte) {
		root, fault := parse(data)
		if valid := json.Valid(data); valid != (fault == "") && !strings.HasPrefix(fault, "nested too deep") {
			t.Fatalf("valid: %v, fault: %q", valid, fault)
		}
		if fault != "" {
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		var want any
		if err := decoder.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if got := decode(root); !reflect.DeepEqual(got, dropNUL(want)) {
			t.Errorf("walked %#v\nwant   %#v", got, want)
		}
	})
}

// decode builds what encoding/json would build.
func decode(v value) any {
	switch {
	case v.isObject():
		object := map[string]any{}
		for key, member := range v.members() {
			object[key.text()] = decode(member)
		}
		return object
	case v.isList():
		list := []any{}
		for element := range v.elements() {
			list = append(list, decode(element))
		}
		return list
	case v.startsWith('"'):
		return v.text()
	case v.isNull():
		return nil
	case v.startsWith('t'), v.startsWith('f'):
		return string(v.raw()) == "true"
	}
	return json.Number(v.raw())
}

// dropNUL does to the strings of a decoded document what text does.
func dropNUL(v any) any {
	switch v := v.(type) {
	case map[string]any:
		object := map[string]any{}
		for key, member := range v {
			object[dropNUL(key).(string)] = dropNUL(member)
		}
		return object
	case []any:
		list := []any{}
		for _, element := range v {
			list = append(list, dropNUL(element))
		}
		return list
	case string:
		return strings.ReplaceAll(v, "\x00", "")
	}
	return v
}

func TestGet(t *testing.T) {
	v, fault := parse([]byte(`{"a":{"b":[{"c":"1"},{"c":2}],"\u0062x":3},"a2":"x","n":null,"a2":"last"}`))
	if fault != "" {
		t.Fatal(fault)
	}
	for _, c := range []struct{ got, want string }{
		{v.get("a", "b").first().get("c").text(), "1"},
		{v.get("a", "bx").text(), "3"},
		{v.get("a2").text(), "last"},
		{v.get("a", "b").text(), ""},
		{v.get("n").text(), ""},
		{v.get("n", "x", "y").text(), ""},
		{string(v.get("a", "b").raw()), `[{"c":"1"},{"c":2}]`},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if v.get("missing") != (value{}) || v.get("n") == (value{}) || !v.get("n").isNull() {
		t.Error("a missing value and a null are the same")
	}
	if n := v.get("a", "b").first().get("c").number(); n != 1 {
		t.Errorf("number %d", n)
	}
}
