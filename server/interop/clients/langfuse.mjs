// Langfuse's tracing, with its base URL changed and nothing else.
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { propagateAttributes, startActiveObservation } from "@langfuse/tracing";
import OpenAI from "openai";
import { register } from "./provider.mjs";
import { ask, fail, failed, model, question, run, session, url, user } from "./weather.mjs";

// Its own wrapper of the package openai does this, for what a call asks and answers.
function observed(openai) {
  const create = openai.chat.completions.create.bind(openai.chat.completions);
  openai.chat.completions.create = (body, options) => startActiveObservation("OpenAI-completion", async (generation) => {
    const { model, temperature, messages, tools } = body;
    generation.update({ model, input: tools ? { messages, tools } : messages, modelParameters: { temperature: temperature ?? 1 } });
    try {
      const completion = await create(body, options);
      const { usage } = completion;
      generation.update({
        output: completion.choices[0].message, completionStartTime: new Date(),
        usageDetails: {
          input: usage.prompt_tokens - usage.prompt_tokens_details.cached_tokens, input_cached_tokens: usage.prompt_tokens_details.cached_tokens,
          output: usage.completion_tokens - usage.completion_tokens_details.reasoning_tokens, output_reasoning_tokens: usage.completion_tokens_details.reasoning_tokens,
          total: usage.total_tokens,
        },
      });
      return completion;
    } catch (error) {
      generation.update({ level: "ERROR", statusMessage: error.message });
      throw error;
    }
  }, { asType: "generation" });
  return openai;
}

run(async () => {
  const provider = register(new LangfuseSpanProcessor({ baseUrl: url, publicKey: "pk-lf-any", secretKey: "sk-lf-any" }));
  const openai = observed(new OpenAI({ baseURL: model, apiKey: "any" }));
  const tool = (name, input, call) => startActiveObservation(name, async (observation) => {
    const output = await call(input);
    observation.update({ input, output });
    return output;
  }, { asType: "tool" });
  await propagateAttributes({ sessionId: session, userId: user }, () => startActiveObservation("answer", async (span) => {
    span.update({ input: question, output: await ask(openai, tool) });
  }));
  await propagateAttributes({ sessionId: failed, userId: user }, () => startActiveObservation("answer", () => fail(openai)));
  await provider.shutdown();
});
