// Mastra's agent, its observability, and its exporter for OpenTelemetry.
import { Agent } from "@mastra/core/agent";
import { Mastra } from "@mastra/core/mastra";
import { createTool } from "@mastra/core/tools";
import { createOpenAI } from "@ai-sdk/openai";
import { Observability } from "@mastra/observability";
import { OtelExporter } from "@mastra/otel-exporter";
import { z } from "zod";
import { failed, model, question, run, session, system, url, user, weather } from "./weather.mjs";

run(async () => {
  const openai = createOpenAI({ baseURL: model, apiKey: "any" });
  const tool = createTool({ id: "weather", description: "The weather of a city.", inputSchema: z.object({ city: z.string() }), execute: weather });
  const agent = (id) => new Agent({ id: "answer", name: "answer", instructions: system, model: openai.chat(id), tools: { weather: tool }, maxRetries: 0 });
  const observability = new Observability({
    configs: { otel: { serviceName: "app", exporters: [new OtelExporter({ provider: { custom: { endpoint: `${url}/v1/traces`, protocol: "http/protobuf" } } })] } },
  });
  const mastra = new Mastra({ agents: { answer: agent("m-1"), fails: agent("m-fails") }, observability, logger: false });
  const metadata = (sessionId) => ({ tracingOptions: { metadata: { sessionId, userId: user } }, modelSettings: { temperature: 0.5, maxRetries: 0 } });
  await mastra.getAgent("answer").generate(question, metadata(session));
  await mastra.getAgent("fails").generate(question, metadata(failed)).catch(() => {});
  await observability.shutdown();
});
