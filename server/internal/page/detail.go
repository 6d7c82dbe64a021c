package page

import (
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// detail is the panel of an event, or of the record of the session.
type detail struct {
	ID, Session string
	Base        string // address of the record
	IsSession   bool
	Name, Type  string
	Kind        string // where it says more than the type
	Model       string
	Error       string
	ErrorCut    bool
	Parent      string // address of the parent, if it is known
	ParentName  string
	Orphan      bool
	Measures    store.Measures
	Cost        costs
	Sum         *node // what it comes to with all that is below it
	Buckets     []*bucket
	Values      []*bucket // the scalars of the others than inputs and outputs
	Children    int
	JSON        string
	JSONCut     bool
	Bytes       int64
	Previous    string // addresses of the neighbours in the tree
	Next        string
	Feedback    feedbackView
}

// feedbackView is the state of the form.
type feedbackView struct {
	Up, Down bool
	Score    string
	Comment  string
}

func (m money) eventDetail(e *store.Event) *detail {
	p := &e.Payload
	d := &detail{
		ID: e.ID.String(), Session: e.Session.String(), Name: line(e.Name, 300), Type: typeOf(e.EventRow), Kind: e.Kind, Model: line(e.Model, 200),
		Measures: e.Measures, Cost: m.own(e.EventRow), Bytes: e.Bytes,
	}
	d.Base = "/s/" + d.Session + "/e/" + d.ID
	d.fill(p.Error.Or(""), p.ChildrenIDs, p.AppendJSON(nil), p.Inputs, p.Outputs, p.Config, p.Metrics, p.Metadata, p.Feedback, p.UserProperties)
	return d
}

func (m money) sessionDetail(s *store.Session) *detail {
	p := &s.Payload
	d := &detail{
		ID: s.ID.String(), Session: s.ID.String(), IsSession: true, Name: nameOf(s.SessionRow), Type: honeyhive.TypeSession,
		Measures: s.Measures, Cost: m.session(s.SessionRow), Bytes: s.Bytes,
	}
	d.Base = "/s/" + d.Session
	d.fill(p.Error.Or(""), p.ChildrenIDs, p.AppendJSON(nil), p.Inputs, p.Outputs, p.Config, p.Metrics, p.Metadata, p.Feedback, p.UserProperties)
	return d
}

var bucketTitles = []choice{
	{"inputs", "Inputs"}, {"outputs", "Outputs"}, {"config", "Config"}, {"metrics", "Metrics"},
	{"metadata", "Metadata"}, {"feedback", "Feedback"}, {"user_properties", "User properties"},
}

// fill shows the values; objects are those of bucketTitles.
func (d *detail) fill(failed string, children honeyhive.Optional[[]string], payload []byte, objects ...honeyhive.Object) {
	s := &shower{base: d.Base, budget: previewAll}
	failed, whole := cut(failed, previewText)
	d.Error, d.ErrorCut = visible(failed), !whole
	d.Children = len(children.Or(nil))
	for i, o := range objects {
		rest := o
		if i < 2 && isMessage(o) {
			for _, key := range messageParts {
				rest = rest.Without(key)
			}
		}
		b := s.bucket(bucketTitles[i].Value, bucketTitles[i].Label, rest)
		if b == nil && !o.IsEmpty() {
			b = &bucket{Name: bucketTitles[i].Value, Title: bucketTitles[i].Label}
		}
		if b != nil {
			if i < 2 && isMessage(o) {
				m := s.message(honeyhive.Value(o.JSONText()), bucketTitles[i].Value)
				b.Fields = append([]field{{Kind: "messages", Messages: []message{m}}}, b.Fields...)
			}
			if i >= 2 && len(b.Scalars) > 0 {
				d.Values = append(d.Values, &bucket{Name: b.Name, Title: b.Title, Scalars: b.Scalars})
				b.Scalars = nil
			}
			if len(b.Scalars) > 0 || len(b.Fields) > 0 || b.More > 0 {
				d.Buckets = append(d.Buckets, b)
			}
		}
	}
	d.Feedback = feedbackOf(objects[5])
	raw := &shower{base: d.Base, budget: previewRaw, most: previewRaw}
	d.JSON, d.JSONCut = raw.json(honeyhive.Value(payload))
}

// isMessage reports whether outputs are a message themselves: role, content.
func isMessage(o honeyhive.Object) bool {
	role, ok := o.Get("role")
	return ok && honeyhive.Value(role).Kind() == honeyhive.KindString && (o.Has("content") || o.Has("tool_calls"))
}

// messageParts are the keys that the view of a message shows.
var messageParts = []string{"role", "content", "tool_calls", "reasoning", "finish_reason", "name", "tool_call_id"}

func feedbackOf(o honeyhive.Object) feedbackView {
	var v feedbackView
	switch rating, _ := o.Get("rating"); honeyhive.Value(rating).Kind() {
	case honeyhive.KindTrue:
		v.Up = true
	case honeyhive.KindFalse:
		v.Down = true
	case honeyhive.KindNumber:
		v.Down = rating[0] == '-'
		v.Up = !v.Down && string(rating) != "0"
	}
	if score, ok := o.Get("score"); ok && honeyhive.Value(score).Kind() == honeyhive.KindNumber {
		v.Score = string(score)
	}
	if comment, ok := o.Get("comment"); ok && honeyhive.Value(comment).Kind() == honeyhive.KindString {
		v.Comment, _ = cut(honeyhive.Value(comment).Text(), previewText)
		v.Comment = visible(v.Comment)
	}
	return v
}

// place says where the event stands in the tree.
func (d *detail) place(v *sessionView, t *tree) {
	i, ok := t.index[v.chosen]
	if !ok {
		return // it came after the tree was read
	}
	n := &t.nodes[i]
	d.Orphan = n.Orphan
	if n.Below > 0 {
		d.Sum = n
	}
	if n.parent >= 0 {
		up := &t.nodes[n.parent]
		d.Parent, d.ParentName = v.EventURL(up.ID.String()), line(up.Name, 80)
	}
	if i > 0 {
		d.Previous = v.EventURL(t.nodes[i-1].ID.String())
	}
	if i+1 < len(t.nodes) {
		d.Next = v.EventURL(t.nodes[i+1].ID.String())
	}
}
