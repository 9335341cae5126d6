/**
 * Pages in Debian's Chromium, which shows nothing on a screen.
 *
 * @module
 */
import assert from "node:assert/strict";
import axe from "npm:axe-core@^4.14.1";
import {
  type Browser,
  type BrowserContextOptions,
  chromium,
  type Page,
} from "npm:playwright-core@^1.65.1";
import { findProgram } from "./requirements.ts";

/** The program, as a requirement of a test. */
export const CHROMIUM = "chromium";

/** How long a page may take to show something, in ms. */
const DEADLINE = 30_000;

/** Options of {@linkcode Chromium.open}. */
export type PageOptions = Pick<BrowserContextOptions, "viewport" | "colorScheme">;

/** A browser; ended with `await using`. */
export class Chromium implements AsyncDisposable {
  readonly #browser: Browser;
  /** What pages reported: uncaught errors, and messages of the console that are errors. */
  readonly errors: string[] = [];

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  /** Starts it. */
  static async start(): Promise<Chromium> {
    const executablePath = findProgram(CHROMIUM);
    assert.ok(executablePath !== undefined, "chromium is not installed");
    return new Chromium(
      await chromium.launch({
        executablePath,
        // Tests run as root, too, and containers have a small /dev/shm.
        args: ["--no-sandbox", "--disable-dev-shm-usage"],
      }),
    );
  }

  /** Opens a page in a window of its own, with no cookies of others. */
  async open(url: string, options: PageOptions = {}): Promise<Page> {
    const page = await this.#browser.newPage({
      viewport: { width: 1440, height: 900 },
      ...options,
    });
    page.setDefaultTimeout(DEADLINE);
    page.on("pageerror", (error) => void this.errors.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") this.errors.push(message.text());
    });
    await page.goto(url);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

/**
 * What hinders people who use a page with a keyboard, a screen reader or weak eyes, one line for
 * each kind: as axe finds it, by the rules of WCAG 2.2 at level AA and its own good practices.
 */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: typeof import("npm:axe-core@^4.14.1") };
    const { violations } = await axe.run({ resultTypes: ["violations"] });
    return violations.map(({ id, help, nodes }) =>
      `${id}: ${help}: ${nodes.slice(0, 3).map(({ html }) => html).join(" ")}`
    );
  });
}
