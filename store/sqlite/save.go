package sqlite

import (
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// saveEvent writes the row of an event.
func (w *writer) saveEvent(e *entry, now *record.Counted) error {
	m := &now.Measures
	sample := sample{
		moment: m.Start.Or(float64(now.Received) / 1e6), status: store.StatusOK, duration: m.Duration, firstToken: m.FirstToken,
		in: m.TokensIn, out: m.TokensOut, events: 1,
	}
	if record.Billed(&now.EventRow) { // as if nothing were below it, until its session is counted
		n := [...]record.Node{record.NewNode(&now.EventRow)}
		record.Once(n[:], w.prices)
		n[0].Settle(&now.EventRow)
		sample.pay(&n[0])
	}
	if now.Error != "" {
		sample.status = store.StatusError
	}
	columns := []any{e.session, e.seq, e.pk, e.id[:], now.Type, now.Model, value(m.Start), value(m.End), value(m.Duration), value(m.FirstToken),
		now.Received, now.Project, now.Source, packSample(&sample), packRow(&now.EventRow)}
	if !w.narrow {
		l := &now.Labels
		columns = append(columns, l.Name, l.Kind, l.Failure, l.Prompt)
	}
	return w.exec(`INSERT INTO event VALUES (?`+strings.Repeat(", ?", len(columns)-1)+`)`, columns...)
}

// label writes the labels of an event of a file of an earlier version.
func (w *writer) label(session, seq int64, l *record.Labels) error {
	return w.exec(`UPDATE event SET name = ?, kind = ?, failure = ?, prompt = ? WHERE session = ? AND seq = ?`, l.Name, l.Kind, l.Failure, l.Prompt, session, seq)
}

// pay makes what a node costs that of the sample.
func (s *sample) pay(n *record.Node) {
	s.cost = honeyhive.Optional[int64]{}
	if n.Known[record.FieldCost] {
		s.cost = honeyhive.Some(n.Self[record.FieldCost])
	}
	s.derived, s.others, s.unpriced = n.SelfDerived, n.Others, n.Unpriced
}

// save writes what is known of an id.
func (w *writer) save(e *entry, payload []byte) error {
	rank, at := last(e.layers)
	columns := [2][]byte{record.EncodeLayers(e.layers), payload}
	if e.ready != nil {
		rank, at, columns, e.received = e.ready.rank, e.ready.at, e.ready.columns, e.ready.received
	}
	if e.pk == 0 {
		e.pk = w.nextKey()
	}
	if e.kind == record.Session {
		e.session = e.pk
	}
	defer func() { e.stored = true }()
	var err error
	if e.stored {
		err = w.exec(`UPDATE record SET kind = ?, session = ?, seq = ?, rank = ?, at = ?, received = ?, layers = ?, payload = ? WHERE pk = ?`,
			e.kind, e.session, e.seq, rank, at, e.received, columns[0], columns[1], e.pk)
	} else {
		err = w.exec(`INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			e.pk, e.id[:], e.kind, e.session, e.seq, rank, at, e.received, columns[0], columns[1])
	}
	if err != nil {
		return err
	}
	return w.adopt(columns, e.columns)
}

// saveSession writes the row of a session: what it and all that is part of it come to.
func (w *writer) saveSession(e *entry, own *record.Own, t *record.Totals, rootless bool) error {
	parts, err := record.EncodeParts(&e.own, &e.totals)
	if err != nil {
		return err
	}
	var counts *record.Counts
	if e.counted != nil {
		counts = &e.counted.Counts
	}
	row, lastSign := record.SessionRow(own, t, counts, w.prices.Currency())
	m := &row.Measures
	moment := m.Start.Or(row.Received)
	models := ""
	if len(row.Models) > 0 {
		models = "\n" + strings.Join(row.Models, "\n") + "\n"
	}
	var tokens any
	in, ok1 := m.TokensIn.Get()
	out, ok2 := m.TokensOut.Get()
	if ok1 || ok2 {
		tokens = in + out // both are bounded
	}
	sample := sample{
		moment: moment, status: row.Status, duration: m.Duration, firstToken: m.FirstToken,
		in: m.TokensIn, out: m.TokensOut, cost: record.CostUnits(m.Cost), events: row.Events,
		derived: record.ToCostUnits(row.CostDerived), others: amounts(row.OtherCosts), unpriced: len(row.Unpriced) > 0,
	}
	columns := []any{e.pk, e.id[:], w.nextSeq(), moment, lastSign, row.Project, row.Source, row.User, row.Name, models, row.Status,
		row.Error, row.Question, row.Answer, value(m.Start), value(m.End), value(m.Duration), value(m.TokensIn), value(m.TokensOut), tokens,
		value(record.CostUnits(m.Cost)), value(m.FirstToken), value(m.Rating), m.Feedback, row.Received,
		row.Events, row.ModelEvents, row.ToolEvents, row.ChainEvents, row.Errors, row.Bytes, packSample(&sample), parts,
		row.Calls, rootless, m.Backwards, e.counted.encode(), sample.derived, encodeCosts(&row)}
	if w.narrow {
		return w.exec(saveQuery(sessionColumns[:narrowColumns]), columns[:narrowColumns]...)
	}
	return w.exec(saveSessionQuery, columns...)
}

// sessionColumns are those of the table, in its order.
var sessionColumns = strings.Fields(`pk id seq moment last_sign project source user name models status error question answer
	start_time end_time duration tokens_in tokens_out tokens cost first_token rating feedback received
	events model_events tool_events chain_events errors bytes sample parts calls rootless backwards counted derived costs`)

// narrowColumns is how many of them there were before the fourth version.
const narrowColumns = 33

// saveQuery leaves the indexes alone whose columns stay as they are.
func saveQuery(columns []string) string {
	var set []string
	for _, c := range columns[1:] {
		set = append(set, c+" = excluded."+c)
	}
	return `INSERT INTO session (` + strings.Join(columns, ", ") + `) VALUES (?` + strings.Repeat(", ?", len(columns)-1) + `) ON CONFLICT (pk) DO UPDATE SET ` + strings.Join(set, ", ")
}

var saveSessionQuery = saveQuery(sessionColumns)

// value returns what a column holds: null for what is not known.
func value[T any](v honeyhive.Optional[T]) any {
	if n, ok := v.Get(); ok {
		return n
	}
	return nil
}
