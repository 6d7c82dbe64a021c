package redact

import (
	"sync/atomic"
	"time"
)

// Kind says what a value is that a [Func] looks at.
type Kind int

const (
	// Text is a string, or an error, a name of a span and the like.
	Text Kind = iota
	// Number is a number, as JSON has it.
	Number
	// Key is the name of a member of an object, or of an attribute.
	Key
)

// A Value is what a [Func] looks at.
type Value struct {
	Kind Kind
	// Path is where the value stands: the name of a field or an attribute, with a
	// dotted path inside JSON (inputs.chat_history.0.content). That of a key ends with
	// the key.
	Path string
	Text string
}

// A Func returns what may stand in place of a value: the text of it as it is, or
// another, which is a text also where the value was a number. A string that holds JSON,
// inside other JSON, is shown as a whole and then each value in it; what stands in
// base64 or behind escapes is shown as it stands.
//
// A Func may be called for the same value more than once and by many goroutines.
// Where it panics, the value is masked.
type Func func(v Value) string

// failed is the label of what could not be redacted, and so is masked.
const failed = "failed"

type function struct {
	call    Func
	timeout time.Duration
	hanging atomic.Int32
}

// mostHanging is how many calls of one function may hang.
const mostHanging = 16

// ask returns what a function makes of a value, and false where it fails to.
func (f *function) ask(v Value) (text string, ok bool) {
	if f.timeout == 0 {
		return f.run(v)
	}
	if f.hanging.Load() >= mostHanging {
		return "", false
	}
	type answer struct {
		text string
		ok   bool
	}
	answers := make(chan answer, 1)
	var over atomic.Bool // the call has ended, or was given up
	go func() {
		var a answer
		defer func() { // also where the function ends its goroutine
			answers <- a
			if !over.CompareAndSwap(false, true) {
				f.hanging.Add(-1)
			}
		}()
		a.text, a.ok = f.run(v)
	}()
	timer := time.NewTimer(f.timeout)
	defer timer.Stop()
	select {
	case a := <-answers:
		return a.text, a.ok
	case <-timer.C:
		if over.CompareAndSwap(false, true) {
			f.hanging.Add(1)
		}
		return "", false
	}
}

// run calls the function on this goroutine.
func (f *function) run(v Value) (text string, ok bool) {
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	return f.call(v), true
}

// ask passes a value through the functions.
func (p *Policy) ask(kind Kind, path []byte, text string) (string, bool) {
	if len(p.functions) == 0 || text == "" {
		return text, true
	}
	at := string(path)
	for _, f := range p.functions {
		var ok bool
		if text, ok = f.ask(Value{kind, at, text}); !ok {
			return "", false
		}
	}
	return text, true
}
