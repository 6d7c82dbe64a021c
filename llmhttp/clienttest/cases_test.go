package clienttest

// This file holds what is asked and answered, the same for every client.

const (
	model         = "m-1"
	answeredModel = "m-1-2026"
	system        = "Be brief."
	user          = "How warm is it in Bern?"
	temperature   = 0.5
	maxTokens     = 100
	toolName      = "weather"
	toolText      = "Tells the weather of a city."
	toolSchema    = `{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`
	toolResult    = "21 degrees"
	answerID      = "answer-1"

	inputTokens, outputTokens, cachedTokens = 20, 7, 4
)

// A call is one of a tool.
type call struct{ ID, Name, Arguments string }

// An answer is what the model says.
type answer struct {
	Pieces []string // of text
	Calls  []call
}

func (a *answer) text() (s string) {
	for _, p := range a.Pieces {
		s += p
	}
	return s
}

// finish returns why it ended: stop or tool_call.
func (a *answer) finish() string {
	if len(a.Calls) > 0 {
		return "tool_call"
	}
	return "stop"
}

var (
	warm     = answer{Pieces: []string{"It is", " warm.", " Bye."}}
	bern     = call{"call_1", toolName, `{"city":"Bern"}`}
	thun     = call{"call_2", toolName, `{"city":"Thun"}`}
	oneCall  = answer{Calls: []call{bern}}
	twoCalls = answer{Calls: []call{bern, thun}}
)

// halves cuts arguments in two, as they come in a stream.
func (c call) halves() [2]string {
	n := len(c.Arguments) / 2
	return [2]string{c.Arguments[:n], c.Arguments[n:]}
}

// A question is what a client asks: the system's instructions and the user's
// question, and what follows it.
type question struct {
	tools   bool // the model may call the tool
	results bool // it did, and this is what it gave
}

// A testCase is a row of the matrix.
type testCase struct {
	name     string
	question question
	streamed bool
	replies  []reply
	// leave says what the reader of a stream does at its first piece of text.
	leave leave
	gone  bool // nobody is to ask the server
	fails bool // the client returns an error
	mute  bool // the client may keep the error to itself
	want  []outcome
}

type leave uint8

const (
	stays leave = iota
	cancels
	closes
)

// An outcome is what is recorded of an attempt.
type outcome struct {
	answer answer
	cut    bool   // the choice has no end
	failed string // what the error is: http, stream, canceled or broken
	closed bool   // by the client, before its end
}

var slow = reply{status: 429, header: map[string][]string{"Retry-After": {"0"}, "Retry-After-Ms": {"1"}}}

var (
	first = answer{Pieces: warm.Pieces[:1]}
	fine  = func(a answer) []outcome { return []outcome{{answer: a}} }
)

var testCases = []testCase{
	{name: "plain", replies: []reply{{answer: warm}}, want: fine(warm)},
	{name: "stream", streamed: true, replies: []reply{{answer: warm}}, want: fine(warm)},
	{name: "tools", question: question{tools: true}, replies: []reply{{answer: oneCall}}, want: fine(oneCall)},
	{name: "tools, streamed", question: question{tools: true}, streamed: true, replies: []reply{{answer: oneCall}}, want: fine(oneCall)},
	{name: "parallel tools", question: question{tools: true}, replies: []reply{{answer: twoCalls}}, want: fine(twoCalls)},
	{name: "parallel tools, streamed", question: question{tools: true}, streamed: true, replies: []reply{{answer: twoCalls}}, want: fine(twoCalls)},
	{name: "results of tools", question: question{tools: true, results: true}, replies: []reply{{answer: warm}}, want: fine(warm)},
	{name: "error", replies: []reply{{status: 400}}, fails: true, want: []outcome{{failed: "http"}}},
	{name: "error of a stream", streamed: true, replies: []reply{{status: 400}}, fails: true, want: []outcome{{failed: "http"}}},
	{name: "error in mid-stream", streamed: true, replies: []reply{{answer: warm, end: withError}}, fails: true, want: []outcome{{answer: first, cut: true, failed: "stream"}}},
	{name: "rate limit, tried again", replies: []reply{slow, {answer: warm}}, want: []outcome{{failed: "http"}, {answer: warm}}},
	{name: "rate limit of a stream, tried again", streamed: true, replies: []reply{slow, {answer: warm}}, want: []outcome{{failed: "http"}, {answer: warm}}},
	{name: "cancelled in mid-stream", streamed: true, leave: cancels, replies: []reply{{answer: warm, end: waiting}}, fails: true, want: []outcome{{answer: first, cut: true, failed: "canceled"}}},
	{name: "closed early", streamed: true, leave: closes, replies: []reply{{answer: warm, end: waiting}}, want: []outcome{{answer: first, cut: true, closed: true}}},
	{name: "broken connection", streamed: true, replies: []reply{{answer: warm, end: snapped}}, fails: true, want: []outcome{{answer: first, cut: true, failed: "broken"}}},
	{name: "gzip", replies: []reply{{answer: warm, zip: true}}, want: fine(warm)},
	{name: "gzip, streamed", streamed: true, replies: []reply{{answer: warm, zip: true}}, want: fine(warm)},
}
