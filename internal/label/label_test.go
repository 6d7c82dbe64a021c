package label_test

import (
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionspan/sessionspan/internal/label"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCheck(t *testing.T) {
	for text, good := range map[string]bool{
		"": true, "v1": true, strings.Repeat("é", 200): true, strings.Repeat("é", 201): false, strings.Repeat("x", 1<<20): false,
	} {
		err := label.Check(text)
		if (err == nil) != good {
			t.Errorf("%.20q: %v", text, err)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("the error has %d bytes", len(err.Error()))
		}
	}
}

func TestTags(t *testing.T) {
	long := strings.Repeat("x", 201)
	good, err := label.Tags([]string{"a", " ", long, "b\xff", ""})
	if want := []string{"a", "b\uFFFD"}; !slices.Equal(good, want) || err == nil {
		t.Errorf("%q, %v", good, err)
	}
	if good, err := label.Tags(nil); len(good) > 0 || err != nil {
		t.Errorf("%q, %v", good, err)
	}
}
