package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// submit hands a request over and waits for its result.
func (s *Store) submit(ctx context.Context, r *request) error {
	r.result = make(chan error, 1)
	if err := s.usable(ctx); err != nil {
		return err
	}
	select {
	case s.w.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closed:
		return store.ErrClosed
	}
	select {
	case err := <-r.result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// usable says why nothing can be asked any more.
func (s *Store) usable(ctx context.Context) error {
	select {
	case <-s.closed:
		return store.ErrClosed
	default:
		return ctx.Err()
	}
}

// Write implements [store.Store].
func (s *Store) Write(ctx context.Context, batch []store.Write) error {
	if err := s.write(ctx, batch); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

func (s *Store) write(ctx context.Context, batch []store.Write) error {
	writes := make([]record.Incoming, len(batch))
	var refused []store.WriteError
	now := s.now()
	for i := range batch {
		var err error
		if writes[i], err = record.Read(&batch[i], now); err != nil {
			refused = append(refused, store.WriteError{Index: i, Err: err})
		}
	}
	if len(refused) > 0 {
		return &store.BatchError{Writes: refused}
	}
	if len(batch) == 0 {
		return s.usable(ctx)
	}
	order := together(writes)
	if order == nil {
		return s.parts(ctx, writes)
	}
	ordered := make([]record.Incoming, len(writes))
	for i, from := range order {
		ordered[i] = writes[from]
	}
	err := s.parts(ctx, ordered)
	if batch, ok := errors.AsType[*store.BatchError](err); ok {
		for i := range batch.Writes {
			batch.Writes[i].Index = order[batch.Writes[i].Index]
		}
		slices.SortFunc(batch.Writes, func(a, b store.WriteError) int { return cmp.Compare(a.Index, b.Index) })
	}
	return err
}

// parts writes a batch, in as many parts as it takes.
func (s *Store) parts(ctx context.Context, writes []record.Incoming) error {
	end := partOf(writes)
	if end < len(writes) {
		// What is wrong with a later part must be known before the first is written.
		if err := s.foresee(ctx, writes); err != nil {
			return err
		}
	}
	var refused []store.WriteError
	for done := 0; done < len(writes); {
		end = done + partOf(writes[done:])
		err := s.part(ctx, writes[done:end])
		if batch, ok := errors.AsType[*store.BatchError](err); ok {
			for _, w := range batch.Writes {
				refused = append(refused, store.WriteError{Index: done + w.Index, Err: w.Err})
			}
		} else if err != nil {
			return err
		}
		done = end
	}
	if len(refused) > 0 {
		return &store.BatchError{Writes: refused}
	}
	return nil
}

// partOf returns how many of the writes go into one transaction. Those of one record
// that stand together are not divided, where that can be.
func partOf(writes []record.Incoming) int {
	n, bytes, first := 0, 0, 0
	for n < len(writes) && n < stepWrites {
		if bytes += len(writes[n].Layer.Text); n > 0 && bytes > stepBytes {
			break
		}
		if n > 0 && !sameRecord(&writes[n-1], &writes[n]) {
			first = n
		}
		n++
	}
	if first > 0 && n < len(writes) && sameRecord(&writes[n-1], &writes[n]) {
		return first
	}
	return n
}

// part writes a part of a batch in one transaction. Where that turns out to be too
// much, since the records that it changes are large, it writes two halves, until what
// is left is of one record.
func (s *Store) part(ctx context.Context, writes []record.Incoming) error {
	if len(writes) == 1 && len(writes[0].Layer.Text) > partBytes {
		return s.writeLarge(ctx, writes)
	}
	r := &request{writes: writes}
	for i := range writes {
		r.bytes += len(writes[i].Layer.Text)
	}
	err := s.submit(ctx, r)
	if !errors.Is(err, errStep) {
		return err
	}
	at := middle(writes)
	if at == 0 {
		return s.writeLarge(ctx, writes)
	}
	return inTwo(writes, at, func(half []record.Incoming) error { return s.part(ctx, half) })
}

// middle returns where to divide writes, so that those of one record stay together, or
// 0 where all are.
func middle(writes []record.Incoming) (at int) {
	for i := 1; i < len(writes) && (at == 0 || i <= len(writes)/2); i++ {
		if !sameRecord(&writes[i-1], &writes[i]) {
			at = i
		}
	}
	return at
}

// inTwo writes the writes before an index, and then the others, and returns what is
// wrong with any of them. An error of another kind ends it.
func inTwo(writes []record.Incoming, at int, write func([]record.Incoming) error) error {
	var refused []store.WriteError
	for _, half := range [...]struct{ from, to int }{{0, at}, {at, len(writes)}} {
		err := write(writes[half.from:half.to])
		batch, ok := errors.AsType[*store.BatchError](err)
		if err != nil && !ok {
			return err
		}
		if ok {
			for _, w := range batch.Writes {
				refused = append(refused, store.WriteError{Index: half.from + w.Index, Err: w.Err})
			}
		}
	}
	if len(refused) > 0 {
		return &store.BatchError{Writes: refused}
	}
	return nil
}

// foresee returns what is wrong with the writes of a batch, as far as can be told
// before they are written.
func (s *Store) foresee(ctx context.Context, writes []record.Incoming) error {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return err
	}
	defer done()
	kindOf, err := s.read.PrepareContext(ctx, `SELECT kind FROM record WHERE id = ? AND NOT (kind = 2 AND session IN (SELECT session FROM doomed))`)
	if err != nil {
		return err
	}
	defer func() { _ = kindOf.Close() }()
	problems, err := check(writes, func(id honeyhive.UUID) (kind record.Kind, err error) {
		if err := kindOf.QueryRowContext(ctx, id[:]).Scan(&kind); !errors.Is(err, sql.ErrNoRows) {
			return kind, err
		}
		return record.Unknown, nil
	}, func(id honeyhive.UUID) (is bool, err error) {
		err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM home WHERE origin = ?)`, id[:]).Scan(&is)
		return is, err
	})
	if err == nil && len(problems) > 0 {
		err = &store.BatchError{Writes: problems}
	}
	return err
}
