package page

import (
	"net/http"
	"strings"
	"unicode"

	lang "github.com/sessionspan/sessionspan/store/query"
)

// completion is how the last word of a query may go on.
type completion struct {
	// Take is the end of the text that an option takes the place of.
	Take    string   `json:"take"`
	Options []option `json:"options"`
}

// option is a part of a query; one that is not Whole goes on, such as a field without a
// value.
type option struct {
	Text  string `json:"text"`
	About string `json:"about,omitempty"`
	Whole bool   `json:"whole"`
}

// manyOptions is how many ways to go on are offered.
const manyOptions = 12

// complete answers how the text before the cursor of the box may go on, as JSON.
func (p *page) complete(w http.ResponseWriter, r *http.Request) error {
	before := r.URL.Query().Get("before")
	if len(before) > maxText {
		return badRequest("before is longer than 2 KiB.")
	}
	c := completion{Take: lastPart(before), Options: []option{}}
	name, op, value := lang.Split(c.Take)
	if op == "" {
		return writeJSON(w, p.completeField(r, c))
	}
	var values []string
	for _, f := range lang.Fields() {
		if f.Name == name && f.Kind == lang.Choice {
			for _, v := range f.Choices {
				if strings.HasPrefix(v, value) {
					values = append(values, v)
				}
			}
		}
	}
	if len(values) == 0 && op == lang.Equal {
		list, err := p.Store.Complete(r.Context(), name, value, manyOptions)
		if err != nil && r.Context().Err() != nil {
			return err
		}
		values = list // a field that does not exist has none
	}
	for _, v := range values {
		if t, err := lang.NewTerm(name, op, v); err == nil && len(v) <= maxText/4 {
			c.Options = append(c.Options, option{Text: lang.Print(t), Whole: true})
		}
	}
	return writeJSON(w, c)
}

// completeField offers fields, and keys of maps.
func (p *page) completeField(r *http.Request, c completion) completion {
	if c.Take == "" {
		return c
	}
	base, key, inMap := strings.Cut(c.Take, ".")
	for _, f := range lang.Fields() {
		if f.Kind == lang.Map && inMap && f.Name == base+"." {
			keys, _ := p.Store.Complete(r.Context(), f.Name, key, manyOptions) // without them there is nothing to offer
			for _, k := range keys {
				c.Options = append(c.Options, option{Text: lang.NameText(f.Name+k) + ":"})
			}
		} else if strings.HasPrefix(f.Name, c.Take) {
			text := f.Name
			switch f.Kind {
			case lang.Map:
			case lang.Duration, lang.Number, lang.Time:
				text += ">"
			default:
				text += ":"
			}
			c.Options = append(c.Options, option{Text: text, About: f.About})
		}
	}
	if within := "event("; strings.HasPrefix(within, c.Take) {
		c.Options = append(c.Options, option{Text: within, About: "all of it for one event"})
	}
	c.Options = c.Options[:min(len(c.Options), manyOptions)]
	return c
}

// lastPart returns the part at the end of a query that is being written, without what
// says that it must not hold.
func lastPart(text string) string {
	from, quoted := 0, false
	for i, r := range text {
		switch {
		case r == '"' && (i == 0 || text[i-1] != '\\'):
			quoted = !quoted
		case !quoted && (unicode.IsSpace(r) || r == '(' || r == ')'):
			from = i + len(string(r))
		}
	}
	return strings.TrimLeft(text[from:], "-")
}
