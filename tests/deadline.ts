/**
 * Gives each test a deadline, so that a test that hangs fails and the others still run, even if it
 * never returns to the event loop. `deno task test` loads this before the tests. A test that may
 * take longer sets `timeout` itself.
 *
 * @module
 */

/** The longest time for a test, in ms: ten times what any test needs on an idle machine. */
const DEADLINE = 120_000;

type Definition = Omit<Deno.TestDefinition, "name" | "fn">;
type Body = Deno.TestDefinition["fn"];

const register: (definition: Deno.TestDefinition) => void = Deno.test;

function test(
  first: string | Body | Definition,
  second?: Body | Definition,
  third?: Body,
): void {
  const parts = [first, second, third];
  const fn = parts.find((part) => typeof part === "function");
  const name = parts.find((part) => typeof part === "string");
  const options = parts.find((part) => typeof part === "object");
  register({
    timeout: DEADLINE,
    ...name !== undefined && { name },
    ...fn && { fn, ...name === undefined && { name: fn.name } },
    ...options,
  } as Deno.TestDefinition);
}

Object.assign(Deno, { test: Object.assign(test, Deno.test) });
