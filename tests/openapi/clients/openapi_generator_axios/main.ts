// Uses the client of openapi-generator's `typescript-axios`: `URL TOKEN` are its arguments.

import { isAxiosError } from "axios";

import { type Call, Configuration, type Problem, TasksApi } from "./generated";

const [basePath, accessToken] = process.argv.slice(2);
const api = new TasksApi(new Configuration({ basePath, accessToken }));

async function resultOf(call: Call): Promise<unknown> {
  let task = (await api.enqueueTask(call)).data;
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
  console.log(JSON.stringify(results));
}

void main();
