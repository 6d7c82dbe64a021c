package storetest

import (
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

func sumOf(sum int64, v honeyhive.Optional[int64]) int64 {
	if n, ok := v.Get(); ok {
		return max(sum, 0) + n
	}
	return sum
}

// count counts the events of a session.
func (s *set) count(out *SessionState, id honeyhive.UUID, parts map[honeyhive.UUID]bool, events []honeyhive.UUID, traceOf map[honeyhive.UUID]honeyhive.UUID) {
	isSession := map[honeyhive.UUID]bool{id: true}
	for p := range parts {
		if t, ok := traceOf[p]; ok {
			isSession[p], isSession[t] = true, true
		}
	}
	for _, j := range s.joins {
		if j.To == id {
			isSession[j.Trace] = true
		}
	}
	traced := len(isSession) > 1
	for p := range parts {
		_, ok := traceOf[p]
		traced = traced || ok
	}
	in := make(map[honeyhive.UUID]bool)
	for _, e := range events {
		in[e] = true
		row := s.row(e)
		parent := row.Parent
		for hops := 0; traced && !parent.IsZero(); hops++ {
			up, known := s.up[parent]
			if _, isEvent := s.events[parent]; isEvent {
				known = false
			}
			if isSession[parent] || hops == 256 || !known && parent == e || known && up.IsZero() {
				parent = id
				break
			}
			if !known {
				break
			}
			parent = up
		}
		out.Parents[e] = parent
	}
	// An event on a circle is topmost.
	up := make(map[honeyhive.UUID]honeyhive.UUID)
	for _, e := range events {
		if p := out.Parents[e]; in[p] && !s.circle(out, in, e) {
			up[e] = p
		}
	}
	children := make(map[honeyhive.UUID][]honeyhive.UUID)
	for e, p := range up {
		children[p] = append(children[p], e)
	}
	type counts [4]int64 // calls, in, out, cost
	ownOf := func(e honeyhive.UUID) (own counts, row store.EventRow) {
		row = s.row(e)
		if row.Type == honeyhive.TypeModel {
			own[0] = 1
		}
		cost, _ := record.CostUnits(row.Cost).Get()
		own[1], own[2], own[3] = row.TokensIn.Or(0), row.TokensOut.Or(0), cost
		return own, row
	}
	var c func(e honeyhive.UUID) counts
	below := func(e honeyhive.UUID) (sum counts) {
		for _, child := range children[e] {
			for i, n := range c(child) {
				sum[i] += n
			}
		}
		return sum
	}
	c = func(e honeyhive.UUID) counts {
		own, _ := ownOf(e)
		for i, n := range below(e) {
			own[i] = max(own[i], n)
		}
		return own
	}
	var total counts
	for _, e := range events {
		own, row := ownOf(e)
		if _, hangs := up[e]; !hangs {
			for i, n := range c(e) {
				total[i] += n
			}
		}
		for i, known := range []bool{false, !row.TokensIn.IsZero(), !row.TokensOut.IsZero(), !row.Cost.IsZero()} {
			switch {
			case !known:
			case i == 1:
				out.In = max(out.In, 0)
			case i == 2:
				out.Out = max(out.Out, 0)
			default:
				out.Cost = max(out.Cost, 0)
			}
		}
		var self counts
		for i, n := range below(e) {
			self[i] = max(0, own[i]-n)
		}
		add := func(sums map[string][4]int64, key string, first int64) {
			sum := sums[key]
			for i, n := range [...]int64{first, self[1], self[2], self[3]} {
				sum[i] += n
			}
			sums[key] = sum
		}
		add(out.ByName, row.Name, 1)
		if row.Type == honeyhive.TypeModel {
			out.Models++
			add(out.BySelf, row.Model, self[0])
		}
	}
	out.Calls = total[0]
	if out.In >= 0 {
		out.In = total[1]
	}
	if out.Out >= 0 {
		out.Out = total[2]
	}
	if out.Cost >= 0 {
		out.Cost = float64(total[3])
	}
}

// circle reports whether an event hangs on itself by way of others.
func (s *set) circle(out *SessionState, in map[honeyhive.UUID]bool, e honeyhive.UUID) bool {
	at := out.Parents[e]
	for range len(in) {
		if at == e {
			return true
		}
		if !in[at] {
			return false
		}
		at = out.Parents[at]
	}
	return false
}
