// What each client of a model is asked to do: a question, a tool that the model calls,
// its answer; then a call that fails.
export const question = "What is the weather in Oslo?";
export const system = "Be brief.";
export const session = "conversation-1";
export const failed = "conversation-2";
export const user = "ann";
export const [, , url, model] = process.argv;

export async function weather({ city }) { return { city, degrees: 21 }; }

export const tools = [{
  type: "function",
  function: { name: "weather", description: "The weather of a city.", parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] } },
}];

// Asks with the package openai. A tool is called by call(name, arguments, run).
export async function ask(openai, call = (name, input, run) => run(input)) {
  const messages = [{ role: "system", content: system }, { role: "user", content: question }];
  for (;;) {
    const completion = await openai.chat.completions.create({ model: "m-1", temperature: 0.5, messages: [...messages], tools });
    const { message } = completion.choices[0];
    messages.push(message);
    if (!message.tool_calls) return message.content;
    for (const { id, function: { name, arguments: text } } of message.tool_calls) {
      const result = await call(name, JSON.parse(text), weather);
      messages.push({ role: "tool", tool_call_id: id, content: JSON.stringify(result) });
    }
  }
}

export async function fail(openai) {
  try {
    await openai.chat.completions.create({ model: "m-fails", messages: [{ role: "user", content: question }] }, { maxRetries: 0 });
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

// Ends the process when all is sent, whatever the client left running.
export function run(main) {
  main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
}
