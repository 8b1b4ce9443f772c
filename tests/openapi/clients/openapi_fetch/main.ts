// Uses openapi-fetch with the types of openapi-typescript: `URL TOKEN` are its arguments.

import createClient from "openapi-fetch";

import type { components, paths } from "./generated/schema.js";

type Call = components["schemas"]["Call"];

const [baseUrl, token] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });

async function resultOf(body: Call): Promise<unknown> {
  let { data: task } = await client.POST("/tasks/", { body });
  while (task && !task.is_finished) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const path = { task_id: task.id };
    ({ data: task } = await client.GET("/tasks/{task_id}/", { params: { path } }));
  }
  return task?.return_value;
}

const greeting: Call = { task: "service.tasks.say_hello", kwargs: { name: "Ada" }, priority: 1 };
const addition: Call = { task: "service.tasks.add", kwargs: { a: 2 ** 40, b: 1 } };
const wrong: Call = { task: "service.tasks.add", kwargs: { a: "1" as unknown as number } };
const { error } = await client.POST("/tasks/", { body: wrong });
console.log(JSON.stringify([await resultOf(greeting), await resultOf(addition), error?.code]));
