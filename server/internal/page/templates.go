package page

import (
	"embed"
	"html/template"
	"io/fs"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

//go:embed templates/*.html
var templateFiles embed.FS

// quickstart is the program of the README, which a test holds it against.
//
//go:embed templates/quickstart.go.txt
var quickstart string

// evaluation is a test that makes a run, which a test of this package has too.
//
//go:embed templates/evaluation.go.txt
var evaluation string

// parts are templates that pages share.
var parts = []string{"templates/layout.html", "templates/parts.html", "templates/set.html"}

var functions = template.FuncMap{
	"vis":       visible,
	"line":      line,
	"ms":        duration,
	"grouped":   grouped,
	"short":     short,
	"size":      size,
	"cost":      cost,
	"hour":      func(ms float64) string { return moment(ms).Format("15:04:05") },
	"day":       func(ms float64) string { return moment(ms).Format("2006-01-02") },
	"stamp":     stamp,
	"machine":   machine,
	"percent":   percent,
	"tokens":    tokens,
	"nameOf":    nameOf,
	"typeOf":    typeOf,
	"kindOf":    kindOf,
	"join":      func(list []string) string { return line(strings.Join(list, ", "), 200) },
	"took":      took,
	"sumTokens": sumTokens,
	"lasts":     lasts,
	"optMS":     func(v honeyhive.Optional[float64]) string { return known(v, duration) },
	"optStamp":  func(v honeyhive.Optional[float64]) string { return known(v, stamp) },
	"optNum":    func(v honeyhive.Optional[float64]) string { return known(v, number) },
	"has":       isKnown[float64],
	"rating":    rating,
	"when":      when,
	"sub":       func(a, b float64) float64 { return a - b },
	"add":       func(a, b float64) float64 { return a + b },
	"dict":      dict,
	"grouped64": func(n int) string { return grouped(int64(n)) },
	"inc":       func(n int) int { return n + 1 },
	"p":         percentileOf,
	"score":     score,
	"signed":    signed,
	"ofOne":     ofOne,
	"dictAxes":  axisChoices,
	"count":     func(n int) string { return grouped(int64(n)) },
}

// dict lets a template pass two values to another.
func dict(pairs ...any) map[string]any {
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

// rating shows what users said in a word.
func rating(m store.Measures) string {
	v, ok := m.Rating.Get()
	switch {
	case !ok && m.Feedback:
		return "comment"
	case !ok:
		return ""
	case v > 0:
		return "up"
	case v < 0:
		return "down"
	}
	return "neutral"
}

// took is how long a session lasted. One that has no end is not known to have
// ended when it was last heard of.
func took(row store.SessionRow) string {
	if row.Duration.Or(0) == 0 && (row.Status == store.StatusOrphan || row.Status == store.StatusIncomplete) {
		return none
	}
	return lasts(row.Measures)
}

// sumTokens shows a sum, of which zero means that none of the sessions told.
func sumTokens(s store.Summary) string {
	if s.TokensIn == 0 && s.TokensOut == 0 {
		return none
	}
	return short(s.TokensIn) + " / " + short(s.TokensOut)
}

// when is the time by which a session is sorted.
func when(row store.SessionRow) float64 { return row.Start.Or(row.Received) }

func percentileOf(p store.Percentiles, v float64) string {
	if p.Count == 0 {
		return none
	}
	return duration(v)
}

// parseTemplates returns the pages by name, each with the parts.
func parseTemplates(m money) map[string]*template.Template {
	shared := template.Must(template.New("").Funcs(functions).Funcs(template.FuncMap{
		"costOf": m.session, "costSum": m.sum, "costOwn": m.own, "costs": m.show,
	}).ParseFS(templateFiles, parts...))
	pages := make(map[string]*template.Template)
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, file := range files {
		name := strings.TrimPrefix(file, "templates/")
		if slices.Contains(parts, file) {
			continue
		}
		pages[name] = template.Must(template.Must(shared.Clone()).ParseFS(templateFiles, file))
	}
	return pages
}
