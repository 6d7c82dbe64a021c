package page

import (
	"cmp"
	"context"
	"math"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// figures lists the measures of both.
func (v *compareView) figures() {
	a, b := v.A, v.B
	add := func(title, x, y, by string, sign int) {
		if x != none || y != none {
			v.Figures = append(v.Figures, figureRow{title, x, y, by, sign > 0, sign < 0})
		}
	}
	time := func(title string, x, y honeyhive.Optional[float64]) {
		by, sign := difference(x, y, duration)
		add(title, known(x, duration), known(y, duration), by, sign)
	}
	count := func(title string, x, y honeyhive.Optional[int64], isGood bool) {
		float := func(v honeyhive.Optional[int64]) honeyhive.Optional[float64] {
			if n, ok := v.Get(); ok {
				return honeyhive.Some(float64(n))
			}
			return honeyhive.Optional[float64]{}
		}
		by, sign := difference(float(x), float(y), func(f float64) string { return grouped(whole64(f)) })
		if isGood {
			sign = 0
		}
		add(title, known(x, grouped), known(y, grouped), by, sign)
	}
	if a.IsSession && b.IsSession {
		add("Status", string(a.Status), string(b.Status), "", 0)
	}
	add("Start (UTC)", known(a.Measures.Start, stamp), known(b.Measures.Start, stamp), "", 0)
	time("Duration", a.Measures.Duration, b.Measures.Duration)
	time("First token", a.Measures.FirstToken, b.Measures.FirstToken)
	if a.IsSession && b.IsSession {
		count("Events", honeyhive.Some(a.Events), honeyhive.Some(b.Events), true)
	}
	count("Errors", honeyhive.Some(a.Errors), honeyhive.Some(b.Errors), false)
	count("Tokens in", a.Measures.TokensIn, b.Measures.TokensIn, false)
	count("Tokens out", a.Measures.TokensOut, b.Measures.TokensOut, false)
	by, sign := "", 0
	if len(a.amounts) == 1 && len(b.amounts) == 1 && a.amounts[0].Currency == b.amounts[0].Currency {
		by, sign = difference(honeyhive.Some(a.amounts[0].Amount), honeyhive.Some(b.amounts[0].Amount), cost)
	}
	add("Cost", a.Cost.Text, b.Cost.Text, by, sign)
	add("Model", cmp.Or(a.Model, none), cmp.Or(b.Model, none), "", 0)
}

// difference shows how much more the second one is, and in parts of a hundred of the
// first one.
func difference(a, b honeyhive.Optional[float64], show func(float64) string) (by string, sign int) {
	x, known := a.Get()
	y, also := b.Get()
	if !known || !also || !isFinite(y-x) {
		return "", 0
	}
	if x == y {
		return "same", 0
	}
	sign = cmp.Compare(y, x)
	by = "+" + show(y-x)
	if sign < 0 {
		by = "−" + show(x-y)
	}
	if part := (y - x) / x * 100; x > 0 && math.Abs(part) < 10_000 {
		by += " (" + strings.Replace(strings.TrimSuffix(signedPart(part), ".0"), "-", "−", 1) + " %)"
	}
	return by, sign
}

func signedPart(part float64) string {
	text := trimmed(part, 1)
	if part > 0 {
		return "+" + text
	}
	return text
}

// values compares the maps of both: what was asked and what came out as texts, the
// values of the others one by one.
func (v *compareView) values() {
	for i, bucket := range bucketTitles {
		x, y := v.A.objects[i], v.B.objects[i]
		if i < 2 {
			title := []string{"What went in", "What came out"}[i]
			v.addText(title, bucket.Value, asLines(x, bucket.Value), asLines(y, bucket.Value))
			continue
		}
		for _, key := range bothKeys(x, y) {
			left, inA := x.Get(key)
			right, inB := y.Get(key)
			l, r := honeyhive.Value(left), honeyhive.Value(right)
			if inA == inB && canonical(l) == canonical(r) {
				v.Same++
				continue
			}
			if title := bucket.Label + ": " + line(key, 120); inA && inB && (len(l) > scalarText || len(r) > scalarText) {
				v.addText(title, "", indented(l), indented(r))
				continue
			}
			row := valueRow{bucket.Label, line(key, 120), none, none}
			if inA {
				row.A = valueLine(l)
			}
			if inB {
				row.B = valueLine(r)
			}
			if len(v.Values) < previewKeys {
				v.Values = append(v.Values, row)
			}
		}
	}
}

// textsMost bounds how many texts are compared line by line.
const textsMost = 12

func (v *compareView) addText(title, id, a, b string) {
	if a == "" && b == "" || len(v.Texts) == textsMost {
		return
	}
	v.Texts = append(v.Texts, titledDiff{title, id, compareTexts(a, b)})
}

// bothKeys are the keys of two objects, those of the first one first.
func bothKeys(a, b honeyhive.Object) []string {
	var keys []string
	for key := range a.All() {
		keys = append(keys, key)
	}
	for key := range b.All() {
		if !a.Has(key) {
			keys = append(keys, key)
		}
	}
	return keys[:min(len(keys), 10*previewKeys)]
}

// indented shows a value in lines: a text as it is.
func indented(v honeyhive.Value) string {
	if v.Kind() == honeyhive.KindString {
		return v.Text()
	}
	return indent(v)
}

// asLines writes what a bucket holds as lines: messages with who says them, and the
// rest by its keys.
func asLines(o honeyhive.Object, bucket string) string {
	var b strings.Builder
	part := func(head, text string) {
		if b.Len() > 2*diffBytes {
			return
		}
		if b.Len() > 0 {
			b.WriteString("\n\n")
		}
		b.WriteString("── " + head + "\n" + text)
	}
	list, rest := conversation(o, bucket)
	for i := range list {
		get := func(key string) honeyhive.Value {
			got, _ := list[i].value.Get(key)
			if got == "null" {
				return ""
			}
			return got
		}
		text := contentText(get("content"))
		for c := range get("tool_calls").Elements() {
			_, name, arguments := readCall(c)
			text = strings.TrimPrefix(text+"\n", "\n") + "→ " + name + " " + indented(arguments)
		}
		part(cmp.Or(get("role").Text(), "message"), text)
	}
	for key, value := range rest.All() {
		part(key, indented(honeyhive.Value(value)))
	}
	return b.String()
}

// stepRow is a step of both sessions, or of one of them.
type stepRow struct {
	Name, Kind   string
	Indent       int
	A, B         *node
	By           string
	Worse        bool
	CompareURL   string
	InA, InB     bool
	ErrorA, ErrB bool
}

// Bounds of the steps that are compared and shown.
const (
	stepsMost  = 2000
	stepsShown = 300
)

// steps puts the events of both sessions beside each other: those of one name, kind and
// depth, in their order.
func (p *page) steps(ctx context.Context, v *compareView) error {
	type step struct {
		depth      int
		name, kind string
	}
	var nodes [2][]node
	var keys [2][]step
	for i, s := range []*side{v.A, v.B} {
		t, err := p.trees.get(ctx, p.Store, s.session, s.seq)
		if err != nil {
			return err
		}
		nodes[i] = t.nodes[:min(len(t.nodes), stepsMost)]
		v.MoreStep += len(t.nodes) - len(nodes[i])
		for k := range nodes[i] {
			n := &nodes[i][k]
			keys[i] = append(keys[i], step{n.Depth, n.Name, kindOf(n.EventRow)})
		}
	}
	for _, e := range diff(keys[0], keys[1], diffMost) {
		var row stepRow
		if e.op != '+' {
			row.A = &nodes[0][e.a]
		}
		if e.op != '-' {
			row.B = &nodes[1][e.b]
		}
		if len(v.Steps) == stepsShown {
			v.MoreStep++
			continue
		}
		row.show()
		v.Steps = append(v.Steps, row)
	}
	return nil
}

// StepURL is the address of a step in its session.
func (*compareView) StepURL(n *node) string {
	return sessionURL(n.Session.String(), "view", "tree", "event", n.ID.String()) + "#detail"
}

// show fills in what is shown of a step.
func (r *stepRow) show() {
	of := r.A
	if of == nil {
		of = r.B
	}
	r.Name, r.Kind, r.Indent = cmp.Or(line(of.Name, 120), "(no name)"), kindOf(of.EventRow), min(of.Depth, 24)*14
	if r.A != nil {
		r.InA, r.ErrorA = true, r.A.Error != ""
	}
	if r.B != nil {
		r.InB, r.ErrB = true, r.B.Error != ""
	}
	if !r.InA || !r.InB {
		return
	}
	by, sign := difference(r.A.Duration, r.B.Duration, duration)
	r.By, r.Worse = by, sign > 0
	r.CompareURL = compareURL(r.A.ID.String(), r.B.ID.String())
}
