package clienttest

import (
	"encoding/binary"
	"hash/crc32"
	"net/http"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// bedrockWire is Bedrock's Converse and ConverseStream, as
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
// has them.
var bedrockWire = &wire{
	name: "Bedrock Converse", api: llmhttp.Bedrock, operation: "chat", provider: "aws.bedrock",
	streamType: "application/vnd.amazon.eventstream", finish: anthropicFinish,
	isStream: func(r *http.Request, _ string) bool { return strings.HasSuffix(r.URL.Path, "/converse-stream") },
	cached:   true, none: "cache_write_input_tokens", instructions: true, noID: true, noModel: true,
	whole:         bedrockWhole,
	stream:        bedrockStream,
	failure:       bedrockFailure,
	failureKind:   bedrockKind,
	streamFailure: frame("exception", "modelStreamErrorException", object{"message": "The model has failed"}),
	streamProblem: problem{"modelStreamErrorException: The model has failed", "modelStreamErrorException"},
	result:        openAIWire.result,
}

func bedrockFailure(status int) (string, problem) {
	kind := bedrockKind(status)
	return encode(object{"message": "This will not do"}), problem{strconv.Itoa(status) + " " + kind + ": This will not do", kind}
}

// bedrockKind is the type of an error, which stands in a header.
func bedrockKind(status int) string {
	if status == 429 {
		return "ThrottlingException"
	}
	return "ValidationException"
}

func bedrockUsage() object {
	return object{
		"inputTokens": inputTokens - cachedTokens, "outputTokens": outputTokens, "totalTokens": inputTokens + outputTokens,
		"cacheReadInputTokens": cachedTokens, "cacheWriteInputTokens": 0,
	}
}

func bedrockWhole(a answer) string {
	content := list{}
	if len(a.Pieces) > 0 {
		content = append(content, object{"text": a.text()})
	}
	for _, c := range a.Calls {
		content = append(content, object{"toolUse": object{"toolUseId": c.ID, "name": c.Name, "input": decode(c.Arguments)}})
	}
	return encode(object{
		"output": object{"message": object{"role": "assistant", "content": content}}, "stopReason": anthropicFinish[a.finish()],
		"usage": bedrockUsage(), "metrics": object{"latencyMs": 5},
	})
}

func bedrockStream(a answer, _ string) (begin, middle, rest []string) {
	send := func(kind string, data object) string { return frame("event", kind, data) }
	delta := func(i int, d object) string {
		return send("contentBlockDelta", object{"contentBlockIndex": i, "delta": d})
	}
	begin = []string{send("messageStart", object{"role": "assistant"})}
	for _, p := range a.Pieces {
		middle = append(middle, delta(0, object{"text": p}))
	}
	if len(a.Pieces) > 0 {
		rest = append(rest, send("contentBlockStop", object{"contentBlockIndex": 0}))
	}
	for i, c := range a.Calls {
		middle = append(middle, send("contentBlockStart", object{"contentBlockIndex": i, "start": object{"toolUse": object{"toolUseId": c.ID, "name": c.Name}}}))
		for _, half := range c.halves() {
			middle = append(middle, delta(i, object{"toolUse": object{"input": half}}))
		}
		middle = append(middle, send("contentBlockStop", object{"contentBlockIndex": i}))
	}
	return begin, middle, append(rest, send("messageStop", object{"stopReason": anthropicFinish[a.finish()]}),
		send("metadata", object{"usage": bedrockUsage(), "metrics": object{"latencyMs": 5}}))
}

// frame returns a message of AWS's event streams: lengths and their checksum,
// headers, payload, and the checksum of all. Headers are texts, which is type 7.
// The format is on
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html.
func frame(kind, name string, payload any) string {
	var headers []byte
	for _, h := range [][2]string{{":message-type", kind}, {":" + kind + "-type", name}, {":content-type", "application/json"}} {
		headers = append(headers, byte(len(h[0])))
		headers = append(append(headers, h[0]...), 7)
		headers = append(binary.BigEndian.AppendUint16(headers, uint16(len(h[1]))), h[1]...)
	}
	body := encode(payload)
	b := binary.BigEndian.AppendUint32(nil, uint32(16+len(headers)+len(body)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(headers)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, headers...), body...)
	return string(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
}
