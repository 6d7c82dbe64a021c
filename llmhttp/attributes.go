package llmhttp

import "go.opentelemetry.io/otel/attribute"

// Attributes of the general conventions. Those of the GenAI conventions are in
// internal/genai.
const (
	attrServerAddress = attribute.Key("server.address")
	attrServerPort    = attribute.Key("server.port")
	attrResendCount   = attribute.Key("http.request.resend_count")
	attrStatusCode    = attribute.Key("http.response.status_code")
)
