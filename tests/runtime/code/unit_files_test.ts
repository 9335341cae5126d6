import assert from "node:assert/strict";
import { UnitFiles } from "../../../runtime/code/unit_files.ts";

async function withFiles(test: (files: UnitFiles) => void | Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "gx" });
  try {
    await test(await UnitFiles.open(directory));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("explainFailure removes colors and positions from the runtime's message", () =>
  withFiles(async (files) => {
    // The message as Deno writes it on a terminal.
    const error = new TypeError(
      'Module not found "file:///src/absent.ts".\n' +
        "    at \x1b[0m\x1b[36mfile:///src/b.ts\x1b[0m:\x1b[0m\x1b[33m1\x1b[0m:\x1b[0m\x1b[33m15\x1b[0m",
    );
    const file = files.reserve("a", "/src/a.ts");
    await files.write(file, "1;", "");
    const place = "\x1b[36mfile:///src/a.ts\x1b[0m:\x1b[33m3\x1b[0m:\x1b[33m7\x1b[0m";
    error.stack = `${error.name}: it\n    at ${place}`;
    const { message, location } = files.explainFailure(error, "/src/a.ts");
    assert.equal(message, '/src/a.ts:3:7: TypeError: Module not found "file:///src/absent.ts".');
    assert.deepEqual(location, { path: "/src/a.ts", line: 3, column: 7 });
  }));

Deno.test("explainFailure describes nested errors and causes, at the author's positions", () =>
  withFiles(async (files) => {
    const file = files.reserve("a", "/src/a.ts");
    await files.write(file, "1;", "");
    const cause = new Error(`at ${files.url(file)}:1:1`);
    const error = new AggregateError([new RangeError("one")], "both", { cause });
    assert.deepEqual(files.explainFailure(error, "/src/a.ts").message.split("\n"), [
      "/src/a.ts: AggregateError: both",
      "    RangeError: one",
      "Caused by: Error: at /src/a.ts",
    ]);
  }));

Deno.test("explainFailure describes a thrown value that is not an error", () =>
  withFiles((files) => {
    assert.equal(
      files.explainFailure({ code: 7 }, "/src/a.ts").message,
      "/src/a.ts: threw { code: 7 }",
    );
  }));

Deno.test("reserve never returns a name twice, even if the directory is opened again", async () => {
  const directory = await Deno.makeTempDir({ prefix: "gx" });
  const names = new Set<string>();
  for (let i = 0; i < 3; i++) {
    const files = await UnitFiles.open(directory);
    for (let j = 0; j < 3; j++) names.add(files.url(files.reserve("a", "/src/a.ts")));
  }
  assert.equal(names.size, 9);
  await Deno.remove(directory, { recursive: true });
});
