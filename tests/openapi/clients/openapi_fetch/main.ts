// Uses openapi-fetch with the types of openapi-typescript: `URL TOKEN` are its arguments.

import createClient from "openapi-fetch";

import type { components, paths } from "./generated/schema.js";

type Call = components["schemas"]["Call"];
type Task = components["schemas"]["Task"];

const [baseUrl, token] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });

async function resultOf(body: Call): Promise<unknown> {
  return endOf((await client.POST("/tasks/", { body })).data);
}

async function endOf(task: Task | undefined): Promise<unknown> {
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
const results = [await resultOf(greeting), await resultOf(addition), error?.code];

const { data: batch } = await client.POST("/tasks/batch/", { body: { tasks: [greeting, addition] } });
const together: unknown[] = [];
for (const task of batch?.results ?? []) together.push(await endOf(task));
const id = batch?.results.map((task) => task.id);
const { data: page } = await client.GET("/tasks/", { params: { query: { id } } });

const run_after = new Date(Date.now() + 365 * 86_400_000).toISOString();
const { data: waiting } = await client.POST("/tasks/", { body: { ...greeting, run_after } });
const path = { task_id: waiting?.id ?? "" };
const { data: cancelled } = await client.POST("/tasks/{task_id}/cancel/", { params: { path } });
const { data: retried } = await client.POST("/tasks/{task_id}/retry/", { params: { path } });

const inFlight = [
  [...together, page?.results.length],
  [cancelled?.errors[0]?.exception_class_path, await endOf(retried)],
];
console.log(JSON.stringify([...results, ...inFlight]));
