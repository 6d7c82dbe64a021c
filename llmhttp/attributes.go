package llmhttp

import "go.opentelemetry.io/otel/attribute"

// Attributes of the GenAI conventions that no other part of the library writes.
const (
	attrConversationID   = attribute.Key("gen_ai.conversation.id")
	attrSystem           = attribute.Key("gen_ai.system_instructions") // JSON: list of parts
	attrTools            = attribute.Key("gen_ai.tool.definitions")    // JSON: list of tools
	attrOutputType       = attribute.Key("gen_ai.output.type")
	attrStream           = attribute.Key("gen_ai.request.stream")
	attrChoices          = attribute.Key("gen_ai.request.choice.count")
	attrSeed             = attribute.Key("gen_ai.request.seed")
	attrMaxTokens        = attribute.Key("gen_ai.request.max_tokens")
	attrTemperature      = attribute.Key("gen_ai.request.temperature")
	attrTopP             = attribute.Key("gen_ai.request.top_p")
	attrTopK             = attribute.Key("gen_ai.request.top_k")
	attrFrequencyPenalty = attribute.Key("gen_ai.request.frequency_penalty")
	attrPresencePenalty  = attribute.Key("gen_ai.request.presence_penalty")
	attrStopSequences    = attribute.Key("gen_ai.request.stop_sequences")
	attrReasoningLevel   = attribute.Key("gen_ai.request.reasoning.level")
	attrPreviousResponse = attribute.Key("gen_ai.request.previous_response.id")
	attrEncodingFormats  = attribute.Key("gen_ai.request.encoding_formats")
	attrDimensions       = attribute.Key("gen_ai.embeddings.dimension.count")
	attrResponseID       = attribute.Key("gen_ai.response.id")
	attrResponseModel    = attribute.Key("gen_ai.response.model")
	attrFirstChunk       = attribute.Key("gen_ai.response.time_to_first_chunk") // seconds
	attrServerAddress    = attribute.Key("server.address")
	attrServerPort       = attribute.Key("server.port")
	attrResendCount      = attribute.Key("http.request.resend_count")
	attrStatusCode       = attribute.Key("http.response.status_code")

	attrAPIType           = attribute.Key("openai.api.type")
	attrServiceTier       = attribute.Key("openai.request.service_tier")
	attrServiceTierAnswer = attribute.Key("openai.response.service_tier")
	attrFingerprint       = attribute.Key("openai.response.system_fingerprint")
)
