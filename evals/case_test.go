package evals_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/evals"
)

type answer struct {
	Text    string   `json:"text"`
	Sources []string `json:"sources,omitempty"`
}

// load reads cases from a text.
func load(t testing.TB, text string) (cases []evals.Case[string, answer], problems []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cases.jsonl")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for c, err := range evals.Load[string, answer](file) {
		if err != nil {
			problems = append(problems, strings.ReplaceAll(err.Error(), file, "FILE"))
			continue
		}
		cases = append(cases, c)
	}
	return cases, problems
}

// TestLoad reads good lines beside bad ones, each of which says where it is.
func TestLoad(t *testing.T) {
	type c = evals.Case[string, answer]
	for name, tc := range map[string]struct {
		text     string
		want     []c
		problems []string
	}{
		"empty":             {"", nil, nil},
		"all members":       {`{"name":"n","id":"i","input":"q","expected":{"text":"a","sources":["s"]},"metadata":{"k":[1]}}`, []c{{Name: "n", ID: "i", Input: "q", Expected: answer{"a", []string{"s"}}, Metadata: map[string]any{"k": []any{1.0}}}}, nil},
		"no line end":       {"{\"input\":\"a\"}\n{\"input\":\"b\"}", []c{{Input: "a"}, {Input: "b"}}, nil},
		"Windows, BOM":      {"\ufeff{\"input\":\"a\"}\r\n\r\n  \t\r\n{\"input\":\"b\"}\r\n", []c{{Input: "a"}, {Input: "b"}}, nil},
		"empty input":       {`{"input":""}`, []c{{}}, nil},
		"null expected":     {`{"input":"a","expected":null}`, []c{{Input: "a"}}, nil},
		"no object":         {"[1]\nnull\n7\n{\"input\":\"b\"}", []c{{Input: "b"}}, []string{"load cases: FILE:1: is no case: json", "load cases: FILE:2: is no case: it has no input", "load cases: FILE:3: is no case: json"}},
		"no JSON":           {"{\"input\":\n{\"input\":\"b\"}\n{\"input\":\"c\"", []c{{Input: "b"}}, []string{"load cases: FILE:1: is no case: unexpected EOF", "load cases: FILE:3: is no case: unexpected EOF"}},
		"two in a line":     {`{"input":"a"} {"input":"b"}`, nil, []string{"load cases: FILE:1: is no case: something stands behind the object"}},
		"wrong input":       {`{"input":{"q":1}}`, nil, []string{"load cases: FILE:1: input: json"}},
		"wrong expected":    {`{"input":"a","expected":"b"}`, nil, []string{"load cases: FILE:1: expected: json"}},
		"unknown member":    {`{"input":"a","expect":"b"}`, nil, []string{`load cases: FILE:1: is no case: json: unknown field "expect"`}},
		"no UTF-8":          {"{\"input\":\"\xff\"}\n{\"input\":\"b\"}", []c{{Input: "b"}}, []string{"load cases: FILE:1: is no UTF-8"}},
		"a number past all": {`{"input":"a","metadata":{"n":1e999}}`, nil, []string{"load cases: FILE:1: is no case: json"}},
		"a long line":       {`{"input":"` + strings.Repeat("x", 1<<20) + `"}` + "\n" + `{"input":"b"}`, []c{{Input: strings.Repeat("x", 1<<20)}, {Input: "b"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := load(t, tc.text)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("cases (-want +got)\n%s", diff)
			}
			if len(problems) != len(tc.problems) {
				t.Fatalf("problems %q", problems)
			}
			for i, p := range problems {
				if !strings.HasPrefix(p, tc.problems[i]) {
					t.Errorf("problem %q, want %q", p, tc.problems[i])
				}
			}
		})
	}
	for _, err := range evals.Load[string, answer](t.TempDir() + "/none") {
		if !os.IsNotExist(err) && !strings.Contains(err.Error(), "load cases: open") {
			t.Errorf("no file: %v", err)
		}
	}
	for _, err := range evals.Load[string, answer]("testdata/suites/testdata/answers.jsonl") {
		if err != nil {
			t.Error(err)
		}
		break // must not read on
	}
}

// FuzzLoad finds for each line a case or an error, whatever is in it.
func FuzzLoad(f *testing.F) {
	f.Add(`{"input":"a"}`, `{"input":"b","expected":{}}`)
	f.Add("{", "\xff\x00")
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.ContainsAny(a+b, "\r\n") {
			return // a line ends at each of them
		}
		lines := 0
		for i, l := range []string{a, b} {
			if i == 0 {
				l = strings.TrimPrefix(l, "\ufeff")
			}
			if len(strings.Trim(l, "\t\n\v\f\r \u0085\u00a0")) > 0 {
				lines++
			}
		}
		cases, problems := load(t, a+"\n"+b+"\n")
		if n := len(cases) + len(problems); n > lines || n < lines-2 {
			t.Errorf("%d cases and %d problems of %d lines", len(cases), len(problems), lines)
		}
	})
}
