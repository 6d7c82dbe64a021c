// Vercel AI SDK 6, whose telemetry is its own dialect.
import { createOpenAI } from "@ai-sdk/openai-v3";
import { generateText, stepCountIs, streamText, tool } from "ai-v6";
import { z } from "zod";
import { register } from "./provider.mjs";
import { failed, model, question, run, session, system, user, weather } from "./weather.mjs";

run(async () => {
  const provider = register();
  const openai = createOpenAI({ baseURL: model, apiKey: "any" });
  const telemetry = (sessionId) => ({ isEnabled: true, functionId: "answer", metadata: { sessionId, userId: user } });
  const tools = { weather: tool({ description: "The weather of a city.", inputSchema: z.object({ city: z.string() }), execute: weather }) };
  const { textStream } = streamText({
    model: openai.chat("m-1"), system, prompt: question, temperature: 0.5, tools, stopWhen: stepCountIs(3), experimental_telemetry: telemetry(session),
  });
  for await (const _ of textStream);
  await generateText({ model: openai.chat("m-fails"), prompt: question, maxRetries: 0, experimental_telemetry: telemetry(failed) }).catch(() => {});
  await provider.shutdown();
});
