package sessionspan_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// pieces yields texts, one each 100 ms, and then an error, if there is one.
func pieces(err error, texts ...string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, text := range texts {
			time.Sleep(100 * time.Millisecond)
			if !yield(text, nil) {
				return
			}
		}
		if err != nil {
			yield("", err)
		}
	}
}

// consume reads a stream to its end or its first error.
func consume(stream iter.Seq2[string, error]) (got []string, err error) {
	for piece, err := range stream {
		if err != nil {
			return got, err
		}
		got = append(got, piece)
	}
	return got, nil
}

// TestStream consumes streams in every way that they end in: the event says what
// llmhttp says of such a stream, and ends with it.
func TestStream(t *testing.T) {
	away := errors.New("the model is away")
	for name, tc := range map[string]struct {
		seq      iter.Seq2[string, error]
		use      func(t *testing.T, e *sessionspan.Event, s iter.Seq2[string, error], cancel func())
		metadata string // but for the operation
		err      string
		took     time.Duration
	}{
		"to the end": {
			seq:      pieces(nil, "a", "b", "c"),
			metadata: `{"chunks":3,"time_to_first_chunk_ms":100}`, took: 300 * time.Millisecond,
		},
		"usage": {
			seq: pieces(nil, "a", "b", "c"),
			use: func(_ *testing.T, e *sessionspan.Event, s iter.Seq2[string, error], _ func()) {
				for _, err := range s {
					_ = err
					e.SetUsage(sessionspan.Usage{OutputTokens: 10})
				}
			},
			metadata: `{"chunks":3,"completion_tokens":10,"time_to_first_chunk_ms":100,"tokens_per_second":50}`, took: 300 * time.Millisecond,
		},
		"one piece": {
			seq:      pieces(nil, "a"),
			metadata: `{"chunks":1,"time_to_first_chunk_ms":100}`, took: 100 * time.Millisecond,
		},
		"nothing": {seq: pieces(nil), metadata: `{"chunks":0}`},
		"error": {
			seq:      pieces(away, "a"),
			metadata: `{"chunks":1,"error_type":"*errors.errorString","time_to_first_chunk_ms":100}`, err: away.Error(), took: 100 * time.Millisecond,
		},
		"error at once": {seq: pieces(away), metadata: `{"chunks":0,"error_type":"*errors.errorString"}`, err: away.Error()},
		"errors that are read on": {
			seq: func(yield func(string, error) bool) {
				_ = yield("", errors.New("first")) && yield("a", nil) && yield("", fmt.Errorf("then: %w", io.ErrUnexpectedEOF))
			},
			use: func(_ *testing.T, _ *sessionspan.Event, s iter.Seq2[string, error], _ func()) {
				for _, err := range s {
					_ = err // read on
				}
			},
			metadata: `{"chunks":1,"error_type":"unexpected_eof","time_to_first_chunk_ms":0}`, err: "then: unexpected EOF",
		},
		"EOF": {seq: pieces(io.EOF, "a"), metadata: `{"chunks":1,"time_to_first_chunk_ms":100}`, took: 100 * time.Millisecond},
		"early break": {
			seq: pieces(away, "a", "b", "c"),
			use: func(_ *testing.T, _ *sessionspan.Event, s iter.Seq2[string, error], _ func()) {
				for piece, err := range s {
					_ = err
					if piece == "b" {
						break
					}
				}
			},
			metadata: `{"chunks":2,"stream_end":"closed","time_to_first_chunk_ms":100}`, took: 200 * time.Millisecond,
		},
		"pulled and stopped": {
			seq: pieces(nil, "a", "b"),
			use: func(_ *testing.T, _ *sessionspan.Event, s iter.Seq2[string, error], _ func()) {
				next, stop := iter.Pull2(s)
				_, _, _ = next()
				stop()
			},
			metadata: `{"chunks":1,"stream_end":"closed","time_to_first_chunk_ms":100}`, took: 100 * time.Millisecond,
		},
		"panic of the consumer": {
			seq: pieces(nil, "a", "b"),
			use: func(t *testing.T, _ *sessionspan.Event, s iter.Seq2[string, error], _ func()) {
				defer func() {
					if v := recover(); v != "of the consumer" {
						t.Errorf("recovered %v", v)
					}
				}()
				for _, err := range s {
					_ = err
					panic("of the consumer")
				}
			},
			metadata: `{"chunks":1,"error_type":"panic","stream_end":"closed","time_to_first_chunk_ms":100}`, err: "panic: of the consumer", took: 100 * time.Millisecond,
		},
		"panic of the sequence": {
			seq: func(yield func(string, error) bool) { yield("a", nil); panic(away) },
			use: func(t *testing.T, _ *sessionspan.Event, s iter.Seq2[string, error], _ func()) {
				defer func() {
					if v := recover(); v != any(away) {
						t.Errorf("recovered %v", v)
					}
				}()
				_, _ = consume(s)
			},
			metadata: `{"chunks":1,"error_type":"panic","time_to_first_chunk_ms":0}`, err: "panic: the model is away",
		},
		"Goexit of the consumer": {
			seq: pieces(nil, "a", "b"),
			use: func(_ *testing.T, _ *sessionspan.Event, s iter.Seq2[string, error], _ func()) {
				var wg sync.WaitGroup
				wg.Go(func() {
					for _, err := range s {
						_ = err
						runtime.Goexit()
					}
				})
				wg.Wait()
			},
			metadata: `{"chunks":1,"stream_end":"closed","time_to_first_chunk_ms":100}`, took: 100 * time.Millisecond,
		},
		"Goexit of the sequence": {
			seq: func(yield func(string, error) bool) { yield("a", nil); runtime.Goexit() },
			use: func(_ *testing.T, _ *sessionspan.Event, s iter.Seq2[string, error], _ func()) {
				var wg sync.WaitGroup
				wg.Go(func() { _, _ = consume(s) })
				wg.Wait()
			},
			metadata: `{"chunks":1,"time_to_first_chunk_ms":0}`, err: "the function ended its goroutine: runtime.Goexit",
		},
		"never consumed": {
			seq: pieces(nil, "a"),
			use: func(_ *testing.T, _ *sessionspan.Event, _ iter.Seq2[string, error], cancel func()) {
				time.Sleep(time.Second)
				cancel()
				synctest.Wait()
			},
			metadata: `{"chunks":0,"error_type":"canceled"}`, err: "context canceled", took: time.Second,
		},
		"consumed too late": {
			seq: pieces(nil, "a"),
			use: func(t *testing.T, _ *sessionspan.Event, s iter.Seq2[string, error], cancel func()) {
				cancel()
				synctest.Wait()
				if got, err := consume(s); len(got) != 1 || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			},
			metadata: `{"chunks":0,"error_type":"canceled"}`, err: "context canceled",
		},
		"cancelled and left": {
			seq: pieces(nil, "a", "b"),
			use: func(t *testing.T, _ *sessionspan.Event, s iter.Seq2[string, error], cancel func()) {
				next, stop := iter.Pull2(s)
				t.Cleanup(stop)
				_, _, _ = next()
				cancel()
				synctest.Wait()
			},
			metadata: `{"chunks":1,"error_type":"canceled","time_to_first_chunk_ms":100}`, err: "context canceled", took: 100 * time.Millisecond,
		},
		"consumed twice": {
			seq: pieces(nil, "a", "b"),
			use: func(t *testing.T, _ *sessionspan.Event, s iter.Seq2[string, error], _ func()) {
				for range 2 {
					if got, err := consume(s); !slices.Equal(got, []string{"a", "b"}) || err != nil {
						t.Errorf("%q, %v", got, err)
					}
				}
			},
			metadata: `{"chunks":2,"time_to_first_chunk_ms":100}`, took: 200 * time.Millisecond,
		},
		"marked before": {
			seq: pieces(nil, "a", "b"),
			use: func(_ *testing.T, e *sessionspan.Event, s iter.Seq2[string, error], _ func()) {
				time.Sleep(25 * time.Millisecond)
				e.MarkFirstToken()
				e.MarkFirstToken()
				_, _ = consume(s)
				e.MarkFirstToken()
			},
			metadata: `{"chunks":2,"time_to_first_chunk_ms":25}`, took: 225 * time.Millisecond,
		},
		"ended within": {
			seq: pieces(nil, "a", "b"),
			use: func(_ *testing.T, e *sessionspan.Event, s iter.Seq2[string, error], _ func()) {
				for _, err := range s {
					_ = err
					e.End()
				}
			},
			metadata: `{"time_to_first_chunk_ms":100}`, took: 100 * time.Millisecond,
		},
		"nil": {metadata: `{"chunks":0,"error_type":"*errors.errorString"}`, err: "the sequence of the stream is nil"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := sessiontest.New(t)
				ctx, s := p.Tracer.StartSession(t.Context(), "s")
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e")
				stream := sessionspan.Stream(e, tc.seq)
				if tc.use == nil {
					got, err := consume(stream)
					want, wantErr := []string(nil), error(nil)
					if tc.seq != nil {
						want, wantErr = consume(tc.seq)
					}
					if !slices.Equal(got, want) || !errors.Is(err, wantErr) {
						t.Errorf("%q, %v, want %q, %v", got, err, want, wantErr)
					}
				} else {
					tc.use(t, e, stream, cancel)
				}
				s.End()
				got := p.Session("s").Event("e")
				metadata := got.Metadata.Without("operation_name").Without("exception")
				keys := []string{}
				for key, v := range metadata.All() {
					keys = append(keys, fmt.Sprintf("%q:%s", key, v))
				}
				slices.Sort(keys)
				if text := "{" + strings.Join(keys, ",") + "}"; text != tc.metadata {
					t.Errorf("metadata %s, want %s", text, tc.metadata)
				}
				if got.Error.Or("") != tc.err || got.Duration.Or(-1) != float64(tc.took.Milliseconds()) || got.Config.String() != `{"stream":true}` {
					t.Errorf("error %q, want %q; %v ms, want %v; config %s", got.Error.Or(""), tc.err, got.Duration, tc.took, got.Config)
				}
			})
		})
	}
}

// TestStreamUnrecorded gives streams of events that record nothing: they are the
// sequence itself.
func TestStreamUnrecorded(t *testing.T) {
	_, nowhere := new(sessionspan.Tracer).StartEvent(t.Context(), sessionspan.Model, "e")
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	_, ended := sessionspan.StartEvent(ctx, sessionspan.Model, "ended")
	ended.End()
	s.End()
	synctest.Test(t, func(t *testing.T) {
		for name, e := range map[string]*sessionspan.Event{"nil": nil, "zero": {}, "no tracer": nowhere, "ended": ended} {
			e.MarkFirstToken()
			got, err := consume(sessionspan.Stream(e, pieces(io.ErrClosedPipe, "a", "b")))
			if !slices.Equal(got, []string{"a", "b"}) || !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%s: %q, %v", name, got, err)
			}
			if got, err := consume(sessionspan.Stream[string](e, nil)); got != nil || err != nil {
				t.Errorf("%s, nil: %q, %v", name, got, err)
			}
		}
	})
	if e := p.Session("s").Event("ended"); !e.Metadata.Without("operation_name").IsEmpty() || e.Error.Or("") != "" {
		t.Errorf("an event that had ended says %s", e.Metadata)
	}
}

// TestStreamChangesNothing compares what a consumer gets of any sequence, with and
// without Stream, wherever it stops, and holds the number of pieces to it.
func TestStreamChangesNothing(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	testing, events := t, map[string]*sessiontest.Event{}
	var checks []func()
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.IntRange(-1, 3), 0, 20).Draw(t, "pieces")
		stopAt := rapid.IntRange(0, 25).Draw(t, "stop at")
		seq := func(yield func(int, error) bool) {
			for i, v := range list {
				err := error(nil)
				if v < 0 {
					err = fmt.Errorf("error %d", i)
				}
				if !yield(v, err) {
					return
				}
			}
		}
		read := func(s iter.Seq2[int, error]) (got []string) {
			for v, err := range s {
				got = append(got, fmt.Sprint(v, err))
				if len(got) == stopAt {
					break
				}
			}
			return got
		}
		name := fmt.Sprint(len(checks))
		_, e := sessionspan.StartEvent(ctx, sessionspan.Model, name)
		want, got := read(seq), read(sessionspan.Stream(e, seq))
		if !slices.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
		chunks := 0
		for _, v := range list[:len(want)] {
			if v >= 0 {
				chunks++
			}
		}
		failed := chunks < len(want)
		closed := !failed && stopAt > 0 && stopAt <= len(list)
		checks = append(checks, func() {
			metadata := events[name].Metadata
			if in(metadata, "chunks") != fmt.Sprint(chunks) || metadata.Has("stream_end") != closed || metadata.Has("error_type") != failed {
				testing.Errorf("%v, stopped at %d: %d pieces, closed %v, failed %v: %s", list, stopAt, chunks, closed, failed, metadata)
			}
		})
	})
	s.End()
	for _, e := range p.Session("s").Events {
		events[e.EventName.Or("")] = e
	}
	for _, check := range checks {
		check()
	}
}
