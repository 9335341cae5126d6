import assert from "node:assert/strict";
import { callMain } from "../../../cli/executables/run_program.ts";

const failure = (main: unknown) =>
  callMain(main, { whose: "main of a.ts", args: [] }).then(() => "", ({ message }) => message);

Deno.test("callMain describes any value that main throws", async () => {
  const { proxy, revoke } = Proxy.revocable(new Error("a"), {});
  revoke();
  const refuse = () => {
    throw proxy;
  };
  const hostile = [
    proxy,
    new Proxy(new Error("b"), { get: refuse }),
    Object.defineProperty(new Error("c"), "stack", { get: refuse }),
    Object.assign(new Error("d"), { stack: Symbol("e") }),
    null,
  ];
  for (const thrown of hostile) {
    const main = () => {
      throw thrown;
    };
    assert.match(await failure(main), /^main of a\.ts failed: ./);
  }
});

Deno.test("callMain leaves its own frames out of a stack trace", async () => {
  const message = await failure(class {});
  assert.match(message, /^main of a\.ts failed: Class constructor/);
  assert.doesNotMatch(message, /cli\/main_call\.ts/);
  assert.equal(await failure(5), "main of a.ts is not a function");
});
