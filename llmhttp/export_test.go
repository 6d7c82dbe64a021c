package llmhttp

import (
	"net/http"
	"reflect"
	"runtime"
)

// A Cost is what it takes to read an answer.
type Cost struct {
	Allocated int  // bytes
	Steps     int  // that were taken to find pieces of the answer
	Kept      int  // bytes of texts, at the end
	Parts     int  // of the answer that are kept
	Cut       bool // something of the answer is not kept
}

// Read reads an answer to a request as a call does, without recording anything.
func Read(r *http.Request, request, kind string, body []byte, limit int) Cost {
	c := &call{t: newTracing([]Option{WithLimit(limit)}), x: new(exchange), space: new(workspace), request: r, status: http.StatusOK, length: -1, contentType: kind}
	found, ok := c.t.recognise(r)
	if !ok {
		panic("not a call: " + r.URL.String())
	}
	if found.tell != nil {
		if found.tell(&found, []byte(request)); found.format == nil {
			found.format = bedrockInvoke{}
		}
	}
	c.x.route, c.x.room = found, limit
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	found.format.request(c.x, request)
	c.x.endLists()
	for len(body) > 0 {
		n := min(len(body), 32<<10)
		c.feed(body[:n])
		body = body[n:]
	}
	c.readRest(endEOF)
	c.x.messages()
	runtime.ReadMemStats(&after)
	if c.broken {
		panic("the reader panicked")
	}
	parts := 0
	for _, choice := range c.x.choices {
		parts += len(choice.parts)
	}
	return Cost{int(after.TotalAlloc - before.TotalAlloc), c.x.steps, heldBy(c), parts, c.x.cut}
}

// heldBy returns how many bytes of texts a call holds.
func heldBy(c *call) int {
	seen := make(map[uintptr]bool)
	n := texts(reflect.ValueOf(c.x), seen)
	if s, ok := c.split.(*splitter); ok {
		n += cap(s.data) + cap(s.loose) + cap(s.stray) + cap(s.line.b)
	}
	return n
}

func texts(v reflect.Value, seen map[uintptr]bool) (n int) {
	switch v.Kind() {
	case reflect.String:
		return v.Len()
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return 0
		}
		seen[v.Pointer()] = true
		return texts(v.Elem(), seen)
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name == "text" && v.Type() == reflect.TypeFor[exchange]() || name == "arena" || name == "one" || name == "only" {
				continue // a part of the chunk; messages, whose texts are those of the pieces, once more; one of the choices
			}
			n += texts(v.Field(i), seen)
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[[]byte]() {
			return v.Len()
		}
		for i := range v.Len() {
			n += texts(v.Index(i), seen)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			n += texts(it.Value(), seen)
		}
	case reflect.Interface:
		if !v.IsNil() {
			return texts(v.Elem(), seen)
		}
	default:
	}
	return n
}
