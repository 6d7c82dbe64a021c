package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// What events and sessions cost by prices stands in their rows, where lists, orders and
// sums find it, and nowhere else. The file holds the table of prices that this is of;
// where the store is opened with another, the sessions with tokens or costs are stale, and
// are counted anew in the background (count.go).

// An Option is something that a store is opened with.
type Option func(*options)

type options struct {
	prices *prices.Table
	priced bool // WithPrices was given
}

// WithPrices derives what events cost that say their tokens and not their cost: see the
// documentation of package store. With nil nothing is derived. The file remembers the
// table: without this option it is the one that the file was opened with last, and at
// first none. With another one the costs of all sessions are computed anew, in the
// background, and the store answers meanwhile (see [store.Info.Stale]).
func WithPrices(table *prices.Table) Option {
	return func(o *options) { o.prices, o.priced = table, true }
}

// pricesRule is the version of how costs are derived, and stands before the text of the
// table in the file.
const pricesRule = "rule 2: "

// findPrices finds the table of prices, and makes sessions stale that were counted with
// another one, or by another rule.
func (w *writer) findPrices(ctx context.Context, o options) error {
	var was string
	if err := w.conn.QueryRowContext(ctx, `SELECT ifnull((SELECT value FROM meta WHERE key = 'prices'), '')`).Scan(&was); err != nil {
		return err
	}
	w.prices = o.prices
	if _, text, ok := strings.Cut(was, ": "); !o.priced && ok && text != "" {
		table, err := prices.Parse([]byte(text))
		if err != nil {
			return fmt.Errorf("prices: %w", errors.Join(err, store.ErrNewerSchema)) // this one has written none that it cannot read
		}
		w.prices = table
	}
	now := pricesRule + w.prices.Text()
	if was == now {
		return nil
	}
	return w.transaction(func(w *writer) error {
		return errors.Join(
			w.exec(`INSERT OR IGNORE INTO stale SELECT pk FROM session WHERE tokens IS NOT NULL OR cost IS NOT NULL OR costs IS NOT NULL`),
			w.exec(`INSERT INTO meta VALUES ('prices', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, now))
	})
}

// costs is the form of what few sessions have.
type costs struct {
	Others   []record.Amount `json:",omitempty"`
	Unpriced []string        `json:",omitempty"`
}

func amounts(list []store.Cost) (out []record.Amount) {
	for _, c := range list {
		out = append(out, record.Amount{Currency: c.Currency, Units: record.ToCostUnits(c.Amount), Derived: record.ToCostUnits(c.Derived)})
	}
	return out
}

// encodeCosts writes what few sessions have, or returns nil.
func encodeCosts(row *store.SessionRow) []byte {
	c := costs{amounts(row.OtherCosts), row.Unpriced}
	if len(c.Others) == 0 && len(c.Unpriced) == 0 {
		return nil
	}
	b, _ := json.Marshal(c) //nolint:musttag // nothing else reads it, and nothing of it cannot be written
	return b
}

// decodeCosts fills in what encodeCosts wrote.
func decodeCosts(b []byte, row *store.SessionRow) error {
	if b == nil {
		return nil
	}
	var c costs
	if err := json.Unmarshal(b, &c); err != nil { //nolint:musttag // nothing else writes it
		return fmt.Errorf("costs of a session: %w", errors.Join(err, store.ErrCorrupt))
	}
	row.OtherCosts, row.Unpriced = fromAmounts(c.Others), c.Unpriced
	return nil
}

func fromAmounts(list []record.Amount) (out []store.Cost) {
	for _, a := range list {
		out = append(out, store.Cost{Currency: a.Currency, Amount: record.FromCostUnits(a.Units), Derived: record.FromCostUnits(a.Derived)})
	}
	return out
}

// billed reads the row of an event of an earlier version anew, from its payload.
func billed(ctx context.Context, q querier, r *store.EventRow) error {
	rows, err := q.QueryContext(ctx, `SELECT payload FROM record WHERE id = ? AND kind = 2`, r.ID[:])
	if err != nil {
		return err
	}
	var column []byte
	err = each(rows, func(row scanner) error { return row.Scan(&column) })
	if err != nil {
		return err
	}
	payload, err := text(ctx, q, column)
	if err != nil {
		return err
	}
	e := honeyhive.Event{}
	for field, value := range honeyhive.Value(payload).Members() { // few of which are asked for
		switch field {
		case "metadata":
			e.Metadata = value.Object()
		case "metrics":
			e.Metrics = value.Object()
		case "config":
			e.Config = value.Object()
		}
	}
	is := record.EventRow(&e)
	r.Currency, r.Provider, r.ResponseModel, r.ServiceTier, r.Billed = is.Currency, is.Provider, is.ResponseModel, is.ServiceTier, is.Billed
	return nil
}
