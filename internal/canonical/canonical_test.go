package canonical_test

import (
	"reflect"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/canonical"
)

// TestLayout holds honeyhive.Object to what Object takes it for.
func TestLayout(t *testing.T) {
	object := reflect.TypeFor[honeyhive.Object]()
	if object.NumField() != 1 || object.Field(0).Type != reflect.TypeFor[string]() || object.Size() != reflect.TypeFor[string]().Size() {
		t.Fatalf("%v is no text alone", object)
	}
}

func TestObject(t *testing.T) {
	for _, text := range []string{"", "null", "{}", `{"b":1,"a":{"c":null}}`} {
		o := canonical.Object(text)
		if o.JSONText() != text {
			t.Errorf("%q became %q", text, o.JSONText())
		}
		if text == "" {
			continue
		}
		parsed, err := honeyhive.ParseObject(text)
		if err != nil || parsed != o {
			t.Errorf("%q read is %v, %v", text, parsed, err)
		}
	}
}
