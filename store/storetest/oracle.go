package storetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
	"github.com/sessionspan/sessionspan/store/query"
)

// This file says what a query means, as a plain function of a session and of the records
// of which it is made: every record is looked at, and nothing is looked up.

// asked is a record as the tests wrote it.
type asked struct {
	id, session honeyhive.UUID
	event       bool
	text        string // JSON, with the members of the contract
}

// holds reports whether an expression holds for a session.
func holds(e query.Expr, row *store.SessionRow, records []asked, now time.Time) bool {
	switch e := e.(type) {
	case query.And:
		var words []query.Expr
		for _, part := range e {
			if _, ok := part.(*query.Words); ok {
				words = append(words, part)
			} else if !holds(part, row, records, now) {
				return false
			}
		}
		// Words side by side are in one record.
		return len(words) == 0 || slices.ContainsFunc(records, func(r asked) bool { return r.all(words) })
	case query.Or:
		return slices.ContainsFunc(e, func(part query.Expr) bool { return holds(part, row, records, now) })
	case query.Not:
		return !holds(e.Expr, row, records, now)
	case query.Event:
		return slices.ContainsFunc(records, func(r asked) bool { return r.event && r.holds(e.Expr, true) })
	case *query.Term:
		if e.Field.OfSession {
			return ofSession(e, row, now)
		}
	}
	return slices.ContainsFunc(records, func(r asked) bool { return r.holds(e, false) })
}

func ofSession(t *query.Term, row *store.SessionRow, now time.Time) bool {
	text := func(v string) bool { return equalText(t, v, v != "") }
	number := func(v honeyhive.Optional[float64]) bool {
		n, ok := v.Get()
		return ok && equalNumber(t, n)
	}
	count := func(v honeyhive.Optional[int64]) honeyhive.Optional[float64] {
		if n, ok := v.Get(); ok {
			return some(float64(n))
		}
		return honeyhive.Optional[float64]{}
	}
	switch t.Field.Name {
	case "status":
		return text(string(row.Status))
	case "name":
		return text(row.Name)
	case "project":
		return text(row.Project)
	case "source":
		return text(row.Source)
	case "user":
		return text(row.User)
	case "start":
		from, to := t.Times(now)
		at := time.UnixMicro(int64(row.Start.Or(row.Received) * 1000))
		return (from.IsZero() || !at.Before(from)) && (to.IsZero() || at.Before(to))
	case "duration":
		return number(row.Duration)
	case "ttft":
		return number(row.FirstToken)
	case "tokens":
		if row.TokensIn.IsZero() && row.TokensOut.IsZero() {
			return false
		}
		return equalNumber(t, float64(row.TokensIn.Or(0)+row.TokensOut.Or(0)))
	case "tokens.in":
		return number(count(row.TokensIn))
	case "tokens.out":
		return number(count(row.TokensOut))
	case "cost":
		return number(row.Cost)
	case "rating":
		return number(row.Rating)
	case "feedback":
		return row.Feedback
	case "events":
		return equalNumber(t, float64(row.Events))
	case "errors":
		return equalNumber(t, float64(row.Errors))
	case "calls":
		return equalNumber(t, float64(row.Calls))
	}
	panic("no field of sessions is called " + t.Field.Name)
}

func equalText(t *query.Term, v string, known bool) bool {
	switch {
	case t.Prefix && t.Value == "":
		return known
	case t.Prefix:
		return strings.HasPrefix(v, t.Value)
	}
	return v == t.Value
}

func equalNumber(t *query.Term, v float64) bool {
	switch {
	case t.Prefix:
		return true
	case !t.IsNumber:
		return false
	}
	return map[query.Op]bool{query.Equal: v == t.Number, query.Greater: v > t.Number, query.GreaterEqual: v >= t.Number, query.Less: v < t.Number, query.LessEqual: v <= t.Number}[t.Op]
}

func (r asked) all(list []query.Expr) bool {
	for _, e := range list {
		if !r.holds(e, true) {
			return false
		}
	}
	return true
}

// holds reports whether an expression holds for one record.
func (r asked) holds(e query.Expr, inEvent bool) bool {
	switch e := e.(type) {
	case query.And:
		return r.all(e)
	case query.Or:
		return slices.ContainsFunc(e, func(part query.Expr) bool { return r.holds(part, inEvent) })
	case query.Not:
		return !r.holds(e.Expr, inEvent)
	case *query.Words:
		for _, column := range []string{"error", "inputs", "outputs", ""} {
			if r.says(column, e.Text, e.Prefix) {
				return true
			}
		}
		return false
	case *query.Term:
		return r.compares(e, inEvent)
	}
	panic(fmt.Sprintf("%T inside of an event", e))
}

func (r asked) compares(t *query.Term, inEvent bool) bool {
	var members map[string]any
	_ = json.Unmarshal([]byte(r.text), &members)
	bucket := func(name string) map[string]any { m, _ := members[name].(map[string]any); return m }
	var values []any
	add := func(v any) {
		if v != nil {
			values = append(values, v)
		}
	}
	first := func(m map[string]any, keys ...string) any {
		for _, k := range keys {
			if _, ok := m[k].(float64); ok {
				return m[k]
			}
		}
		return nil
	}
	name := t.Field.Name
	if inEvent && name == "name" {
		name = "event"
	}
	measured := func(keys ...string) any {
		if v := first(bucket("metadata"), keys...); v != nil {
			return v
		}
		return first(bucket("metrics"), keys...)
	}
	kind, _ := bucket("metadata")["event_kind"].(string)
	if path := t.Path(); path != "" {
		steps := strings.SplitN(path, ".", 2)
		values = flat(bucket(steps[0]), steps[1])
	} else {
		switch name {
		case "id":
			return strings.EqualFold(r.id.String(), t.Value)
		case "inputs", "outputs":
			if !t.Prefix || t.Value != "" {
				return r.says(name, t.Value, t.Prefix)
			}
			return len(bucket(name)) > 0
		case "error":
			if !t.Prefix || t.Value != "" {
				return r.says(name, t.Value, t.Prefix)
			}
			e, _ := members["error"].(string)
			return e != ""
		}
		if !r.event {
			return false
		}
		switch name {
		case "event":
			add(members["event_name"])
		case "type":
			add(members["event_type"])
		case "kind":
			if kind == "" {
				kind, _ = members["event_type"].(string)
			}
			add(kind)
		case "model":
			add(bucket("config")["model"])
		case "duration":
			add(members["duration"])
		case "ttft":
			add(measured("time_to_first_chunk_ms"))
		case "tokens.in":
			add(measured("prompt_tokens"))
		case "tokens.out":
			add(measured("completion_tokens"))
		case "tokens":
			in, ok1 := measured("prompt_tokens").(float64)
			out, ok2 := measured("completion_tokens").(float64)
			if ok1 || ok2 {
				add(in + out)
			}
		case "cost":
			add(measured("cost"))
		case "rating":
			add(bucket("feedback")["rating"])
		case "question":
			inputs, _ := honeyhive.Value(r.text).Get("inputs")
			if q := record.FactText(record.Question(inputs.Object())); q != "" && kind == "retriever" {
				add(q)
			}
		case "documents", "score":
			docs, ok := bucket("outputs")["documents"].([]any)
			if kind != "retriever" || !ok {
				break
			}
			if name == "documents" {
				add(float64(len(docs)))
			}
			if name == "score" && len(docs) > 0 {
				add(docs[0].(map[string]any)["score"])
			}
		default:
			panic("no field of events is called " + name)
		}
	}
	return slices.ContainsFunc(values, func(v any) bool {
		switch v := v.(type) {
		case string:
			return t.Op == query.Equal && equalText(t, v, true)
		case bool:
			return t.Op == query.Equal && equalText(t, strconv.FormatBool(v), true)
		case float64:
			return (!t.Prefix || t.Value == "") && equalNumber(t, v)
		}
		return false
	})
}

// flat returns the values under a path, of which keys may have dots.
func flat(m map[string]any, path string) (list []any) {
	for k, v := range m {
		rest, inside := strings.CutPrefix(path, k+".")
		below, isMap := v.(map[string]any)
		elements, isList := v.([]any)
		switch {
		case k == path && isList:
			list = append(list, elements...)
		case k == path && !isMap:
			list = append(list, v)
		case inside && isMap:
			list = append(list, flat(below, rest)...)
		}
	}
	return list
}

// says reports whether a part of a record has words behind each other, in one value.
func (r asked) says(part, text string, prefix bool) bool {
	want := words(text)
	var members map[string]json.RawMessage
	_ = json.Unmarshal([]byte(r.text), &members)
	for name, value := range members {
		switch name {
		case "error", "inputs", "outputs":
			if part != name {
				continue
			}
		case "session_id", "event_id", "parent_id", "event_type", "start_time", "end_time", "duration":
			continue
		default:
			if part != "" {
				continue
			}
		}
		for _, s := range texts(value) {
			got := words(s)
			for i := 0; i+len(want) <= len(got); i++ {
				same := slices.Equal(got[i:i+len(want)-1], want[:len(want)-1])
				last, end := got[i+len(want)-1], want[len(want)-1]
				if same && (last == end || prefix && strings.HasPrefix(last, end)) {
					return true
				}
			}
		}
	}
	return false
}

func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// texts returns the strings and numbers in a value, without keys.
func texts(value json.RawMessage) (list []string) {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	var v any
	_ = d.Decode(&v)
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			list = append(list, v)
		case json.Number:
			list = append(list, v.String())
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(v)
	return list
}
