/**
 * The page's connection to its server: the stream of changes, questions, and actions.
 *
 * @module
 */
import type { ActionRequest, ActionResult, ApiError, Changes, Snapshot } from "./page_protocol.ts";
import type { Model } from "./model.ts";

/** Keeps the model true, and connects again when the stream ends. */
export function follow(model: Model): void {
  const events = new EventSource("events");
  events.addEventListener("snapshot", ({ data }) => {
    model.replace(JSON.parse(data) as Snapshot);
  });
  events.addEventListener("changes", ({ data }) => {
    model.apply(JSON.parse(data) as Changes);
  });
  events.addEventListener("error", () => {
    model.setLink("lost");
    if (events.readyState !== EventSource.CLOSED) return;
    // The browser gives up after an answer that is no stream, such as one of a stopping server.
    setTimeout(() => follow(model), 2000);
  });
}

/**
 * Asks the page's server.
 *
 * @throws {Error} with its reason, or if it does not answer.
 */
export async function get<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
  return await answerTo<Answer>(fetch(path, { signal: signal ?? null }));
}

/**
 * Asks the operator, in the terminal, for an action. It can take minutes.
 *
 * @throws {Error} if the page's server does not answer, or refuses.
 */
export async function act(request: ActionRequest, token: string): Promise<ActionResult> {
  return await answerTo<ActionResult>(fetch("api/actions", {
    method: "POST",
    headers: { "content-type": "application/json", "x-observer-token": token },
    body: JSON.stringify(request),
  }));
}

async function answerTo<Answer>(asked: Promise<Response>): Promise<Answer> {
  let response;
  try {
    response = await asked;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Error("the observer does not answer: is it still running in its terminal?");
  }
  const answer = await response.json() as Answer | ApiError;
  if (!response.ok) throw new Error((answer as ApiError).error);
  return answer as Answer;
}
