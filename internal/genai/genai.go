// Package genai holds the names of the OpenTelemetry GenAI conventions that
// this library writes.
//
// The Go packages of OpenTelemetry stopped carrying them after semconv v1.41,
// when they moved to a repository of their own, semantic-conventions-genai. Its
// first release is v0.1.0, and there is no Go package of it, so the names stand
// here, in one place. Where a name changed since v1.41, the newer one is used and
// the older one is named beside it.
package genai

import "go.opentelemetry.io/otel/attribute"

// Attributes of spans.
const (
	OperationName = attribute.Key("gen_ai.operation.name")
	ProviderName  = attribute.Key("gen_ai.provider.name") // gen_ai.system before v1.37
	RequestModel  = attribute.Key("gen_ai.request.model")

	ConversationID = attribute.Key("gen_ai.conversation.id") // only one that the caller named
	OutputType     = attribute.Key("gen_ai.output.type")

	RequestStream           = attribute.Key("gen_ai.request.stream")
	RequestChoiceCount      = attribute.Key("gen_ai.request.choice.count")
	RequestSeed             = attribute.Key("gen_ai.request.seed")
	RequestMaxTokens        = attribute.Key("gen_ai.request.max_tokens")
	RequestTemperature      = attribute.Key("gen_ai.request.temperature")
	RequestTopP             = attribute.Key("gen_ai.request.top_p")
	RequestTopK             = attribute.Key("gen_ai.request.top_k")
	RequestFrequencyPenalty = attribute.Key("gen_ai.request.frequency_penalty")
	RequestPresencePenalty  = attribute.Key("gen_ai.request.presence_penalty")
	RequestStopSequences    = attribute.Key("gen_ai.request.stop_sequences")
	RequestReasoningLevel   = attribute.Key("gen_ai.request.reasoning.level")      // since v1.42
	RequestPreviousResponse = attribute.Key("gen_ai.request.previous_response.id") // since v1.42
	PromptName              = attribute.Key("gen_ai.prompt.name")                  // of a prompt that the provider or the program holds
	PromptVersion           = attribute.Key("gen_ai.prompt.version")
	RequestEncodingFormats  = attribute.Key("gen_ai.request.encoding_formats")
	EmbeddingsDimensions    = attribute.Key("gen_ai.embeddings.dimension.count")

	ResponseID         = attribute.Key("gen_ai.response.id")
	ResponseModel      = attribute.Key("gen_ai.response.model")
	ResponseFirstChunk = attribute.Key("gen_ai.response.time_to_first_chunk") // seconds

	InputMessages      = attribute.Key("gen_ai.input.messages")      // JSON: list of role and parts
	OutputMessages     = attribute.Key("gen_ai.output.messages")     // JSON: the same with finish_reason
	SystemInstructions = attribute.Key("gen_ai.system_instructions") // JSON: list of parts
	ToolDefinitions    = attribute.Key("gen_ai.tool.definitions")    // JSON: list of tools
	FinishReasons      = attribute.Key("gen_ai.response.finish_reasons")

	UsageInputTokens      = attribute.Key("gen_ai.usage.input_tokens")
	UsageOutputTokens     = attribute.Key("gen_ai.usage.output_tokens")
	UsageCacheReadTokens  = attribute.Key("gen_ai.usage.cache_read.input_tokens")
	UsageCacheWriteTokens = attribute.Key("gen_ai.usage.cache_write.input_tokens")    // since v1.42
	UsageCacheCreation    = attribute.Key("gen_ai.usage.cache_creation.input_tokens") // its name in v1.41, which viewers still read
	UsageReasoningTokens  = attribute.Key("gen_ai.usage.reasoning.output_tokens")

	RetrievalQuery     = attribute.Key("gen_ai.retrieval.query.text")
	RetrievalDocuments = attribute.Key("gen_ai.retrieval.documents") // JSON: list of id, score and more
	RetrievalTopK      = attribute.Key("gen_ai.retrieval.top_k")     // since v0.1.0; gen_ai.request.top_k is of sampling alone
	DataSourceID       = attribute.Key("gen_ai.data_source.id")      // the collection that is searched
	ToolName           = attribute.Key("gen_ai.tool.name")
	ToolCallID         = attribute.Key("gen_ai.tool.call.id") // that the model gave the call
	AgentName          = attribute.Key("gen_ai.agent.name")
	ErrorType          = attribute.Key("error.type")

	OpenAIAPIType      = attribute.Key("openai.api.type")
	OpenAIRequestTier  = attribute.Key("openai.request.service_tier")
	OpenAIResponseTier = attribute.Key("openai.response.service_tier")
	OpenAIFingerprint  = attribute.Key("openai.response.system_fingerprint")
	BedrockGuardrailID = attribute.Key("aws.bedrock.guardrail.id")
)

// Values of OperationName.
const (
	Chat            = "chat"
	TextCompletion  = "text_completion"
	GenerateContent = "generate_content"
	Embeddings      = "embeddings"
	FetchResponse   = "fetch_response"
	Retrieval       = "retrieval"
	Rerank          = "rerank" // of no convention yet; what instrumentations write
	ExecuteTool     = "execute_tool"
	InvokeAgent     = "invoke_agent"
)
