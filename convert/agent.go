package convert

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"
)

// mainAgent are the attributes of the GenAI conventions that say which agent a program
// is. They may stand on its resource.
var mainAgent = []attribute.Key{
	"gen_ai.main_agent.id", "gen_ai.main_agent.name", "gen_ai.main_agent.description", "gen_ai.main_agent.version",
}

// mainAgentMost is how long a text of a resource may be that is repeated in the record
// of each span, in bytes.
const mainAgentMost = 1 << 10

// IsMainAgent reports whether an attribute of a resource says which agent the program
// is (gen_ai.main_agent.name and the like), in a text of at most 1 KiB. Such
// attributes are to be given to [AppendMainAgent] for each span of the resource, so
// that a span gives the same record whichever way it comes.
func IsMainAgent(kv attribute.KeyValue) bool {
	return kv.Value.Type() == attribute.STRING && len(kv.Value.AsString()) <= mainAgentMost && slices.Contains(mainAgent, kv.Key)
}

// AppendMainAgent appends to the attributes of a span those of its resource for which
// [IsMainAgent] is true and that the span does not have itself.
func AppendMainAgent(attributes, agent []attribute.KeyValue) []attribute.KeyValue {
	own := attributes
	for _, kv := range agent {
		if !slices.ContainsFunc(own, func(has attribute.KeyValue) bool { return has.Key == kv.Key }) {
			attributes = append(attributes, kv)
		}
	}
	return attributes
}
