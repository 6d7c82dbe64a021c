package page

import (
	"context"
	"errors"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/runs"
	"github.com/sessionspan/sessionspan/store"
)

// caseRow makes the row of a case. What it asks, expects and gave are those of its first
// attempt.
func (p *page) caseRow(ctx context.Context, v *runView, k *runs.Case) (caseRow, error) {
	row := caseRow{Case: k, Shown: k.Attempts, Chosen: k.Key == v.values.Get("case")}
	if more := len(row.Shown) - attemptsShown; more > 0 {
		row.Shown, row.More = row.Shown[:attemptsShown], more
	}
	if m := v.Metric(v.Query.Metric); m != nil {
		row.Now.Value, row.Now.Known = k.Score(m)
	}
	for _, m := range v.Metrics {
		if value, ok := k.Score(&m); ok && m.Name != v.Query.Metric && len(row.Others) < scoresShown {
			m.Mean = value
			row.Others = append(row.Others, m)
		}
	}
	s, err := p.Store.Session(ctx, k.Attempts[0].Session)
	switch {
	case errors.Is(err, store.ErrNotFound): // deleted meanwhile
	case err != nil:
		return row, err
	default:
		row.Question, row.Output = line(s.Question, valueShown), line(s.Answer, valueShown)
		if truth, ok := s.Payload.Feedback.Get("ground_truth"); ok {
			row.Expected = valueLine(honeyhive.Value(truth))
		}
		row.Failed = line(s.Error, valueShown)
	}
	if v.With == nil {
		return row, nil
	}
	before := v.With.Was.Case(k.Key)
	if row.New = before == nil; row.New {
		return row, nil
	}
	row.Changed = before.Sum != k.Sum
	if m := v.With.Was.Metric(v.Query.Metric); m != nil {
		row.Before.Value, row.Before.Known = before.Score(m)
	}
	if _, _, by, ok := v.With.Scores(k, v.Query.Metric); ok {
		row.Difference = score1{by, true}
	}
	s, err = p.Store.Session(ctx, before.Attempts[0].Session)
	if err == nil {
		row.Was = line(s.Answer, valueShown)
	} else if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return row, err
}

// valueLine shows a value in a line: a text as such, anything else as JSON.
func valueLine(v honeyhive.Value) string {
	if v.Kind() == honeyhive.KindString {
		return line(v.Text(), valueShown)
	}
	return line(string(v), valueShown)
}

// caseDetail makes the panel of a case: what it asks and expects, and what the attempts
// of both runs gave.
func (p *page) caseDetail(ctx context.Context, v *runView, key string) (*caseDetail, error) {
	k := v.Case(key)
	d := &caseDetail{Name: line(k.Name, 300), Datapoint: line(k.Datapoint, 300)}
	type side struct {
		title string
		run   *runs.Run
		k     *runs.Case
	}
	sides := []side{{"This run", v.Run, k}}
	if v.With != nil {
		if before := v.With.Was.Case(key); before != nil {
			sides = append(sides, side{"Compared with", v.With.Was, before})
			d.Changed = before.Sum != k.Sum
		}
	}
	s := &shower{budget: previewAll}
	for _, from := range sides {
		out := caseSide{Title: from.title}
		for i := range from.k.Attempts {
			if i == attemptsShown {
				out.More = len(from.k.Attempts) - i
				break
			}
			try := attemptView{Attempt: from.k.Attempts[i]}
			for _, m := range from.run.Metrics {
				if value, ok := try.Score(&m); ok {
					m.Mean = value
					try.Scores = append(try.Scores, m)
				}
			}
			session, err := p.Store.Session(ctx, try.Session)
			switch {
			case errors.Is(err, store.ErrNotFound):
				try.Gone = true
			case err != nil:
				return nil, err
			default:
				s.base = SessionPath(try.Session.String())
				d.show(s, &session.Payload)
				try.Error = line(session.Error, previewText)
				try.Outputs = s.bucket("outputs", "Outputs", session.Payload.Outputs)
			}
			out.Attempts = append(out.Attempts, try)
		}
		d.Sides = append(d.Sides, out)
	}
	return d, nil
}

// show shows what a case asks and expects, by the first of its attempts.
func (d *caseDetail) show(s *shower, payload *honeyhive.SessionStartRequest) {
	if d.Inputs == nil {
		d.Inputs = s.bucket("inputs", "Inputs", payload.Inputs)
	}
	if d.Expected == nil {
		if truth, ok := payload.Feedback.Get("ground_truth"); ok {
			f := s.field("", honeyhive.Value(truth), "feedback", "ground_truth")
			d.Expected = &f
		}
	}
}

// Class is how a difference is marked.
func (s score1) Class() string {
	switch {
	case s.Value == 0:
		return "muted"
	case s.Value < 0:
		return "bad"
	}
	return "good"
}
