// LangSmith's tracing as OpenTelemetry, with its endpoint changed and nothing else.
import { url } from "./weather.mjs";
process.env.LANGSMITH_TRACING = "true";
process.env.LANGSMITH_OTEL_ENABLED = "true";
process.env.LANGSMITH_ENDPOINT = url;
process.env.LANGSMITH_API_KEY = "any";
process.env.LANGSMITH_PROJECT = "app";
const { initializeOTEL } = await import("langsmith/experimental/otel/setup");
const { DEFAULT_LANGSMITH_SPAN_PROCESSOR: processor } = initializeOTEL();
const { traceable } = await import("langsmith/traceable");
const { wrapOpenAI } = await import("langsmith/wrappers");
const { default: OpenAI } = await import("openai");
const { ask, fail, failed, model, question, run, session, user } = await import("./weather.mjs");

run(async () => {
  const openai = wrapOpenAI(new OpenAI({ baseURL: model, apiKey: "any" }));
  const tool = (name, input, call) => traceable(call, { name, run_type: "tool" })(input);
  const metadata = (session_id) => ({ metadata: { session_id, user_id: user } });
  await traceable(async (question) => ask(openai, tool), { name: "answer", run_type: "chain", ...metadata(session) })(question);
  await traceable(async (question) => { await fail(openai); return "none"; }, { name: "answer", run_type: "chain", ...metadata(failed) })(question);
  await processor.forceFlush();
  await processor.shutdown();
});
