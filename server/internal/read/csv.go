package read

import (
	"context"
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sessionspan/sessionspan/store"
)

// column is a column of an export as CSV.
type column struct {
	name  string
	value func(*Session) string
}

// columns are the columns of [WriteCSV], which docs/api.md lists. New ones go to the end.
var columns = []column{
	{"session_id", func(s *Session) string { return s.ID }},
	{"start_time", func(s *Session) string { return moment(s.Start) }},
	{"end_time", func(s *Session) string { return moment(s.End) }},
	{"duration_ms", func(s *Session) string { return decimal(s.Duration) }},
	{"time_to_first_token_ms", func(s *Session) string { return decimal(s.First) }},
	{"project", func(s *Session) string { return cell(s.Project) }},
	{"source", func(s *Session) string { return cell(s.Source) }},
	{"session_name", func(s *Session) string { return cell(s.Name) }},
	{"user", func(s *Session) string { return cell(s.User) }},
	{"models", func(s *Session) string { return cell(strings.Join(s.Models, " ")) }},
	{"status", func(s *Session) string { return string(s.Status) }},
	{"error", func(s *Session) string { return cell(s.Error) }},
	{"question", func(s *Session) string { return cell(s.Question) }},
	{"answer", func(s *Session) string { return cell(s.Answer) }},
	{"prompt_tokens", func(s *Session) string { return integer(s.TokensIn) }},
	{"completion_tokens", func(s *Session) string { return integer(s.TokensOut) }},
	{"cost", func(s *Session) string { return decimal(s.Cost) }},
	{"cost_currency", func(s *Session) string { return cell(s.Currency) }},
	{"cost_derived", func(s *Session) string { return decimal(&s.Derived) }},
	{"rating", func(s *Session) string { return decimal(s.Rating) }},
	{"has_feedback", func(s *Session) string { return strconv.FormatBool(s.Feedback) }},
	{"num_events", func(s *Session) string { return integer(&s.Events) }},
	{"num_model_events", func(s *Session) string { return integer(&s.ModelEvents) }},
	{"num_tool_events", func(s *Session) string { return integer(&s.ToolEvents) }},
	{"num_chain_events", func(s *Session) string { return integer(&s.ChainEvents) }},
	{"num_errors", func(s *Session) string { return integer(&s.Errors) }},
}

// Columns are the names of the columns of [WriteCSV].
func Columns() []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return names
}

// WriteCSV writes the sessions that match a query, in its order, as CSV (RFC 4180) with a
// line of names first. Times are RFC 3339 in UTC; what is not known is empty. A text that
// a spreadsheet would take for a formula has a ' before it.
//
// It reads page by page: sessions that change meanwhile may be left out.
func WriteCSV(ctx context.Context, s store.Store, q store.SessionQuery, w io.Writer) (sessions int64, err error) {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	if err := out.Write(Columns()); err != nil {
		return 0, err
	}
	cells := make([]string, len(columns))
	for {
		page, err := s.Sessions(ctx, q)
		if err != nil {
			return sessions, err
		}
		for i := range page.Sessions {
			session := SessionOf(&page.Sessions[i])
			for n, c := range columns {
				cells[n] = c.value(&session)
			}
			if err := out.Write(cells); err != nil {
				return sessions, err
			}
			sessions++
		}
		if q.After = page.Next; q.After == "" {
			out.Flush()
			return sessions, out.Error()
		}
	}
}

// cell makes a text one that no spreadsheet runs: programs that open CSV take a cell that
// begins with one of these characters, or with blanks and then one of them, for a formula,
// some the full-width forms of Japanese and Chinese keyboards too. Control characters but
// for line breaks and tabs go.
func cell(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
	bare := strings.TrimLeft(text, " \u00a0\u3000\ufeff\"'\n")
	first, _ := utf8.DecodeRuneInString(bare)
	if strings.HasPrefix(text, "\t") || strings.HasPrefix(text, "\n") || bare != "" && strings.ContainsRune("=+-@\t＝＋－＠", first) {
		return "'" + text
	}
	return text
}

func moment(ms *float64) string {
	if ms == nil || *ms < -62135596800000 || *ms > 253402300799999 { // the years 1 to 9999
		return ""
	}
	return time.UnixMilli(int64(*ms)).UTC().Format("2006-01-02T15:04:05.000Z")
}

func decimal(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

func integer(v *int64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatInt(*v, 10)
}
