// What OpenAI's client for Node expects of the mock server. Arguments: its address, a key, the data URL of a photo, the label.
import assert from "node:assert/strict";
import OpenAI from "openai";

const [, , baseURL, apiKey, photo, label] = process.argv;
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const model = "mock-1";
const messages = [
  { role: "user", content: [{ type: "text", text: "Which?" }, { type: "image_url", image_url: { url: photo } }] },
];
const labels = { type: "string", enum: ["blue", "green", "red"] };
const schema = { type: "object", properties: { hue: labels }, required: ["hue"], additionalProperties: false };
const tools = [{ type: "function", function: { name: "note", parameters: schema } }];

const two = await client.chat.completions.create({ model, messages, n: 2 });
assert.equal(two.choices.length, 2);
assert.ok(two.choices[1].message.content.includes(label));

let text = "";
let usage = null;
const stream = await client.chat.completions.create({
  model, messages, stream: true, max_completion_tokens: 4, stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  text += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
assert.equal(usage.completion_tokens, 4);
assert.ok(two.choices[0].message.content.startsWith(text) && text.length > 0);
const final = await client.chat.completions.stream({ model, messages }).finalContent();
assert.equal(final, two.choices[0].message.content);

const response_format = { type: "json_schema", json_schema: { name: "hue", strict: true, schema } };
const parsed = await client.chat.completions.parse({ model, messages, response_format });
assert.deepEqual(JSON.parse(parsed.choices[0].message.content), { hue: label });
const called = await client.chat.completions.create({ model, messages, tools, tool_choice: "required" });
assert.deepEqual(JSON.parse(called.choices[0].message.tool_calls[0].function.arguments), { hue: label });

const response = await client.responses.create({
  model,
  input: [{ role: "user", content: [{ type: "input_image", image_url: photo, detail: "auto" }] }],
  text: { format: { type: "json_schema", name: "hue", schema, strict: true } },
});
assert.deepEqual(JSON.parse(response.output_text), { hue: label });

const names = [];
for await (const one of client.models.list()) names.push(one.id);
assert.deepEqual(names, [model]);
assert.equal((await client.models.retrieve(model)).id, model);

const wrong = { model, messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "https://a/b" } }] }] };
await assert.rejects(client.chat.completions.create(wrong), (e) => e instanceof OpenAI.BadRequestError);
await assert.rejects(
  client.chat.completions.create({ model: "other", messages }),
  (e) => e instanceof OpenAI.NotFoundError && e.code === "model_not_found",
);
const stranger = new OpenAI({ baseURL, apiKey: "wrong", maxRetries: 0 });
await assert.rejects(stranger.models.list(), (e) => e instanceof OpenAI.AuthenticationError);
console.log("all held");
