package traces

import (
	"go.opentelemetry.io/otel/attribute"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
)

// keyValues returns the attributes of both lists, in their order.
func keyValues(before, attributes []*commonpb.KeyValue) []attribute.KeyValue {
	if len(before)+len(attributes) == 0 {
		return nil
	}
	out := make([]attribute.KeyValue, 0, len(before)+len(attributes))
	for _, list := range [...][]*commonpb.KeyValue{before, attributes} {
		for _, kv := range list {
			out = append(out, attribute.KeyValue{Key: attribute.Key(kv.GetKey()), Value: value(kv.GetValue())})
		}
	}
	return out
}

// value returns the value of an attribute. One that is not set is empty.
func value(v *commonpb.AnyValue) attribute.Value {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return attribute.StringValue(v.StringValue)
	case *commonpb.AnyValue_BoolValue:
		return attribute.BoolValue(v.BoolValue)
	case *commonpb.AnyValue_IntValue:
		return attribute.Int64Value(v.IntValue)
	case *commonpb.AnyValue_DoubleValue:
		return attribute.Float64Value(v.DoubleValue)
	case *commonpb.AnyValue_BytesValue:
		return attribute.ByteSliceValue(v.BytesValue)
	case *commonpb.AnyValue_ArrayValue:
		list := make([]attribute.Value, 0, len(v.ArrayValue.GetValues()))
		for _, element := range v.ArrayValue.GetValues() {
			list = append(list, value(element))
		}
		return attribute.SliceValue(list...)
	case *commonpb.AnyValue_KvlistValue:
		return attribute.MapValue(keyValues(nil, v.KvlistValue.GetValues())...)
	}
	return attribute.Value{}
}
