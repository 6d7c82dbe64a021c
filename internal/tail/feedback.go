package tail

import (
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
)

// feedback are the attributes that become part of the feedback, in any dialect; those that
// end in a dot or a colon begin the names of a family.
var feedback = sync.OnceValue(func() (keys []string) {
	for _, m := range convert.Tables() {
		if strings.Contains(m.Field, "feedback") {
			keys = append(keys, m.Attribute)
		}
	}
	return keys
})

// HaveFeedback reports whether one of the attributes may become part of the feedback.
func HaveFeedback(attributes []attribute.KeyValue) bool {
	for i := range attributes {
		key := string(attributes[i].Key)
		if slices.ContainsFunc(feedback(), func(known string) bool {
			return key == known || strings.HasSuffix(known, ".") && strings.HasPrefix(key, known)
		}) {
			return true
		}
	}
	return false
}
