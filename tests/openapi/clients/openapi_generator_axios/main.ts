// Uses the client of openapi-generator's `typescript-axios`: `URL TOKEN` are its arguments.

import { isAxiosError } from "axios";

import { type Call, Configuration, type Problem, type Task, TasksApi } from "./generated";

const [basePath, accessToken] = process.argv.slice(2);
const _ = undefined;
const api = new TasksApi(new Configuration({ basePath, accessToken }));

async function resultOf(call: Call): Promise<unknown> {
  return endOf((await api.enqueueTask(call)).data);
}

async function endOf(task: Task): Promise<unknown> {
  while (!task.is_finished) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    task = (await api.getTask(task.id)).data;
  }
  return task.return_value;
}

async function codeOf(call: Call): Promise<string | undefined> {
  try {
    await api.enqueueTask(call);
  } catch (error) {
    if (isAxiosError<Problem>(error)) return error.response?.data.code;
    throw error;
  }
}

async function main(): Promise<void> {
  const greeting: Call = { task: "service.tasks.say_hello", kwargs: { name: "Ada" }, priority: 1 };
  const addition: Call = { task: "service.tasks.add", kwargs: { a: 2 ** 40, b: 1 } };
  const wrong: Call = { task: "service.tasks.add", kwargs: { a: "1" as unknown as number } };
  const results = [await resultOf(greeting), await resultOf(addition), await codeOf(wrong)];

  const batch = (await api.enqueueBatch({ tasks: [greeting, addition] })).data.results;
  const together: unknown[] = [];
  for (const task of batch) together.push(await endOf(task));
  const ids = batch.map((task) => task.id);
  const page = (await api.listTasks(_, _, _, _, _, _, _, _, ids)).data;

  const run_after = new Date(Date.now() + 365 * 86_400_000).toISOString();
  const waiting = (await api.enqueueTask({ ...greeting, run_after })).data;
  const cancelled = (await api.cancelTask(waiting.id)).data;
  const again = await endOf((await api.retryTask(waiting.id)).data);

  const inFlight = [
    [...together, page.results.length],
    [cancelled.errors[0]?.exception_class_path, again],
  ];
  console.log(JSON.stringify([...results, ...inFlight]));
}

void main();
