// Calls that the compiler refuses, each for the reason at the end of its line.

import type { TasksApi } from "./generated";

export function wrong(api: TasksApi): void {
  void api.enqueueTask({ task: "service.tasks.say_hello", kwargs: {} }); // refused: TS2345
  void api.enqueueTask({ task: "service.tasks.say_hello", kwargs: { name: "Ada", nmae: "" } }); // refused: TS2345
  void api.enqueueTask({ task: "service.tasks.say_hello", kwargs: { name: 7 } }); // refused: TS2345
  void api.enqueueTask({ task: "service.tasks.say_helo", kwargs: { name: "Ada" } }); // refused: TS2820
  void api.enqueueBatch({ tasks: [{ task: "service.tasks.say_hello", kwargs: {} }] }); // refused: TS2322
}
