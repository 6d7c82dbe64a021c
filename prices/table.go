// Package prices derives what a call of a model costs from its tokens.
//
// A [Table] is a file of prices per million tokens. [Default] is the one that comes
// with this package, list prices in US dollars with their dates and sources; [Read]
// reads one of your own. What a table does not know has no price: nothing is guessed
// from names that are alike.
//
// # The file
//
// A table is one JSON object:
//
//	{
//	  "name": "our contract",
//	  "date": "2026-11-30",
//	  "currency": "EUR",
//	  "sources": ["contract 4711"],
//	  "providers": [{
//	    "name": "openai",
//	    "aliases": ["azure.ai.openai"],
//	    "date": "2026-10-01",
//	    "sources": ["https://openai.com/api/pricing/"],
//	    "models": [{
//	      "name": "gpt-4.1",
//	      "aliases": ["our-deployment"],
//	      "input": 2, "output": 8, "cache_read": 0.5,
//	      "above": [{"input_tokens": 200000, "input": 4, "output": 12, "cache_read": 1}]
//	    }]
//	  }]
//	}
//
// The date (of the table, in place of it of a provider) is when the prices were looked
// up, and each provider has a source, or the table has: any text that says where they
// stand. The currency is that of all prices, unless a provider names another; by that of
// the table the server orders sessions. It is "USD" where none is named.
//
// Prices are per million tokens: input, output, cache_read (of the input, read from a
// cache), cache_write (of the input, written to one) and reasoning (of the output).
// A missing cache_read or cache_write is the price of input, and a missing reasoning
// that of output; without output, what is written has no price, as with embeddings. Of the
// prices above a number of input tokens, the last that a request is above counts for
// all of its tokens. A model with a service_tier (such as "flex" or "batch") is that
// of requests which say that they were served so; one without is for all others.
package prices

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"time"

	"github.com/sessionspan/sessionspan/internal/money"
)

// DefaultCurrency is the currency of tables, and of costs, that name none.
const DefaultCurrency = money.Default

// A Table is prices of models. It does not change, and is safe for concurrent use. A
// nil Table knows no price.
type Table struct {
	name, date, currency, text string
	providers                  []*provider
	byName                     map[string]*provider // by names and aliases, in small letters
}

type provider struct {
	name, currency, date string
	sources              []string
	models               map[modelKey]*model // by names and aliases, in small letters
}

type modelKey struct{ name, tier string }

type model struct {
	name  string
	rates rates
	above []above
}

// above are the rates of requests with more input tokens than that.
type above struct {
	tokens int64
	rates  rates
}

// rates are per million tokens.
type rates struct {
	input, output, cacheRead, cacheWrite, reasoning float64
	hasOutput                                       bool
}

//go:embed default.json
var defaultFile []byte

// Default returns the table that comes with this package. Its date and sources say how
// old it is.
var Default = sync.OnceValue(func() *Table {
	t, err := Parse(defaultFile)
	if err != nil {
		panic(err) // which a test would have found
	}
	return t
})

// maxFile bounds a file of prices.
const maxFile = 16 << 20

// Read reads a table from a file of at most 16 MiB.
func Read(path string) (*Table, error) {
	f, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return nil, fmt.Errorf("read prices: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	if err != nil {
		return nil, fmt.Errorf("read prices %s: %w", path, err)
	}
	t, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("read prices %s: %w", path, err)
	}
	return t, nil
}

// The form of the file.
type (
	tableFile struct {
		Name      string         `json:"name"`
		Date      string         `json:"date"`
		Currency  string         `json:"currency"`
		Sources   []string       `json:"sources"`
		Providers []providerFile `json:"providers"`
	}
	providerFile struct {
		Name     string      `json:"name"`
		Aliases  []string    `json:"aliases"`
		Date     string      `json:"date"`
		Currency string      `json:"currency"`
		Sources  []string    `json:"sources"`
		Models   []modelFile `json:"models"`
	}
	modelFile struct {
		Name        string   `json:"name"`
		Aliases     []string `json:"aliases"`
		ServiceTier string   `json:"service_tier"`
		ratesFile
		Above []aboveFile `json:"above"`
	}
	aboveFile struct {
		InputTokens int64 `json:"input_tokens"`
		ratesFile
	}
	ratesFile struct {
		Input      *float64 `json:"input"`
		Output     *float64 `json:"output"`
		CacheRead  *float64 `json:"cache_read"`
		CacheWrite *float64 `json:"cache_write"`
		Reasoning  *float64 `json:"reasoning"`
	}
)

// Parse reads a table from the text of a file. The error names all that is wrong with
// it: fields that are not known, prices that are missing, below zero or above a million,
// names that stand twice.
func Parse(data []byte) (*Table, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var f tableFile
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("parse prices: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("parse prices: something follows the table")
	}
	t := &Table{name: f.Name, date: f.Date, text: string(data), byName: make(map[string]*provider)}
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if _, err := time.Parse(time.DateOnly, f.Date); err != nil {
		problem("its date %.40q is no date such as 2026-11-30", f.Date)
	}
	var err error
	if t.currency, err = money.Currency(f.Currency); err != nil {
		problems = append(problems, err)
	}
	for i := range f.Providers {
		p := f.Providers[i].provider(&f, t.currency, problem)
		t.providers = append(t.providers, p)
		for _, name := range append([]string{f.Providers[i].Name}, f.Providers[i].Aliases...) {
			name = fold(name)
			switch {
			case name == "":
				problem("provider %d has an empty name", i+1)
			case t.byName[name] != nil:
				problem("the provider %q stands twice", name)
			}
			t.byName[name] = p
		}
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("parse prices: %w", errors.Join(problems...))
	}
	return t, nil
}

func (f *providerFile) provider(of *tableFile, currency string, problem func(string, ...any)) *provider {
	p := &provider{name: f.Name, currency: currency, date: of.Date, sources: append(append([]string(nil), f.Sources...), of.Sources...), models: make(map[modelKey]*model)}
	if len(p.sources) == 0 {
		problem("%s: it has no source, and neither has the table", f.Name)
	}
	if f.Date != "" {
		p.date = f.Date
		if _, err := time.Parse(time.DateOnly, f.Date); err != nil {
			problem("%s: its date %.40q is no date such as 2026-11-30", f.Name, f.Date)
		}
	}
	if f.Currency != "" {
		var err error
		if p.currency, err = money.Currency(f.Currency); err != nil {
			problem("%s: %w", f.Name, err)
		}
	}
	for i := range f.Models {
		m := &f.Models[i]
		at := f.Name + "/" + m.Name
		one := &model{name: m.Name, rates: m.rates(at, problem)}
		last := int64(0)
		for j := range m.Above {
			a := &m.Above[j]
			if a.InputTokens <= last {
				problem("%s: prices above %d tokens do not follow those above fewer", at, a.InputTokens)
			}
			last = a.InputTokens
			one.above = append(one.above, above{a.InputTokens, a.rates(at, problem)})
		}
		for _, name := range append([]string{m.Name}, m.Aliases...) {
			key := modelKey{fold(name), tierOf(m.ServiceTier)}
			switch {
			case key.name == "":
				problem("%s: model %d has an empty name", f.Name, i+1)
			case p.models[key] != nil:
				problem("%s: the model %q stands twice", f.Name, name)
			}
			p.models[key] = one
		}
	}
	return p
}

// maxPrice bounds a price, so that what it is multiplied with stays a number.
const maxPrice = 1e6

func (f *ratesFile) rates(of string, problem func(string, ...any)) (r rates) {
	get := func(name string, v *float64, other float64) float64 {
		if v == nil {
			return other
		}
		if !(*v >= 0 && *v <= maxPrice) {
			problem("%s: %s is %v, which is no price from 0 to %v", of, name, *v, float64(maxPrice))
		}
		return *v
	}
	if f.Input == nil {
		problem("%s: it has no price of input", of)
	}
	r.hasOutput = f.Output != nil || f.Reasoning != nil
	r.input = get("input", f.Input, 0)
	r.output = get("output", f.Output, 0)
	r.cacheRead = get("cache_read", f.CacheRead, r.input)
	r.cacheWrite = get("cache_write", f.CacheWrite, r.input)
	r.reasoning = get("reasoning", f.Reasoning, r.output)
	return r
}

// Name returns what the table is called, or "".
func (t *Table) Name() string {
	if t == nil {
		return ""
	}
	return t.name
}

// Date returns when the table was made, as 2026-11-30, or "" of a nil table.
func (t *Table) Date() string {
	if t == nil {
		return ""
	}
	return t.date
}

// Currency returns the currency of the table. That of a nil table is "USD".
func (t *Table) Currency() string {
	if t == nil {
		return DefaultCurrency
	}
	return t.currency
}

// Text returns the text that the table was parsed from, or "" of a nil table.
func (t *Table) Text() string {
	if t == nil {
		return ""
	}
	return t.text
}

// finite reports whether an amount is one.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
