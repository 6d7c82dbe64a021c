package llmhttp

import (
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file keeps what stands beside the content of an answer: the sources of a
// search, what a provider's own tools gave. Streams send it once, in pieces, or
// again and again with more of it each time.

// An extra is a member of an answer, or, where sub is not empty, a member of an
// object that is one.
type extra struct {
	key, sub string
	json     []byte
}

// mostExtras bounds the members that a server can make us keep of an answer.
const mostExtras = 64

// extra keeps a member of a choice. Lists that come in pieces are joined; objects
// are joined member by member; of anything else the last counts. What is empty
// changes nothing.
func (x *exchange) extra(c *choice, key, value string) {
	if x.blind {
		return
	}
	switch rawjson.KindOf(value) {
	case rawjson.Object:
		for sub, v := range rawjson.Members(value) {
			if v != "null" {
				x.setExtra(c, key, sub, v)
			}
		}
	case rawjson.Invalid, rawjson.Null:
	case rawjson.Array:
		if value != "[]" {
			x.setExtra(c, key, "", value)
		}
	default:
		x.setExtra(c, key, "", value)
	}
}

func (x *exchange) setExtra(c *choice, key, sub, value string) {
	at := len(c.extras)
	for i := range c.extras {
		switch e := &c.extras[i]; {
		case e.key != key:
		case e.sub == sub:
			e.json = x.grow(e.json, value)
			return
		case e.sub == "" || sub == "":
			return // a list here, an object there: the first counts
		default:
			at = i + 1 // members of one object stand together
		}
	}
	if len(c.extras) >= mostExtras {
		x.cut = true
		return
	}
	if json := x.grow(nil, value); json != nil {
		c.extras = slices.Insert(c.extras, at, extra{strings.Clone(key), strings.Clone(sub), json})
	}
}

// appendExtras writes the extras of a message as members of it.
func (o *object) extras(list []extra) {
	for i, e := range list {
		switch {
		case e.sub == "":
			o.json(e.key, string(e.json))
		case i == 0 || list[i-1].key != e.key:
			inner := object{}
			for _, f := range list {
				if f.key == e.key && f.sub != "" {
					inner.json(f.sub, string(f.json))
				}
			}
			o.json(e.key, string(inner.bytes()))
		}
	}
}
