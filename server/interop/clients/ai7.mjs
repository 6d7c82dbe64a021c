// Vercel AI SDK 7 with @ai-sdk/otel, which writes GenAI conventions.
import { OpenTelemetry } from "@ai-sdk/otel";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, isStepCount, registerTelemetry, streamText, tool } from "ai";
import { z } from "zod";
import { register } from "./provider.mjs";
import { failed, model, question, run, session, system, user, weather } from "./weather.mjs";

run(async () => {
  const provider = register();
  registerTelemetry(new OpenTelemetry({ runtimeContext: true, usage: true }));
  const openai = createOpenAI({ baseURL: model, apiKey: "any" });
  const telemetry = { functionId: "answer", includeRuntimeContext: { sessionId: true, userId: true } };
  const tools = { weather: tool({ description: "The weather of a city.", inputSchema: z.object({ city: z.string() }), execute: weather }) };
  const { textStream } = streamText({
    model: openai.chat("m-1"), instructions: system, prompt: question, temperature: 0.5, tools, stopWhen: isStepCount(3),
    runtimeContext: { sessionId: session, userId: user }, telemetry,
  });
  for await (const _ of textStream);
  await generateText({
    model: openai.chat("m-fails"), prompt: question, maxRetries: 0, runtimeContext: { sessionId: failed, userId: user }, telemetry,
  }).catch(() => {});
  await provider.shutdown();
});
