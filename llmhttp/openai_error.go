package llmhttp

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file reads errors of OpenAI's API, and of servers that are compatible more
// or less, in the places where only they have them.

// openAIFault reads an error that stands in a place of its own.
func (x *exchange) openAIFault(e string) {
	if x.problem != nil || !x.failWith(e) {
		return
	}
	x.openAIFaultDetails(e)
}

// openAIWordFault reads an error that may be a code alone (Groq's over_capacity).
func (x *exchange) openAIWordFault(e string) {
	if code := text(e); code != "" && !strings.ContainsRune(code, ' ') {
		x.fail(code, "")
		return
	}
	x.openAIFault(e)
}

// openAIFaultDetails reads what an error says besides its code and message:
// OpenRouter what the provider behind it said, Groq what the model wrote.
func (x *exchange) openAIFaultDetails(e string) {
	raw := get(e, "metadata", "raw")
	if rawjson.KindOf(raw) == rawjson.String {
		raw = text(raw)
	}
	if raw = strings.TrimSpace(raw); raw != "" && x.problem.message != raw {
		const most = 4 << 10
		raw = strings.ToValidUTF8(raw[:min(len(raw), most)], "")
		x.problem.message = strings.TrimPrefix(x.problem.message+": "+raw, ": ")
	}
	if wrote := get(e, "failed_generation"); text(wrote) != "" && len(wrote) <= x.room {
		x.room -= len(wrote)
		x.outputs.json("failed_generation", strings.Clone(wrote))
	}
}

// openAIProblem reads the error that a body is, or holds.
func (x *exchange) openAIProblem(body string) {
	if x.problem == nil && x.errorIn(body) {
		x.openAIFaultDetails(get(body, "error"))
	}
}

// openAIBaseFault reads MiniMax's status of an answer, which is 0 where nothing
// went wrong: https://platform.minimax.io/docs/api-reference/errorcode.
func (x *exchange) openAIBaseFault(status string) {
	if code := get(status, "status_code"); rawjson.KindOf(code) == rawjson.Number && code != "0" {
		x.fail(code, text(get(status, "status_msg")))
	}
}

// failedFinishes are the reasons by which servers say that a choice ended because
// something went wrong: OpenRouter and Mistral (error), vLLM and SGLang (abort),
// DeepSeek (insufficient_system_resource), Zhipu (network_error). A filter that
// stepped in is none.
var failedFinishes = []string{
	"error", "failed", "abort", "aborted", "cancelled", "canceled", "timeout", "insufficient_system_resource",
	"network_error", "server_error", "internal_error", "engine_error", "overloaded", "malformed_tool_use", "malformed_model_output",
}

// failedFinish reports whether a choice that ended for a reason failed. Gateways
// to Gemini and Bedrock pass on the reasons of those, also behind words of their
// own.
func failedFinish(reason string) bool {
	reason = strings.ToLower(reason)
	return slices.Contains(failedFinishes, reason) || strings.Contains(reason, "malformed_function_call")
}

// openAIFailedFinish reads the error of a choice that ended. native is the reason
// in the words of a provider behind a gateway.
func (x *exchange) openAIFailedFinish(c *choice, native, fault string) {
	if x.openAIFault(fault); x.problem != nil {
		return
	}
	if failedFinish(c.finish) || failedFinish(text(native)) {
		kind := c.finish
		if n := text(native); kind == "error" || !failedFinish(kind) {
			kind = cmp.Or(n, kind)
		}
		x.fail(kind, "the answer ended with the reason "+c.finish)
	}
}
