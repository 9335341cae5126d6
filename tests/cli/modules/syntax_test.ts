import assert from "node:assert/strict";
import { mayPause, parseModule } from "../../../cli/modules/syntax.ts";

async function pauses(text: string): Promise<boolean> {
  return mayPause(text, await parseModule(text, "/main.js"));
}

Deno.test("a module has a top-level await only outside of functions", async () => {
  const pausing = [
    "await x;",
    "const x = [1, { y: await z }];",
    "if (a) { try { } finally { await b; } }",
    "for await (const x of y) {}",
    "await using x = y;",
    "for (await using x of y) {}",
    "class A { [await b]() {} }",
    "export default `${await x}`;",
    // Not understood, and so treated as pausing:
    "@decorated class A { async b() { await c; } }",
  ];
  const others = [
    "async function f() { await 1; for await (const x of y) {} }",
    "export default async () => await 1;",
    "class A { async m() { await 1; } static n = async () => await 1; }",
    "// await x\nconst s = 'await x';",
    "const o = { await: 1 }.await;",
  ];
  for (const text of pausing) assert.equal(await pauses(text), true, text);
  for (const text of others) assert.equal(await pauses(text), false, text);
});
