package traces

import (
	"cmp"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/server/internal/brief"
)

// resource is what spans take over from the process that made them. What else a
// resource holds is no part of the record of a span, which is the same whichever
// way the span comes.
type resource struct {
	projects, sources [4]string // by their keys
	identity, agent   []attribute.KeyValue
}

// Attributes of a resource that name the project and the source, the best
// first: those of HoneyHive, of OpenInference, and of the semantic conventions.
var (
	projectKeys = [4]string{"honeyhive.project", "honeyhive_project", "openinference.project.name", serviceName}
	sourceKeys  = [4]string{"honeyhive.source", "honeyhive_source", "deployment.environment.name", "deployment.environment"}
)

const serviceName = "service.name"

// sessionPrefixes start the attributes which say what session a span belongs
// to, and which count for all spans of a resource where it has them.
var sessionPrefixes = []string{"honeyhive.session_", "honeyhive_session_"}

// add reads an attribute of the resource.
func (r *resource) add(kv attribute.KeyValue) {
	key := string(kv.Key)
	if i := slices.Index(projectKeys[:], key); i >= 0 {
		r.projects[i] = brief.Name(kv.Value.AsString())
		if key == serviceName && strings.HasPrefix(r.projects[i], "unknown_service") { // what SDKs write where the user set none
			r.projects[i] = ""
		}
	}
	if i := slices.Index(sourceKeys[:], key); i >= 0 {
		r.sources[i] = brief.Name(kv.Value.AsString())
	}
	if convert.IsMainAgent(kv) {
		r.agent = convert.AppendMainAgent(r.agent, []attribute.KeyValue{kv}) // each key once
	}
	for _, prefix := range sessionPrefixes {
		if strings.HasPrefix(key, prefix) {
			r.identity = append(r.identity, kv)
		}
	}
}

func (r *resource) project() string { return cmp.Or(r.projects[:]...) }

func (r *resource) source() string { return cmp.Or(r.sources[:]...) }
