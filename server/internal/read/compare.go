package read

import (
	"context"
	"fmt"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// Bounds of a comparison.
const (
	mostCompared = 100     // events whose bodies are compared
	mostBody     = 1 << 20 // bytes of a body that is
	mostValue    = 300     // bytes of a value that is shown
)

// A Comparison is two sessions side by side.
type Comparison struct {
	A     Session `json:"a"`
	B     Session `json:"b"`
	Pairs []Pair  `json:"events"`
	// Next is where the next pairs begin, 0 where there are no more; Total is how many
	// there are.
	Next  int `json:"next_offset,omitempty"`
	Total int `json:"total"`
}

// A Pair is an event of one session and its counterpart: the one with the same names on
// the way down to it, by its place among those of these names. One side may have none.
type Pair struct {
	Path string `json:"path"`
	A    *Event `json:"a,omitempty"`
	B    *Event `json:"b,omitempty"`
	// Differs are the parts of the bodies that differ; Uncompared says that a body is too
	// large to be compared.
	Differs    []Difference `json:"differs,omitempty"`
	Uncompared bool         `json:"uncompared,omitempty"`
}

// A Difference is a part of two bodies that is not the same: a member of one of [Parts].
// The values are their beginnings, from shortly before where they differ.
type Difference struct {
	Part string `json:"part"`
	A    string `json:"a,omitempty"`
	B    string `json:"b,omitempty"`
	// At is the first byte that differs, of the values as they are.
	At int `json:"at"`
}

// Compare puts two sessions side by side: up to limit pairs of events from an offset on,
// in the order of the first session and then of the second; a hundred at most. Of each
// session the first 50,000 events are looked at.
func Compare(ctx context.Context, s store.Store, a, b honeyhive.UUID, offset, limit int) (*Comparison, error) {
	left, one, err := side(ctx, s, a)
	if err != nil {
		return nil, fmt.Errorf("session a: %w", err)
	}
	right, two, err := side(ctx, s, b)
	if err != nil {
		return nil, fmt.Errorf("session b: %w", err)
	}
	byPath := make(map[string]*Node, len(two))
	for i := range two {
		byPath[two[i].path] = &two[i].Node
	}
	var pairs []Pair
	nodes := make([][2]*Node, 0, len(one))
	for i := range one {
		pairs = append(pairs, Pair{Path: one[i].path})
		nodes = append(nodes, [2]*Node{&one[i].Node, byPath[one[i].path]})
		delete(byPath, one[i].path)
	}
	for i := range two {
		if n, ok := byPath[two[i].path]; ok {
			pairs = append(pairs, Pair{Path: two[i].path})
			nodes = append(nodes, [2]*Node{nil, n})
		}
	}
	c := &Comparison{A: SessionOf(&left), B: SessionOf(&right), Pairs: []Pair{}, Total: len(pairs)}
	offset = min(max(offset, 0), len(pairs))
	end := min(offset+min(max(limit, 1), mostCompared), len(pairs))
	if end < len(pairs) {
		c.Next = end
	}
	for i := offset; i < end; i++ {
		p := pairs[i]
		for side, into := range [2]**Event{&p.A, &p.B} {
			if n := nodes[i][side]; n != nil {
				e := EventOf(n)
				*into = &e
			}
		}
		if p.A != nil && p.B != nil {
			if err := p.compare(ctx, s, nodes[i]); err != nil {
				return nil, err
			}
		}
		c.Pairs = append(c.Pairs, p)
	}
	return c, nil
}

// placed is an event with the names on the way down to it.
type placed struct {
	Node
	path string
}

const mostEvents = 50_000

func side(ctx context.Context, s store.Store, id honeyhive.UUID) (store.SessionRow, []placed, error) {
	session, err := s.Session(ctx, id)
	if err != nil {
		return store.SessionRow{}, nil, err
	}
	nodes, _, err := Tree(ctx, s, id, 0, mostEvents)
	if err != nil {
		return store.SessionRow{}, nil, err
	}
	list := make([]placed, len(nodes))
	seen := make(map[string]int)
	var above []string
	for i, n := range nodes {
		above = above[:n.Depth]
		path := ""
		if n.Depth > 0 {
			path = above[n.Depth-1] + " / "
		}
		// A path as long as the tree is deep would be quadratic.
		if len(path) > mostValue {
			path = "…" + Cut(path, len(path)-mostValue, mostValue).Text
		}
		path += Cut(n.Name, 0, 100).Text
		if seen[path]++; seen[path] > 1 {
			path += fmt.Sprintf(" (%d)", seen[path])
		}
		above = append(above, path)
		list[i] = placed{n, path}
	}
	return session.SessionRow, list, nil
}

// compare compares the bodies of a pair.
func (p *Pair) compare(ctx context.Context, s store.Store, nodes [2]*Node) error {
	if nodes[0].Bytes > mostBody || nodes[1].Bytes > mostBody {
		p.Uncompared = true
		return nil
	}
	a, err := payload(ctx, s, nodes[0].ID)
	if err != nil {
		return err
	}
	b, err := payload(ctx, s, nodes[1].ID)
	if err != nil {
		return err
	}
	for _, part := range Parts {
		x, y := members(a, part), members(b, part)
		for _, name := range x.names {
			p.differ(part, name, x.values[name], y.values[name])
		}
		for _, name := range y.names {
			if _, both := x.values[name]; !both {
				p.differ(part, name, "", y.values[name])
			}
		}
	}
	return nil
}

type fields struct {
	names  []string
	values map[string]honeyhive.Value
}

// members returns what a part of a body holds.
func members(body honeyhive.Value, part string) fields {
	f := fields{values: make(map[string]honeyhive.Value)}
	value, ok := body.Get(part)
	if !ok {
		return f
	}
	if value.Kind() != honeyhive.KindObject {
		f.names, f.values[""] = []string{""}, value
		return f
	}
	for name, v := range value.Members() {
		f.names, f.values[name] = append(f.names, name), v
	}
	return f
}

// mostDiffers bounds the parts of a pair that are listed.
const mostDiffers = 20

func (p *Pair) differ(part, name string, a, b honeyhive.Value) {
	if a == b || len(p.Differs) == mostDiffers {
		return
	}
	x, y := a.Text(), b.Text()
	at := 0
	for at < len(x) && at < len(y) && x[at] == y[at] {
		at++
	}
	if name != "" {
		part += "." + Cut(name, 0, 100).Text
	}
	p.Differs = append(p.Differs, Difference{Part: part, A: Cut(x, at-40, mostValue).Text, B: Cut(y, at-40, mostValue).Text, At: at})
}
