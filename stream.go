package sessionspan

import (
	"context"
	"errors"
	"io"
	"iter"
	"strconv"
	"sync"
	"time"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/internal/genai"
)

// MarkFirstToken says that the first part of the answer is there: how long that took
// since the start of the event is metadata.time_to_first_chunk_ms, in milliseconds,
// and gen_ai.response.time_to_first_chunk on the span, in seconds. The first call
// counts, and none after End. [Stream] calls it for streams that are sequences.
func (e *Event) MarkFirstToken() { e.recording().markFirst(time.Now()) }

func (r *recording) markFirst(at time.Time) {
	if !r.noted() || r.sdk == nil && !r.measured() {
		return
	}
	took := at.Sub(r.startTime())
	if took < 0 || !r.fields.SetOnce(genai.ResponseFirstChunk.Float64(took.Seconds())) {
		return
	}
	var o objectWriter
	o.number("time_to_first_chunk_ms", convert.Milliseconds(took))
	r.setBytes(convert.Metadata, o.bytes())
}

// Stream returns a sequence of what seq yields, in the same order and at once, which
// records on the event what package llmhttp records of streams that it sees, and ends
// the event with the stream:
//
//   - when the first piece came (see [Event.MarkFirstToken]), and metadata.chunks, how
//     many did; nothing of the pieces is kept;
//   - metadata.tokens_per_second, where the output tokens are known at the end;
//   - the last error that seq yielded, as [Event.RecordError] does; [io.EOF] is the
//     end and no error;
//   - metadata.stream_end, "closed", where the consumer stopped before the end;
//   - a panic of seq or of the consumer, which goes on.
//
// A stream whose context, that of StartEvent, ends before it does is over for the
// event, with the error of the context: also one that nobody consumes, or not to the
// end. Without a context that ends, an event whose stream is never consumed runs until
// somebody calls its End.
//
// What is said of the whole answer must be set before the event ends: in seq, behind
// its last piece, or by the consumer within the loop. What is set later is delivered
// as an update.
//
//	func chat(ctx context.Context, question string) iter.Seq2[string, error] {
//		ctx, event := sessionspan.StartEvent(ctx, sessionspan.Model, "chat")
//		return sessionspan.Stream(event, func(yield func(string, error) bool) {
//			var reply strings.Builder
//			defer func() { event.SetReply(sessionspan.Message{Role: "assistant", Content: reply.String()}) }()
//			for piece, err := range client.Chat(ctx, question) {
//				reply.WriteString(piece)
//				if !yield(piece, err) {
//					return
//				}
//			}
//		})
//	}
//
// The first consumption is recorded; another one, and every one of a nil event, of one
// that does not record and of one that has ended, is that of seq itself. A nil seq
// yields nothing, and is an error of the event.
func Stream[T any](e *Event, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	s := e.recording().stream()
	if seq == nil {
		seq = func(func(T, error) bool) {}
		s.fail(errNoSequence)
	}
	if s == nil {
		return seq
	}
	return func(yield func(T, error) bool) {
		if !s.begin() {
			seq(yield)
			return
		}
		defer s.finish()
		seq(func(piece T, err error) bool {
			s.take(err)
			s.consumed = false
			s.consumed = yield(piece, err)
			return s.consumed
		})
		s.returned = true
	}
}

// stream is what is known of a stream of an event.
type stream struct {
	rec    *recording
	cancel func() bool // of what waits for the end of the context

	// Of the goroutine that consumes the stream.
	returned bool // the sequence has
	consumed bool // the consumer took the last piece and wants more

	mu            sync.Mutex
	begun, over   bool
	complete      bool // the sequence said so by io.EOF
	pieces        int64
	first, newest time.Time
	err           error
}

// stream returns the state of a stream, nil where nothing is recorded.
func (r *recording) stream() *stream {
	if !r.spanned() && !r.measured() || r.fields.Frozen() {
		return nil
	}
	s := &stream{rec: r, consumed: true}
	r.attributes(genai.RequestStream.Bool(true))
	if ctx := r.inside.Context; ctx != nil && ctx.Done() != nil {
		s.cancel = context.AfterFunc(ctx, func() { s.fail(ctx.Err()) })
	}
	return s
}

// begin reports whether this consumption is the one that is recorded.
func (s *stream) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun || s.over {
		return false
	}
	s.begun = true
	return true
}

// take counts a piece, or notes an error.
func (s *stream) take(err error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
	case err == io.EOF: //nolint:errorlint // wrapped, it is the error of something else
		s.complete = true
	case err != nil:
		s.err = err
	default:
		if s.pieces++; s.pieces == 1 {
			s.first = now
			s.rec.markFirst(now)
		}
		s.newest = now
	}
}

// fail ends the stream with an error, unless it has one.
func (s *stream) fail(err error) {
	if s == nil {
		return
	}
	s.mu.Lock()
	if !s.over && s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	s.end(true, nil)
}

// finish ends the stream when its consumption does, however that is.
func (s *stream) finish() {
	v := recover()
	s.end(s.consumed, func() {
		if v != nil {
			s.rec.panicked(v)
		} else if s.consumed { // else it is the consumer that has not returned
			s.rec.exited(&s.returned)
		}
	})
	if v != nil {
		panic(v)
	}
}

// end records what is known and ends the event, the first time that it is called.
// wanted says that the consumer did not stop by itself, failed records why the
// consumption did not return.
func (s *stream) end(wanted bool, failed func()) {
	s.mu.Lock()
	over := s.over
	s.over = true // so that nothing of the stream changes any more
	s.mu.Unlock()
	r := s.rec
	if over || r.fields.Frozen() {
		return
	}
	if s.cancel != nil {
		s.cancel()
	}
	var o objectWriter
	o.key("chunks")
	o.b = strconv.AppendInt(o.b, s.pieces, 10)
	if wrote := s.newest.Sub(s.first); wrote > 0 {
		if n, ok := r.fields.OutputTokens(); ok && n > 0 {
			o.number("tokens_per_second", float64(n)/wrote.Seconds())
		}
	}
	if !wanted && s.err == nil && !s.complete {
		o.text("stream_end", "closed")
	}
	r.setBytes(convert.Metadata, o.bytes())
	r.recordError(s.err)
	if failed != nil {
		failed()
	}
	r.end(nil)
}

// errNoSequence is the error of an event whose stream is nil.
var errNoSequence = errors.New("the sequence of the stream is nil")
