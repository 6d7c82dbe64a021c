package convert_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
)

// fuzzReader takes a span from bytes: lines of a name, a type and a value.
type fuzzReader struct{ data []byte }

func (r *fuzzReader) next(sep byte) []byte {
	head, tail, _ := bytes.Cut(r.data, []byte{sep})
	r.data = tail
	return head
}

func (r *fuzzReader) value(depth int) attribute.Value {
	if len(r.data) == 0 {
		return attribute.Value{}
	}
	kind := r.data[0]
	r.data = r.data[1:]
	number := func() uint64 {
		var b [8]byte
		copy(b[:], r.next('\n'))
		return binary.LittleEndian.Uint64(b[:])
	}
	switch kind {
	case 'i':
		return attribute.Int64Value(int64(number()))
	case 'f':
		return attribute.Float64Value(math.Float64frombits(number()))
	case 'b':
		return attribute.BoolValue(number()&1 == 1)
	case 'x':
		return attribute.ByteSliceValue(r.next('\n'))
	case 'l':
		return attribute.StringSliceValue([]string{string(r.next('\n')), string(r.next('\n'))})
	case 'e':
		return attribute.Value{}
	case 's':
		if depth < 100 {
			return attribute.SliceValue(r.value(depth+1), r.value(depth+1))
		}
	case 'm':
		if depth < 100 {
			return attribute.MapValue(attribute.KeyValue{Key: attribute.Key(r.next('=')), Value: r.value(depth + 1)}, attribute.KeyValue{Key: attribute.Key(r.next('=')), Value: r.value(depth + 1)})
		}
	}
	return attribute.StringValue(string(r.next('\n')))
}

func (r *fuzzReader) span() *convert.Span {
	s := newSpan()
	s.Status = string(r.next('\n'))
	s.Name = string(r.next('\n'))
	s.Failed = len(s.Status)%2 == 1
	kvs := &s.Attributes
	for len(r.data) > 0 {
		name := r.next('=')
		switch string(name) {
		case "!event":
			s.Events = append(s.Events, convert.Event{Name: string(r.next('\n')), Time: time.UnixMilli(1)})
			kvs = &s.Events[len(s.Events)-1].Attributes
		case "!link":
			s.Links = append(s.Links, convert.Link{})
			kvs = &s.Links[len(s.Links)-1].Attributes
		case "!scope":
			s.Scope = string(r.next('\n'))
		case "!kind":
			s.Kind = convert.Kind(len(r.next('\n')))
		case "!end":
			s.End = time.Unix(int64(len(r.data))-100, 0)
		case "!running":
			s.End = time.Time{}
		default:
			*kvs = append(*kvs, attribute.KeyValue{Key: attribute.Key(name), Value: r.value(0)})
		}
	}
	return s
}

// FuzzConvert: any span becomes payloads that the API takes, always the same.
func FuzzConvert(f *testing.F) {
	for _, m := range convert.Tables() {
		name := m.Attribute
		if name[len(name)-1] == '.' {
			name += "0.message.content"
		}
		f.Add([]byte("\nspan\n" + name + `=t{"role":"user","parts":[{"type":"text","content":"Hi"}]}` + "\n" + name + "=i\x07\n" + name + ".x=t[1,2]\n"))
	}
	for _, span := range []string{
		"boom\nname\nhoneyhive_event_type=tsession\nhoneyhive.session_id=tuser\nhoneyhive_children_ids=lno\n7f22137a-6911-4ed3-bc36-110f1dde6b66\n!end=",
		"\n\n!event=exception\nexception.message=tno\n!event=gen_ai.evaluation.result\ngen_ai.evaluation.score.value=f\x01\n!link=a=t1\n!running=",
		"\n\n!event=db.query.result\ndb.query.result.id=t1\nhoneyhive_duration=f\xff\xff\xff\xff\xff\xff\xff\xff\nhoneyhive_inputs=m\xff=sta\nt{}\nb=e\n",
		"\n\nllm.input_messages.0.message.contents.0.message_content.type=timage\nllm.input_messages.0.message.contents.0.message_content.image.image.url=tu\n" +
			"llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments=t{}\ninput.value=t{\"messages\":[]}\ninput.mime_type=tapplication/json\n",
		"\n\n!scope=pydantic-ai\nevents=t[{\"event.name\":\"gen_ai.choice\",\"message\":{}}]\nfinal_result=t{}\n!event=gen_ai.choice\nmessage=t[{\"toolUse\":{}}]\n!event=gen_ai.tool.message\ncontent=t[{\"toolResult\":1}]\n",
		"\n\n!kind=xxx\nlangsmith.span.kind=tllm\ngen_ai.prompt=t{\"messages\":[[{\"lc\":1,\"kwargs\":{\"content\":[]},\"id\":[\"AIMessage\"]}]]}\ngen_ai.completion=t{\"generations\":[[{\"message\":{}}]]}\n",
		"\n\ngenkit:metadata:subtype=tmodel\ngenkit:input=t{\"messages\":[{\"role\":\"user\",\"content\":[{\"toolRequest\":{}}]}]}\ngenkit:output=t{\"message\":{\"content\":[{}]},\"usage\":{\"inputTokens\":1}}\n",
		"\n\ngen_ai.prompt.0.content=t[{\"type\":\"text\"}]\ngen_ai.completion.0.tool_calls=t[{}]\ngen_ai.completion.0.function_call.name=tf\nllm.prompts.0.prompt.text=ta\nllm.prompts.1.user=tb\n",
	} {
		f.Add([]byte(span))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := fuzzReader{data}
		s := r.span()
		rec := convert.Convert(s)
		valid(t, &rec)
		again := convert.Convert(s)
		if a, b := payload(&rec), payload(&again); !bytes.Equal(a, b) {
			t.Errorf("two conversions differ:\n%s\n%s", a, b)
		}
		convert.RoleOf(s)
	})
}
