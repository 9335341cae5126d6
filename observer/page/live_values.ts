/**
 * Hooks for values that change while they are shown.
 *
 * @module
 */
import { useEffect, useReducer, useState } from "npm:preact@^11.2.0/hooks";
import { get } from "./feed.ts";
import type { Model } from "./model.ts";
import { parseRoute, type Route } from "./routes.ts";

/** Draws again after changes of the model, at most once for each frame of the screen. */
export function useModel(model: Model): void {
  const [, draw] = useReducer((drawn: number, _: void) => drawn + 1, 0);
  useEffect(() => {
    let frame: number | undefined;
    const unsubscribe = model.subscribe(() => {
      frame ??= requestAnimationFrame(() => {
        frame = undefined;
        draw();
      });
    });
    return () => {
      unsubscribe();
      if (frame !== undefined) cancelAnimationFrame(frame);
    };
  }, [model]);
}

/** What the address of the page names. */
export function useRoute(): Route {
  const [fragment, setFragment] = useState(location.hash);
  useEffect(() => {
    const changed = () => setFragment(location.hash);
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return parseRoute(fragment);
}

/** The last answer to a question that is asked again and again. */
export interface Polled<Answer> {
  /** The last answer; undefined until there is one. */
  readonly answer: Answer | undefined;
  /** Why there was no answer the last time. */
  readonly error: string | undefined;
}

/**
 * Asks the page's server for a path as long as the component is shown and the page is visible,
 * `pause` ms after each answer. Forgets the answer when the path changes, unless its part before
 * the `?` stays.
 */
export function usePolled<Answer>(path: string, pause: number): Polled<Answer> {
  const [polled, setPolled] = useState<Polled<Answer> & { of?: string }>(NOTHING);
  const subject = path.replace(/\?.*/, "");
  useEffect(() => {
    const ended = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async () => {
      try {
        const answer = document.hidden ? undefined : await get<Answer>(path, ended.signal);
        if (answer) setPolled({ answer, error: undefined, of: subject });
      } catch (error) {
        if (ended.signal.aborted) return;
        setPolled(({ answer, of }) => ({
          answer: of === subject ? answer : undefined,
          error: (error as Error).message,
          of: subject,
        }));
      }
      if (!ended.signal.aborted) timer = setTimeout(ask, pause);
    };
    ask();
    return () => {
      ended.abort();
      clearTimeout(timer);
    };
  }, [path, pause]);
  return polled.of === subject ? polled : NOTHING;
}

const NOTHING = { answer: undefined, error: undefined };
