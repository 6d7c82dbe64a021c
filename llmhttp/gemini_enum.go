package llmhttp

import (
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Clients that are made from Google's protocol buffers write enumerations as
// numbers, and ask for answers with numbers by enum-encoding=int. Both services
// have the same names, mostly with other numbers. The numbers are those of
// https://github.com/googleapis/googleapis, google/ai/generativelanguage/v1beta
// and google/cloud/aiplatform/v1beta1. One that is in no table stays a number.

// An enumeration is a list of names by their numbers. Where the services differ,
// vertex is that of Vertex AI.
type enumeration struct{ names, vertex []string }

var geminiEnums = map[string]enumeration{
	"finishReason": {
		[]string{"FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "IMAGE_SAFETY", "UNEXPECTED_TOOL_CALL"},
		[]string{"FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "MODEL_ARMOR", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "UNEXPECTED_TOOL_CALL", "NO_IMAGE"},
	},
	"blockReason": {
		[]string{"BLOCK_REASON_UNSPECIFIED", "SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY"},
		[]string{"BLOCKED_REASON_UNSPECIFIED", "SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "MODEL_ARMOR", "JAILBREAK"},
	},
	"category": {
		[]string{
			"HARM_CATEGORY_UNSPECIFIED", "HARM_CATEGORY_DEROGATORY", "HARM_CATEGORY_TOXICITY", "HARM_CATEGORY_VIOLENCE", "HARM_CATEGORY_SEXUAL", "HARM_CATEGORY_MEDICAL", "HARM_CATEGORY_DANGEROUS",
			"HARM_CATEGORY_HARASSMENT", "HARM_CATEGORY_HATE_SPEECH", "HARM_CATEGORY_SEXUALLY_EXPLICIT", "HARM_CATEGORY_DANGEROUS_CONTENT", "HARM_CATEGORY_CIVIC_INTEGRITY",
		},
		[]string{"HARM_CATEGORY_UNSPECIFIED", "HARM_CATEGORY_HATE_SPEECH", "HARM_CATEGORY_DANGEROUS_CONTENT", "HARM_CATEGORY_HARASSMENT", "HARM_CATEGORY_SEXUALLY_EXPLICIT", "HARM_CATEGORY_CIVIC_INTEGRITY", "HARM_CATEGORY_JAILBREAK"},
	},
	"threshold":          {names: []string{"HARM_BLOCK_THRESHOLD_UNSPECIFIED", "BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH", "BLOCK_NONE", "OFF"}},
	"method":             {names: []string{"HARM_BLOCK_METHOD_UNSPECIFIED", "SEVERITY", "PROBABILITY"}},
	"responseModalities": {names: []string{"MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO"}},
	"mode": {
		[]string{"MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"},
		[]string{"MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "", "VALIDATED"},
	},
	"type":     {names: []string{"TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"}},
	"language": {names: []string{"LANGUAGE_UNSPECIFIED", "PYTHON"}},
	"outcome":  {names: []string{"OUTCOME_UNSPECIFIED", "OUTCOME_OK", "OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED"}},
}

// geminiWord returns the name that a member holds, be it written as a name or as
// a number. What is not specified is none.
func geminiWord(provider, member, value string) string {
	if rawjson.KindOf(value) != rawjson.Number {
		return word(value)
	}
	if value == "0" {
		return ""
	}
	if name := geminiName(provider, member, value); name != "" {
		return name
	}
	return strings.Clone(value)
}

// geminiName returns the name of a number, or "".
func geminiName(provider, member, value string) string {
	e := geminiEnums[member]
	names := e.names
	if provider == "gcp.vertex_ai" && e.vertex != nil {
		names = e.vertex
	}
	if n, err := strconv.Atoi(value); err == nil && 0 <= n && n < len(names) {
		return names[n]
	}
	return ""
}

// geminiNamed returns the value of a member with names in place of the numbers of
// enumerations, wherever they stand in it.
func geminiNamed(provider, member, value string) string {
	switch rawjson.KindOf(value) {
	case rawjson.Number:
		if name := geminiName(provider, member, value); name != "" {
			return quote(name)
		}
	case rawjson.Array, rawjson.Object:
		if hasEnumNumber(value) {
			return string(appendNamed(nil, provider, member, value))
		}
	default:
	}
	return value
}

// hasEnumNumber reports whether a value may hold an enumeration as a number,
// which values of most clients do not: a number where one can stand.
func hasEnumNumber(value string) bool {
	for i := 1; i < len(value); i++ {
		if '0' <= value[i] && value[i] <= '9' && (value[i-1] == ':' || value[i-1] == '[' || value[i-1] == ',') {
			return true
		}
	}
	return false
}

func appendNamed(dst []byte, provider, member, value string) []byte {
	switch rawjson.KindOf(value) {
	case rawjson.Number:
		if name := geminiName(provider, member, value); name != "" {
			return rawjson.AppendString(dst, name)
		}
	case rawjson.Array:
		dst = append(dst, '[')
		for v := range rawjson.Elements(value) {
			dst = appendNamed(comma(dst), provider, member, v)
		}
		return append(dst, ']')
	case rawjson.Object:
		o := object{b: dst, start: len(dst)}
		for k, v := range rawjson.Members(value) {
			o.key(k)
			o.b = appendNamed(o.b, provider, k, v)
		}
		return o.bytes()
	default:
	}
	return append(dst, value...)
}
