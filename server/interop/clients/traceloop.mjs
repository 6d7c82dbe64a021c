// Traceloop's SDK, with its base URL changed.
import * as traceloop from "@traceloop/node-server-sdk";
import OpenAI from "openai";
import { ask, fail, failed, model, question, run, session, url, user } from "./weather.mjs";

run(async () => {
  traceloop.initialize({ appName: "app", baseUrl: url, apiKey: "any", disableBatch: false, silenceInitializationMessage: true, instrumentModules: { openAI: OpenAI } });
  const openai = new OpenAI({ baseURL: model, apiKey: "any" });
  const tool = (name, input, call) => traceloop.withTool({ name }, call, input);
  const properties = (session_id) => ({ associationProperties: { session_id, user_id: user } });
  await traceloop.withAssociationProperties(properties(session).associationProperties, () => traceloop.withWorkflow({ name: "answer" }, (q) => ask(openai, tool), question));
  await traceloop.withAssociationProperties(properties(failed).associationProperties, () => traceloop.withWorkflow({ name: "answer" }, () => fail(openai).then(() => "none"), question));
  await traceloop.forceFlush();
});
