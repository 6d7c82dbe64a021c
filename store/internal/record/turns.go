package record

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strconv"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// The records of a session with different starts are turns of a conversation, and
// what they say of these fields does not replace each other: the session has the
// least start, the greatest end, the first inputs, the last outputs and error, all
// children, and the sum of the counts. So the layers of a session keep such cells
// turn by turn, as far as one may still count; a layer that says no start, such as an
// update, is of no turn. But an update that says an end is of the time of that: what it
// puts out does not count where a later turn has put out something. So its end stays
// with whatever else it says.

// turnFields are the fields that are kept turn by turn.
var turnFields = map[string]bool{
	"inputs": true, "outputs": true, "error": true, "start_time": true, "end_time": true, "duration": true, "children_ids": true,
}

// sums are the keys of the metadata that are added up over turns.
var sums = map[string]bool{
	"prompt_tokens": true, "completion_tokens": true, "total_tokens": true, "input_tokens": true, "output_tokens": true,
	"cache_read_input_tokens": true, "cache_write_input_tokens": true, "reasoning_tokens": true, "cost": true, "total_cost": true,
	"cost_currency": true, "costs": true,
}

func (p place) isOfTurn() bool {
	return turnFields[p.field] || p.field == "metadata" && p.inside && sums[p.key]
}

// turnPlace is a place in a turn.
type turnPlace struct {
	place
	turn string
}

func (c *cell) at(turn string) turnPlace {
	if c.isOfTurn() {
		return turnPlace{c.place, turn}
	}
	return turnPlace{place: c.place}
}

// turnOf returns the start that a layer says, as it is written, or "".
func turnOf(text string) string {
	v, _ := honeyhive.Value(text).Get("start_time")
	if v.Kind() != honeyhive.KindNumber {
		return ""
	}
	return string(v)
}

// turns are the turns of a session, from the first to the last.
func turns(of []string) []string {
	all := make(map[string]bool)
	for _, t := range of {
		if t != "" {
			all[t] = true
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int { return cmp.Or(cmp.Compare(toNumber(a), toNumber(b)), cmp.Compare(a, b)) })
}

func toNumber(text string) float64 {
	v, _ := strconv.ParseFloat(text, 64)
	return v
}

// MergeSession is Merge for the layers of a session.
func MergeSession(layers []Layer, more ...Layer) []Layer {
	all, settled := together(layers, more)
	if settled {
		return all
	}
	of := make([]string, len(all))
	for i := range all {
		of[i] = turnOf(all[i].Text)
	}
	winners := make(map[turnPlace]cell)
	for i := range all {
		for c := range cells(all[i].Text, i) {
			at := c.at(of[i])
			old, known := winners[at]
			if !known || old.isNull() || !c.isNull() {
				winners[at] = c
			}
		}
	}
	first, last, lastOfAll := extremes(winners, turns(of))
	out := all[:0]
	for i := range all {
		text := filter(all[i].Text, i, of[i] != "", func(c cell) bool {
			if c.isOfTurn() && of[i] != "" {
				switch {
				case c.field == "inputs" && of[i] != first && first != "",
					c.field == "outputs" && of[i] != last && last != "", c.field == "error" && of[i] != lastOfAll:
					return false
				}
			}
			return winners[c.at(of[i])].layer == i
		})
		if text != "{}" {
			out = append(out, Layer{all[i].Stamp, text})
		}
	}
	return out
}

// extremes returns the first turn that has inputs, the last one that has outputs,
// and the last of all.
func extremes(winners map[turnPlace]cell, all []string) (first, last, lastOfAll string) {
	has := make(map[[2]string]bool)
	for at, c := range winners {
		if !c.isNull() && (c.inside || c.text != "{}") {
			has[[2]string{at.turn, at.field}] = true
		}
	}
	for _, t := range all {
		if lastOfAll = t; has[[2]string{t, "outputs"}] {
			last = t
		}
	}
	for _, t := range slices.Backward(all) {
		if has[[2]string{t, "inputs"}] {
			first = t
		}
	}
	return first, last, lastOfAll
}

// filter returns the part of a payload whose cells are kept. The start of a record, and
// the end of an update, stays with whatever else does, since it says of when that is.
func filter(text string, layer int, isOfTurn bool, keep func(cell) bool) string {
	when := "end_time"
	if isOfTurn {
		when = "start_time"
	}
	whole, some := true, false
	for c := range cells(text, layer) {
		switch {
		case keep(c):
			some = true
		case c.field != when:
			whole = false
		}
	}
	if whole && some {
		return text
	}
	var w writer
	for c := range cells(text, layer) {
		if some && (c.field == when || keep(c)) {
			w.add(c)
		}
	}
	return w.object()
}

// foldTurns walks the fields of the payload that the layers of a session come to.
func foldTurns(layers []Layer) iter.Seq2[string, honeyhive.Value] {
	if len(layers) == 1 {
		return fold(layers)
	}
	of := make([]string, len(layers))
	for i := range layers {
		of[i] = turnOf(layers[i].Text)
	}
	all := turns(of)
	if len(all) < 2 {
		return fold(Merge(nil, layers...))
	}
	// The fields that are kept turn by turn, of the turns that count.
	ends := make(map[string]float64)
	children, counts := make(map[string][]cell), make(map[string]map[string]cell)
	winners := make(map[turnPlace]cell)
	for i := range layers {
		for c := range cells(layers[i].Text, i) {
			at := c.at(of[i])
			if old, known := winners[at]; !known || old.isNull() || !c.isNull() {
				winners[at] = c
			}
		}
	}
	first, last, lastOfAll := extremes(winners, all)
	endTurn, end := "", 0.0
	for at, c := range winners {
		switch {
		case !at.isOfTurn() || c.isNull():
		case at.field == "children_ids":
			children[at.turn] = []cell{c}
		case at.field == "metadata":
			if counts[at.key] == nil {
				counts[at.key] = make(map[string]cell)
			}
			counts[at.key][at.turn] = c
		case at.field == "duration" && at.turn != "":
			if _, known := ends[at.turn]; !known {
				ends[at.turn] = toNumber(at.turn) + toNumber(c.text)
			}
		}
	}
	for at, c := range winners {
		if at.field == "end_time" && !c.isNull() && at.turn != "" {
			ends[at.turn] = toNumber(c.text)
		}
	}
	for _, t := range all {
		if e, ok := ends[t]; ok && (endTurn == "" || e > end) {
			endTurn, end = t, e
		}
	}
	var kept []Layer
	updated := false
	for i := range layers {
		text := dropTurns(layers[i].Text, i, func(c cell) bool {
			switch c.field {
			case "inputs":
				return of[i] == first || of[i] == ""
			case "outputs":
				return of[i] == last || of[i] == "" && !isPast(layers[i].Text, last, all, ends)
			case "error":
				return of[i] == lastOfAll || of[i] == ""
			case "start_time":
				return of[i] == all[0]
			case "end_time", "children_ids", "metadata":
				return false
			case "duration":
				updated = updated || of[i] == "" && !c.isNull()
				return of[i] == ""
			}
			return true
		})
		if text != "{}" {
			kept = append(kept, Layer{layers[i].Stamp, text})
		}
	}
	if e, ok := winners[turnPlace{place: place{field: "end_time"}}]; ok && !e.isNull() && (endTurn == "" || toNumber(e.text) > end) {
		endTurn, end = "update", toNumber(e.text)
	}
	more := make(map[string]string)
	if endTurn != "" {
		more["end_time"] = number64(end)
		if start := toNumber(all[0]); !updated && end >= start {
			more["duration"] = number64(end - start)
		}
	}
	if list := union(children, append(all, "")); list != "" {
		more["children_ids"] = list
	}
	return honeyhive.Value(patch(Fold(Merge(nil, kept...)), more, summed(counts))).Members()
}

// isPast reports whether an update is of a time that the last turn which has put out
// something is later than. ends are those of the turns.
func isPast(text, last string, all []string, ends map[string]float64) bool {
	v, _ := honeyhive.Value(text).Get("end_time")
	if last == "" || v.Kind() != honeyhive.KindNumber {
		return false
	}
	end := toNumber(string(v))
	at := -1 // the latest turn that ended then
	for i, t := range all {
		if e, known := ends[t]; known && e == end {
			at = i
		}
	}
	if at >= 0 {
		return at < slices.Index(all, last)
	}
	e, known := ends[last]
	return known && end <= e
}

// dropTurns returns a payload without cells of turns that do not count.
func dropTurns(text string, layer int, keep func(cell) bool) string {
	var w writer
	for c := range cells(text, layer) {
		if !c.isOfTurn() || keep(c) {
			w.add(c)
		}
	}
	return w.object()
}

func number64(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// union joins the lists of children, in the order of the turns.
func union(children map[string][]cell, order []string) string {
	var list []byte
	seen := make(map[string]bool)
	for _, t := range order {
		for _, c := range children[t] {
			for v := range honeyhive.Value(c.text).Elements() {
				if seen[string(v)] {
					continue
				}
				seen[string(v)] = true
				list = append(append(list, ','), v...)
			}
		}
	}
	if list == nil {
		return ""
	}
	list[0] = '['
	return string(append(list, ']'))
}

// summed adds up the counts of turns. What an update says stands for all of them.
func summed(counts map[string]map[string]cell) map[string]string {
	out, mixed := mixedCosts(counts)
	for key, of := range counts {
		if mixed && isCostKey(key) {
			continue
		}
		if c, ok := of[""]; ok {
			out[key] = c.text
			continue
		}
		var units int64
		whole := true
		for _, c := range of {
			v, err := strconv.ParseFloat(c.text, 64)
			if err != nil || !(v >= 0 && v <= maxTokens) {
				whole = false
				break
			}
			if key == costKeys[0] || key == costKeys[1] {
				units = AddCapped(units, ToCostUnits(min(v, maxCost)))
			} else {
				units = AddCapped(units, int64(v))
			}
		}
		switch {
		case !whole: // what cannot be added is that of the last turn
			out[key] = of[turns(slices.Collect(maps.Keys(of)))[len(of)-1]].text
		case key == costKeys[0] || key == costKeys[1]:
			out[key] = number64(FromCostUnits(units))
		default:
			out[key] = strconv.FormatInt(units, 10)
		}
	}
	return out
}

// patch sets fields of a payload, and keys of its metadata.
func patch(text string, fields, metadata map[string]string) string {
	var w writer
	for field, value := range honeyhive.Value(text).Members() {
		if _, set := fields[field]; set || field == "metadata" && len(metadata) > 0 {
			continue
		}
		w.member(field, string(value))
	}
	for _, f := range slices.Sorted(maps.Keys(fields)) {
		w.member(f, fields[f])
	}
	if len(metadata) > 0 {
		var m writer
		if old, _ := honeyhive.Value(text).Get("metadata"); old.Kind() == honeyhive.KindObject {
			for key, value := range old.Members() {
				if _, set := metadata[key]; !set {
					m.member(key, string(value))
				}
			}
		}
		for _, key := range slices.Sorted(maps.Keys(metadata)) {
			m.member(key, metadata[key])
		}
		w.member("metadata", m.object())
	}
	return w.object()
}
