// OpenTelemetry's JavaScript SDK: a trace with a GenAI call below an HTTP
// request, by either encoding of OTLP/HTTP, or by gRPC.
const { SpanStatusCode, trace, context } = require("@opentelemetry/api");
const { BatchSpanProcessor, NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");
const { resourceFromAttributes } = require("@opentelemetry/resources");

const [, , url, encoding, compression] = process.argv;
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${encoding}`);

async function main() {
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ "service.name": "shop" }),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: encoding === "grpc" ? url : `${url}/v1/traces`, compression }))],
  });
  const tracer = provider.getTracer("interop");
  const request = tracer.startSpan("POST /ask", { attributes: { "http.request.method": "POST" } });
  const inside = trace.setSpan(context.active(), request);
  const call = tracer.startSpan("chat m-1", {
    attributes: {
      "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m-1",
      "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 2, "gen_ai.request.temperature": 0.5,
      "gen_ai.response.finish_reasons": ["stop"],
      "gen_ai.input.messages": JSON.stringify([{ role: "user", parts: [{ type: "text", content: "Why?" }] }]),
    },
  }, inside);
  call.recordException(new Error("no luck"));
  call.setStatus({ code: SpanStatusCode.ERROR, message: "no luck" });
  call.end();
  request.end();
  await provider.shutdown();
  console.log(JSON.stringify({ traceId: call.spanContext().traceId, spanId: call.spanContext().spanId }));
}

main().catch((error) => { console.error(error); process.exit(1); });
