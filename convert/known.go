package convert

import (
	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// know reads what is known of a span before its attributes are read, as from a
// source that is better than any of them.
func (r *reader) know(k *Record) {
	r.known = k
	r.project.put(k.Project, rankKnown)
	r.source.put(k.Source, rankKnown)
	r.sessionName.put(k.SessionName, rankKnown)
	r.eventName.put(k.Name, rankKnown)
	if k.Kind == KindTurn { // any other is told by the operation
		r.turn(rankKnown)
	}
	r.eventType.put(k.Type, rankKnown)
	r.err.put(k.Error, rankKnown)
	r.continued, r.duration = k.Continued, k.Duration
	if ids, ok := k.ChildrenIDs.Get(); ok {
		r.setChildren(ids)
	}
	if k.Operation != "" {
		r.setOperation(attribute.StringValue(k.Operation), rankGenAI)
	}
	for b := range k.Buckets {
		if isObject(&k.Buckets[b]) {
			r.buckets[b].whole = k.Buckets[b]
		}
	}
}

// knows reports whether an attribute is one in whose place something is known.
func (r *reader) knows(key string) bool { return r.known != &unknown && r.known.covers(key) }

// covers reports whether what the record holds stands in the place of an attribute.
func (k *Record) covers(key string) bool {
	switch key {
	case honeyhive.AttrSessionID, honeyhive.AttrSessionAutoCreate:
		return !k.SessionID.IsZero()
	case honeyhive.AttrEventID:
		return !k.EventID.IsZero()
	case honeyhive.AttrParentID:
		return !k.ParentID.IsZero()
	case honeyhive.AttrSessionContinued:
		return k.Continued
	case honeyhive.AttrProject:
		return k.Project != ""
	case honeyhive.AttrSource:
		return k.Source != ""
	case honeyhive.AttrSessionName:
		return k.SessionName != ""
	case honeyhive.AttrEventName:
		return k.Name != ""
	case honeyhive.AttrEventType:
		return k.Type != ""
	case honeyhive.AttrError:
		return k.Error != ""
	case honeyhive.AttrDuration:
		return !k.Duration.IsZero()
	case honeyhive.AttrChildrenIDs:
		return !k.ChildrenIDs.IsZero()
	case honeyhive.AttrTurn:
		return k.Kind == KindTurn
	case operationName:
		return k.Operation != ""
	}
	for b := range k.Buckets {
		if key == Bucket(b).Attribute() {
			return isObject(&k.Buckets[b])
		}
	}
	return false
}

// speaks reports whether anything is known but the type, which would be attributes of
// HoneyHive's dialect.
func (k *Record) speaks() bool {
	if k == &unknown {
		return false
	}
	for b := range k.Buckets {
		if isObject(&k.Buckets[b]) {
			return true
		}
	}
	return !k.SessionID.IsZero() || !k.EventID.IsZero() || !k.ParentID.IsZero() || k.Continued || k.Project != "" || k.Source != "" || k.Name != "" ||
		k.SessionName != "" || k.Error != "" || !k.Duration.IsZero() || !k.ChildrenIDs.IsZero()
}

const operationName = "gen_ai.operation.name"

// isObject reports whether a bucket is one that counts.
func isObject(o *honeyhive.Object) bool { return rawjson.KindOf(o.JSONText()) == rawjson.Object }

// choose returns an id that is known, or else the one that the span gives itself.
func (r *reader) choose(field string, known honeyhive.UUID, given ranked) honeyhive.UUID {
	if !known.IsZero() {
		return known
	}
	return r.id(field, given)
}

// unused keeps in the metadata the text of an id that choose returned and that the
// record cannot have.
func (r *reader) unused(field string, known honeyhive.UUID, given ranked) {
	text := given.text
	if !known.IsZero() {
		text = known.String()
	}
	r.original(field, quoted(text))
}
