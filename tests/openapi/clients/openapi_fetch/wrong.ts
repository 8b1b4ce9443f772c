// Calls that the compiler refuses, each for the reason at the end of its line.

import type { Client } from "openapi-fetch";

import type { paths } from "./generated/schema.js";

export function wrong(client: Client<paths>): void {
  void client.POST("/tasks/", { body: { task: "service.tasks.say_hello", kwargs: {} } }); // refused: TS2322
  void client.POST("/tasks/", { body: { task: "service.tasks.say_hello", kwargs: { name: "", nmae: "" } } }); // refused: TS2322
  void client.POST("/tasks/", { body: { task: "service.tasks.say_hello", kwargs: { name: 7 } } }); // refused: TS2322
  void client.POST("/tasks/", { body: { task: "service.tasks.say_helo", kwargs: { name: "" } } }); // refused: TS2820
  void client.POST("/tasks/batch/", { body: { tasks: [{ task: "service.tasks.say_hello", kwargs: {} }] } }); // refused: TS2322
}
