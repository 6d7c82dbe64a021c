package page

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// statement is what a session was asked, or what it answered: what its page begins with.
type statement struct {
	turn
	Title, Role string
	Message     *message
	Before      string // what is left out before the message
	Long        bool   // it is folded to some lines
}

// Lines and bytes beyond which a question or an answer is folded.
const (
	saidLines = 10
	saidBytes = 900
)

// Copy reports whether there is a text to copy.
func (s *statement) Copy() bool { return s.Text != "" || s.Message != nil && s.Message.Content != "" }

// Raw is the address of the text, where it stands by itself.
func (s *statement) Raw() string {
	if s.Message != nil {
		return s.Message.Raw
	}
	return ""
}

// Said are the question and the answer: of a conversation that is made of turns, those
// of the last turn, and of any other session those of its record.
func (v *sessionView) Said() []statement {
	inputs, outputs, title := v.whole.Payload.Inputs, v.whole.Payload.Outputs, ""
	show := &shower{base: SessionPath(v.ID), budget: previewAll}
	if last := v.lastTurn; last != nil {
		inputs, outputs, title = last.Payload.Inputs, last.Payload.Outputs, fmt.Sprintf(" of turn %d of %d", v.turns, v.turns)
		show.base += "/e/" + last.ID.String()
	}
	var list []statement
	for _, part := range []struct {
		title, name, role string
		o                 honeyhive.Object
	}{{"Question", "inputs", "user", inputs}, {"Answer", "outputs", "assistant", outputs}} {
		for _, tn := range sessionTurn(show, part.o, part.name) {
			s := statement{turn: tn, Title: part.title + title, Role: part.role}
			s.choose()
			s.Long = s.isLong()
			list = append(list, s)
		}
	}
	return list
}

// choose takes the last message of the role, or else the last one.
func (s *statement) choose() {
	if len(s.Messages) == 0 {
		return
	}
	at := len(s.Messages) - 1
	for i := range slices.Backward(s.Messages) {
		if s.Messages[i].Role == s.Role {
			at = i
			break
		}
	}
	s.Message = &s.Messages[at]
	if others := len(s.Messages) + s.Skipped - 1; others > 0 {
		s.Before = fmt.Sprintf("The last of %d messages, which the record has.", others+1)
	}
}

func (s *statement) isLong() bool {
	text := s.Text
	if s.Message != nil {
		text = string(s.Message.Content)
	}
	return len(text) > saidBytes || strings.Count(text, "\n")+strings.Count(text, "<br") > saidLines
}
