package sessiontest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// answer is the code under test: it knows nothing of the pipeline that it runs in.
func answer(ctx context.Context) (err error) {
	ctx, session := sessionspan.StartSession(ctx, "answer", sessionspan.WithInputs(map[string]any{"question": "What is in the context?"}))
	defer session.EndErr(&err)
	_, event := sessionspan.StartEvent(ctx, sessionspan.Tool, "retrieve")
	defer event.EndErr(&err)
	return errors.New("the index is away")
}

// printing stands for the *testing.T of a test function.
type printing struct {
	testing.TB
	cleanups []func()
}

func (*printing) Helper()                      {}
func (t *printing) Cleanup(f func())           { t.cleanups = append(t.cleanups, f) }
func (*printing) Error(args ...any)            { fmt.Println(args...) }
func (*printing) Errorf(f string, args ...any) { fmt.Printf(f+"\n", args...) }
func (*printing) Fatalf(f string, args ...any) { panic(fmt.Sprintf(f, args...)) }
func (t *printing) end() {
	for _, f := range t.cleanups {
		f()
	}
}

func Example() {
	t := new(printing) // of func TestAnswer(t *testing.T)
	defer t.end()

	p := sessiontest.New(t)
	if err := answer(p.Context(context.Background())); err == nil {
		t.Error("no error")
	}
	got := p.Session("answer")
	got.AssertTree(`
		session answer
		  tool retrieve
	`)
	got.AssertInputs(`{"question": "What is in the context?"}`)
	if text := got.Event("retrieve").Error.Or(""); text != "the index is away" {
		t.Errorf("the event failed with %q", text)
	}
	fmt.Print(got.Tree())
	// Output:
	// session answer
	//   tool retrieve
}

// A report of the library fails the test unless the test expects it.
func ExamplePipeline_ExpectReport() {
	t := new(printing) // of a test function
	defer t.end()

	p := sessiontest.New(t)
	p.ExpectReport("StartEvent: WithSessionID is no option of it")
	ctx, session := p.Tracer.StartSession(context.Background(), "s")
	_, event := sessionspan.StartEvent(ctx, sessionspan.Tool, "e", sessionspan.WithSessionID("conversation 7"))
	event.End()
	session.End(sessionspan.WithEventID("e1"))
	// Output:
	// sessiontest: the library reported, which the test did not expect: sessionspan: Session.End: WithEventID is no option of it, but of StartEvent and of StartTurn: it is ignored
}
