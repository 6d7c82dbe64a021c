package samples

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var (
	marksOf   = regexp.MustCompile(`[^0-9A-Za-z]`)
	escapesOf = regexp.MustCompile(`(\\u[0-9a-f]{4}|\\.)+`)
	base64Of  = regexp.MustCompile(`[A-Za-z0-9+/_-]{8,}`)
)

// Leaks reports whether a text, or what anybody may decode of it, holds a secret.
func Leaks(text, secret string) bool {
	const sure = 8 // so many letters and digits stand in no id by chance
	want := marksOf.ReplaceAllString(secret, "")
	seen := map[string]bool{}
	var look func(text string, depth int) bool
	look = func(text string, depth int) bool {
		if seen[text] || depth == 0 {
			return false
		}
		seen[text] = true
		narrow := strings.Map(func(r rune) rune {
			if r >= '！' && r <= '～' {
				return r - 'Ａ' + 'A'
			}
			return r
		}, text)
		if strings.Contains(narrow, secret) || len(want) >= sure && strings.Contains(marksOf.ReplaceAllString(narrow, ""), want) {
			return true
		}
		var v any
		if json.Unmarshal([]byte(text), &v) == nil && look(fmt.Sprint(v), depth-1) {
			return true
		}
		for _, part := range escapesOf.FindAllString(text, -1) {
			var s string
			if json.Unmarshal([]byte(`"`+part+`"`), &s) == nil && look(s, depth-1) {
				return true
			}
		}
		if s, err := url.PathUnescape(text); err == nil && look(s, depth-1) {
			return true
		}
		if look(html.UnescapeString(text), depth-1) {
			return true
		}
		for _, part := range base64Of.FindAllString(strings.NewReplacer("\r", "", "\n", "").Replace(text), -1) {
			for _, part := range append(strings.Split(part, "/"), part) {
				for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
					if s, err := e.DecodeString(part); err == nil && look(string(s), depth-1) {
						return true
					}
				}
			}
		}
		return false
	}
	return look(text, 5)
}

// LeaksJSON reports whether a key or string of a JSON value leaks, or whether it is none.
func LeaksJSON(body []byte, secret string) bool {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return true
	}
	var look func(v any) bool
	look = func(v any) bool {
		switch v := v.(type) {
		case string:
			return Leaks(v, secret)
		case []any:
			return slices.ContainsFunc(v, look)
		case map[string]any:
			for k, e := range v {
				if Leaks(k, secret) || look(e) {
					return true
				}
			}
		}
		return false
	}
	return look(v)
}
