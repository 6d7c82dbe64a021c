// Package llmhttp traces the calls that any HTTP client makes to providers of
// language models, and to stores, searches and rerankers: each becomes a
// [sessionspan.Model], [sessionspan.Embedding], [sessionspan.Retriever] or
// [sessionspan.Reranker] event of the session that the request's context is in, with
// what was asked, what was answered, tokens, timing and errors. It knows the services
// by their paths, hosts and bodies and needs none of their SDKs.
//
//	client := openai.NewClient(option.WithHTTPClient(&http.Client{Transport: llmhttp.Transport(nil)}))
//
// or, for clients with middleware of this form (openai-go, anthropic-sdk-go):
//
//	client := openai.NewClient(option.WithMiddleware(llmhttp.Middleware()))
//
// Requests and answers pass byte for byte as they are, and streams without
// delay: they are read as they pass, on the goroutine of whoever reads the body.
// Only [WithIncludeUsage] changes a request. What is not recognised passes
// untouched, without an allocation but for calls of Bedrock's InvokeModel and requests
// with the path of a search that turn out to be none.
//
// # What is recognised
//
// Calls with the method POST, by the end of their path, below any prefix:
//
//	API        Paths                                              Streams
//	OpenAI     /chat/completions, /completions, /responses,       server-sent events
//	           /responses/compact, /embeddings, Mistral's
//	           /fim/completions, Writer's /chat
//	Anthropic  /v1/messages; :rawPredict and :streamRawPredict    server-sent events
//	           of Vertex AI
//	Gemini     :generateContent, :streamGenerateContent,          server-sent events,
//	           :embedContent, :batchEmbedContents, :predict       or a list
//	           of embedding models; /interactions
//	Ollama     /api/chat, /api/generate, /api/embed,              lines of JSON
//	           /api/embeddings
//	Bedrock    /model/ID/converse and /converse-stream; /invoke   binary, checksums
//	           and /invoke-with-response-stream of the models     verified
//	           below
//	Cohere     /v1/chat, /v2/chat, /v1/embed, /v2/embed           lines of JSON (v1),
//	                                                              server-sent events
//
// InvokeModel of Bedrock has the bodies of the model: Claude's, Nova's, Llama's,
// Mistral's, Cohere's, those of chat completions (Jamba, gpt-oss, Qwen, DeepSeek
// and others), and embeddings of Titan, Nova and Cohere. Where the id does not tell
// the model, as that of an inference profile, the body does: up to the limit of
// [WithLimit] of it is then read before it is sent.
//
// OpenAI's API is that of Azure, Groq, Mistral, OpenRouter, DeepSeek, vLLM and
// many others too. Public hosts are known, and give the name of the provider; on
// others, paths that leave no doubt are enough: below /v1/, /openai/ or
// /openai/deployments/. [WithHost] names more.
//
// A response of OpenAI's API that is made in the background is queued when its
// call is answered, and the metadata of the event says so: response_status. What
// brings the answer (GET /responses/ID, as a stream or not, or POST
// /responses/ID/cancel) changes that event after its end, from any client of the
// process. The last 1,024 such responses are remembered. The answer of one that is
// not, as where another process asked for it, is an event of its own,
// fetch_response.
//
// # Searches and rerankers
//
// Self-hosted stores run on any host. Where their path alone leaves a doubt, the body
// must have what the service asks for ("body" below). Other hosts and paths are named by
// [WithHost] and [WithRetrieval].
//
//	API            Paths
//	Pinecone       /query (body, on other hosts), /records/namespaces/NAME/search
//	Qdrant         /collections/NAME/points/search, query, recommend and discover, alone,
//	               with /batch and with /groups
//	Chroma         /api/v2/…/collections/ID/query and search; /api/v1/collections/ID/query
//	               (body)
//	Milvus         /v2/vectordb/entities/search, hybrid_search and advanced_search;
//	               /v1/vector/search
//	Weaviate       /v1/graphql: Get with near…, hybrid, bm25 or ask (body)
//	Elasticsearch  /_search and /_msearch, of OpenSearch too: vectors, semantic and
//	               full-text queries (body), no lists by terms and no aggregations
//	AzureSearch    /indexes/NAME/docs/search, /indexes('NAME')/docs/search.post.search
//	VertexSearch   …/servingConfigs/ID:search, …:findNeighbors, …:retrieveContexts,
//	               …/rankingConfigs/ID:rank
//	Typesense      GET /collections/NAME/documents/search, /multi_search (body)
//	Meilisearch    /indexes/NAME/search (body), /multi-search (body)
//	OpenAI         /v1/vector_stores/ID/search
//	Bedrock        /knowledgebases/ID/retrieve, /retrieveAndGenerate and …Stream, /rerank,
//	               InvokeModel of rerankers
//	Rerank         /rerank and /reranking of Cohere, Voyage, Jina, Together and Pinecone, and
//	               (body) of vLLM, Infinity, LiteLLM, Text Embeddings Inference
//	Tavily, Exa    /search, /findSimilar
//	Brave          /res/v1/web/search, /res/v1/news/search, /res/v1/llm/context
//
// The inputs are query, vector (its number of dimensions, and the SHA-256 of its JSON
// without white space), near (ids of documents whose neighbours are looked for), filter,
// and of rerankers the documents; queries, vectors and filters are lists where there are
// several. The configuration has provider, collection, top_k, and the model of rerankers.
//
// The outputs have documents, each with id, score, content and metadata as
// [sessionspan.Document] has them, in the order of the answer. A score is what the
// service calls one. A distance, the less the nearer, is none: it is metadata.distance of
// its document. metadata.ranked_by of the event says which of them the documents have:
// score, or distance. Milvus calls distance what is a similarity by some metrics;
// metadata.metric names the metric where the request does. Whether a greater score is
// nearer the metric of the index says in Qdrant and Pinecone, which do not name it. Other
// scores (that of Azure's semantic ranker, of Weaviate's reranker, of Vertex's RAG Engine,
// which may be either) stand in the metadata of the document under their names. A field of
// the document's own that has the name of such a thing keeps it; the other one is written
// with an underscore before its name. Vectors in a document are counted, not kept.
//
// The content is what the service calls so, or else the field of a usual name: content,
// page_content, text, chunk and so on. A request with several queries is one event, since
// it is one call; metadata.query of a document is then the number of its query, from 0.
// Documents that a reranker names by their place alone are those of the request, and
// metadata.index is the place. What is written to stores, read by id, listed or counted
// is no search, and passes.
//
// # What is not seen
//
// Calls of these kinds pass untouched and unrecorded; some are models all the same:
//
//	WebSockets, WebRTC and gRPC  OpenAI's realtime and responses over WebSockets,
//	                             Gemini Live, gRPC of Vertex AI
//	files that are uploaded      transcriptions, edits of images; and batches
//	other tasks of OpenAI's API  images, speech, moderations, assistants and threads,
//	                             counts of tokens
//	answers that come later      Perplexity's /async/chat/completions, deferred
//	                             completions of xAI, GET of stored chat completions
//	other APIs of providers      Mistral's agents, conversations and OCR; Snowflake's
//	                             /cortex/inference:complete; serving endpoints of
//	                             Databricks named by /invocations; watsonx,
//	                             Replicate, SageMaker, Portkey's prompts
//	searches by gRPC             Qdrant, Milvus, Pinecone, Weaviate
//	other searches               Elasticsearch by templates, scrolled or asynchronous, and
//	                             by ?q=; Azure's by GET; OpenAI's file search inside of
//	                             responses is part of their events
//	bodies of unknown length     of searches that only their body tells, and have no copy
//
// # What is recorded
//
// The messages that are sent, system instructions and tools; every choice of the
// answer with its text, reasoning, refusals, images, citations and calls of tools,
// and what tools of the provider gave; sources that stand beside the answer under
// the provider's names (citations, search_results, groundingSupports) in the outputs;
// parameters in the configuration; in the metadata the tokens, what the provider
// calls the answer, why it ended, the status, the number of the attempt where the
// client tells it, and of streams the time to the first token and the tokens per
// second. The same stands on the span in the attributes of the GenAI conventions;
// those that hold content only where somebody reads the span, and not under
// [sessionspan.WithContentOffSpans]. [WithoutContent] records nothing of what is
// said.
//
// Tokens are counted as the conventions do, whatever the provider calls them: the
// input includes what was read from a cache or written to one, the output includes
// reasoning.
//
// Content is kept up to a limit, see [WithLimit]; images, sound and files as their
// size and SHA-256, or as the address or the id that the request gave. Embeddings
// are counted, not kept. Counts of tokens that nobody told are left out.
//
// No header is recorded, and no address but host and port. What a request holds of
// credentials is known by the names of headers, of parameters of the query, and of
// members of the body (everything with key, token, secret, password, auth,
// signature, cookie, and so on): of the configuration it is left out, and from all
// that an answer or an error says beside content it is taken, however it is escaped
// or encoded there. Content is recorded as it is. The headers
// traceparent, tracestate and baggage, and those of other tracers (B3, Jaeger,
// Datadog, Sentry, X-Ray and so on), are taken off calls of models, recorded or not,
// and off all other requests to hosts of providers; but not off a host that serves
// other things as well, and not those that a signature of AWS covers.
//
// # The end of an event
//
// An answer is read by what its bytes are; the content type counts where they
// leave it open. One with a status of 200 that cannot be read is an error of the
// type unreadable_answer with its content type, its size and the reason: a page of
// HTML, an empty body, JSON that ends too soon, an encoding other than gzip. Where
// it is JSON in which nothing is known, or a status that has none, such as that of
// a redirect, the metadata says answer_unrecognized; of a request that is no JSON,
// or is compressed other than by gzip, it says request_unreadable.
// Errors that come with a status of 200 are errors too, wherever in an answer or
// among the events of a stream they stand.
//
// An event ends when the protocol says that the answer is over, or else at the
// end of the body, at its Close, at a read error, or when the context of the
// request ends, whichever comes first: some clients neither read to the end nor
// close. A stream that breaks is an error, with what had arrived; so are an error
// that the provider reports in the middle of a stream, and a status of 400 and
// above, with the provider's code and message. One that the client closes early is
// none, unless what came begins as no answer does; its metadata says stream_end:
// closed. Neither is one in which all choices
// had ended, whose context is cancelled then or whose terminator does not come, or
// in which fewer choices came than were asked for (stream_end: unterminated), or
// whose usage was asked for, or is Gemini's, and does not come (no_usage). Chunks
// that cannot be read are counted, as chunks_skipped. The time to the first token is
// that of the first content.
//
// # Recorded calls
//
// [Record] keeps calls with their answers in files, and [Replay] answers from them
// without a network or a key: for tests, and for evaluations (package evals).
//
// # Attempts, and clients that trace themselves
//
// Each attempt of a client that retries is an event. Put the calls of one
// operation under an event of your own to keep them together.
//
// Where the client made a span for the call, one of another tracer that names an
// operation of the GenAI conventions, that span gets the attributes, and there is
// no second event. Such a span may stand for several attempts: whether they failed
// in the end its client says itself.
package llmhttp
