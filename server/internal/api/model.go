package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/reject"
)

// modelFields say where the fields of the older payload of a model event land:
// the one that has a model, a provider and messages rather than a configuration
// and inputs. The source is version 1.0.1 of the public OpenAPI document.
var modelFields = map[string]struct{ bucket, key string }{
	"model":           {"config", "model"},
	"provider":        {"config", "provider"},
	"hyperparameters": {"config", "hyperparameters"},
	"template":        {"config", "template"},
	"tools":           {"config", "tools"},
	"tool_choice":     {"config", "tool_choice"},
	"response_format": {"config", "response_format"},
	"messages":        {"inputs", "chat_history"},
	"template_inputs": {"inputs", ""},
	"response":        {"outputs", ""},
	"usage":           {"metadata", ""},
	"cost":            {"metadata", "cost"},
}

// modelBuckets are the maps of the newer payload where these land.
var modelBuckets = []string{"config", "inputs", "outputs", "metadata"}

// modelEvent reads the payload of a model event in the older form. What that
// form does not know is read as for any event, so that one in the newer form is
// understood as well.
func modelEvent(text honeyhive.Value) (*honeyhive.Event, error) {
	if err := checkShape(text); err != nil {
		return nil, invalid("model_event", err)
	}
	var newer members
	named := make(map[string]members)
	whole := make(map[string]honeyhive.Object)
	seen := make(map[string]bool)
	for key, value := range text.Members() {
		if seen[key] {
			return nil, invalid("model_event", &honeyhive.FieldError{Field: key, Problem: "stands more than once"})
		}
		seen[key] = true
		to, ok := modelFields[key]
		switch {
		case !ok:
			newer = append(newer, member{key, value})
		case to.key != "":
			named[to.bucket] = append(named[to.bucket], member{to.key, value})
		default:
			all, err := honeyhive.ParseObject(value)
			if err != nil {
				return nil, reject.Errorf(http.StatusBadRequest, "model_event: %s: %v", key, err)
			}
			whole[to.bucket] = all
		}
	}
	if !seen["event_type"] && !seen["eventType"] {
		newer = append(newer, member{"event_type", honeyhive.StringValue(honeyhive.TypeModel)})
	}
	whole["inputs"] = honeyhive.EmptyObject().Merge(whole["inputs"])
	for _, bucket := range modelBuckets {
		object := whole[bucket].Merge(named[bucket].object())
		if object.IsZero() {
			continue
		}
		i := slices.IndexFunc(newer, func(m member) bool { return m.key == bucket })
		if i < 0 {
			newer = append(newer, member{bucket, honeyhive.Value(object.JSONText())})
			continue
		}
		before, err := honeyhive.ParseObject(newer[i].value)
		if err != nil {
			return nil, reject.Errorf(http.StatusBadRequest, "model_event: %s: %v", bucket, err)
		}
		newer[i].value = honeyhive.Value(before.Merge(object).JSONText())
	}
	return event(honeyhive.Value(newer.object().JSONText()))
}

// member is a key of an object with its value.
type member struct {
	key   string
	value honeyhive.Value
}

type members []member

// object returns the object of the members; absent where there are none.
func (list members) object() honeyhive.Object {
	if len(list) == 0 {
		return honeyhive.Object{}
	}
	size := 0
	for _, m := range list {
		size += len(m.key) + len(m.value) + len(`"":,`)
	}
	var b strings.Builder
	b.Grow(size)
	separator := "{"
	for _, m := range list {
		b.WriteString(separator)
		b.WriteString(string(honeyhive.StringValue(m.key)))
		b.WriteString(":")
		b.WriteString(string(m.value))
		separator = ","
	}
	b.WriteString("}")
	return honeyhive.Value(b.String()).Object()
}
