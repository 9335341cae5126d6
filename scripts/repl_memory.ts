/**
 * Measures whether REPL sessions leak memory: evaluates 10,000 different inputs in one session
 * while timers run, and prints the heap in use after collecting garbage.
 *
 * V8 keeps compiled code, some 2 KB per input, until it has not run for three minutes, and then
 * frees it with the next full collection that the program itself causes. With one second instead of
 * three minutes, the script shows that nothing else grows:
 *
 * ```sh
 * deno run -A --v8-flags=--expose-gc,--bytecode-old-time=1 scripts/repl_memory.ts
 * ```
 *
 * @module
 */
import { expand } from "../cli/repl/expansion.ts";
import { ReplSession } from "../runtime/repl/repl_session.ts";

const EVALUATIONS = 10_000;

/** Number of evaluations between two lines. */
const STEP = 2_000;

/** How long code has to get old, in ms. */
const PAUSE = 1_200;

const session = new ReplSession("memory", {
  namespace: () => undefined,
  libraries: () => [],
  importLibrary: (specifier) => import(specifier),
  restoreSources: (text) => text,
  commentBefore: () => undefined,
}, {});

const resolve = (specifier: string) => Promise.resolve({ kind: "library", specifier } as const);

let ticks = 0;
const timers = [1, 5, 50].map((interval) => setInterval(() => ticks++, interval));

for (let input = 1; input <= EVALUATIONS; input++) {
  const source = input % 10 === 0
    ? `throw new Error("number ${input}")`
    : `const value = { number: ${input} }; function read() { return value }\nread()`;
  const { expansion } = await expand(source, resolve);
  await session.evaluate({ input, expansion, preview: {} });
  if (input % STEP === 0) await report(input);
}
timers.forEach(clearInterval);
console.log(`${ticks} ticks of timers`);

async function report(evaluations: number): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await new Promise((done) => setTimeout(done, PAUSE));
    bringAboutCollections();
  }
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, rss } = Deno.memoryUsage();
  const [heap, resident] = [heapUsed, rss].map((bytes) => (bytes / 1e6).toFixed(1));
  console.log(`${evaluations} evaluations: heap ${heap} MB, resident ${resident} MB`);
}

/** Fills the heap, because code does not age by collections requested with `gc()`. */
function bringAboutCollections(): void {
  for (let round = 0; round < 12; round++) Array.from({ length: 400_000 }, (_, index) => [index]);
}
