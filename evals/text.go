package evals

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// The scorers of this file look at texts. Each is given a function that takes the text
// out of an output, which is applied to what is expected as well; nil is for outputs
// that are texts themselves, and takes the JSON of others.

// textOf returns the text of an output.
func textOf[O any](take func(O) string, o O) string {
	if take != nil {
		return take(o)
	}
	if v := reflect.ValueOf(o); v.IsValid() && v.Kind() == reflect.String {
		return v.String()
	}
	b, err := json.Marshal(o)
	if err != nil {
		return fmt.Sprint(o)
	}
	return string(b)
}

// Exact says whether the output is the expected text, but for white space around it.
// Its name is "exact".
func Exact[I, O any](text func(O) string) Scorer[I, O] {
	return Bool("exact", func(r *Result[I, O]) bool {
		return r.Err == nil && strings.TrimSpace(textOf(text, r.Output)) == strings.TrimSpace(textOf(text, r.Expected))
	})
}

// Contains says whether the expected text stands in the output, without regard to
// the case of letters and to how white space runs. An empty expected text has no
// score. Its name is "contains".
func Contains[I, O any](text func(O) string) Scorer[I, O] {
	flat := func(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
	return boolean("contains", func(r *Result[I, O]) (bool, error) {
		expected := flat(textOf(text, r.Expected))
		if expected == "" {
			return false, errors.New("the case expects no text")
		}
		return r.Err == nil && strings.Contains(flat(textOf(text, r.Output)), expected), nil
	})
}

// JSONEqual says whether the output is the expected JSON: objects with the same
// members in any order, lists in the same order, numbers of the same value however
// they are written, texts letter by letter. An output that is no JSON is not equal; a
// case that expects none has no score. Its name is "json".
func JSONEqual[I, O any](text func(O) string) Scorer[I, O] {
	return boolean("json", func(r *Result[I, O]) (bool, error) {
		expected, err := decodeJSON(textOf(text, r.Expected))
		if err != nil {
			return false, fmt.Errorf("the case expects no JSON: %w", err)
		}
		got, err := decodeJSON(textOf(text, r.Output))
		return r.Err == nil && err == nil && equalJSON(got, expected), nil
	})
}

func decodeJSON(text string) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind the value")
	}
	return v, nil
}

func equalJSON(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			if w, ok := b[k]; !ok || !equalJSON(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equalJSON)
	case json.Number:
		b, ok := b.(json.Number)
		return ok && equalNumber(a.String(), b.String())
	default:
		return a == b
	}
}

// equalNumber compares the values of two numbers exactly, however large: their
// digits and exponents once both are written without a point.
func equalNumber(a, b string) bool {
	return decimal(a) == decimal(b)
}

// decimal returns a number as digits without zeros around them and a power of ten.
func decimal(n string) string {
	sign := ""
	if strings.HasPrefix(n, "-") {
		sign, n = "-", n[1:]
	}
	digits, power, _ := strings.Cut(strings.ToLower(n), "e")
	whole, fraction, _ := strings.Cut(digits, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	short := strings.TrimRight(digits, "0")
	if short == "" {
		return "0"
	}
	exponent := json.Number("0")
	if power != "" {
		exponent = json.Number(strings.TrimPrefix(power, "+"))
	}
	e, err := exponent.Int64()
	if err != nil {
		return sign + n // an exponent past all measure: by its letters
	}
	return fmt.Sprintf("%s%se%d", sign, short, e-int64(len(fraction))+int64(len(digits)-len(short)))
}

// TokenOverlap is the F1 measure of the words that output and expected text share,
// each as often as it stands in both: 2pr/(p+r), with p the share of the output's
// words and r that of the expected ones. Words are compared in lower case, without
// punctuation and without the articles a, an and the. Where one text has no words the
// score is 1 if the other has none either, else 0. It is the measure of SQuAD
// (Rajpurkar et al., SQuAD: 100,000+ Questions for Machine Comprehension of Text, 2016,
// section 6.1). Its name is "overlap".
func TokenOverlap[I, O any](text func(O) string) Scorer[I, O] {
	return Num("overlap", func(_ context.Context, r *Result[I, O]) (float64, error) {
		if r.failed() {
			return 0, nil
		}
		return Overlap(textOf(text, r.Output), textOf(text, r.Expected)), nil
	})
}

// Overlap returns the measure of [TokenOverlap] for two texts.
func Overlap(output, expected string) float64 {
	got, want := words(output), words(expected)
	if len(got) == 0 || len(want) == 0 {
		if len(got) == len(want) {
			return 1
		}
		return 0
	}
	left := make(map[string]int)
	for _, w := range want {
		left[w]++
	}
	shared := 0
	for _, w := range got {
		if left[w] > 0 {
			left[w]--
			shared++
		}
	}
	if shared == 0 {
		return 0
	}
	p, r := float64(shared)/float64(len(got)), float64(shared)/float64(len(want))
	return 2 * p * r / (p + r)
}

// words returns the words of a text in lower case, without punctuation and articles.
func words(text string) []string {
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		if !unicode.IsPunct(r) && !unicode.IsSymbol(r) {
			b.WriteRune(r)
		}
	}
	return slices.DeleteFunc(strings.Fields(b.String()), func(w string) bool { return w == "a" || w == "an" || w == "the" })
}

// Cites is the share of the documents that an output cites which were retrieved in
// the session, where ids takes out of an output what it cites: 1 where the output
// cites nothing but what was found. An output without citations scores 0. Its name
// is "citations".
func Cites[I, O any](ids func(O) []string) Scorer[I, O] {
	return Func("citations", func(_ context.Context, r *Result[I, O]) (Score, error) {
		if ids == nil {
			return Score{}, errors.New("the function that tells what is cited is nil")
		}
		cited := ids(r.Output)
		if r.failed() || len(cited) == 0 {
			return Score{Explanation: "cites nothing"}, nil
		}
		found := make(map[string]bool)
		for _, d := range r.Session.Documents("") {
			found[d.ID] = true
		}
		var unknown []string
		for _, id := range cited {
			if !found[id] {
				unknown = append(unknown, id)
			}
		}
		s := Score{Value: 1 - float64(len(unknown))/float64(len(cited))}
		if len(unknown) > 0 {
			s.Explanation = fmt.Sprintf("cites %q, which were not retrieved", unknown)
		}
		return s, nil
	})
}

// Grounded is the share of the runs of n words in the output that stand in one of
// the documents which were retrieved in the session: the precision of ROUGE-N (Lin,
// ROUGE: A Package for Automatic Evaluation of Summaries, 2004) with what was
// retrieved for the reference. Words are those of [TokenOverlap]; an output of fewer
// words than n is one run. An output without words scores 0. It tells words that are
// new from those that were found, not truth from falsehood: one negation more changes
// little. An n below 1 stands for 2. Its name is "grounded".
func Grounded[I, O any](n int, text func(O) string) Scorer[I, O] {
	if n < 1 {
		n = 2
	}
	return Num("grounded", func(_ context.Context, r *Result[I, O]) (float64, error) {
		said := words(textOf(text, r.Output))
		if r.failed() || len(said) == 0 {
			return 0, nil
		}
		n := min(n, len(said))
		known := make(map[string]bool)
		for _, d := range r.Session.Documents("") {
			for run := range runs(words(d.Content), n) {
				known[run] = true
			}
		}
		all, grounded := 0, 0
		for run := range runs(said, n) {
			if all++; known[run] {
				grounded++
			}
		}
		return float64(grounded) / float64(all), nil
	})
}

// runs walks the runs of n words.
func runs(words []string, n int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := 0; i+n <= len(words); i++ {
			if !yield(strings.Join(words[i:i+n], " ")) {
				return
			}
		}
	}
}
