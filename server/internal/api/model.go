package api

import (
	"encoding/json"
	"net/http"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
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

// modelEvent reads the payload of a model event in the older form. What that
// form does not know is read as for any event, so that one in the newer form is
// understood as well.
func modelEvent(text string) (*honeyhive.Event, error) {
	buckets := make(map[string]honeyhive.Object)
	var others honeyhive.Object
	for key, value := range rawjson.Members(text) {
		to, ok := modelFields[key]
		switch {
		case !ok:
			others, _ = others.With(key, json.RawMessage(value))
		case to.key != "":
			buckets[to.bucket], _ = buckets[to.bucket].With(to.key, json.RawMessage(value))
		default:
			all, err := honeyhive.ParseObject(value)
			if err != nil {
				return nil, reject.Errorf(http.StatusBadRequest, "model_event: %s: %v", key, err)
			}
			buckets[to.bucket] = buckets[to.bucket].Merge(all)
		}
	}
	if !others.Has("event_type") {
		others, _ = others.With("event_type", honeyhive.TypeModel)
	}
	buckets["inputs"] = honeyhive.EmptyObject().Merge(buckets["inputs"])
	for bucket, object := range buckets {
		if given, ok := others.Get(bucket); ok {
			before, err := honeyhive.ParseObject(given)
			if err != nil {
				return nil, reject.Errorf(http.StatusBadRequest, "model_event: %s: %v", bucket, err)
			}
			object = before.Merge(object)
		}
		others, _ = others.With(bucket, object)
	}
	return event(others.JSONText())
}
