package sessionspan

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// TailSampling says which sessions [WithTailSampling] keeps: those for which one of the
// conditions holds. The zero value of each field keeps nothing by itself.
type TailSampling struct {
	// Errors keeps sessions that failed, or one of whose events did, as far as that is known
	// when they are decided: an error that [Update] says later does not count. Spans of other
	// tracers that are no events, such as requests of an HTTP client that were tried
	// again, do not count.
	Errors bool
	// SlowerThan keeps sessions that took longer, by [WithDuration] or else from the
	// start of the session to its end.
	SlowerThan time.Duration
	// BadFeedback keeps sessions for which it returns true of the feedback that was set
	// on the session or one of its events, or given by [Update], before the session was
	// decided; see [NegativeRating]. BadFeedback is not called where there is none. It is
	// called on the goroutine that ends the event or updates it, must be fast and safe for
	// concurrent use, and keeps the session where it panics, which is reported.
	BadFeedback func(feedback honeyhive.Object) bool
	// Share is how many of all sessions are kept whatever becomes of them, from 0 to 1. It
	// is decided by a hash of the session's id, so that all processes which use the same
	// share agree.
	Share float64
	// MaxBytes bounds the records in memory whose session is undecided, in bytes, once for
	// all destinations and beside their Limits.QueueBytes; 0 stands for 64 MiB. Beyond
	// it the sessions that have waited longest are kept, which is reported at most once a
	// minute, and counted by [Tracer.KeptEarly].
	MaxBytes int64
}

// defaultTailBytes is TailSampling.MaxBytes where that is zero.
const defaultTailBytes = 64 << 20

// WithTailSampling keeps the sessions for which a condition holds, such as those with
// errors, and leaves the others out: each of them whole, or not at all, in every
// destination. The default keeps all sessions. Of several of these options the last
// counts. A share that is not from 0 to 1, a negative field, and conditions that keep
// nothing are errors of [New].
//
// A session is decided when it ends, or as soon as it is certain that it is kept: one in
// the share when it starts, one with an error when the event with the error ends. Until
// then what is recorded of it waits in memory, once for all destinations. No session is
// announced to a server before it is kept, so that [exporter.WithLiveSessions] shows the
// sessions of the share while they run, and others from when they are certain. Records
// that wait count in [Tracer.Stats] as Undecided; those of sessions that were left out as
// dropped, with the reason "sampled_out".
//
// What comes after the decision follows it: events that end or start later, changes, and
// feedback, which does not bring a session back. [Tracer.Update] then returns
// [ErrSampledOut]. At least the last 65,536 sessions, and as many events of those that were
// left out, are remembered for that. What belongs to an older one is taken for a session of
// another process: its events are judged by themselves, and its updates are sent, which a
// server refuses that does not know the session. An id that is started again after its
// session was left out is a new session, which may be kept; one that was kept is kept.
//
// A session that never ends is kept. Those that run when the tracer shuts down are sent as
// incomplete, and so are those of a process that is killed, by the next one, where there
// is a spool ([WithSpool]); without one they are lost like all that waits in memory. One
// that [WithOpenSpans] forgets, or for which there is no more memory, is kept by what there
// is of it. [Tracer.ForceFlush] does not wait for what is undecided, and announces none of
// it; where it returns nil, all is delivered that was decided.
//
// Where several services share a session, each decides of what it records by itself.
// The process that started the session knows how it ends. Another one ([ContinueSession],
// [Handler]) knows its own part: what it records from when the first of its events starts
// until none of that session runs there any more. It keeps the part if the session is in
// the share, on which all agree, or if one of the other conditions holds for the part, for
// which SlowerThan takes the time from its first start to its last end. A turn
// ([StartTurn]) is decided like a session, by itself. A session of which a part or a turn
// was kept is kept there from then on. So a session that is kept for its outcome may
// lack parts in which nothing happened, and parts may be kept of a session that was left
// out. Where sessions must be whole in all services, use the share alone, or this option
// in none but the one that starts them. The same holds for spans that name a session by
// their attributes alone: they are a part until the topmost span of their trace that runs
// in this process ends.
//
// Head sampling goes first: a session that [SessionSampler], or the sampler of the
// provider, has dropped is not recorded, whatever its outcome, and spans that are recorded
// and not sampled (RecordOnly) are no part of it. Of the sessions that a SessionSampler
// takes, the share is that share.
//
// Spans of a session go to collectors and wrapped exporters with it, also those that are no
// events. Spans outside of any session, such as that of the request above it, go there as
// ever; a trace without its session is what is left. The option has no say in what does not
// pass this tracer: other processors and exporters on a provider of the user's see all
// spans, and so does another tracer on it. Nor has it in sessions that another tracer
// delivers.
//
// Where a queue has no room for a session that is kept, the end of the session waits for it
// as the end of any span does, and the session is then dropped whole in that destination
// ("queue_full"), unless it is larger than the queue.
func WithTailSampling(s TailSampling) Option {
	return optionFunc(func(c *config) {
		for _, err := range s.check() {
			c.problems = append(c.problems, fmt.Errorf("WithTailSampling: %w", err))
		}
		c.tail = &s
	})
}

// check returns what is wrong with the conditions.
func (s *TailSampling) check() (errs []error) {
	if !(s.Share >= 0 && s.Share <= 1) { // nor NaN
		errs = append(errs, fmt.Errorf("TailSampling.Share is %v, which is not from 0 to 1", s.Share))
	}
	if s.SlowerThan < 0 {
		errs = append(errs, errors.New("TailSampling.SlowerThan is negative"))
	}
	if s.MaxBytes < 0 {
		errs = append(errs, errors.New("TailSampling.MaxBytes is negative"))
	}
	if len(errs) == 0 && !s.Errors && s.SlowerThan == 0 && s.BadFeedback == nil && s.Share == 0 {
		errs = append(errs, errors.New("no session would be kept: set Errors, SlowerThan, BadFeedback or Share of TailSampling"))
	}
	return errs
}

// ErrSampledOut says that a session or event cannot be changed since [WithTailSampling]
// has left its session out.
var ErrSampledOut = errors.New("its session was left out by tail sampling")

// NegativeRating is a condition for TailSampling.BadFeedback: the feedback has a rating
// that is a number below zero, or false. The page of the local server writes -1 for what
// was not liked.
func NegativeRating(feedback honeyhive.Object) bool {
	rating, _ := feedback.Get("rating")
	number, _ := strconv.ParseFloat(string(rating), 64) // 0 for what is none
	return number < 0 || string(rating) == "false"
}

// KeptEarly returns how many sessions [WithTailSampling] kept before it was known how they
// end: since more than TailSampling.MaxBytes were undecided, or since [WithOpenSpans]
// forgot them.
func (t *Tracer) KeptEarly() int64 {
	if t == nil || t.tail == nil {
		return 0
	}
	return t.tail.sampler.KeptEarly()
}
