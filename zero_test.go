package sessionspan_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// TestZeroHandles calls every method of handles that nobody started, nil ones and
// zero ones, with empty arguments and with others. None may panic.
func TestZeroHandles(t *testing.T) {
	err := errors.New("broken")
	arguments := map[reflect.Type][]any{
		reflect.TypeFor[context.Context](): {nil, t.Context()},
		reflect.TypeFor[any]():             {nil, map[string]any{"k": 1}},
		reflect.TypeFor[*error]():          {(*error)(nil), new(error), &err},
		reflect.TypeFor[error]():           {nil, err},
		reflect.TypeFor[string]():          {"", "text", "0a1b2c3d-0000-4000-8000-0123456789ab"},
		reflect.TypeFor[int]():             {0, 3},
		reflect.TypeFor[time.Time]():       {time.Time{}, time.Unix(1, 0)},
		reflect.TypeFor[time.Duration]():   {time.Duration(0), time.Second},
		reflect.TypeFor[[]string]():        {[]string(nil), []string{"0a1b2c3d-0000-4000-8000-0123456789ab"}},
		reflect.TypeFor[[]sessionspan.FieldOption](): {[]sessionspan.FieldOption(nil), []sessionspan.FieldOption{
			{}, sessionspan.WithInputs("x"), sessionspan.WithSessionID("x"), sessionspan.WithError("x"), sessionspan.WithEndTime(time.Unix(1, 0)),
			sessionspan.WithMessages(sessionspan.Message{Content: "x"}), sessionspan.WithModel("p", "m"),
		}},
		reflect.TypeFor[[]sessionspan.Message]():  {[]sessionspan.Message(nil), []sessionspan.Message{{Content: "x", FinishReason: "stop"}}},
		reflect.TypeFor[[]sessionspan.Document](): {[]sessionspan.Document(nil), []sessionspan.Document{{ID: "x"}}},
		reflect.TypeFor[sessionspan.Usage]():      {sessionspan.Usage{}, sessionspan.Usage{InputTokens: 1}},
		reflect.TypeFor[[]attribute.KeyValue]():   {[]attribute.KeyValue(nil), []attribute.KeyValue{attribute.Int("k", 1)}},
	}
	handles := []any{
		(*sessionspan.Session)(nil), new(sessionspan.Session), (*sessionspan.Event)(nil), new(sessionspan.Event),
		(*sessionspan.Tracer)(nil), new(sessionspan.Tracer), (*exporter.Exporter)(nil), new(exporter.Exporter),
	}
	if ctx := t.Context(); sessionspan.ContextWithSession(ctx, new(sessionspan.Session)) != ctx || sessionspan.ContextWithEvent(ctx, new(sessionspan.Event)) != ctx {
		t.Error("a context has a handle that nobody started")
	}
	for _, handle := range handles {
		v := reflect.ValueOf(handle)
		_ = fmt.Sprintf("%v %+v %#v %s %d", handle, handle, handle, handle, handle)
		for i := range v.NumMethod() {
			if v.Type().Method(i).Name == "Format" {
				continue // needs a state of fmt
			}
			name := fmt.Sprintf("%T of nil: %v, %s", handle, v.IsNil(), v.Type().Method(i).Name)
			for round := range 3 {
				fresh := v
				if !v.IsNil() { // an earlier call, such as Shutdown, may change what a later one does
					fresh = reflect.New(v.Type().Elem())
				}
				method := fresh.Method(i)
				var in []reflect.Value
				for typ := range method.Type().Ins() {
					in = append(in, argument(arguments, typ, round))
				}
				t.Run(fmt.Sprint(name, round), func(t *testing.T) {
					defer func() {
						if r := recover(); r != nil {
							t.Errorf("panic: %v", r)
						}
					}()
					if method.Type().IsVariadic() {
						method.CallSlice(in)
					} else {
						method.Call(in)
					}
				})
			}
		}
	}
}

// argument returns the argument of a type for a round: the zero one where there are
// none.
func argument(of map[reflect.Type][]any, typ reflect.Type, round int) reflect.Value {
	values := of[typ]
	if len(values) == 0 {
		return reflect.Zero(typ)
	}
	if v := values[round%len(values)]; v != nil {
		return reflect.ValueOf(v)
	}
	return reflect.Zero(typ)
}
