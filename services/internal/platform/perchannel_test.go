package platform

import (
	"reflect"
	"strings"
	"testing"
)

func TestPerChannel(t *testing.T) {
	got, err := PerChannel("PARLEY_X", []string{"shop=a=b", "shop=c", "help=d"})
	if want := map[string][]string{"shop": {"a=b", "c"}, "help": {"d"}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, pair := range []string{"", "hidden", "=hidden", "shop=", " shop=hidden", "shop=hidden "} {
		_, err := PerChannel("PARLEY_X", []string{"shop=hidden", pair})
		if err == nil || !strings.Contains(err.Error(), "PARLEY_X: entry 2") || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: %v", pair, err)
		}
	}
}
