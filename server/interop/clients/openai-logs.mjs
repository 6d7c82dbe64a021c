// OpenTelemetry's own instrumentation of the package openai, which puts what was asked
// and answered into log records, and counts into metrics.
import { OpenAIInstrumentation } from "@opentelemetry/instrumentation-openai";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { createRequire } from "node:module";
import { register } from "./provider.mjs";
import { ask, fail, model, run, url } from "./weather.mjs";

run(async () => {
  const provider = register();
  const logs = new LoggerProvider({ processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter({ url: `${url}/v1/logs` }) })] });
  const metrics = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter({ url: `${url}/v1/metrics` }) })] });
  const instrumentation = new OpenAIInstrumentation({ captureMessageContent: true });
  instrumentation.setTracerProvider(provider);
  instrumentation.setLoggerProvider(logs);
  instrumentation.setMeterProvider(metrics);
  instrumentation.enable();
  const { default: OpenAI } = createRequire(import.meta.url)("openai"); // it patches what is required
  const openai = new OpenAI({ baseURL: model, apiKey: "any" });
  await provider.getTracer("app").startActiveSpan("answer", async (span) => { await ask(openai); span.end(); });
  await fail(openai);
  await logs.forceFlush(); // the records come before their spans
  await provider.shutdown();
  await logs.shutdown();
  await metrics.shutdown();
});
