// The package honeyhive: what a program sends by its HTTP API as it goes.
import { createRequire } from "node:module";
import { failed, model, question, run, session, system, url, user } from "./weather.mjs";

const { HoneyHive } = createRequire(import.meta.url)("honeyhive");

run(async () => {
  const client = new HoneyHive({ bearerAuth: "any", serverURL: url });
  const common = { project: "app", source: "interop" };
  const post = async (messages, tools) => {
    const body = { model: "m-1", temperature: 0.5, messages, tools };
    const start = Date.now();
    const answer = await (await fetch(`${model}/chat/completions`, { method: "POST", body: JSON.stringify(body) })).json();
    return { answer, start, duration: Date.now() - start };
  };
  const { sessionId } = await client.session.startSession({
    session: { ...common, sessionName: session, startTime: Date.now(), inputs: { question }, userProperties: { user } },
  });
  const event = async (fields) => (await client.events.createEvent({ event: { ...common, sessionId, config: {}, duration: 1, ...fields } })).eventId;
  const parentId = await event({ eventName: "answer", eventType: "chain", inputs: { question }, startTime: Date.now() });
  const messages = [{ role: "system", content: system }, { role: "user", content: question }];
  for (let call = 1; call <= 2; call++) {
    const { answer, start, duration } = await post(messages, [{}]);
    const { message, finish_reason } = answer.choices[0];
    await event({
      parentId, eventName: "chat", eventType: "model", config: { model: "m-1", provider: "openai", temperature: 0.5 }, inputs: { chat_history: messages }, outputs: { ...message, finish_reason },
      startTime: start, duration,
      metadata: {
        prompt_tokens: answer.usage.prompt_tokens, completion_tokens: answer.usage.completion_tokens, cache_read_input_tokens: answer.usage.prompt_tokens_details.cached_tokens,
        reasoning_tokens: answer.usage.completion_tokens_details.reasoning_tokens,
      },
    });
    messages.push(message);
    if (call === 1) {
      const outputs = { city: "Oslo", degrees: 21 };
      await event({ parentId, eventName: "weather", eventType: "tool", inputs: { city: "Oslo" }, outputs, startTime: Date.now() });
      messages.push({ role: "tool", tool_call_id: message.tool_calls[0].id, content: JSON.stringify(outputs) });
    }
  }
  const other = await client.session.startSession({ session: { ...common, sessionName: failed, inputs: { question } } });
  const error = "there is no such model";
  await event({ sessionId: other.sessionId, eventName: "chat", eventType: "model", config: { model: "m-fails" }, inputs: {}, error, startTime: Date.now() });
});
