// OpenInference's instrumentation of the package openai.
import { OpenAIInstrumentation } from "@arizeai/openinference-instrumentation-openai";
import { OpenInferenceSpanKind, SemanticConventions as names } from "@arizeai/openinference-semantic-conventions";
import { setSession, setUser, getAttributesFromContext } from "@arizeai/openinference-core";
import { context, trace } from "@opentelemetry/api";
import OpenAI from "openai";
import { register } from "./provider.mjs";
import { ask, fail, failed, model, question, run, session, user } from "./weather.mjs";

run(async () => {
  const provider = register();
  const instrumentation = new OpenAIInstrumentation();
  instrumentation.setTracerProvider(provider);
  instrumentation.manuallyInstrument(OpenAI);
  const openai = new OpenAI({ baseURL: model, apiKey: "any" });
  const tracer = trace.getTracer("app");
  const span = (name, kind, input, call) => tracer.startActiveSpan(name, {
    attributes: { [names.OPENINFERENCE_SPAN_KIND]: kind, [names.INPUT_VALUE]: typeof input === "string" ? input : JSON.stringify(input), ...getAttributesFromContext(context.active()) },
  }, async (span) => {
    try {
      const output = await call(input);
      span.setAttribute(names.OUTPUT_VALUE, typeof output === "string" ? output : JSON.stringify(output));
      return output;
    } finally {
      span.end();
    }
  });
  const conversation = (sessionId, call) => context.with(setUser(setSession(context.active(), { sessionId }), { userId: user }), call);
  const tool = (name, input, call) => span(name, OpenInferenceSpanKind.TOOL, input, call);
  await conversation(session, () => span("answer", OpenInferenceSpanKind.CHAIN, question, () => ask(openai, tool)));
  await conversation(failed, () => span("answer", OpenInferenceSpanKind.CHAIN, question, () => fail(openai).then(() => "none")));
  await provider.shutdown();
});
