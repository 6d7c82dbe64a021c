package record

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// A session that others are joined to is a group: its own record, and theirs, which
// are its members. See the documentation of package store for what these come to.

// Choice is the join of a session that counts.
type Choice struct {
	Text, Name, Project, Source string
	Owned, Unannounced          bool `json:",omitempty"`
	Named                       bool `json:",omitempty"` // by a join to another session
	Start                       float64
}

// Better reports whether a choice says better than another what a session is called.
func (c *Choice) Better(d *Choice) bool {
	return cmp.Or(cmp.Compare(c.Start, d.Start), cmp.Compare(c.Text, d.Text), cmp.Compare(c.Name, d.Name),
		cmp.Compare(c.Project, d.Project), cmp.Compare(c.Source, d.Source)) < 0
}

// Best returns what a session is called by the joins to it, whose names are best one
// by one.
func Best(choices []Choice) (best Choice) {
	slices.SortFunc(choices, func(a, b Choice) int {
		if a.Better(&b) {
			return -1
		} else if b.Better(&a) {
			return 1
		}
		return 0
	})
	for i := range choices {
		c := &choices[i]
		if i == 0 {
			best = *c
		}
		best.Text, best.Name = cmp.Or(best.Text, c.Text), cmp.Or(best.Name, c.Name)
		best.Project, best.Source = cmp.Or(best.Project, c.Project), cmp.Or(best.Source, c.Source)
		best.Named = best.Named || c.Named
		best.Unannounced = best.Unannounced && c.Unannounced
		best.Owned = best.Owned || c.Owned
	}
	return best
}

// Called returns what a session is called, or "".
func (c *Choice) Called() string {
	if c.Name != "" || !c.Named {
		return c.Name
	}
	if _, err := honeyhive.ParseUUID(c.Text); err == nil {
		return ""
	}
	return c.Text
}

// Member is a session that is joined to another one.
type Member struct {
	ID  honeyhive.UUID
	Own Own
	// Choice is the join.
	Choice Choice
	// Totals are what its events come to.
	Totals Totals
}

// inOrder sorts members by their starts.
func inOrder(members []Member) {
	slices.SortFunc(members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Own.Start.Or(NoStart), b.Own.Start.Or(NoStart)), bytes.Compare(a.ID[:], b.ID[:]))
	})
}

// Group returns what a session says of itself together with its members. It sorts
// these.
func Group(self Own, members []Member, best *Choice) Own {
	inOrder(members)
	out := self
	m := &out.Measures
	question, answer, failed := self.HasInputs, self.HasOutputs, self.Failed
	ends := m.End
	costs := Amounts(slices.Clone(self.amounts()))
	durations, given := 0, self.gives()
	if !self.Duration.IsZero() {
		durations = 1
	}
	for i := range members {
		from := &members[i]
		o := &from.Own
		out.Bytes += o.Bytes
		if o.Received != 0 && (out.Received == 0 || o.Received < out.Received) {
			out.Received = o.Received
		}
		m.Feedback = m.Feedback || o.Feedback
		if self.Rating.IsZero() && !o.Rating.IsZero() {
			m.Rating = o.Rating
		}
		if self.User == "" && o.User != "" {
			out.User = o.User
		}
		if from.Choice.Owned || !o.Known {
			continue
		}
		out.Known = true
		if !question && o.HasInputs {
			out.Question, out.HasInputs, question = o.Question, true, true
		}
		if !answer && o.HasOutputs {
			out.Answer, out.HasOutputs = o.Answer, true
		}
		if !failed {
			out.Error, out.Failed = o.Error, o.Failed
		}
		out.Incomplete = self.Incomplete || o.Incomplete
		out.Project, out.Source = cmp.Or(out.Project, best.Project, o.Project), cmp.Or(out.Source, best.Source, o.Source)
		if v, ok := o.Start.Get(); ok && v < m.Start.Or(NoStart) {
			m.Start = o.Start
		}
		if v, ok := o.End.Get(); ok && v > ends.Or(-NoStart) {
			ends = o.End
		}
		if !o.Duration.IsZero() {
			if durations++; durations == 1 {
				m.Duration = o.Duration
			}
		}
		m.Backwards = m.Backwards || o.Backwards
		m.TokensIn, m.TokensOut = plus(m.TokensIn, o.TokensIn), plus(m.TokensOut, o.TokensOut)
		costs.Add(o.amounts()...)
	}
	m.End = ends
	out.Costs = costs
	if durations > 1 && !given {
		m.Duration = honeyhive.Optional[float64]{}
		fillDuration(m)
	}
	if best != nil {
		out.Known = out.Known || !best.Unannounced
		out.Unfinished = ends.IsZero() && m.Duration.IsZero()
		out.Project, out.Source = cmp.Or(out.Project, best.Project), cmp.Or(out.Source, best.Source)
		if out.Name == "" || out.Name == "unknown" {
			out.Name = cmp.Or(best.Called(), out.Name)
		}
	}
	return out
}

// gives reports whether a duration was given that no start says the turn of.
func (o *Own) gives() bool { return !o.Duration.IsZero() && o.Start.IsZero() }

func plus(a, b honeyhive.Optional[int64]) honeyhive.Optional[int64] {
	v, ok := b.Get()
	if !ok {
		return a
	}
	return honeyhive.Some(AddCapped(a.Or(0), v))
}

// Fallback is what the topmost events of a trace say. Stores keep it as JSON.
type Fallback struct {
	Question string `json:"Question"`
	Answer   string `json:"Answer"`
	User     string `json:"User"`
	Name     string `json:"Name"`
}

// FallbackOf reads it from the first and the last of them; either may be nil.
func FallbackOf(first, last *honeyhive.Event) (f Fallback) {
	if first != nil {
		f.Question, f.User, f.Name = Question(first.Inputs), firstText(first.UserProperties, userKeys), first.EventName.Or("")
	}
	if last != nil {
		f.Answer = Answer(last.Outputs)
	}
	return f
}

// Fall fills in what no record says.
func (o *Own) Fall(f *Fallback) {
	if !o.HasInputs {
		o.Question = f.Question
	}
	if !o.HasOutputs {
		o.Answer = f.Answer
	}
	o.User = cmp.Or(o.User, f.User)
	if o.Known {
		o.Name = cmp.Or(o.Name, f.Name)
	}
}

// Part is the payload of a member.
type Part struct {
	Member
	Payload honeyhive.SessionStartRequest
}

// GroupPayload returns the payload of a session together with those of its members,
// and of its topmost events, which may be nil. Name is that of its row.
func GroupPayload(self honeyhive.SessionStartRequest, name string, parts []Part, best *Choice, first, last *honeyhive.Event) honeyhive.SessionStartRequest {
	slices.SortFunc(parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(a.Own.Start.Or(NoStart), b.Own.Start.Or(NoStart)), bytes.Compare(a.ID[:], b.ID[:]))
	})
	out := self
	var config, metadata, metrics, feedback, user, evaluations honeyhive.Object
	var failure honeyhive.Optional[string]
	children, seen := []string(nil), make(map[string]bool)
	list := func(ids honeyhive.Optional[[]string]) {
		all, _ := ids.Get()
		for _, id := range all {
			if !seen[id] {
				seen[id] = true
				children = append(children, id)
			}
		}
	}
	durations, given := 0, !self.Duration.IsZero() && self.StartTime.IsZero()
	if !self.Duration.IsZero() {
		durations = 1
	}
	for i := range parts {
		p := &parts[i].Payload
		metadata, metrics = metadata.Merge(p.Metadata), metrics.Merge(p.Metrics)
		feedback, user, evaluations = feedback.Merge(p.Feedback), user.Merge(p.UserProperties), evaluations.Merge(p.Evaluations)
		if parts[i].Choice.Owned || !parts[i].Own.Known {
			continue
		}
		config = config.Merge(p.Config)
		if out.Inputs.IsEmpty() {
			out.Inputs = p.Inputs
		}
		if self.Outputs.IsEmpty() && !p.Outputs.IsEmpty() {
			out.Outputs = p.Outputs
		}
		failure = p.Error
		list(p.ChildrenIDs)
		if v, ok := p.StartTime.Get(); ok && v < out.StartTime.Or(NoStart) {
			out.StartTime = p.StartTime
		}
		if v, ok := p.EndTime.Get(); ok && v > out.EndTime.Or(-NoStart) {
			out.EndTime = p.EndTime
		}
		if !p.Duration.IsZero() {
			if durations++; durations == 1 {
				out.Duration = p.Duration
			}
		}
		if out.Source.IsZero() && best.Source == "" {
			out.Source = p.Source
		}
		if out.Project.IsZero() && best.Project == "" {
			out.Project = p.Project
		}
	}
	start, ok1 := out.StartTime.Get()
	end, ok2 := out.EndTime.Get()
	if durations > 1 && !given && ok1 && ok2 && end >= start {
		out.Duration = honeyhive.Some(end - start)
	}
	if out.Error.Or("") == "" && failure.Or("") != "" {
		out.Error = failure
	}
	if children != nil {
		list(self.ChildrenIDs)
		out.ChildrenIDs = honeyhive.Some(children)
	}
	out.Config, out.Metadata, out.Metrics = config.Merge(self.Config), metadata.Merge(self.Metadata), metrics.Merge(self.Metrics)
	out.Feedback, out.UserProperties, out.Evaluations = feedback.Merge(self.Feedback), user.Merge(self.UserProperties), evaluations.Merge(self.Evaluations)
	if best == nil {
		return out
	}
	fillText(&out.Project, best.Project)
	fillText(&out.Source, best.Source)
	if out.SessionName.Or("unknown") == "unknown" {
		fillText(&out.SessionName, name)
	}
	if first != nil {
		if out.Inputs.IsEmpty() && !first.Inputs.IsEmpty() {
			out.Inputs = first.Inputs
		}
		out.UserProperties = first.UserProperties.Merge(out.UserProperties)
	}
	if last != nil && out.Outputs.IsEmpty() && !last.Outputs.IsEmpty() {
		out.Outputs = last.Outputs
	}
	return out
}

func fillText(field *honeyhive.Optional[string], v string) {
	if field.Or("") == "" && v != "" {
		*field = honeyhive.Some(v)
	}
}
