package local

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// bomb is a request that is to become much more than it is.
type bomb struct {
	name, method, path, contentType string
	body                            func(n int) string // of about n bytes
}

const (
	protoType = "application/x-protobuf"
	jsonType  = "application/json"
	grpcType  = "application/grpc"
)

// rep repeats a text up to about n bytes.
func rep(s string, n int) string { return strings.Repeat(s, n/len(s)+1) }

// count writes texts with growing numbers, up to about n bytes.
func count(format string, n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// pb is a field of a protobuf message.
func pb(number int, content string) string {
	b := binary.AppendUvarint(nil, uint64(number)<<3|2)
	return string(binary.AppendUvarint(b, uint64(len(content)))) + content
}

// inside puts a message into others, the innermost number first.
func inside(content string, numbers ...int) string {
	for _, n := range numbers {
		content = pb(n, content)
	}
	return content
}

// ids are the fields of a trace and a span id, and a parent where it is not 0.
func pbIDs(trace, span, parent uint64) string {
	id := func(v uint64) string { return string(binary.BigEndian.AppendUint64(nil, v)) }
	s := pb(1, id(trace>>32+1)+id(trace)) + pb(2, id(span))
	if parent != 0 {
		s += pb(4, id(parent))
	}
	return s
}

func pbText(key, value string) string { return pb(1, key) + pb(2, pb(1, value)) }

var speaks = pb(9, pbText("gen_ai.operation.name", "chat"))

// pbSpans repeats spans up to about n bytes.
func pbSpans(n int, span func(i uint64) string) string {
	var b strings.Builder
	for i := uint64(1); b.Len() < n; i++ {
		b.WriteString(pb(2, span(i)))
	}
	return inside(b.String(), 2, 1)
}

// pbSpan is a request with one span that has the fields, in a trace of its own.
func pbSpan(fields string) string {
	lastTrace++
	return inside(pbIDs(lastTrace, 1, 0)+speaks+fields, 2, 2, 1)
}

var lastTrace uint64 = 1 << 40

// pbBombs are requests in protobuf.
func pbBombs(all bool) []bomb {
	var list []bomb
	add := func(name string, body func(n int) string) {
		list = append(list, bomb{"protobuf: " + name, "POST", "/v1/traces", protoType, body})
	}
	empties := map[string][]int{ // messages of each kind that repeats, in a message of the request
		"resources": {1}, "scopes": {2, 1}, "spans": {2, 2, 1}, "resource attributes": {1, 1, 1}, "scope attributes": {3, 1, 2, 1},
		"entity references": {3, 1, 1}, "unknown messages": {100},
	}
	for _, name := range sorted(empties) {
		add("empty "+name, func(n int) string {
			return inside(rep(pb(empties[name][0], ""), n), empties[name][1:]...)
		})
	}
	ofSpans := map[string][]int{ // and in a span
		"attributes": {9}, "events": {11}, "links": {13}, "states": {15}, "attributes of an event": {3, 11}, "attributes of a link": {4, 13}, "values": {1, 5, 2, 9}, "pairs": {1, 6, 2, 9},
		"values in values": {1, 5, 1, 5, 1, 5, 2, 9}, "pairs in pairs": {1, 6, 2, 1, 6, 2, 9}, "unknown fields": {99},
	}
	for _, name := range sorted(ofSpans) {
		add("empty "+name, func(n int) string {
			return pbSpan(inside(rep(pb(ofSpans[name][0], ""), n), ofSpans[name][1:]...))
		})
	}
	add("tiny spans", func(n int) string { return pbSpans(n, func(i uint64) string { return pbIDs(1, i, 0) }) })
	add("tiny spans of a parent", func(n int) string { return pbSpans(n, func(i uint64) string { return pbIDs(1, i, i-1) }) })
	add("tiny events", func(n int) string { return pbSpans(n, func(i uint64) string { return pbIDs(1, i, 1) + speaks }) })
	add("tiny traces", func(n int) string { return pbSpans(n, func(i uint64) string { return pbIDs(i, i, 0) + speaks }) })
	add("tiny sessions", func(n int) string {
		return pbSpans(n, func(i uint64) string {
			return pbIDs(i, i, 0) + speaks + pb(9, pbText("gen_ai.conversation.id", fmt.Sprint(i)))
		})
	})
	add("spans with events", func(n int) string {
		return pbSpans(n, func(i uint64) string { return pbIDs(1, i, 1) + speaks + strings.Repeat(pb(11, pb(2, "e")), 100) })
	})
	add("identity of a resource", func(n int) string {
		var identity strings.Builder
		for i := range 1000 {
			identity.WriteString(pb(1, pbText(fmt.Sprintf("honeyhive.session_%d", i), "x")))
		}
		var spans strings.Builder
		for i := uint64(1); spans.Len() < n && (all || i < 100); i++ {
			spans.WriteString(pb(2, pbIDs(1, i, 0)))
		}
		return pb(1, pb(1, identity.String())+pb(2, spans.String()))
	})
	add("a chain of plain spans", func(n int) string {
		return pbSpans(n, func(i uint64) string {
			if i < 250 {
				return pbIDs(1, i, i+1)
			}
			return pbIDs(1, i, 1) + speaks
		})
	})
	elements := map[string]string{
		"integers": "\x0a\x02\x18\x01", "doubles": "\x0a\x09\x21" + string(binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.123456789))),
		"booleans": "\x0a\x02\x10\x01", "texts": "\x0a\x02\x0a\x00", "bytes": "\x0a\x02\x3a\x00", "lists": "\x0a\x02\x2a\x00", "maps": "\x0a\x02\x32\x00",
	}
	for _, name := range sorted(elements) {
		element := elements[name]
		add("a list of "+name, func(n int) string { return pbSpan(inside(pb(1, "k")+pb(2, inside(rep(element, n), 5)), 9)) })
		add("lists of a thousand "+name, func(n int) string {
			return pbSpan(rep(inside(pb(1, "k")+pb(2, inside(rep(element, 1000*len(element)), 5)), 9), n))
		})
	}
	add("lists of every length", func(n int) string {
		var b strings.Builder
		for i := 6; b.Len() < n; i++ {
			b.WriteString(pb(9, pb(2, pb(5, strings.Repeat("\x0a\x00", i%1500)))))
		}
		return pbSpan(b.String())
	})
	add("deep lists", func(n int) string {
		v := "\x18\x01"
		for range 90 {
			v = pb(5, pb(1, v))
		}
		return pbSpan(rep(pb(9, pb(2, v)), n))
	})
	fields := map[string]func(string) string{
		"name":  func(s string) string { return pb(5, s) },
		"key":   func(s string) string { return pb(9, pbText(s, "")) },
		"value": func(s string) string { return pb(9, pbText("app.text", s)) }, "input": func(s string) string { return pb(9, pbText("input.value", s)) },
		"status": func(s string) string { return pb(15, pb(2, s)+"\x18\x02") }, "event": func(s string) string { return pb(11, pb(2, s)) },
		"bytes":         func(s string) string { return pb(9, pb(1, "b")+pb(2, pb(7, s))) },
		"session":       func(s string) string { return pb(9, pbText("gen_ai.conversation.id", s)) },
		"project":       func(s string) string { return pb(9, pbText("honeyhive.project", s)) },
		"exception":     func(s string) string { return pb(11, pb(2, "exception")+pb(3, pbText("exception.message", s))) },
		"finish reason": func(s string) string { return pb(9, pbText("gen_ai.response.finish_reasons", s)) },
	}
	for i, name := range sorted(fields) {
		field := fields[name]
		for k, text := range sorted(texts) {
			if all || k == i%len(texts) {
				add("a "+name+" of "+text, func(n int) string { return pbSpan(field(rep(texts[text], n))) })
			}
		}
	}
	for i, key := range structuredKeys {
		for k, name := range sorted(jsonTexts) {
			if all || k == i%len(jsonTexts) {
				add(key+" of "+name, func(n int) string { return pbSpan(pb(9, pbText(key, jsonTexts[name](n)))) })
			}
		}
	}
	for _, key := range []string{"llm.input_messages.%d.message.role", "llm.tools.%d.tool.json_schema", "retrieval.documents.%d.document.content", "gen_ai.prompt.%d.content",
		"llm.input_messages.0.message.tool_calls.%d.tool_call.function.name", "honeyhive_inputs.%d", "honeyhive_metadata." + strings.Repeat("a.", 60) + "%d", "app.%d"} {
		add("attributes "+key, func(n int) string {
			var b strings.Builder
			for i := 0; b.Len() < n; i++ {
				b.WriteString(pb(9, pbText(fmt.Sprintf(key, i), "x")))
			}
			return pbSpan(b.String())
		})
	}
	add("one key many times", func(n int) string { return pbSpan(rep(pb(9, pbText("a", "b")), n)) })
	add("a group in a group", func(n int) string { return strings.Repeat("\x0b", min(n, 9000)) + rep("\x08\x01", n) })
	return list
}

// logBombs are requests of log records, and both kinds of requests as calls of gRPC.
func logBombs(all bool) []bomb {
	var list []bomb
	add := func(name string, body func(n int) string) {
		list = append(list, bomb{"logs: " + name, "POST", "/v1/logs", protoType, body})
	}
	ids := pb(9, "0123456789abcdef") + pb(10, "01234567")
	record := func(fields string) string {
		return inside(ids+pb(12, "gen_ai.user.message")+fields, 2, 2, 1)
	}
	records := func(n int, record func(i int) string) string {
		var b strings.Builder
		for i := 0; b.Len() < n; i++ {
			b.WriteString(pb(2, record(i)))
		}
		return inside(b.String(), 2, 1)
	}
	empties := map[string][]int{"resources": {1}, "scopes": {2, 1}, "records": {2, 2, 1}}
	for _, name := range sorted(empties) {
		add("empty "+name, func(n int) string { return inside(rep(pb(empties[name][0], ""), n), empties[name][1:]...) })
	}
	ofRecords := map[string][]int{"attributes": {6}, "bodies": {5}, "values": {1, 5, 5}, "members": {1, 6, 5}, "members of members": {1, 6, 2, 1, 6, 5}, "values of an attribute": {1, 5, 2, 6}}
	for _, name := range sorted(ofRecords) {
		add("empty "+name, func(n int) string { return record(inside(rep(pb(ofRecords[name][0], ""), n), ofRecords[name][1:]...)) })
	}
	tiny := func(span func(i int) string, fields string) func(n int) string {
		return func(n int) string {
			return records(n, func(i int) string { return pb(9, "0123456789abcdef") + pb(10, span(i)) + fields })
		}
	}
	one := func(int) string { return "01234567" }
	each := func(i int) string { return fmt.Sprintf("%08x", i) }
	attribute := pb(6, pbText("gen_ai.a", ""))
	add("tiny records of a span", tiny(one, attribute))
	add("tiny records of spans", tiny(each, attribute))
	add("tiny messages of a span", tiny(one, pb(12, "gen_ai.user.message")+pb(5, inside(pbText("content", "x"), 1, 6))))
	add("attributes of a span", tiny(one, rep(attribute, 5000)))
	add("attributes of spans", tiny(each, rep(pb(6, pb(1, "a")), 5000)+attribute))
	for i, name := range sorted(texts) {
		if all || i%3 == 0 {
			add("a body of "+name, func(n int) string {
				return record(pb(5, inside(pb(1, "content")+pb(2, pb(1, rep(texts[name], n))), 1, 6)))
			})
			add("messages of "+name, func(n int) string { return record(pb(6, pbText("gen_ai.input.messages", rep(texts[name], n)))) })
		}
	}
	for i, name := range sorted(jsonTexts) {
		if all || i%4 == 0 {
			add("messages as "+name, func(n int) string {
				return inside(ids+pb(12, "gen_ai.client.inference.operation.details")+pb(6, pbText("gen_ai.input.messages", jsonTexts[name](n))), 2, 2, 1)
			})
		}
	}
	otlp := func(name, before, repeated, after string) {
		list = append(list, bomb{"logs: JSON " + name, "POST", "/v1/logs", jsonType, func(n int) string { return before + rep(repeated, n) + after }})
	}
	otlp("records", `{"resourceLogs":[{"scopeLogs":[{"logRecords":[`, `{},`, `{}]}]}]}`)
	otlp("members", `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","eventName":"gen_ai.x","body":{"kvlistValue":{"values":[`, `{},`, `{}]}}}]}]}]}`)
	otlp("bad values", `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","eventName":"gen_ai.x","attributes":[`, `7,`, `7]}]}]}]}`)
	otlp("no JSON", `{"resourceLogs":[`, `NaN,`, `NaN]}`)

	var calls []bomb
	for i, b := range list {
		if b.contentType == protoType && (all || i%3 == 0) {
			calls = append(calls, bomb{"gRPC " + b.name, "POST", "/opentelemetry.proto.collector.logs.v1.LogsService/Export", grpcType, b.body})
		}
	}
	for i, b := range pbBombs(all) {
		if all || i%9 == 0 {
			calls = append(calls, bomb{"gRPC " + b.name, "POST", traceMethod, grpcType, b.body})
		}
	}
	return append(list, calls...)
}

// badBombs are requests whose values are not as the protocol has it.
func badBombs() []bomb {
	var list []bomb
	const span = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"n",`
	for name, c := range map[string][3]string{
		"attributes":       {`"attributes":[`, `7,`, `7]`},
		"integers":         {`"attributes":[`, `{"key":"gen_ai.x","value":{"intValue":"x"}},`, `7]`},
		"events":           {`"events":[`, `7,`, `7]`},
		"links":            {`"links":[`, `{},`, `7]`},
		"names":            {``, `"name":7,`, `"name":7`},
		"statuses":         {``, `"status":7,`, `"status":7`},
		"times":            {``, `"startTimeUnixNano":[],`, `"name":7`},
		"values":           {`"attributes":[{"key":"gen_ai.x","value":{"arrayValue":{"values":[`, `7,`, `7]}}}]`},
		"nested lists":     {`"attributes":[{"key":"gen_ai.x","value":`, strings.Repeat(`{"arrayValue":{"values":[`, 90) + strings.Repeat(`]},"arrayValue":7}`, 90) + `},{"value":`, `7}]`},
		"bare words":       {`"attributes":[`, `a,`, `a]`},
		"controls":         {`"name":"`, "\x01", `"`},
		"wrong escapes":    {`"name":"`, `\x`, `"`},
		"what is too deep": {`"future":[`, strings.Repeat("[", 500) + strings.Repeat("]", 500) + ",", `7]`},
	} {
		list = append(list, bomb{"bad " + name, "POST", "/v1/traces", jsonType, func(n int) string { return span + c[0] + rep(c[1], n) + c[2] + `}]}]}]}` }})
	}
	slices.SortFunc(list, func(a, b bomb) int { return strings.Compare(a.name, b.name) })
	bad := map[string]string{"texts": pb(9, pbText("gen_ai.x", "\xff")), "values": pb(9, "\x0a\x01k\x12\x09"), "events": pb(11, "\x12\x09"), "links": pb(13, "\x0a\x03abc"), "a text": ""}
	for _, name := range sorted(bad) {
		list = append(list, bomb{"protobuf: bad " + name, "POST", "/v1/traces", protoType, func(n int) string {
			if name == "a text" {
				return pbSpan(pb(9, pbText("gen_ai.x", rep("\xffa", n))))
			}
			return pbSpan(rep(bad[name], n))
		}})
	}
	return list
}

// texts are of what a text may be many times.
var texts = map[string]string{"letters": "a", "controls": "\x01", "quotes": `"`, "separators": "\u2028", "no UTF-8": "\xffa", "ideographs": "漢", "digits": "7.", "lines": "\n", "commas": ","}

// structuredKeys are attributes whose texts are taken apart where they hold JSON.
var structuredKeys = []string{
	"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions", "gen_ai.tool.call.arguments", "honeyhive_children_ids", "honeyhive_inputs", "honeyhive_outputs",
	"honeyhive_config", "honeyhive_metadata", "input.value", "output.value", "llm.tools", "llm.invocation_parameters", "traceloop.entity.input", "traceloop.entity.output", "metadata", "llm.input_messages.0.message.content", "app.json",
}

// jsonTexts are JSON of many parts.
var jsonTexts = map[string]func(n int) string{
	"zeros":    func(n int) string { return "[" + rep("0,", n) + "0]" },
	"objects":  func(n int) string { return "[" + rep("{},", n) + "{}]" },
	"messages": func(n int) string { return `[` + rep(`{"role":"user"},`, n) + `{}]` },
	"parts":    func(n int) string { return `[{"role":"user","parts":[` + rep(`{},`, n) + `{}]}]` },
	"calls":    func(n int) string { return `[{"role":"assistant","tool_calls":[` + rep(`{},`, n) + `{}]}]` },
	"keys":     func(n int) string { return `{` + count(`"k%d":0,`, n) + `"x":{}}` },
	"one key":  func(n int) string { return `{` + rep(`"a":0,`, n) + `"a":1}` },
	"a text":   func(n int) string { return `{"a":"` + rep("x", n) + `"}` },
	"escapes":  func(n int) string { return `{"a":"` + rep(`\u0001`, n) + `"}` },
	"no UTF-8": func(n int) string { return `{"a":"` + rep("\xffa", n) + `"}` },
	"quotes":   func(n int) string { return `{"a":"` + rep(`\"`, n) + `"}` },
	"spaces":   func(n int) string { return `{"a":` + rep(" \n", n) + `1}` },
	"digits":   func(n int) string { return `{"a":` + rep("1", n) + `}` },
	"depth": func(n int) string {
		return "[" + rep(strings.Repeat(`{"a":[`, 28)+strings.Repeat(`]}`, 28)+",", n) + "0]"
	},
	"nothing": func(n int) string { return rep("[", n) },
}

// bombEvent is the event that bombs are about, of the session sessionID.
const bombEvent = "7f22137a-6911-4ed3-bc36-110f1dde6b66"

// jsonBombs are requests in JSON.
func jsonBombs(all bool) []bomb {
	var list []bomb
	add := func(name, method, path string, body func(n int) string) {
		list = append(list, bomb{"JSON: " + name, method, path, jsonType, body})
	}
	const span = `{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"n",`
	otlp := func(name, before, repeated, last, after string) {
		add("OTLP "+name, "POST", "/opentelemetry/v1/traces", func(n int) string { return before + rep(repeated, n) + last + after })
	}
	otlp("resources", `{"resourceSpans":[`, `{},`, `{}`, `]}`)
	otlp("scopes", `{"resourceSpans":[{"scopeSpans":[`, `{},`, `{}`, `]}]}`)
	otlp("spans", `{"resourceSpans":[{"scopeSpans":[{"spans":[`, `{},`, `{}`, `]}]}]}`)
	otlp("resource attributes", `{"resourceSpans":[{"resource":{"attributes":[`, `{},`, `{}`, `]}}]}`)
	otlp("unknown fields", `{`, `"u":[],`, `"v":0`, `}`)
	otlp("spaces", `{`, "\n\t ", `"v":0`, `}`)
	fields := map[string][2]string{
		"attributes": {`"attributes":[`, `]`}, "events": {`"events":[`, `]`}, "links": {`"links":[`, `]`}, "values": {`"attributes":[{"key":"gen_ai.x","value":{"arrayValue":{"values":[`, `]}}}]`},
		"pairs": {`"attributes":[{"key":"gen_ai.x","value":{"kvlistValue":{"values":[`, `]}}}]`}, "attributes of an event": {`"events":[{"attributes":[`, `]}]`}, "unknown": {`"future":[`, `]`},
	}
	for _, name := range sorted(fields) {
		field := fields[name]
		otlp(name, `{"resourceSpans":[{"scopeSpans":[{"spans":[`+span+field[0], `{},`, `{}`, field[1]+`}]}]}]}`)
	}
	withValue := func(name, before, repeated, after string) {
		otlp(name, `{"resourceSpans":[{"scopeSpans":[{"spans":[`+span+`"attributes":[{"key":"gen_ai.x","value":`+before, repeated, "", after+`}]}]}]}]}`)
	}
	withValue("a text", `{"stringValue":"`, `x`, `"}`)
	withValue("escapes", `{"stringValue":"`, `\u0001`, `"}`)
	withValue("surrogates", `{"stringValue":"`, `\ud800`, `"}`)
	withValue("base64", `{"bytesValue":"`, `AAAA`, `"}`)
	withValue("digits", `{"doubleValue":1.`, `1`, `}`)
	withValue("doubles", `{"arrayValue":{"values":[{"doubleValue":0}`, `,{"doubleValue":0}`, `]}}`)
	withValue("integers", `{"arrayValue":{"values":[{"intValue":"0"}`, `,{"intValue":"0"}`, `]}}`)
	withValue("quoted JSON", `{"stringValue":"[`, `\"\",`, `0]"}`)
	add("OTLP depth", "POST", "/v1/traces", func(n int) string {
		return `{"resourceSpans":[{"scopeSpans":[{"spans":[` + span + `"attributes":[{"value":` + rep(`{"arrayValue":{"values":[`, n)
	})
	add("OTLP brackets", "POST", "/v1/traces", func(n int) string { return rep("[", n) })

	const id, session = `"` + bombEvent + `"`, `"` + sessionID + `"`
	routes := map[string]struct{ method, before, after string }{
		"/session/start":          {"POST", `{"session":{"project":"p","session_id":` + session + `,`, `}}`},
		"/v1/sessions":            {"POST", `{"session_id":` + session + `,`, `}`},
		"/events":                 {"POST", `{"event":{"event_type":"tool","inputs":{},"event_id":` + id + `,"session_id":` + session + `,`, `}}`},
		"/v1/events":              {"POST", `{"event_type":"model","inputs":{},"event_id":` + id + `,"session_id":` + session + `,`, `}`},
		"/events/model":           {"POST", `{"model_event":{"event_id":` + id + `,"session_id":` + session + `,`, `}}`},
		"/v1/events/" + bombEvent: {"PUT", `{"event_id":` + id + `,`, `}`},
		"/v1/sessions/" + sessionID + "/events/batch": {"POST", `{"events":[{"event_type":"tool","inputs":{},"event_id":` + id + `,"session_id":` + session + `,`, `}]}`},
	}
	for i, route := range sorted(routes) {
		c := routes[route]
		one := func(name, before string, repeated func(n int) string, after string) {
			add(c.method+" "+route+" "+name, c.method, route, func(n int) string { return c.before + before + repeated(n) + after + c.after })
		}
		for k, name := range sorted(jsonTexts) {
			if all || k%len(routes) == i {
				one("outputs: "+name, `"outputs":{"content":`, jsonTexts[name], `}`)
			}
		}
		one("metadata: keys", `"metadata":`, jsonTexts["keys"], ``)
		one("feedback: one key", `"feedback":`, jsonTexts["one key"], ``)
		one("children: short", `"children_ids":[`, func(n int) string { return rep(`"",`, n) }, `""]`)
		one("children: ids", `"children_ids":[`, func(n int) string { return rep(id+`,`, n) }, id+`]`)
		one("unknown fields", ``, func(n int) string { return count(`"u%d":0,`, n) }, `"v":0`)
		one("a field many times", ``, func(n int) string { return rep(`"error":"",`, n) }, `"error":""`)
		one("an error", `"error":"`, func(n int) string { return rep(`e`, n) }, `"`)
		one("a name", `"event_name":"`, func(n int) string { return rep(`e`, n) }, `"`)
	}
	add("model events: fields beside messages", "POST", "/events/model", func(n int) string {
		return `{"model_event":{"messages":[` + rep(`{},`, n) + `{}],"tools":[` + rep(`0,`, n/8) + `0],` + count(`"u%d":0,`, 9000) + `"response":{},"usage":{}}}`
	})
	add("a session in a text", "POST", "/session/start", func(n int) string { return `{"session":"{\"inputs\":{\"a\":[` + rep(`\"\",`, n) + `0]}}"}` })
	for _, path := range []string{"/events/batch", "/v1/events/batch", "/events/model/batch"} {
		name := "events"
		if strings.Contains(path, "model") {
			name = "model_events"
		}
		batch := func(kind string, elements func(n int) string) {
			add(path+" "+kind, "POST", path, func(n int) string { return `{"` + name + `":[` + elements(n) + `0]}` })
		}
		batch("zeros", func(n int) string { return rep("0,", n) })
		batch("objects", func(n int) string { return rep("{},", n) })
		batch("texts", func(n int) string { return rep(`"{}",`, n) })
		batch("events", func(n int) string { return rep(`{"event_type":"tool","inputs":{}},`, n) })
		batch("wrong events", func(n int) string {
			return rep(`{"event_type":"tool","inputs":{},"event_id":"x","session_id":7,"duration":""},`, n)
		})
		batch("events of a session", func(n int) string { return rep(`{"event_type":"tool","inputs":{},"session_id":`+session+`},`, n) })
		batch("events that are sessions", func(n int) string { return rep(`{"event_type":"session","inputs":{}},`, n) })
		batch("events at odds", func(n int) string {
			return `{"event_type":"tool","inputs":{},"event_id":` + id + `},` + rep(`{"event_type":"tool","inputs":{},"session_id":`+id+`},`, n)
		})
		batch("one large event", func(n int) string { return `{"event_type":"tool","inputs":{"a":"` + rep("x", n) + `"}},` })
	}
	add("properties of a batch", "POST", "/events/batch", func(n int) string {
		return `{"events":[],"session_properties":{"inputs":` + jsonTexts["keys"](n) + `}}`
	})
	for _, path := range []string{"/events/export", "/v1/events/export"} {
		add(path+" filters", "POST", path, func(n int) string { return `{"filters":[` + rep(`{"operator":"is"},`, n) + `{"operator":"is"}]}` })
		add(path+" projections", "POST", path, func(n int) string { return `{"projections":[` + rep(`"",`, n) + `""]}` })
		add(path+" a path", "POST", path, func(n int) string { return `{"filters":[{"operator":"is","field":"` + rep(`a.`, n) + `"}]}` })
		add(path+" depth", "POST", path, func(n int) string { return `{"filters":` + rep(`[`, n) })
	}
	return list
}
