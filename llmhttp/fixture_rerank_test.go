package llmhttp_test

// Answers of rerankers, written by hand from their documentation.

const rerankAsk = `"query":"wrens","documents":["Swifts fly.","Wrens live in hedges.","Oaks grow."]`

var rerankFixtures = []fixture{
	{
		name: "cohere, rerank",
		url:  cohereHost + "/v2/rerank", request: `{"model":"rerank-v3.5",` + rerankAsk + `,"top_n":2}`,
		whole:    `{"id":"r1","results":[{"index":1,"relevance_score":0.98},{"index":0,"relevance_score":0.1}],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}}`,
		outputs:  `{"documents":[{"score":0.98,"content":"Wrens live in hedges.","metadata":{"index":1}},{"score":0.1,"content":"Swifts fly.","metadata":{"index":0}}]}`,
		metadata: map[string]string{"billed_units": `{"search_units":1}`, "response_id": `"r1"`, "ranked_by": `"score"`},
		inputs:   `{"query":"wrens","documents":[{"content":"Swifts fly."},{"content":"Wrens live in hedges."},{"content":"Oaks grow."}]}`,
		config:   `{"provider":"cohere","model":"rerank-v3.5","top_k":2,"documents":3}`, eventKind: "reranker",
	},
	{
		name: "voyage, rerank",
		url:  "https://api.voyageai.com/v1/rerank", request: `{"model":"rerank-2.5",` + rerankAsk + `,"top_k":1,"truncation":true}`,
		whole:    `{"object":"list","data":[{"relevance_score":0.5,"index":2}],"model":"rerank-2.5","usage":{"total_tokens":26}}`,
		outputs:  `{"documents":[{"score":0.5,"content":"Oaks grow.","metadata":{"index":2}}]}`,
		metadata: map[string]string{"total_tokens": "26", "response_model": `"rerank-2.5"`},
		inputs:   `{"query":"wrens","documents":[{"content":"Swifts fly."},{"content":"Wrens live in hedges."},{"content":"Oaks grow."}]}`,
		config:   `{"provider":"voyage","model":"rerank-2.5","truncation":true,"top_k":1,"documents":3}`, eventKind: "reranker",
	},
	{
		name: "jina, rerank with documents",
		url:  "https://api.jina.ai/v1/rerank", request: `{"model":"jina-reranker-v2","query":"wrens","top_n":1,"documents":[{"text":"Wrens live in hedges.","id":"w"},{"text":"Oaks."}],"return_documents":true}`,
		whole:   `{"model":"jina-reranker-v2","usage":{"total_tokens":15},"results":[{"index":0,"document":{"text":"Wrens live in hedges."},"relevance_score":0.7}]}`,
		outputs: `{"documents":[{"id":"w","score":0.7,"content":"Wrens live in hedges.","metadata":{"index":0}}]}`,
		inputs:  `{"query":"wrens","documents":[{"id":"w","content":"Wrens live in hedges."},{"content":"Oaks."}]}`,
		config:  `{"provider":"jina_ai","model":"jina-reranker-v2","return_documents":true,"top_k":1,"documents":2}`, eventKind: "reranker",
	},
	{
		name: "together, rerank objects",
		url:  "https://api.together.xyz/v1/rerank", request: `{"model":"m","query":"wrens","documents":[{"title":"Wren","text":"In hedges."},{"title":"Oak","text":"Grows."}],"rank_fields":["title","text"]}`,
		whole:   `{"object":"rerank","id":"t1","model":"m","results":[{"index":1,"relevance_score":0.2,"document":{}}],"usage":{"prompt_tokens":10,"completion_tokens":0,"total_tokens":10}}`,
		outputs: `{"documents":[{"score":0.2,"content":"Grows.","metadata":{"title":"Oak","index":1}}]}`,
		inputs:  `{"query":"wrens","documents":[{"content":"In hedges.","metadata":{"title":"Wren"}},{"content":"Grows.","metadata":{"title":"Oak"}}]}`,
		config:  `{"provider":"together_ai","model":"m","rank_fields":["title","text"],"documents":2}`, eventKind: "reranker",
	},
	{
		name: "bedrock, rerank",
		url:  agentRuntime + "/rerank", request: `{"queries":[{"type":"TEXT","textQuery":{"text":"wrens"}}],"sources":[{"type":"INLINE","inlineDocumentSource":{"type":"TEXT","textDocument":{"text":"In hedges."}}},{"type":"INLINE","inlineDocumentSource":{"type":"JSON","jsonDocument":{"title":"Oak","text":"Grows."}}}],"rerankingConfiguration":{"type":"BEDROCK_RERANKING_MODEL","bedrockRerankingConfiguration":{"numberOfResults":2,"modelConfiguration":{"modelArn":"arn:r"}}}}`,
		whole:   `{"results":[{"index":1,"relevanceScore":0.4},{"index":0,"relevanceScore":0.3,"document":{"type":"TEXT","textDocument":{"text":"In hedges."}}}],"nextToken":null}`,
		outputs: `{"documents":[{"score":0.4,"content":"Grows.","metadata":{"title":"Oak","index":1}},{"score":0.3,"content":"In hedges.","metadata":{"index":0}}]}`,
		inputs:  `{"query":"wrens","documents":[{"content":"In hedges."},{"content":"Grows.","metadata":{"title":"Oak"}}]}`,
		config:  `{"provider":"aws.bedrock","model":"arn:r","top_k":2,"documents":2}`, eventKind: "reranker",
	},
	{
		name: "bedrock, InvokeModel of a reranker",
		url:  bedrockHost + "cohere.rerank-v3-5:0/invoke", request: `{"api_version":2,` + rerankAsk + `}`,
		whole:   `{"results":[{"index":1,"relevance_score":0.9}]}`,
		outputs: `{"documents":[{"score":0.9,"content":"Wrens live in hedges.","metadata":{"index":1}}]}`,
		inputs:  `{"query":"wrens","documents":[{"content":"Swifts fly."},{"content":"Wrens live in hedges."},{"content":"Oaks grow."}]}`,
		config:  `{"provider":"aws.bedrock","model":"cohere.rerank-v3-5:0","documents":3}`, eventKind: "reranker",
	},
	{
		name: "a list alone",
		url:  "http://localhost:8080/rerank", request: `{"query":"wrens","texts":["Swifts fly.","Wrens live in hedges."],"return_text":true}`,
		whole:   `[{"index":1,"score":0.99,"text":"Wrens live in hedges."},{"index":0,"score":0.01}]`,
		outputs: `{"documents":[{"score":0.99,"content":"Wrens live in hedges.","metadata":{"index":1}},{"score":0.01,"content":"Swifts fly.","metadata":{"index":0}}]}`,
		inputs:  `{"query":"wrens","documents":[{"content":"Swifts fly."},{"content":"Wrens live in hedges."}]}`,
		config:  `{"provider":"rerank","documents":2}`, eventKind: "reranker",
	},
	{
		name: "pinecone, rerank",
		url:  "https://api.pinecone.io/rerank", request: `{"model":"bge-reranker-v2-m3","query":"wrens","documents":[{"id":"v1","text":"In hedges."},{"id":"v2","text":"Fly."}],"top_n":1,"return_documents":true}`,
		whole:    `{"model":"bge-reranker-v2-m3","data":[{"index":0,"score":0.9,"document":{"id":"v1","text":"In hedges."}}],"usage":{"rerank_units":1}}`,
		outputs:  `{"documents":[{"id":"v1","score":0.9,"content":"In hedges.","metadata":{"index":0}}]}`,
		metadata: map[string]string{"rerank_units": "1"},
		inputs:   `{"query":"wrens","documents":[{"id":"v1","content":"In hedges."},{"id":"v2","content":"Fly."}]}`,
		config:   `{"provider":"pinecone","model":"bge-reranker-v2-m3","return_documents":true,"top_k":1,"documents":2}`, eventKind: "reranker",
	},
	{
		name: "vertex, rank",
		url:  "https://discoveryengine.googleapis.com/v1/projects/p/locations/global/rankingConfigs/default_ranking_config:rank", request: `{"model":"semantic-ranker-512@latest","query":"wrens","topN":2,"records":[{"id":"1","title":"Wren","content":"In hedges."},{"id":"2","content":"Fly."}]}`,
		whole:   `{"records":[{"id":"2","title":"","content":"Fly.","score":0.4},{"id":"1","title":"Wren","content":"In hedges.","score":0.3}]}`,
		outputs: `{"documents":[{"id":"2","score":0.4,"content":"Fly."},{"id":"1","score":0.3,"content":"In hedges.","metadata":{"title":"Wren"}}]}`,
		inputs:  `{"query":"wrens","documents":[{"id":"1","content":"In hedges.","metadata":{"title":"Wren"}},{"id":"2","content":"Fly."}]}`,
		config:  `{"provider":"gcp.discovery_engine","model":"semantic-ranker-512@latest","top_k":2,"documents":2}`, eventKind: "reranker",
	},
}
