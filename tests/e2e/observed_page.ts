/**
 * The page of `gxensemble observer` in a browser, and the ensemble that it shows.
 *
 * @module
 */
import type { Page } from "npm:playwright-core@^1.65.1";
import { Chromium, type PageOptions } from "../chromium.ts";
import { RunningEnsemble } from "./running_ensemble.ts";

/** A server with an actor that never takes a message, and a service that does what a test needs. */
export const MAIN = `
  import { currentServer } from "@gxensemble/ensemble";
  export const main = () => {
    const server = currentServer();
    server.spawn("stuck", () => new Promise(() => {}));
    server.serve("tester", {
      flood({ count }) { for (let i = 0; i < count; i++) server.tell("stuck", "more"); },
      fail({ text }) { server.spawn("failing", () => { throw new Error(text); }); },
    });
    return server.stopped;
  };
`;

/** An ensemble with a page that observes it. */
export class Observed implements AsyncDisposable {
  readonly #resources: AsyncDisposableStack;

  /** Its servers. */
  readonly ensemble: RunningEnsemble;
  /** The browser. */
  readonly chromium: Chromium;
  /** The URL that the observer printed. */
  readonly url: string;

  private constructor(
    { ensemble, chromium, url }: Pick<Observed, "ensemble" | "chromium" | "url">,
    resources: AsyncDisposableStack,
  ) {
    this.ensemble = ensemble;
    this.chromium = chromium;
    this.url = url;
    this.#resources = resources;
  }

  /** Starts servers, the observer and the browser. */
  static async start(ids: readonly string[]): Promise<Observed> {
    await using resources = new AsyncDisposableStack();
    const ensemble = resources.use(await RunningEnsemble.start());
    const chromium = Chromium.start();
    await Promise.all(
      ids.map((id) => ensemble.startServer(id, ["--roles", id.replace(/\d+$/, "")], MAIN)),
    );
    const observer = ensemble.spawn("observer", "--listen", "127.0.0.1:0");
    const url = /http:\S+/.exec(await observer.printed("http"))![0];
    resources.use(await chromium);
    return new Observed({ ensemble, chromium: await chromium, url }, resources.move());
  }

  /** Opens the page at a view. */
  async open(view = "", options: PageOptions = {}): Promise<Page> {
    const page = await this.chromium.open(this.url, options);
    await go(page, view);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

/** Goes to a view of the open page. */
export async function go(page: Page, view: string): Promise<void> {
  await page.evaluate((view) => void (location.hash = `#/${view}`), view);
  await page.locator("main h1").waitFor({ state: "attached" });
}

/** Evaluates an expression in the page. */
export function evaluate<Value>(page: Page, expression: string): Promise<Value> {
  return page.evaluate<Value>(expression);
}

/** Waits for an element that has a text. */
export async function shows(page: Page, selector: string, text: string | RegExp): Promise<void> {
  await page.locator(selector, { hasText: text }).first().waitFor();
}
